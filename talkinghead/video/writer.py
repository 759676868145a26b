"""Frames, one at a time, and a sound -> a video file that is there whole or not at all.

H.264 yuv420p (BT.709) and AAC. Knows files, rates and sizes; knows nothing of faces. Written beside the result and renamed;
memory does not grow with length. A frame shows the 1/25 s in which it stands; another rate repeats or drops whole frames.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import av
import numpy as np

from talkinghead.errors import AudioError, OutputError
from talkinghead.types import FPS, SAMPLE_RATE, Audio, ByteArray
from talkinghead.video.yuv import yuv420

CONTAINERS: Final[dict[str, str]] = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
MIN_FPS: Final = 1.0
MAX_FPS: Final = 120.0
CRF: Final = 18
PRESET: Final = "veryfast"
AUDIO_BIT_RATE: Final = 128_000
AUDIO_HZ: Final = 48_000
_BT709: Final = 1
_LIMITED_RANGE: Final = 1
_SAMPLES_A_FRAME: Final = 4096


def check_output(path: Path, extensions: tuple[str, ...] = tuple(CONTAINERS)) -> None:
    """Raise OutputError when a file cannot be written there: its ending, its folder, permissions. Leaves nothing behind."""
    if path.suffix.lower() not in extensions:
        ending = f"'{path.suffix}'" if path.suffix else "no ending"
        raise OutputError(f"{path}: has {ending}; choose one of {', '.join(extensions)}.")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file in it.")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}; make it first, or write elsewhere.")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({_reason(error)}); choose another folder or free some space.") from error


class VideoWriter:
    """`with VideoWriter(path, sound) as video: video.write(frame)`; the file appears when the block ends without an error."""

    def __init__(self, path: Path | str, sound: Audio | Path | str | None = None, fps: float = FPS) -> None:
        """Opens nothing yet; the first frame tells the size.

        Args:
            path: .mp4, .mov or .mkv.
            sound: `Audio`, or a file whose first sound track is taken at its own quality.
            fps: of the file, 1 to 120; the frames that are written are 25 a second.

        Raises:
            OutputError: the file cannot be written there, or no such rate.
        """
        self.path = Path(path)
        if not MIN_FPS <= fps <= MAX_FPS:
            raise OutputError(f"fps: {fps:g}; give {MIN_FPS:g} to {MAX_FPS:g}.")
        check_output(self.path)
        self._fps = _exact_rate(fps)
        self._sound = Path(sound) if isinstance(sound, str) else sound
        self._temporary: Path | None = None
        self._container: Any = None
        self._video: Any = None
        self._audio: Any = None
        self._to_aac: Any = None
        self._sound_form: tuple[int, str, str] | None = None
        self._sound_chunks: Generator[Any] | None = None
        self._sound_s = 0.0
        self._size = (0, 0)
        self.num_frames_in = self.num_frames_out = 0

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._abandon()

    def write(self, frame: ByteArray) -> None:
        """frame: (H, W, 3) uint8 RGB, all of one size.

        Raises:
            OutputError: the disk is full or the like; or the frame has another size than the first.
            AudioError: the file of the sound cannot be read.
        """
        if self._container is None:
            self._open(frame)
        if frame.shape[:2] != self._size:
            height, width = self._size
            raise OutputError(f"frame: {frame.shape[1]} x {frame.shape[0]} px after {width} x {height}; give one size.")
        picture: Any = None
        with self._disk_errors():
            # The middle of an output frame's time says which input frame it shows.
            while int((self.num_frames_out + Fraction(1, 2)) * FPS / self._fps) <= self.num_frames_in:
                picture = yuv420(_even(frame)) if picture is None else picture
                self._encode_picture(picture)
        self.num_frames_in += 1

    def _open(self, frame: ByteArray) -> None:
        self._size = (frame.shape[0], frame.shape[1])
        with self._disk_errors():
            suffix = self.path.suffix.lower()
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.stem[:40]}.", suffix=suffix)
            os.close(handle)
            self._temporary = Path(name)
            container_format = CONTAINERS[suffix]
            options = {} if container_format == "matroska" else {"movflags": "+faststart"}
            self._container = av.open(name, "w", format=container_format, options=options)
            video = self._container.add_stream("libx264", rate=self._fps, options={"crf": str(CRF), "preset": PRESET})
            video.height, video.width = (side + side % 2 for side in self._size)
            video.pix_fmt = "yuv420p"
            context = video.codec_context
            context.time_base = 1 / self._fps
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED_RANGE
            self._video = video
            if self._sound is not None:
                self._open_sound(self._sound)

    def _open_sound(self, sound: Audio | Path) -> None:
        chunks = _chunks_of_array(sound) if isinstance(sound, Audio) else _chunks_of_file(sound)
        first = next(chunks, None)
        if first is None:
            return
        layout = "mono" if first.layout.nb_channels == 1 else "stereo"
        stream = self._container.add_stream("aac", rate=AUDIO_HZ, layout=layout)
        stream.bit_rate = AUDIO_BIT_RATE
        self._audio = stream

        def all_chunks() -> Generator[Any]:
            yield first
            yield from chunks

        self._sound_chunks = all_chunks()

    def _encode_picture(self, picture: Any) -> None:
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = self.num_frames_out, 1 / self._fps
        frame.colorspace = frame.color_primaries = frame.color_trc = _BT709
        frame.color_range = _LIMITED_RANGE
        self._container.mux(self._video.encode(frame))
        self.num_frames_out += 1
        self._encode_sound_until(float(self.num_frames_out / self._fps))

    def _encode_sound_until(self, time_s: float) -> None:
        """Sound goes in step with the picture, so that neither waits in memory for the other."""
        while self._sound_chunks and self._sound_s < time_s and (chunk := next(self._sound_chunks, None)) is not None:
            self._sound_s += chunk.samples / chunk.sample_rate
            # A recorded broadcast may change its rate or channels on the way; a resampler takes one form.
            if self._sound_form != (form := (chunk.sample_rate, chunk.layout.name, chunk.format.name)):
                self._end_resampler()
                self._sound_form = form
                self._to_aac = av.AudioResampler(format="fltp", layout=self._audio.layout, rate=AUDIO_HZ)
            for part in self._to_aac.resample(chunk):
                self._container.mux(self._audio.encode(part))

    def _end_resampler(self) -> None:
        for part in self._to_aac.resample(None) if self._to_aac is not None else ():
            self._container.mux(self._audio.encode(part))

    def _finish(self) -> None:
        if self._container is None:
            raise OutputError(f"{self.path}: no frame was made, nothing to write; give a longer recording or motion.")
        assert self._temporary is not None
        with self._disk_errors():
            # What sounds after the last picture is at most the rest of its frame: the file ends with the sound.
            self._encode_sound_until(float(self.num_frames_out / self._fps) + 1 / FPS)
            self._container.mux(self._video.encode(None))
            if self._audio is not None:
                self._end_resampler()
                self._container.mux(self._audio.encode(None))
            self._container.close()
            self._container = None
            self._check_written(self._temporary)
            self._temporary.chmod(0o666 & ~_umask())
            self._temporary.replace(self.path)
            self._temporary = None

    def _check_written(self, file: Path) -> None:
        """A full disk can go unnoticed until the index is written: the file is opened once before it takes its name."""
        try:
            with av.open(str(file)) as written:
                whole = bool(written.streams.video) and written.duration is not None
        except av.FFmpegError:
            whole = False
        if not whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _abandon(self) -> None:
        """Close what is open and remove the unfinished file; after `_finish` there is none."""
        if self._sound_chunks is not None:
            self._sound_chunks.close()
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                container.close()
        temporary, self._temporary = self._temporary, None
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except (av.FFmpegError, OSError) as error:
            raise OutputError(f"{self.path}: writing failed ({_reason(error)}); free some space or write elsewhere.") from error


def _exact_rate(fps: float) -> Fraction:
    """29.97 is 30000/1001, and so its kin, as players know them."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    return ntsc if abs(float(ntsc) - fps) < 0.005 and round(fps) != fps else Fraction(fps).limit_denominator(1000)


