"""Words with times -> subtitles: SubRip, WebVTT with a time for each word, and text drawn into the picture.

Knows words, times and pixels. Sources: W3C, "WebVTT: The Web Video Text Tracks Format", 2019; BBC, "Subtitle Guidelines",
2024 (two lines of some 37 letters, on screen no longer than they are spoken and a moment).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from talkinghead.audio.delivery import SpokenWord
from talkinghead.errors import OutputError
from talkinghead.files import whole
from talkinghead.types import ByteArray, FloatArray

MAX_LETTERS: Final = 74
ROW_LETTERS: Final = 37
LINGER_S: Final = 0.2
"""As long as the silence after a line: a caption is never in another line's part of the scene."""
MAX_GAP_S: Final = 1.2
FONT_SHARE: Final = 0.062
"""Height of the letters, of the picture's."""
ROW_SHARE: Final = 1.3
TEXT_WIDTH: Final = 0.94
MIN_FONT_PX: Final = 7


@dataclass(frozen=True)
class Caption:
    """speaker, and the words that stand in the picture together, at their times in the scene."""

    speaker: str
    words: tuple[SpokenWord, ...]
    end_s: float

    @property
    def start_s(self) -> float:
        return self.words[0].start_s

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def captions(lines: Sequence[tuple[str, Sequence[SpokenWord]]]) -> list[Caption]:
    """Speakers and their words -> captions in the order of time.

    A line is cut where a sentence ends, a long pause stands or it grows too long; a caption stays a moment, not into the next
    one of its line.
    """
    result: list[Caption] = []
    for speaker, words in lines:
        groups = _groups(words)
        starts = [group[0].start_s for group in groups[1:]] + [float("inf")]
        for group, next_s in zip(groups, starts, strict=True):
            result.append(Caption(speaker, tuple(group), min(group[-1].end_s + LINGER_S, max(next_s, group[-1].end_s))))
    return sorted(result, key=lambda caption: caption.start_s)


def _groups(words: Sequence[SpokenWord]) -> list[list[SpokenWord]]:
    groups: list[list[SpokenWord]] = []
    for word in words:
        before = groups[-1] if groups else []
        letters = sum(len(other.text) + 1 for other in before) + len(word.text)
        is_cut = (
            not before
            or letters > MAX_LETTERS
            or word.start_s - before[-1].end_s > MAX_GAP_S
            or (before[-1].text[-1] in ".!?…" and letters > ROW_LETTERS)
        )
        if is_cut:
            groups.append([word])
        else:
            before.append(word)
    return groups


def rows(text: str) -> list[str]:
    """A caption's text in one row, or two of about the same length."""
    if len(text) <= ROW_LETTERS:
        return [text]
    words = text.split()
    cuts = [" ".join(words[:index]) for index in range(1, len(words))]
    first = min(cuts, key=lambda head: abs(2 * len(head) + 1 - len(text)), default=text)
    return [first, text[len(first) + 1 :]] if first != text else [text]


def to_srt(found: Sequence[Caption]) -> str:
    """SubRip: numbered, with a time from and to."""
    blocks = []
    for number, caption in enumerate(found, 1):
        times = f"{_clock(caption.start_s, ',')} --> {_clock(caption.end_s, ',')}"
        blocks.append("\n".join([str(number), times, *rows(caption.text)]) + "\n")
    return "\n".join(blocks)


def to_vtt(found: Sequence[Caption]) -> str:
    """WebVTT: the speaker as a voice, and before each word but the first the time at which it begins."""
    blocks = ["WEBVTT\n"]
    for number, caption in enumerate(found, 1):
        text = _escaped(caption.words[0].text)
        for before, word in zip(caption.words[:-1], caption.words[1:], strict=True):
            # Times inside a caption must rise.
            is_later = _clock(word.start_s, ".") > _clock(max(before.start_s, caption.start_s), ".")
            text += (f" <{_clock(word.start_s, '.')}>" if is_later else " ") + _escaped(word.text)
        times = f"{_clock(caption.start_s, '.')} --> {_clock(caption.end_s, '.')}"
        blocks.append(f"{number}\n{times}\n<v {_escaped(caption.speaker)}>{text}</v>\n")
    return "\n".join(blocks)


