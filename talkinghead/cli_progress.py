"""What a person at a terminal sees while the command line works: frames that flow, stages that pass.

Elsewhere it is silent, but for a line now and then while a long video is made, for a log.

Knows the terminal and how many there are of what; knows nothing of options or models.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from talkinghead.emotion.track import EmotionRequest
    from talkinghead.types import Audio, ByteArray, Portrait

LATE_S: Final = 0.2
LOG_EVERY_S: Final = 20.0
"""Without a terminal, so long from one line to the next; a video that takes less says nothing."""
_BANNER: Final = b"TensorFlow Lite XNNPACK delegate"


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """LiteRT greets on the process's standard error, below Python: the greeting is taken out, all else is passed on.

    A terminal reads meanwhile that models load.
    """
    watched = sys.stderr.isatty()
    if watched:
        typer.echo("loading models ...", err=True, nl=False)
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught, os.fdopen(os.dup(2), "wb") as terminal:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal.fileno(), 2)
            if watched:
                terminal.write(b"\r\x1b[K")
            caught.seek(0)
            terminal.writelines(line for line in caught if _BANNER not in line)


@contextlib.contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """Gives a function to call with the name of what begins; each name stands with the time it took.

    Up to the first name, models load (see `loading`).
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    with contextlib.ExitStack() as until_first_stage:
        until_first_stage.enter_context(loading())

        def begin(stage: str) -> None:
            until_first_stage.close()
            progress.start()
            _end_stages(progress)
            progress.add_task(stage, total=None)

        try:
            yield begin
            _end_stages(progress)
        finally:
            progress.stop()


def _end_stages(progress: Progress) -> None:
    for task in progress.task_ids:
        progress.update(task, total=1, completed=1)


def write_video(frames: Iterable[ByteArray], num_frames: int, output: Path, sound: Audio | Path | None, fps: float) -> None:
    """Frames as they come -> a video; a terminal sees how many of `num_frames` are there, and how fast they come.

    Without one it is a line every `LOG_EVERY_S` seconds.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from talkinghead.video.writer import VideoWriter

    console = Console(stderr=True)
    columns = (TextColumn(output.name, markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal, transient=True)
    said = started = time.monotonic()
    with progress, VideoWriter(output, sound, fps) as video:
        task = progress.add_task("", total=num_frames, rate="")
        for count, frame in enumerate(frames, 1):
            video.write(frame)
            now = time.monotonic()
            rate = count / (now - started)
            progress.update(task, advance=1, rate=f"{rate:.1f} frames/s")
            if not console.is_terminal and now - said >= LOG_EVERY_S:
                said = now
                left_s = max(0, num_frames - count) / rate
                typer.echo(f"{output}: {count} of {num_frames} frames, {rate:.1f} a second, {left_s:.0f} s left", err=True)
    made = f"{output}: {video.num_frames_out / fps:.1f} s of video in {time.monotonic() - started:.1f} s"
    if said > started:  # a log that heard how far it was hears the end as well
        typer.echo(made, err=True)
    else:
        say(made)


def say(message: str) -> None:
    """A line for a person; a script reads the exit status.

    While a bar moves it stands above it: rich puts itself in the place of standard error, and `typer.echo` would go round that.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"{message}\n")


def say_size(image: Path, own: Portrait, shown: Portrait) -> None:
    """What a person should know of a size that nobody chose. own: at the picture's size; shown: at the video's."""
    if shown is not own:
        height, width = shown.image.shape[:2]
        rows, columns = own.image.shape[:2]
        say(f"{image}: {columns} x {rows} px; the video is {width} x {height}, --size {max(rows, columns)} makes it as large")


def say_notes(image: Path, notes: Iterable[str]) -> None:
    """What of a picture will not go well, before it is drawn."""
    for note in notes:
        say(f"{image}: {note}")


def say_what_is_cut(sound: Path, sound_s: float, video_s: float) -> None:
    """A recording that goes on after the picture's end is cut there: said even where nobody watches."""
    if sound_s > video_s + LATE_S:
        message = f"talkinghead: {sound}: {sound_s:.1f} s of sound, the motion ends at {video_s:.1f} s and so does the video"
        typer.echo(message, err=True)


def say_no_sound(output: Path) -> None:
    """A motion carries no sound; who made it from a video wants that video's."""
    say(f"{output}: has no sound; give the recording with --audio, driver.mp4 for example")


def say_silence(sound: Path | None, speech: Audio) -> None:
    """A recording in which nothing is said, a wrong track perhaps: the face has nothing to say either."""
    from talkinghead.audio.speech_encoder import is_silent

    if sound is not None and is_silent(speech):
        say(f"{sound}: no speech is heard; the lips will not move")


def say_emotion(request: EmotionRequest) -> None:
    """What was read in a prompt, so that a person sees at once when it is not what was meant; that nobody listens."""
    if request.prompt is not None:
        from talkinghead.emotion.prompt import describe_prompt

        say(f"prompt: {describe_prompt(request.prompt)}")
    elif request.is_open:
        say("emotion: neutral, this checkpoint has no emotion encoder to hear one; name one with --emotion.")
