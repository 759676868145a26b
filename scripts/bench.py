"""Where the time of a video goes, and its memory, as ratios: seconds of work for a second of video, on this machine.

    python scripts/bench.py                       # stages at 512 px, 10 s of the built-in example
    python scripts/bench.py --motion              # speech to motion alone, a batch of clips, as a multiple of real time
    python scripts/bench.py --stream              # speech to motion as it is spoken: first frame, real time, memory
    python scripts/bench.py --live                # speech to pictures as it is spoken: how far behind, how many were left out
    python scripts/bench.py --sizes               # each quality at 256, 512 and 1024 px
    python scripts/bench.py --lengths             # time and peak memory of the command line, 10 s to 10 min (takes a while)
    python scripts/bench.py --published           # networks of published systems' shape, weights of chance, here: compute only

Loading the models is counted apart. No figure here is a test: machines differ.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from talkinghead.types import FloatArray, SpeechFeatures

MAX_BEHIND_S = 0.25
LOADING = "loading (once)"
ASSETS = Path(__file__).parents[1] / "assets"


def lengthened(samples: np.ndarray, seconds: float) -> np.ndarray:
    """The sound, said again and again until it is as long as asked."""
    wanted = int(seconds * 16_000)
    return np.tile(samples, -(-wanted // len(samples)))[:wanted]


class Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, started: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started

    def over(self, name: str, items: Iterable[object]) -> Iterator[object]:
        iterator = iter(items)
        while True:
            started = time.perf_counter()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.add(name, started)
            yield item


def timed(seconds: float, size: int, quality: str) -> dict[str, float]:
    """Seconds that each stage of one video takes; what is loaded or compiled once is not in the whole."""
    watch = Stopwatch()
    started = time.perf_counter()
    from talkinghead.audio.waveform import load_audio
    from talkinghead.emotion.track import emotion_track
    from talkinghead.pipeline import TalkingHead
    from talkinghead.types import Audio
    from talkinghead.video.writer import VideoWriter

    head = TalkingHead.from_pretrained()
    watch.add(LOADING, started)
    audio = Audio(lengthened(load_audio(ASSETS / "speech.wav").samples, seconds))
    portrait = head.load_portrait(ASSETS / "astronaut.jpg", size=size)
    list(head.render(portrait, head.animate(Audio(audio.samples[:16000]), "happy"), quality=quality))  # compile and warm up
    whole = time.perf_counter()
    started = time.perf_counter()
    features = head.speech_encoder.encode(audio)
    watch.add("speech encoder", started)
    started = time.perf_counter()
    motion = head.motion(features, emotion_track("happy", 0.7, len(features)), seed=0)
    watch.add("motion", started)
    with tempfile.TemporaryDirectory() as folder, VideoWriter(Path(folder) / "out.mp4", audio) as writer:
        for frame in watch.over("synthesis", head.render(portrait, motion, quality=quality)):
            started = time.perf_counter()
            writer.write(frame)
            watch.add("video file", started)
    watch.seconds["whole, after loading"] = time.perf_counter() - whole
    return watch.seconds


def stages(seconds: float, size: int, quality: str, console: Console) -> None:
    table = Table("stage", "seconds", "s per second of video", title=f"{seconds:g} s at {size} px, {quality}")
    for name, spent in timed(seconds, size, quality).items():
        table.add_row(name, f"{spent:.2f}", "" if name == LOADING else f"{spent / seconds:.3f}")
    console.print(table)


def sizes(seconds: float, console: Console) -> None:
    table = Table("px", "quality", "synthesis", "video file", "whole", title=f"s per second of video, {seconds:g} s")
    for size in (256, 512, 1024):
        for quality in ("draft", "standard", "best"):
            spent = timed(seconds, size, quality)
            parts = (spent[name] / seconds for name in ("synthesis", "video file", "whole, after loading"))
            table.add_row(str(size), quality, *(f"{part:.2f}" for part in parts))
    console.print(table)


def speech_to_motion(seconds: float, num_clips: int, console: Console) -> None:
    """Recordings of `seconds` each, from samples to `FaceMotion`, reading files being no part of it: a batch as many at a time
    as there are cores, each on one thread, then one by one on all. Processor time is what a busy machine leaves comparable.
    """
    import torch

    from talkinghead.audio.waveform import load_audio
    from talkinghead.pipeline import TalkingHead
    from talkinghead.types import Audio

    started = time.perf_counter()
    head = TalkingHead.from_pretrained()
    loading_s = time.perf_counter() - started
    samples = load_audio(ASSETS / "speech.wav").samples
    # No two clips are alike: each begins elsewhere in the sentence.
    clips = [Audio(lengthened(np.roll(samples, 1600 * index), seconds)) for index in range(num_clips)]
    table = Table(
        "", "seconds", "times real time", "processor s", title=f"speech to motion, {num_clips} clips of {seconds:g} s"
    )
    table.add_row("loading (once)", f"{loading_s:.2f}", "", "")

    def spent(name: str, work: Callable[[], object]) -> None:
        started, used = time.perf_counter(), time.process_time()
        work()
        took, used = time.perf_counter() - started, time.process_time() - used
        table.add_row(name, f"{took:.2f}", f"{num_clips * seconds / took:.0f} x", f"{used:.2f}")

    num_threads = torch.get_num_threads()
    with ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        torch.set_num_threads(1)
        list(pool.map(head.animate, clips[:num_threads], ["happy"] * num_threads))  # warm up
        spent(f"batch, {num_threads} at a time", lambda: list(pool.map(head.animate, clips, ["happy"] * num_clips)))
    torch.set_num_threads(num_threads)
    head.animate(clips[0], "happy")  # warm up
    heard: list[SpeechFeatures] = []
    spent("one by one: speech encoder", lambda: heard.extend(head.heard(clip) for clip in clips))
    spent("one by one: motion", lambda: [head.motion(x, head.felt("happy", 0.7, x), seed=0) for x in heard])
    spent("one by one", lambda: [head.animate(clip, "happy") for clip in clips])
    console.print(table)


def streaming(seconds: float, console: Console) -> None:
    """Sound in chunks of 40 ms: what each frame costs against the 40 ms that it has."""
    from talkinghead.audio.waveform import load_audio
    from talkinghead.pipeline import TalkingHead
    from talkinghead.streaming import LOOK_AHEAD_FRAMES, MotionStream

    head = TalkingHead.from_pretrained()
    samples = lengthened(load_audio(ASSETS / "speech.wav").samples, seconds)
    chunks = [samples[start : start + 640] for start in range(0, len(samples), 640)]
    for chunk in chunks[:50]:  # warm up
        MotionStream(head, "happy").push(chunk)
    firsts = []
    for _ in range(10):
        stream = MotionStream(head, "happy")
        for chunk in chunks[:LOOK_AHEAD_FRAMES]:
            stream.push(chunk)
        started = time.perf_counter()
        stream.push(chunks[LOOK_AHEAD_FRAMES])
        firsts.append(time.perf_counter() - started)
    stream, spent = MotionStream(head, "happy"), []
    for chunk in chunks:
        started = time.perf_counter()
        stream.push(chunk)
        spent.append(time.perf_counter() - started)
    heard_ms = 40 * (LOOK_AHEAD_FRAMES + 1)
    table = Table("", "", title=f"speech to motion as it is spoken, {seconds:g} s")
    table.add_row("first frame: compute after its last sound, median of 10", f"{1000 * np.median(firsts):.0f} ms")
    table.add_row("first frame: after speech began", f"{heard_ms + 1000 * np.median(firsts):.0f} ms")
    table.add_row("frames' compute, of the 40 ms that each has: median", f"{np.median(spent) / 0.04:.2f}")
    table.add_row("... 99 of 100 within", f"{np.percentile(spent, 99) / 0.04:.2f}")
    table.add_row("the whole", f"{seconds / sum(spent):.1f} times real time")
    console.print(table)


def live(seconds: float, size: int, quality: str, console: Console) -> None:
    """Sound in chunks of 20 ms, as a microphone gives it, to frames with pictures: how far behind, how many were left out."""
    from talkinghead.audio.waveform import load_audio
    from talkinghead.pipeline import TalkingHead

    head = TalkingHead.from_pretrained()
    portrait = head.load_portrait(ASSETS / "astronaut.jpg", size=size)
    samples = lengthened(load_audio(ASSETS / "speech.wav").samples, seconds)

    def microphone(part: FloatArray) -> Iterator[FloatArray]:
        started = time.monotonic()
        for end in range(320, len(part) + 1, 320):
            time.sleep(max(0.0, started + end / 16_000 - time.monotonic()))
            yield part[end - 320 : end]

    list(head.stream(microphone(samples[: 16_000 * 2]), portrait, "happy", quality=quality))  # warm up
    frames = list(head.stream(microphone(samples), portrait, "happy", quality=quality, max_behind_s=MAX_BEHIND_S))
    behind = 1000 * np.array([frame.behind_s for frame in frames if frame.image is not None])
    table = Table("", "", title=f"speech to pictures as it is spoken, {seconds:g} s, {size} px, {quality}")
    table.add_row("pictures drawn", f"{len(behind)} of {len(frames)}")
    table.add_row("behind the sound: median", f"{np.median(behind):.0f} ms")
    table.add_row("... 95 of 100 within", f"{np.percentile(behind, 95):.0f} ms")
    table.add_row("... 99 of 100 within", f"{np.percentile(behind, 99):.0f} ms")
    console.print(table)


PEAK = """
import resource
from talkinghead.cli import main

