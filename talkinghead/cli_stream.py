"""`talkinghead stream`: raw sound on one pipe -> a line of JSON a frame on another.

Knows bytes and lines; knows nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final, Protocol, TextIO

import numpy as np

from talkinghead import arkit
from talkinghead.errors import AudioError
from talkinghead.types import FPS, FaceMotion, FloatArray

READ_BYTES: Final = 1280
"""40 ms: a pipe that is fed in real time is read as soon as a frame may be ready."""
_FORMAT: Final = "signed 16 bit, little endian, 16000 Hz, mono, as ffmpeg -i speech.wav -f s16le -ar 16000 -ac 1 - gives it"


class Stream(Protocol):
    """`streaming.MotionStream`."""

    def push(self, samples: FloatArray) -> FaceMotion: ...

    def finish(self) -> FaceMotion: ...


def check_source(source: Any) -> None:
    """Raise AudioError when sound would have to be typed."""
    if source.isatty():
        raise AudioError(f"standard input is a terminal; pipe raw sound into it: {_FORMAT}.")


def write_lines(motions: Iterable[FaceMotion], output: TextIO) -> None:
    """Write each frame as soon as it is ready.

    Raises:
        BrokenPipeError: the reader has left.
    """
    count = 0
    for motion in motions:
        for row in range(len(motion)):
            output.write(_line(count, motion[row : row + 1]) + "\n")
            count += 1
        output.flush()


def motions_of(source: BinaryIO, stream: Stream) -> Iterator[FaceMotion]:
    """Read sound to its end -> the frames that each piece of it makes ready.

    Raises:
        AudioError: no sound, or half a sample at its end.
    """
    left, has_sound = b"", False
    while block := getattr(source, "read1", source.read)(READ_BYTES):
        left, has_sound = left + block, True
        whole = len(left) // 2 * 2
        samples = np.frombuffer(left[:whole], "<i2").astype(np.float32) / np.float32(32768)
        left = left[whole:]
        yield stream.push(samples)
    if not has_sound:
        raise AudioError(f"standard input holds no sound; give {_FORMAT}.")
    yield stream.finish()
    if left:
        raise AudioError(f"standard input ends in half a sample, its bytes are odd; give {_FORMAT}.")


def _line(frame: int, motion: FaceMotion) -> str:
    values = {
        "head_rotation": motion.head_rotation[0],
        "head_translation": motion.head_translation[0],
        "gaze": motion.gaze[0],
    }
    row: dict[str, Any] = {"frame": frame, "time_s": round(frame / FPS, 2)}
    row["blendshapes"] = dict(zip(arkit.BLENDSHAPES, _rounded(motion.blendshapes[0]), strict=True))
    row |= {name: _rounded(value) for name, value in values.items()}
    return json.dumps(row, separators=(",", ":"))


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(value), 4) for value in values]
