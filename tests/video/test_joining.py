"""Parts become one file whose pictures are those of the parts, in order, with the sound in time."""

from pathlib import Path

import numpy as np
import pytest

from talkinghead.audio.waveform import load_audio
from talkinghead.errors import OutputError, VideoError
from talkinghead.types import SAMPLES_PER_FRAME, Audio
from talkinghead.video.joining import join_videos
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter

LENGTHS = (7, 1, 30, 12)


def parts(folder: Path, width: int = 96) -> list[Path]:
    paths, level = [], 0
    for index, length in enumerate(LENGTHS):
        paths.append(folder / f"{index}.mp4")
        with VideoWriter(paths[-1]) as video:
            for _ in range(length):
                video.write(np.full((64, width, 3), level, np.uint8))
                level += 4
    return paths


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_pictures_and_sound_stay_in_order(tmp_path: Path, ending: str) -> None:
    total = sum(LENGTHS)
    samples = np.zeros(total * SAMPLES_PER_FRAME, np.float32)
    samples[38 * SAMPLES_PER_FRAME :] = 0.5 * np.sin(np.arange(12 * SAMPLES_PER_FRAME) * 0.2)
    output = tmp_path / f"whole.{ending}"
    assert join_videos(parts(tmp_path), output, Audio(samples)) == total
    levels = [frame.mean() for frame in read_frames(output)]
    assert np.abs(np.array(levels) - 4 * np.arange(total)).max() <= 1.5
    heard = np.abs(load_audio(output).samples)
    assert int(np.argmax(heard > 0.1)) == pytest.approx(38 * SAMPLES_PER_FRAME, abs=400)


def test_without_sound_there_is_none_and_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    output = tmp_path / "whole.mp4"
    output.write_bytes(b"old")
    first, *_ = made = parts(tmp_path)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    with pytest.raises(VideoError, match=r"bad\.mp4: cannot be read as a video; make it again"):
        join_videos([*made, tmp_path / "bad.mp4"], output)
    assert output.read_bytes() == b"old" and not list(tmp_path.glob(".whole*"))
    assert join_videos([first], output) == LENGTHS[0]


def test_parts_that_are_not_alike(tmp_path: Path) -> None:
    (tmp_path / "wide").mkdir()
    with pytest.raises(VideoError, match="is of another size, rate or encoder than"):
        join_videos([parts(tmp_path)[0], parts(tmp_path / "wide", 128)[0]], tmp_path / "whole.mp4")
    with pytest.raises(VideoError, match="parts: there is none"):
        join_videos([], tmp_path / "whole.mp4")
    with pytest.raises(OutputError, match=r"whole\.txt: has '\.txt'"):
        join_videos([], tmp_path / "whole.txt")
