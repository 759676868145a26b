"""What may be called an `Audio`: one channel of float32 in [-1, 1]."""

import numpy as np
import pytest

from talkinghead.errors import AudioError
from talkinghead.types import Audio


def test_an_audio_counts_the_video_frames_that_cover_it() -> None:
    audio = Audio(np.zeros(1281, np.float32))
    assert audio.num_frames == 3 and audio.duration_s == 1281 / 16_000


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((100, 2), np.float32), r"shape \(100, 2\); give \(N,\): one channel"),
        (np.full(100, 12_000, np.int16), r"is int16; give float32 in \[-1, 1\], or a file to load_audio"),
        (np.zeros(100), "is float64; give float32"),
        (np.full(100, -12_000, np.float32), r"reaches 1\.2e\+04; give samples in \[-1, 1\]"),
    ],
)
def test_what_is_no_audio_is_said(samples: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        Audio(samples)
