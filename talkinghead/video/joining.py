"""Video files of one size, made by one encoder, and a sound -> one file, its pictures copied and not encoded again.

Knows packets and times. Written beside the result and renamed, as `writer` does.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from talkinghead.errors import OutputError, VideoError
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.writer import AUDIO_BIT_RATE, AUDIO_HZ, CONTAINERS, check_output

_BLOCK: Final = SAMPLE_RATE


def join_videos(parts: Sequence[Path], output: Path, sound: Audio | None = None) -> int:
    """Write the pictures of `parts` one after the other, with `sound`, and return how many there are.

    parts: of `VideoWriter`, all of one size and rate, without sound.

    Raises:
        OutputError: the file cannot be written there.
        VideoError: a part cannot be read, or is of another size or rate than the first.
    """
    check_output(output)
    if not parts:
        raise VideoError("parts: there is none; give one video at least.")
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.stem[:40]}.", suffix=output.suffix.lower())
    os.close(handle)
    temporary = Path(name)
    try:
        count = _write(parts, temporary, CONTAINERS[output.suffix.lower()], sound)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(output)
    except (av.FFmpegError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0]
        raise OutputError(f"{output}: writing failed ({reason}); free some space or write elsewhere.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return count


def _write(parts: Sequence[Path], path: Path, container_format: str, sound: Audio | None) -> int:
    options = {} if container_format == "matroska" else {"movflags": "+faststart"}
    forms = [_form(part) for part in parts]
    first, _ = forms[0]
    for part, (form, _) in zip(parts, forms, strict=True):
        if form != first:
            raise VideoError(f"{part}: is of another size, rate or encoder than {parts[0]}; make them alike.")
    delay = max(delay for _, delay in forms)
    num_frames = 0
    with av.open(str(path), "w", format=container_format, options=options) as target:
        video: Any = None
        encoder: _SoundEncoder | None = None
        for part in parts:
            with av.open(str(part)) as source:
                stream: Any = source.streams.video[0]
                step = round(1 / (stream.average_rate * stream.time_base))
                if video is None:
                    video = target.add_stream_from_template(stream)
                    encoder = _SoundEncoder(target, sound) if sound is not None else None
                shift = num_frames * step
                packet: Any
                for packet in source.demux(stream):
                    if packet.dts is None:
                        continue
                    # A part whose pictures stand in order has no delay of its own: it is given that of the others.
                    packet.pts, packet.dts = packet.pts + shift, num_frames * step - delay
                    time_s = float(packet.pts * stream.time_base)
                    packet.stream = video
                    target.mux(packet)
                    num_frames += 1
                    if encoder is not None:
                        encoder.encode_until(time_s)
        if encoder is not None:
            encoder.encode_until(num_frames / float(first[3]))
            encoder.close()
    return num_frames


def _form(part: Path) -> tuple[tuple[Any, ...], int]:
    """What must be alike, and by how much the first packet is decoded before it is shown."""
    try:
        with av.open(str(part)) as source:
            stream: Any = source.streams.video[0]
            context = stream.codec_context
            packet: Any = next(source.demux(stream))
            form = (context.name, context.width, context.height, stream.average_rate, stream.time_base)
            return form, packet.pts - packet.dts
    except (av.FFmpegError, IndexError) as error:
        raise VideoError(f"{part}: cannot be read as a video; make it again.") from error


class _SoundEncoder:
    """`Audio` -> AAC, in step with the picture."""

    def __init__(self, target: Any, sound: Audio) -> None:
        self._target, self._samples, self._next = target, sound.samples, 0
        self._stream = target.add_stream("aac", rate=AUDIO_HZ, layout="mono")
        self._stream.bit_rate = AUDIO_BIT_RATE
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=AUDIO_HZ)

    def encode_until(self, time_s: float) -> None:
        while self._next < min(len(self._samples), round(time_s * SAMPLE_RATE)):
            part = np.ascontiguousarray(self._samples[None, self._next : self._next + _BLOCK])
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, self._next, Fraction(1, SAMPLE_RATE)
            self._next += part.shape[1]
            for resampled in self._resampler.resample(frame):
                self._target.mux(self._stream.encode(resampled))

    def close(self) -> None:
        for resampled in self._resampler.resample(None):
            self._target.mux(self._stream.encode(resampled))
        self._target.mux(self._stream.encode(None))
