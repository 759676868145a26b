"""Videos of any rate become frames of a constant one; what is no video is refused in one line."""

import numpy as np
import pytest

from talkinghead.errors import VideoError
from talkinghead.video.reader import read_frames
from talkinghead.video.writer import VideoWriter


@pytest.mark.parametrize("source_fps", [12.5, 25, 30, 50, 60])
def test_two_seconds_are_fifty_frames(tmp_path, source_fps):
    with VideoWriter(tmp_path / "v.mp4", fps=source_fps) as video:
        for i in range(50):
            video.write(np.full((64, 64, 3), 20 + 4 * i, np.uint8))
    frames = list(read_frames(tmp_path / "v.mp4"))
    assert abs(len(frames) - 50) <= 1 and frames[0].shape == (64, 64, 3) and frames[0].dtype == np.uint8
    shown = [(float(frame.mean()) - 20) / 4 for frame in frames]
    assert np.abs(np.array(shown) - np.arange(len(frames))).max() <= 1.5, "no drift"


def test_a_phones_video_is_turned_upright(tmp_path):
    path = tmp_path / "v.mp4"
    lying = np.full((64, 96, 3), 40, np.uint8)
    lying[:, :48] = 200
    with VideoWriter(path) as video:
        for _ in range(3):
            video.write(lying)
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    assert content[matrix : matrix + 4] == (1 << 16).to_bytes(4, "big"), "the identity's first number"
    a_quarter_clockwise = [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]
    content[matrix : matrix + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in a_quarter_clockwise)
    path.write_bytes(content)
    frame = next(read_frames(path))
    assert frame.shape == (96, 64, 3) and frame[:40].mean() > 180 and frame[56:].mean() < 60, "left has become top"


def test_what_is_no_video(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("I am not a video.\n" * 50)
    for name, message in (
        ("none.mp4", "no such file; give a video file"),
        (".", "is a folder; give a video file"),
        ("empty.mp4", "is empty; give a video file"),
        ("text.mp4", "cannot be read as a video"),
    ):
        with pytest.raises(VideoError, match=message):
            list(read_frames(tmp_path / name))


def test_a_recording_is_no_video(root):
    with pytest.raises(VideoError, match="has no picture track"):
        list(read_frames(root / "assets/speech.wav"))