def _even(frame: ByteArray) -> ByteArray:
    """The frame with even sides: yuv420p has one colour for 2 x 2 px, so the last row or column stands twice."""
    odd_rows, odd_columns = frame.shape[0] % 2, frame.shape[1] % 2
    if odd_rows or odd_columns:
        frame = np.pad(frame, ((0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
    return frame


def _chunks_of_array(audio: Audio) -> Generator[Any]:
    for start in range(0, len(audio.samples), _SAMPLES_A_FRAME):
        part = np.ascontiguousarray(audio.samples[None, start : start + _SAMPLES_A_FRAME], np.float32)
        frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        frame.time_base = Fraction(1, SAMPLE_RATE)
        yield frame


def _chunks_of_file(path: Path) -> Generator[Any]:
    try:
        with av.open(str(path.resolve()), options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: holds no sound; give a recording such as speech.wav.")
            elapsed_s = Fraction(0)
            for frame in container.decode(container.streams.audio[0]):
                # As `Audio` has it: from the first sample on, whatever time the container gives that one.
                frame.pts, frame.time_base = round(elapsed_s * frame.sample_rate), Fraction(1, frame.sample_rate)
                elapsed_s += Fraction(frame.samples, frame.sample_rate)
                yield frame
    except av.FFmpegError as error:
        raise AudioError(f"{path}: cannot be read as sound ({_reason(error)}); copy or record it again.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).splitlines()[0]
