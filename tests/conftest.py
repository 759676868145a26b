"""Recordings, pictures and videos that the tests make themselves."""

from pathlib import Path

import numpy as np
import pytest

from talkinghead.landmarks import FaceTracker
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.writer import VideoWriter

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def astronaut():
    """A public-domain portrait, 512 x 512, one face 91 px wide."""
    return ROOT / "assets/astronaut.jpg"


@pytest.fixture(scope="session")
def tracker():
    return FaceTracker(ROOT / "checkpoints/default/tracker/face_landmarker.task")


@pytest.fixture(scope="session")
def talking_video():
    """(path, seconds, sound) -> a grey video with a 440 Hz tone."""

    def make(path, seconds=1.0, sound=True):
        tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
        with VideoWriter(path, Audio(tone.astype(np.float32)) if sound else None) as video:
            for i in range(round(seconds * 25)):
                video.write(np.full((64, 96, 3), 40 + 4 * i % 160, np.uint8))
        return path

    return make
