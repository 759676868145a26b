"""Sound file -> 16 kHz mono `Audio`: every container and codec that FFmpeg reads, the soundtrack of a video included.

Knows samples, rates and what a recording can suffer from; knows nothing of speech.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
import numpy as np
import soxr

from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE, Audio, FloatArray

MIN_DURATION_S: Final = 0.1
MAX_DURATION_S: Final = 6 * 3600
MISSING_SHARE: Final = 0.02
"""A file that holds this much less sound than its header says was cut short."""

_FORMATS: Final = "give a recording such as speech.wav, .mp3, .m4a, .ogg, .flac, or a video with sound"


def load_audio(source: Path | str | BinaryIO) -> Audio:
    """The first sound track of a file, or of one that is open to read and seek in -> Audio, decoded and resampled in a stream.

    Channels are averaged. A recording louder than full scale is turned down to it. Silence is allowed.

    Raises:
        AudioError: no such file, a folder, empty, not sound, cut short, shorter than 0.1 s, longer than six hours, or with
            samples that are not numbers.
    """
    path = Path(source if isinstance(source, str | Path) else str(getattr(source, "name", "sound")))
    opened = None if isinstance(source, str | Path) else source
    if opened is None:
        check_audio_file(path)
    chunks = [np.zeros(0, np.float32)]
    try:
        chunks.extend(_decoded(path, opened))
    except av.FFmpegError as error:
        read_s = sum(map(len, chunks)) / SAMPLE_RATE
        if read_s:
            raise AudioError(f"{path}: truncated or damaged after {read_s:.1f} s; copy or record it again.") from error
        raise AudioError(f"{path}: cannot be read as sound ({_reason(error)}); {_FORMATS}.") from error
    samples = np.concatenate(chunks)
    if not len(samples):
        raise AudioError(f"{path}: holds 0 s of sound; {_FORMATS}.")
    if len(samples) < MIN_DURATION_S * SAMPLE_RATE:
        duration_ms = 1000 * len(samples) / SAMPLE_RATE
        wanted_ms = 1000 * MIN_DURATION_S
        raise AudioError(f"{path}: {duration_ms:.0f} ms of sound, at least {wanted_ms:.0f} ms are wanted; {_FORMATS}.")
    peak = float(np.abs(samples).max())
    if peak > 1:
        samples /= peak
    return Audio(samples)


def check_audio_file(path: Path) -> None:
    """Raise AudioError for what needs no decoder: no such file, a folder, an empty file, a wav that was cut off."""
    if path.is_dir():
        raise AudioError(f"{path}: is a folder; {_FORMATS}.")
    if not path.is_file():
        raise AudioError(f"{path}: no such file; {_FORMATS}.")
    try:
        with path.open("rb") as file:
            head = file.read(12)
            if not head:
                raise AudioError(f"{path}: is empty; {_FORMATS}.")
            if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
                _check_wav_length(path, file)
    except OSError as error:
        raise AudioError(f"{path}: cannot be opened ({error.strerror}); check its permissions.") from error


def _check_wav_length(path: Path, file: BinaryIO) -> None:
    """FFmpeg reads a wav that was cut off without a word, so its header is compared with its size here."""
    size = path.stat().st_size
    while len(chunk := file.read(8)) == 8:
        length = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            # 0 and 0xFFFFFFFF stand in files that were written to a pipe: there the end of the file is the end.
            said, there = length, size - file.tell()
            if 0 < said < 0xFFFFFFFF and there < said:
                raise AudioError(
                    f"{path}: truncated, its header says {said} bytes of sound and {there} are there; copy or record it again."
                )
            return
        file.seek(length + length % 2, 1)


def _decoded(path: Path, opened: BinaryIO | None) -> Iterator[FloatArray]:
    """The chunks of the first sound track, (n,) float32, mono, 16 kHz."""
    # A playlist inside a file must not reach for the network, and a name with a colon is not a protocol.
    with av.open(opened or str(path.resolve()), "r", options={"protocol_whitelist": "file"}) as container:
        if not container.streams.audio:
            kind = "a picture or video without sound" if container.streams.video else "no sound"
            raise AudioError(f"{path}: holds {kind}; {_FORMATS}.")
        stream = container.streams.audio[0]
        form: tuple[int, str, str] | None = None
        planar: Any = None
        resampler: Any = None
        read_s = 0.0
        for frame in container.decode(stream):
            # A recorded broadcast may change its rate or channels on the way.
            if form != (form := (frame.sample_rate, frame.layout.name, frame.format.name)):
                if resampler is not None:
                    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
                planar = av.AudioResampler(format="fltp", layout=frame.layout, rate=frame.sample_rate)
                resampler = soxr.ResampleStream(frame.sample_rate, SAMPLE_RATE, 1, dtype="float32")
            for part in planar.resample(frame):
                mono = part.to_ndarray().mean(0, dtype=np.float32)
                if not np.isfinite(mono).all():
                    raise AudioError(f"{path}: has samples that are not numbers (NaN or infinite); export the recording again.")
                read_s += len(mono) / frame.sample_rate
                if read_s > MAX_DURATION_S:
                    raise AudioError(f"{path}: longer than {MAX_DURATION_S // 3600} hours; cut it into parts.")
                yield resampler.resample_chunk(mono)
        if resampler is not None:
            _check_stream_length(path, stream, read_s)
            yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _check_stream_length(path: Path, stream: Any, read_s: float) -> None:
    # Only where the container states the length; mp3 and streams guess it from the bit rate.
    if stream.duration is None or not any(n in stream.container.format.name for n in ("wav", "flac", "mov", "aiff", "w64")):
        return
    said_s = float(stream.duration * stream.time_base)
    if read_s < said_s * (1 - MISSING_SHARE) - 0.1:
        raise AudioError(
            f"{path}: truncated, its header says {said_s:.1f} s of sound and {read_s:.1f} s are there; copy or record it again."
        )


def _reason(error: av.FFmpegError) -> str:
    return "invalid data" if error.errno in (errno.EINVAL, None) else str(error.strerror or error).lower()