status = main()
print("PEAK", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
raise SystemExit(status)
"""


def peak_memory_mb(*arguments: str) -> int:
    """Of one run of the command line, in a process of its own; a command that fails raises CalledProcessError."""
    result = subprocess.run([sys.executable, "-c", PEAK, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return int(result.stdout.split("PEAK")[-1])


def lengths(size: int, quality: str, console: Console) -> None:
    import soundfile

    from talkinghead.audio.waveform import load_audio

    samples = load_audio(ASSETS / "speech.wav").samples
    table = Table("speech", "seconds", "s per second", "peak memory, MB", title=f"the whole command, {size} px, {quality}")
    for seconds in (10, 60, 300, 600):
        with tempfile.TemporaryDirectory() as folder:
            sound, video = Path(folder) / "a.wav", Path(folder) / "a.mp4"
            soundfile.write(sound, lengthened(samples, seconds), 16_000)
            inputs = ("--image", str(ASSETS / "astronaut.jpg"), "--audio", str(sound))
            started = time.perf_counter()
            peak_mb = peak_memory_mb("generate", *inputs, "--size", str(size), "--quality", quality, "-o", str(video))
            took = time.perf_counter() - started
        table.add_row(f"{seconds} s", f"{took:.0f}", f"{took / seconds:.2f}", str(peak_mb))
    console.print(table)


def published(console: Console) -> None:
    """Networks of the shape of published systems, weights of chance: what computing one frame costs here, and nothing else.

    A latent video denoiser is Stable Diffusion 1.5's UNet (Rombach et al. 2022), which Hallo, EchoMimic and AniPortrait build
    on, at 25 steps for 512 px; their reference networks, temporal layers and guidance come on top. The warping generator is the
    decoder of LivePortrait (Guo et al. 2024, after SPADE, Park et al. 2019) alone, its motion network left out.
    """
    from published_shapes import costs

    ours = {quality: timed(4, 512, quality)["synthesis"] / 4 for quality in ("draft", "standard")}
    table = Table("network", "million weights", "s per frame", "s per second of video", title="compute only, 512 px")
    for name, weights, spent in costs():
        table.add_row(name, f"{weights / 1e6:.0f}", f"{spent:.3f}", f"{spent * 25:.1f}")
    for quality, spent in ours.items():
        table.add_row(f"talkinghead, {quality}, guides and compositor too", "", f"{spent / 25:.3f}", f"{spent:.2f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--motion", action="store_true", help="speech to motion alone")
    parser.add_argument("--clips", type=int, default=12, help="how many, with --motion")
    parser.add_argument("--sizes", action="store_true", help="each quality at three sizes")
    parser.add_argument("--lengths", action="store_true", help="the command line, 10 s to 10 min")
    parser.add_argument("--published", action="store_true", help="the compute of published systems' networks")
    parser.add_argument("--stream", action="store_true", help="speech to motion as it is spoken")
    parser.add_argument("--live", action="store_true", help="speech to pictures as it is spoken, in real time")
    options = parser.parse_args()
    console = Console()
    if options.sizes:
        sizes(options.seconds, console)
    elif options.lengths:
        lengths(options.size, options.quality, console)
    elif options.published:
        published(console)
    elif options.live:
        live(options.seconds, options.size, options.quality, console)
    elif options.stream:
        streaming(options.seconds, console)
    elif options.motion:
        speech_to_motion(options.seconds, options.clips, console)
    else:
        stages(options.seconds, options.size, options.quality, console)


if __name__ == "__main__":
    main()
