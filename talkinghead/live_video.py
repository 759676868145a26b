"""`LiveVideo`: speech as it is spoken -> motion and pictures, a frame at a time, in order, a quarter of a second behind.

Lips are those of `streaming.MotionStream`; pictures are drawn on the cores that are free while more is heard.
`TalkingHead.stream` and `astream` are this with a source of sound.
Knows threads and clocks; knows nothing of how a frame is made.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import torch

from talkinghead.devices import num_threads
from talkinghead.errors import AudioError, InputError
from talkinghead.live_drawing import Draw, drawing
from talkinghead.rig.retargeting import KEPT_SMILE
from talkinghead.streaming import MotionStream
from talkinghead.synthesis.pipeline import MAX_WORKERS, quality_of
from talkinghead.types import SAMPLE_RATE, SAMPLES_PER_FRAME, ByteArray, FaceMotion, FloatArray, Portrait

if TYPE_CHECKING:
    from talkinghead.emotion.track import EmotionRequest
    from talkinghead.motion.style import SpeakingStyle
    from talkinghead.pipeline import TalkingHead

MAX_WAITING: Final = 16
"""Frames that are made ahead of whoever takes them."""
_SMOOTHING: Final = 0.1
_PAUSE_S: Final = 0.005


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """index: of 25 a second. motion: of one frame. image: (H, W, 3) uint8; None without a portrait, or where it was left out to
    keep up. behind_s: from the frame's first sample, as heard, until the frame was ready."""

    index: int
    motion: FaceMotion
    image: ByteArray | None
    behind_s: float


@dataclass(eq=False)
class _Waiting:
    """A frame that is being drawn. ready: the clock when it was, s."""

    index: int
    motion: FaceMotion
    heard: float
    drawing: Future[ByteArray | None] | None = None
    ready: float = field(default_factory=time.monotonic)


