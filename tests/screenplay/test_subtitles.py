"""Subtitles are read back by FFmpeg's own readers, and letters stand in the picture while they are spoken."""

import re
from pathlib import Path

import av
import numpy as np
import pytest

from talkinghead.audio.delivery import SpokenWord
from talkinghead.screenplay.subtitles import Caption, Lettering, captions, missing_letter, rows, to_srt, to_vtt, write_text


def spoken(text: str, start_s: float = 0.5, each_s: float = 0.3) -> list[SpokenWord]:
    return [SpokenWord(w, start_s + i * each_s, start_s + (i + 0.9) * each_s) for i, w in enumerate(text.split())]


FIRST = spoken("I <really> told you & him.", 0.123)
LONG = spoken("This is a sentence. And here another one follows that is quite a lot longer than the first was.", 4000.0)
FOUND = captions([("Ana", FIRST), ("Bob", LONG)])


def read_back(path: Path) -> list[tuple[float, float, str]]:
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        base = float(stream.time_base)
        packets = [packet for packet in file.demux(stream) if packet.size]
        return [(p.pts * base, (p.pts + p.duration) * base, bytes(p).decode()) for p in packets]


@pytest.mark.parametrize(("ending", "write"), [("srt", to_srt), ("vtt", to_vtt)])
def test_times_and_texts_are_read_back(tmp_path: Path, ending: str, write: object) -> None:
    path = tmp_path / f"scene.{ending}"
    write_text(path, write(FOUND))  # type: ignore[operator]
    back = read_back(path)
    assert len(back) == len(FOUND) == 3
    for (start_s, end_s, text), caption in zip(back, FOUND, strict=True):
        assert start_s == pytest.approx(caption.start_s, abs=0.0006) and end_s == pytest.approx(caption.end_s, abs=0.0011)
        plain = re.sub(r"<[\d:.]+>|</?v[^>]*>", "", text) if ending == "vtt" else text
        plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert plain.split() == caption.text.split()


def test_webvtt_gives_every_word_its_time() -> None:
    times = re.findall(r"<(\d\d):(\d\d):(\d\d\.\d{3})>", to_vtt(FOUND[:1]))
    given = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in times]
    assert given == pytest.approx([word.start_s for word in FIRST[1:]], abs=0.0006)
    assert "<v Ana>I" in to_vtt(FOUND[:1]) and "&lt;really&gt;" in to_vtt(FOUND[:1])


def test_captions_are_cut_where_sentences_end_and_never_overlap_in_a_line() -> None:
    assert [caption.speaker for caption in FOUND] == ["Ana", "Bob", "Bob"]
    assert all(len(caption.text) <= 74 and len(rows(caption.text)) <= 2 for caption in FOUND)
    assert FOUND[1].end_s <= FOUND[2].start_s and FOUND[0].end_s == pytest.approx(FIRST[-1].end_s + 0.2)


def test_rows_are_of_about_the_same_length() -> None:
    first, second = rows("And here another one follows that is quite a lot longer than")
    assert abs(len(first) - len(second)) < 12


def test_letters_stand_at_the_foot_and_nowhere_else() -> None:
    frame = np.full((180, 320, 3), 90, np.uint8)
    shown = Lettering(320, 180).burn(frame, FOUND[:1])
    changed = np.argwhere((shown != frame).any(-1))
    assert changed[:, 0].min() > 120 and changed[:, 0].max() < 180 and shown.max() > 240 and shown.min() < 20
    assert abs((changed[:, 1].min() + changed[:, 1].max()) / 2 - 160) < 3
    assert Lettering(320, 180).burn(frame, []) is frame and frame.max() == 90


def test_a_long_caption_fits_a_narrow_picture() -> None:
    shown = Lettering(160, 120).burn(np.zeros((120, 160, 3), np.uint8), [Caption("Ana", tuple(LONG[4:17]), 9)])
    columns = np.flatnonzero(shown.any((0, 2)))
    assert columns.min() > 0 and columns.max() < 159


def test_a_letter_that_the_font_lacks_is_found(tmp_path: Path) -> None:
    assert missing_letter(['It\'s "fine", (really) & truly?!'], None) is None
    assert missing_letter(["Foot", "Fuß", "ß"], None) == (1, "ß")
    (tmp_path / "bad.ttf").write_text("no font")
    with pytest.raises(OSError, match="unknown file format"):
        missing_letter([], tmp_path / "bad.ttf")
