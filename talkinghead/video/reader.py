"""Video file -> RGB frames, one at a time, at a constant rate.

Knows containers and rates; knows nothing of faces. Sound is read by `audio.waveform`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from talkinghead.errors import VideoError
from talkinghead.types import FPS, ByteArray


def read_frames(source: Path | BinaryIO, fps: float = FPS) -> Iterator[ByteArray]:
    """The frames of the first video stream, (H, W, 3) uint8 RGB, upright, nearest in time at `fps` frames a second.

    source: a file, or one that is open to read and seek in. A video that is damaged further on ends there.

    Raises:
        VideoError: no such file, not a video, or damaged before its first frame.
    """
    path = Path(source if isinstance(source, str | Path) else str(getattr(source, "name", "video")))
    opened = None if isinstance(source, str | Path) else source
    if opened is None:
        check_video_file(path)
    index = 0
    last: ByteArray | None = None
    try:
        # A playlist inside a file must not reach for the network, and a name with a colon is not a protocol.
        with av.open(opened or str(path.resolve()), "r", options={"protocol_whitelist": "file"}) as container:
            if not container.streams.video:
                raise VideoError(f"{path}: has no picture track; give a video file such as clip.mp4.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            start_s: float | None = None
            for frame in container.decode(stream):
                time_s = frame.time if frame.time is not None else index / fps
                start_s = time_s if start_s is None else start_s
                # An output frame shows the newest picture that begins before its middle: no drift, whatever the source's rate.
                while last is not None and index / fps + 0.5 / fps < time_s - start_s:
                    yield last
                    index += 1
                # A phone held upright writes a lying picture and by how much to turn it.
                upright = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                last = np.ascontiguousarray(upright)
    except av.FFmpegError as error:
        if last is None:
            raise VideoError(f"{path}: cannot be read as a video ({error.strerror or error}); convert it to mp4.") from error
    if last is None:
        raise VideoError(f"{path}: holds no picture; give a video file such as clip.mp4.")
    yield last


def check_video_file(path: Path) -> None:
    """Raise VideoError for what needs no decoder: no such file, a folder, an empty file."""
    wanted = "give a video file such as clip.mp4"
    if path.is_dir():
        raise VideoError(f"{path}: is a folder; {wanted}.")
    if not path.is_file():
        raise VideoError(f"{path}: no such file; {wanted}.")
    if not path.stat().st_size:
        raise VideoError(f"{path}: is empty; {wanted}.")