class LiveVideo:
    """`push` sound in one thread, take `frames` in another; `close` from any. A context manager closes itself.

    With the same seed, frames are the same for any chunks. `push` never waits for pictures.

    Args:
        head: the models.
        portrait: whose face, or its file; None makes motion alone.
        emotion, intensity: as `MotionStream`; `feel` changes them.
        seed: as in `TalkingHead.animate`, and of the renderer's noise.
        quality: "draft", "standard" or "best".
        style: of a person, or its folder.
        still_body: nothing below the chin's shadow moves.
        max_behind_s: None draws every frame, however late. With a figure, such as 0.25, a picture that would come later is left
            out (its motion is there) when a newer frame waits: what a live avatar wants. Sound is then taken to arrive as it is
            spoken.
        keep_smile: as in `Reenactment`.
        knobs: as `motion.knobs.MotionKnobs`.

    Raises:
        InputError, ImageError, FaceError: the portrait, the quality or the delay cannot be used.
        EmotionError, MotionError: as `MotionStream`.
    """

    def __init__(
        self,
        head: TalkingHead,
        portrait: Portrait | Path | str | None = None,
        emotion: str | EmotionRequest | None = None,
        intensity: float | None = None,
        seed: int = 0,
        quality: str = "standard",
        style: SpeakingStyle | Path | str | None = None,
        still_body: bool = False,
        max_behind_s: float | None = None,
        keep_smile: float = KEPT_SMILE,
        **knobs: Any,
    ) -> None:
        if max_behind_s is not None and not max_behind_s > 0:
            raise InputError(f"max_behind_s is {max_behind_s}; give seconds above 0, or None to draw every frame.")
        self._motion = MotionStream(head, emotion, intensity, seed, style, **knobs)
        self._max_behind_s = max_behind_s
        wanted = quality_of(quality)
        self._draw: Draw | None = None
        self._first: FaceMotion | None = None  # head and look count from it
        self._num_threads = self._num_workers = 1
        self._room = MAX_WAITING
        if portrait is not None:
            self._draw, num_waiting = drawing(head, portrait, wanted, seed, still_body, keep_smile)
            self._room = min(MAX_WAITING, num_waiting)
            if head.renderer.device.type == "cpu":
                self._num_threads = torch.get_num_threads()
                self._num_workers = min(self._num_threads, MAX_WORKERS)
        self._share = max(1, self._num_threads // self._num_workers)
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._heard: deque[float] = deque()  # when the first sample of each frame that is to come was heard
        self._num_samples = self._num_frames = self._num_taken = 0
        self._is_finished = self._is_closed = False
        self._failure: Exception | None = None
        self._usual_s = 0.0

    def feel(self, emotion: str | EmotionRequest | None, intensity: float | None = None) -> None:
        """From the next frame on another emotion, which comes within 0.4 s."""
        self._motion.feel(emotion, intensity)

    def push(self, samples: FloatArray) -> None:
        """samples: (N,) float32 in [-1, 1], mono, 16 kHz, any N. Their frames can be taken as they become ready.

        Raises:
            AudioError: as `MotionStream.push`, or the video is finished or closed.
        """
        if self._is_closed:
            raise AudioError("live video: it is closed; make another LiveVideo for more speech.")
        arrived = time.monotonic()
        with self._one_share():
            motion = self._motion.push(samples)
        before, self._num_samples = self._num_samples, self._num_samples + len(samples)
        for first in range(-(-before // SAMPLES_PER_FRAME) * SAMPLES_PER_FRAME, self._num_samples, SAMPLES_PER_FRAME):
            self._heard.append(arrived - (self._num_samples - first) / SAMPLE_RATE)
        self._begin(motion)

    def finish(self) -> None:
        """No more sound: the frames that waited for it come, then `frames` ends."""
        with self._one_share():
            motion = self._motion.finish()
        self._begin(motion)
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def take(self) -> LiveFrame | None:
        """Wait for the next frame; None after the last one, or when closed.

        Raises:
            Exception: what a picture failed with, or after the last whole frame the source of the sound.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_finished or self._is_closed or self._failure)
            if self._is_closed:
                return None
            if not self._waiting:
                if self._failure is not None:
                    raise self._failure
                return None
            frame = self._waiting[0]
        image = None
        if frame.drawing is not None:
            try:
                image = frame.drawing.result()
            except CancelledError:
                return None
        with self._changed:
            self._waiting.popleft()
            self._num_taken += 1
        return LiveFrame(frame.index, frame.motion, image, frame.ready - frame.heard)

    def frames(self) -> Iterator[LiveFrame]:
        """The frames in order, each when it is ready, up to the last or until closed."""
        while (frame := self.take()) is not None:
            yield frame

    def run(self, sound: Iterable[FloatArray], on_frame: Callable[[LiveFrame], object] | None = None) -> Iterator[LiveFrame]:
        """Chunks of sound, read in a thread of their own -> the frames; leaving the loop early ends everything.

        on_frame: called with each frame before it is handed out.
        """
        with self:
            threading.Thread(target=self._feed, args=(sound,), daemon=True, name="talkinghead-sound").start()
            for frame in self.frames():
                if on_frame is not None:
                    on_frame(frame)
                yield frame

    async def arun(
        self, sound: AsyncIterable[FloatArray], on_frame: Callable[[LiveFrame], object] | None = None
    ) -> AsyncIterator[LiveFrame]:
        """As `run` in an event loop, which is free while models work; cancelling the task ends everything."""

        async def feed() -> None:
            try:
                async for samples in sound:
                    while not self.has_room:
                        await asyncio.sleep(_PAUSE_S)
                    if self._is_closed:
                        return
                    await asyncio.to_thread(self.push, samples)
                await asyncio.to_thread(self.finish)
            except Exception as error:  # noqa: BLE001  whoever takes the frames hears of it
                self._fail(error)

        with self:
            feeding = asyncio.create_task(feed())
            try:
                while (frame := await asyncio.to_thread(self.take)) is not None:
                    if on_frame is not None:
                        on_frame(frame)
                    yield frame
            finally:
                feeding.cancel()

    @property
    def has_room(self) -> bool:
        """Whether more sound may come before frames are taken; of a live video always."""
        return self._is_closed or self._max_behind_s is not None or len(self._waiting) < self._room

    def close(self) -> None:
        """Drop what is not taken yet. `frames` ends; closing twice is closing once."""
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            self._changed.notify_all()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(self._num_threads)  # what a worker sets is the default of threads that begin later

    def __enter__(self) -> LiveVideo:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _feed(self, sound: Iterable[FloatArray]) -> None:
        try:
            for samples in sound:
                while not self.has_room:
                    time.sleep(_PAUSE_S)
                if self._is_closed:
                    return
                self.push(samples)
            self.finish()
        except Exception as error:  # noqa: BLE001  whoever takes the frames hears of it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        with self._changed:
            if not self._is_closed:
                self._failure = error
            self._changed.notify_all()

    def _begin(self, motion: FaceMotion) -> None:
        for k in range(len(motion)):
            frame = _Waiting(self._num_frames, motion[k : k + 1], self._heard.popleft())
            self._first = self._first or frame.motion
            self._num_frames += 1
            with self._changed:
                if self._is_closed:
                    return
                if self._draw is not None:
                    frame.drawing = self._workers().submit(self._picture, frame)
                self._waiting.append(frame)
                self._changed.notify_all()

    def _one_share(self) -> AbstractContextManager[None]:
        """Threads that wait for more to do keep their cores busy, which whoever draws needs."""
        return num_threads(torch.get_num_threads() if self._draw is None else self._share)

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._num_workers, "talkinghead-frame", torch.set_num_threads, (self._share,))
        return self._pool

    def _picture(self, frame: _Waiting) -> ByteArray | None:
        assert self._draw is not None and self._first is not None
        began = time.monotonic()
        if self._max_behind_s is not None and frame.index + 1 < self._num_frames:
            late = began - frame.heard + self._usual_s > self._max_behind_s
            if late or frame.index - self._num_taken > self._room:
                frame.ready = began
                return None
        image = self._draw(self._first, frame.motion)
        frame.ready = time.monotonic()
        self._usual_s += _SMOOTHING * (frame.ready - began - self._usual_s)
        return image
