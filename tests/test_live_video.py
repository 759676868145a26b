"""Speech in, frames out while it is spoken: the same frames for any chunks, in order, nothing left behind when it is left."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import torch

from talkinghead import LiveFrame, LiveVideo, TalkingHead, arkit
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import AudioError, EmotionError, InputError
from talkinghead.streaming import MotionStream, joined
from talkinghead.types import Portrait

SIZE = 128


@pytest.fixture(scope="module")
def head() -> TalkingHead:
    return TalkingHead.from_pretrained("default", device="cpu")


@pytest.fixture(scope="module")
def portrait(head, root) -> Portrait:
    return head.load_portrait(root / "assets/drawn_woman.png", size=SIZE)


@pytest.fixture(scope="module")
def speech(root) -> np.ndarray:
    return load_audio(root / "assets/speech.wav").samples[16_000 : 16_000 + 640 * 14 + 100]


def chunks(samples: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (samples[start : start + size] for start in range(0, len(samples), size))


async def later(samples: np.ndarray, size: int) -> AsyncIterator[np.ndarray]:
    for chunk in chunks(samples, size):
        await asyncio.sleep(0)
        yield chunk


@pytest.fixture(scope="module")
def reference(head, portrait, speech) -> list[LiveFrame]:
    return list(head.stream(chunks(speech, 640), portrait, "happy", seed=3))


def test_pictures_are_those_of_the_streamed_motion_rendered(head, portrait, speech, reference) -> None:
    stream = MotionStream(head, "happy", seed=3)
    motion = joined([stream.push(speech), stream.finish()])
    rendered = list(head.render(portrait, motion, seed=3))
    assert [frame.index for frame in reference] == list(range(15)) and len(rendered) == 15
    for frame, picture in zip(reference, rendered, strict=True):
        np.testing.assert_array_equal(frame.motion.blendshapes, motion[frame.index : frame.index + 1].blendshapes)
        # One picture at a time and four at a time round differently in bfloat16.
        assert np.abs(frame.image.astype(int) - picture).max() <= 6 and frame.image.shape == picture.shape
    assert np.abs(reference[-1].image.astype(int) - reference[0].image).max() > 30  # and they move


@pytest.mark.parametrize("size", [100, 5000, 100_000])
def test_chunks_of_any_size_give_the_same_frames(head, portrait, speech, reference, size) -> None:
    for ours, theirs in zip(head.stream(chunks(speech, size), portrait, "happy", seed=3), reference, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)


def test_an_event_loop_gives_the_same_frames_and_stays_free(head, portrait, speech, reference) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    async def collect() -> list[LiveFrame]:
        ticking = asyncio.create_task(tick())
        frames = [frame async for frame in head.astream(later(speech, 640), portrait, "happy", seed=3)]
        ticking.cancel()
        return frames

    frames = asyncio.run(collect())
    for ours, theirs in zip(frames, reference, strict=True):
        np.testing.assert_array_equal(ours.image, theirs.image)
    assert ticks > len(frames)


def test_callbacks_hear_of_each_frame_before_it_is_handed_out(head, speech) -> None:
    told: list[int] = []
    for frame in head.stream(chunks(speech, 640), on_frame=lambda frame: told.append(frame.index)):
        assert told[-1] == frame.index and frame.image is None and len(frame.motion) == 1
    assert told == list(range(15))


def test_leaving_the_loop_ends_reading_and_drawing(head, portrait, speech) -> None:
    read: list[int] = []

    def sound() -> Iterator[np.ndarray]:
        for k in range(100_000):
            read.append(k)
            yield speech[:640]

    threads, torch_threads = threading.active_count(), torch.get_num_threads()
    frames = head.stream(sound(), portrait)
    assert next(frames).index == 0
    frames.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    count = len(read)
    time.sleep(0.1)
    assert threading.active_count() == threads and len(read) == count < 100
    assert torch.get_num_threads() == torch_threads
    assert list(frames) == []


def test_a_cancelled_task_ends_and_leaves_no_thread(head, portrait, speech) -> None:
    threads = threading.active_count()

    async def endless() -> AsyncIterator[np.ndarray]:
        while True:
            await asyncio.sleep(0)
            yield speech[:640]

    async def main() -> int:
        seen = 0

        async def watch() -> None:
            nonlocal seen
            async for _ in head.astream(endless(), portrait):
                seen += 1

        task = asyncio.create_task(watch())
        while not seen:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) > 0
    assert threading.active_count() <= threads


def test_close_from_another_thread_ends_the_frames(head, speech) -> None:
    live = LiveVideo(head)
    live.push(speech)
    first = live.take()
    threading.Timer(0.1, live.close).start()
    assert first is not None and first.index == 0
    rest = list(live.frames())
    assert len(rest) < 15
    with pytest.raises(AudioError, match="closed"):
        live.push(speech)


def test_a_source_that_fails_is_heard_of_after_its_frames(head, speech) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield speech
        raise OSError("unplugged")

    frames = head.stream(broken())
    seen = []
    with pytest.raises(OSError, match="unplugged"):
        seen.extend(frame.index for frame in frames)
    with pytest.raises(AudioError, match="float32"):
        list(head.stream([speech.astype(np.float64)]))


def test_what_would_come_late_is_left_out_but_never_the_newest(head, portrait, speech) -> None:
    live = LiveVideo(head, portrait, max_behind_s=0.001)
    with live:
        for chunk in chunks(speech, 640):
            live.push(chunk)
        live.finish()
        frames = list(live.frames())
    assert [frame.index for frame in frames] == list(range(15)) and all(len(frame.motion) == 1 for frame in frames)
    assert frames[-1].image is not None and sum(frame.image is None for frame in frames) > 5


def test_how_far_behind_counts_from_the_first_sample(head, speech) -> None:
    live = LiveVideo(head)
    live.push(speech[: 640 * 4])
    frame = live.take()
    assert frame is not None and 0.16 <= frame.behind_s < 10
    live.close()


def test_an_emotion_changes_while_it_speaks(head, speech) -> None:
    live = LiveVideo(head, emotion="neutral")
    long = np.tile(speech, 8)
    live.push(long[:32_000])
    live.feel("happy", 1.0)
    live.push(long[32_000:])
    live.finish()
    smiling = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
    smile = joined([frame.motion for frame in live.frames()]).blendshapes[:, smiling].mean(1)
    assert smile[-20:].mean() > smile[:30].mean() + 0.2


def test_a_portrait_that_smiles_goes_on_smiling_as_far_as_it_may(head, root) -> None:
    smiling = head.load_portrait(root / "assets/astronaut.jpg", size=SIZE)
    hush = [np.zeros(640 * 6, np.float32)]
    kept, none, calm = (
        list(head.stream(iter(hush), smiling, *asked, keep_smile=keep))[-1].image
        for asked, keep in (((), 1.0), ((), 0.0), (("neutral",), 1.0))
    )
    assert np.abs(kept.astype(int) - none).max() > 20 and np.array_equal(none, calm)


def test_what_cannot_be_is_said_before_anything_is_read(head, portrait) -> None:
    def never() -> Iterator[np.ndarray]:
        raise AssertionError("read")
        yield

    with pytest.raises(InputError, match="quality: 'fine' is unknown"):
        head.stream(never(), portrait, quality="fine")
    with pytest.raises(InputError, match=r"max_behind_s is -1; give seconds above 0"):
        head.stream(never(), portrait, max_behind_s=-1)
    with pytest.raises(InputError, match=r"portrait is ndarray; give a file, or what TalkingHead\.load_portrait gives"):
        head.stream(never(), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match="size is 0; give 64 to 8192 px of the longest side, or None"):
        head.load_portrait("anybody.jpg", size=0)
    with pytest.raises(AudioError, match=r"audio is list; give a file, or Audio\(samples\)"):
        head.animate([0.0])
    with pytest.raises(AudioError, match=r"samples are bytes; give a numpy array, of raw 16 bit sound np\.frombuffer"):
        LiveVideo(head).push(b"\0\0")
    with pytest.raises(EmotionError, match="need the whole recording"):
        head.stream(never(), portrait, "auto")
    for sound in ("speech.wav", np.zeros(640, np.float32), 640):
        with pytest.raises(InputError, match=f"sound is {type(sound).__name__}; give its chunks, such as a generator"):
            head.stream(sound, portrait)
    with pytest.raises(InputError, match="sound is generator; give an async generator of chunks; `stream` takes a plain one"):
        head.astream(never(), portrait)