def write_text(path: Path, text: str) -> None:
    """Written beside and renamed; raises OutputError where that cannot be."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def subtitle_files(forms: Sequence[str], output: Path) -> list[Path]:
    """The files beside a video, of the forms that are files."""
    return [output.with_suffix(f".{form}") for form in ("srt", "vtt") if form in forms]


def check_own(forms: Sequence[str], output: Path, work: Path) -> None:
    """Raise OutputError when something else stands there than what was written last, of which the work folder has a copy."""
    for path in subtitle_files(forms, output):
        copy = _copy(path, work)
        if path.exists() and not (path.is_file() and copy.is_file() and path.read_bytes() == copy.read_bytes()):
            raise OutputError(
                f"{path}: is not what this scene wrote last and would be overwritten; move it away, or write to another name."
            )


def write_subtitles(found: Sequence[Caption], forms: Sequence[str], output: Path, work: Path) -> None:
    """The files beside a video, and the copies by which they are known again; raises OutputError where that cannot be."""
    for path in subtitle_files(forms, output):
        text = to_srt(found) if path.suffix == ".srt" else to_vtt(found)
        write_text(path, text)
        write_text(_copy(path, work), text)


def _copy(path: Path, work: Path) -> Path:
    return work / f"subtitles{path.suffix}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(time_s: float, mark: str) -> str:
    milliseconds = round(1000 * time_s)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{milliseconds:03d}"


@dataclass(frozen=True, eq=False)
class Lettering:
    """Draws captions into frames of one size."""

    width: int
    height: int
    font: Path | None = None
    _inks: dict[str, FloatArray] = field(default_factory=dict, init=False)

    def burn(self, frame: ByteArray, found: Sequence[Caption]) -> ByteArray:
        """frame: (H, W, 3) -> the same with the captions at its foot, the newest lowest."""
        if not found:
            return frame
        text = "\n".join("\n".join(rows(caption.text)) for caption in found)
        if text not in self._inks:
            self._inks.clear()  # captions come one after the other
            self._inks[text] = self._ink(text)
        ink = self._inks[text]
        top = self.height - ink.shape[0] - round(0.04 * self.height)
        result = frame.copy()
        part = result[max(0, top) : max(0, top) + ink.shape[0]]
        opacity, light = ink[: len(part), :, 1:], ink[: len(part), :, :1]
        part[:] = (part + opacity * (255 * light - part.astype(np.float32)) + 0.5).astype(np.uint8)
        return result

    def _ink(self, text: str) -> FloatArray:
        """(h, W, 2) how light and how opaque the text is: white letters with a dark rim."""
        written = text.split("\n")
        font_px = max(9, round(FONT_SHARE * self.height))
        while font_px > MIN_FONT_PX and self._width(written, font_px) > TEXT_WIDTH * self.width:
            font_px -= 1
        font, rim, row_px = _font(self.font, font_px), _rim(font_px), round(ROW_SHARE * font_px)
        layers = []
        for stroke in (0, rim):
            layer = Image.new("L", (self.width, row_px * len(written) + 2 * rim))
            pen = ImageDraw.Draw(layer)
            for row, line in enumerate(written):
                # By its base line: letters of both layers stand in the same place.
                place = (self.width / 2, rim + row_px * row + round(0.95 * font_px))
                pen.text(place, line, 255, font=font, anchor="ms", stroke_width=stroke, stroke_fill=255)
            layers.append(np.asarray(layer, np.float32) / 255)
        return np.stack(layers, -1)

    def _width(self, written: Sequence[str], font_px: int) -> float:
        font = _font(self.font, font_px)
        return max(font.getlength(line) for line in written) + 2 * _rim(font_px)


def _rim(font_px: int) -> int:
    return max(1, font_px // 9)


def missing_letter(texts: Sequence[str], font: Path | None) -> tuple[int, str] | None:
    """Which text first has a letter that the font lacks, and the letter; raises OSError for a font that cannot be read."""
    chosen = _font(font, 16)
    nothing = chosen.getmask("\U000f1234")
    missing = nothing.getbbox(), bytes(nothing)
    known: dict[str, bool] = {}
    for index, text in enumerate(texts):
        for letter in text:
            if letter not in known:
                mask = chosen.getmask(letter)
                known[letter] = letter.isspace() or (mask.getbbox(), bytes(mask)) != missing
            if not known[letter]:
                return index, letter
    return None


def _font(path: Path | None, size_px: int) -> ImageFont.FreeTypeFont:
    if path is not None:
        return ImageFont.truetype(str(path), size_px)
    font = ImageFont.load_default(size_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
