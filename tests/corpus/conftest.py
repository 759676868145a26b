"""A tiny archive of MEAD's shape: the astronaut's portrait moved about, with a piece of speech; and what is prepared of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.sources import mead_clips
from talkinghead.preparation.run import Summary, prepare
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.writer import VideoWriter

NUM_FRAMES = 15
SPLITS = ("eat", "emote", "official")

ClipBytes = Callable[..., bytes]


@pytest.fixture(scope="session")
def clip_bytes(root: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipBytes:
    """(frames, start_s, sound_s, face, sound, fps) -> an mp4, 240 px high, with a face at its left and speech."""
    folder = tmp_path_factory.mktemp("clips")
    picture = cv2.resize(iio.imread(root / "assets/astronaut.jpg")[:400, 40:440], (240, 240), interpolation=cv2.INTER_AREA)
    samples = load_audio(root / "assets/speech.wav").samples
    number = iter(range(10**6))

    def make(
        frames: int = NUM_FRAMES, start_s: float = 1.0, sound_s: float | None = None, face: bool = True, sound: bool = True,
        fps: float = 30,
    ) -> bytes:  # fmt: skip
        start = round(start_s * SAMPLE_RATE)
        length = round((frames / 25 if sound_s is None else sound_s) * SAMPLE_RATE)
        path = folder / f"{next(number)}.mp4"
        with VideoWriter(path, Audio(samples[start : start + length]) if sound else None, fps) as video:
            for shift in range(frames):
                wide = np.full((240, 360, 3), 90, np.uint8)
                wide[:, 10 + shift : 250 + shift] = picture if face else 120
                video.write(wide)
        return path.read_bytes()

    return make


def write_tar(path: Path, contents: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def sound_bytes(root: Path, start_s: float, seconds: float) -> bytes:
    """A piece of the speech as .wav: any sound file does beside a video."""
    file = io.BytesIO()
    samples = load_audio(root / "assets/speech.wav").samples
    start = round(start_s * SAMPLE_RATE)
    whole = (samples[start : start + round(seconds * SAMPLE_RATE)] * 32767).astype("<i2")
    header = b"RIFF" + (36 + whole.nbytes).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += b"".join(n.to_bytes(size, "little") for n, size in ((1, 2), (1, 2), (16000, 4), (32000, 4), (2, 2), (16, 2)))
    file.write(header + b"data" + whole.nbytes.to_bytes(4, "little") + whole.tobytes())
    return file.getvalue()


@pytest.fixture(scope="session")
def archive(root: Path, clip_bytes: ClipBytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three actors, four shapes, and a clip with each defect."""
    folder = tmp_path_factory.mktemp("archive") / "MEAD"
    front, good = "video/front", clip_bytes()
    write_tar(
        folder / "M003/video.tar",
        {
            f"{front}/angry/level_1/001.mp4": good,
            f"{front}/angry/level_1/002.mp4": clip_bytes(start_s=2.0),
            f"{front}/sad/level_2/020.mp4": clip_bytes(sound=False),
            f"{front}/sad/level_2/021.mp4": clip_bytes(sound=False),
            f"{front}/happy/level_3/001.mp4": b"",
            f"{front}/happy/level_3/002.mp4": b"no video at all",
            f"{front}/happy/level_3/003.mp4": clip_bytes(face=False),
            f"{front}/happy/level_3/004.mp4": clip_bytes(frames=22, sound_s=0.5),
            f"{front}/happy/level_3/other take.mp4": good,
            "video/left_30/angry/level_1/001.mp4": good,
        },
    )
    write_tar(folder / "M003/audio.tar", {"audio/sad/level_2/020.wav": sound_bytes(root, 1.0, NUM_FRAMES / 25)})
    path = folder / "W011/1/neutral/front/level_1/001.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(good)
    write_tar(folder / "W040.tar", {f"W040/{front}/fear/level_1/{n:03}.mp4": good for n in (1, 2)})
    broken = (folder / "W040.tar").read_bytes()
    (folder / "W040.tar").write_bytes(broken[: broken.rindex(b"W040/video") + 512 + len(good) // 2])
    return folder


@pytest.fixture(scope="session")
def prepared(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """The archive's front view, prepared without a stop."""
    output = tmp_path_factory.mktemp("prepared") / "mead"
    return output, prepare(mead_clips(archive), output, "mead", SPLITS, workers=1)
