"""The command line: each command checks what is cheap to check, loads the models, and lets the frames flow.

Knows words, files and the terminal; everything else is `pipeline`'s. Heavy modules are imported inside the commands, so
that `--help` answers at once. What the user can mend is one line on standard error and exit status 2.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from talkinghead.errors import InputError, OutputError, TalkingHeadError

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead
    from talkinghead.types import Audio, ByteArray

QUALITIES: Final = ("draft", "standard", "best")
MIN_SIZE_PX: Final = 64
MAX_SIZE_PX: Final = 8192
MAX_KNOBS: Final = {"head_motion": 3.0, "lip_strength": 2.0, "blink_rate": 120.0}
_EXIT_INPUT: Final = 2
# typer carries its own click, and of its errors exports the one about a parameter; what that is a kind of is about usage.
_UsageError: Final[Any] = typer.BadParameter.__base__
_EXIT_INTERRUPTED: Final = 130
_BANNER: Final = b"TensorFlow Lite XNNPACK delegate"

app = typer.Typer(
    help="Speech and one portrait become a video of that person speaking, with the emotion that you choose. Offline.",
    epilog="Example: talkinghead generate --image portrait.jpg --audio speech.wav --emotion happy -o out.mp4",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ImageOption = Annotated[Path, typer.Option("--image", "-i", help="Portrait: jpg, png, webp, tif ...")]
AudioOption = Annotated[Path | None, typer.Option("--audio", "-a", help="Speech: wav, mp3, m4a, ogg, flac, a video ...")]
TextOption = Annotated[str | None, typer.Option("--text", "-t", help="What to say, instead of --audio.")]
VoiceOption = Annotated[str, typer.Option(help="Language of --text, in espeak-ng's names: en-us, en-gb+f3, de, fr ...")]
EmotionOption = Annotated[
    str,
    typer.Option(
        "--emotion",
        "-e",
        help="angry, contempt, disgusted, fear, happy, neutral, sad or surprised; a mix: happy:0.7,surprised:0.3.",
    ),
]
IntensityOption = Annotated[float, typer.Option(help="How strong the emotion is, 0 to 1.")]
VideoOutput = Annotated[Path, typer.Option("--output", "-o", help="Video to write: .mp4, .mov or .mkv.")]
MotionOutput = Annotated[Path, typer.Option("--output", "-o", help="Motion to write: .npz.")]
FpsOption = Annotated[float, typer.Option(help="Frames a second of the video, 1 to 120.")]
SizeOption = Annotated[int | None, typer.Option(help="Longest side of the video in px. (Default: as the picture.)")]
SeedOption = Annotated[int, typer.Option(help="Another seed gives other blinks, glances and nods.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda or mps. (Default: a GPU when there is one.)")]
QualityOption = Annotated[str, typer.Option("--quality", "-q", help="draft, standard or best: 1, 2 or 4 denoising steps.")]
StepsOption = Annotated[int | None, typer.Option(help="Denoising steps, instead of the quality's.")]
FaceOption = Annotated[int | None, typer.Option(help="Which face, from 1, left to right, when there are several.")]
CheckpointOption = Annotated[Path | None, typer.Option(help="Folder of models. (Default: the one installed.)")]
HeadMotionOption = Annotated[float, typer.Option(help="Head motion: 0 holds it still, 1 is natural, 2 is lively.")]
BlinkRateOption = Annotated[float | None, typer.Option(help="Blinks a minute, 0 for none. (Default: as people do, 17.)")]
LipStrengthOption = Annotated[float, typer.Option(help="How far the mouth opens: 1 is natural.")]


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from talkinghead import __version__

        typer.echo(f"talkinghead {__version__}")
        raise typer.Exit


@app.command(epilog='Example: talkinghead generate -i me.jpg --text "I can\'t believe you came!" -e surprised -o out.mp4')
def generate(
    image: ImageOption,
    output: VideoOutput,
    audio: AudioOption = None,
    text: TextOption = None,
    voice: VoiceOption = "en-us",
    emotion: EmotionOption = "neutral",
    intensity: IntensityOption = 0.7,
    fps: FpsOption = 25.0,
    size: SizeOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    quality: QualityOption = "standard",
    steps: StepsOption = None,
    face: FaceOption = None,
    head_motion: HeadMotionOption = 1.0,
    blink_rate: BlinkRateOption = None,
    lip_strength: LipStrengthOption = 1.0,
    checkpoint: CheckpointOption = None,
) -> None:
    """A portrait and speech (a recording or a line of text) -> a talking video."""
    _check_video(output, [image, audio], fps, size, quality, steps, face)
    _check_emotion(emotion, intensity)
    knobs = _knobs(head_motion, blink_rate, lip_strength)
    _check_image(image)
    speech = _speech(audio, text, voice)
    with _loading():
        head = _load(checkpoint, device)
        portrait = head.load_portrait(image, face=face, size=size)
        frames = head(portrait, speech, emotion=emotion, intensity=intensity, seed=seed, quality=quality, steps=steps, **knobs)
    _write(frames, speech.num_frames, output, audio or speech, fps)


@app.command(epilog="Example: talkinghead animate --audio speech.wav --emotion sad -o motion.npz")
def animate(
    output: MotionOutput,
    audio: AudioOption = None,
    text: TextOption = None,
    voice: VoiceOption = "en-us",
    emotion: EmotionOption = "neutral",
    intensity: IntensityOption = 0.7,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    head_motion: HeadMotionOption = 1.0,
    blink_rate: BlinkRateOption = None,
    lip_strength: LipStrengthOption = 1.0,
    checkpoint: CheckpointOption = None,
) -> None:
    """Speech -> the motion of a face (52 ARKit blendshapes, head, gaze), no picture."""
    _check_output(output, (".npz",), [audio])
    _check_emotion(emotion, intensity)
    knobs = _knobs(head_motion, blink_rate, lip_strength)
    speech = _speech(audio, text, voice)
    with _loading():
        motion = _load(checkpoint, device).animate(speech, emotion=emotion, intensity=intensity, seed=seed, **knobs)
    from talkinghead.motion.io import save_motion

    save_motion(output, motion)
    _say(f"{output}: {len(motion)} frames")


@app.command(epilog="Example: talkinghead render --image portrait.jpg --motion motion.npz --audio speech.wav -o out.mp4")
def render(
    image: ImageOption,
    motion: Annotated[Path, typer.Option("--motion", "-m", help="What `animate` or `track` wrote: .npz.")],
    output: VideoOutput,
    audio: Annotated[Path | None, typer.Option("--audio", "-a", help="Sound of the video. (Default: none.)")] = None,
    fps: FpsOption = 25.0,
    size: SizeOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    quality: QualityOption = "standard",
    steps: StepsOption = None,
    face: FaceOption = None,
    relative: Annotated[
        bool, typer.Option("--relative", help="Take the expression too as a change from the motion's first frame.")
    ] = False,
    checkpoint: CheckpointOption = None,
) -> None:
    """A portrait and a motion -> a video; with the motion of `track`, a re-enactment."""
    _check_video(output, [image, motion, audio], fps, size, quality, steps, face)
    _check_image(image)
    from talkinghead.audio.waveform import load_audio
    from talkinghead.motion.io import load_motion

    performance = load_motion(motion)
    if audio is not None:
        load_audio(audio)
    with _loading():
        head = _load(checkpoint, device)
        portrait = head.load_portrait(image, face=face, size=size)
        frames = head.render(portrait, performance, quality=quality, steps=steps, seed=seed, relative=relative)
    _write(frames, len(performance), output, audio, fps)


@app.command(epilog="Example: talkinghead track video.mp4 -o motion.npz")
def track(
    video: Annotated[Path, typer.Argument(help="A video that shows one face.")],
    output: MotionOutput,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A video -> the motion of its largest face; `render` puts it on a portrait."""
    _check_output(output, (".npz",), [video])
    from talkinghead.video.reader import check_video_file

    check_video_file(video)
    with _loading():
        motion = _load(checkpoint, device).track(video)
    from talkinghead.motion.io import save_motion

    save_motion(output, motion)
    _say(f"{output}: {len(motion)} frames")


@app.command(epilog="Example: talkinghead evaluate --split eval --data ../shared/data -o report/")
def evaluate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the report.")],
    split: Annotated[str, typer.Option(help="Which clips: eval or train.")] = "eval",
    data: Annotated[Path, typer.Option(help="Folder of the clips, with manifest.jsonl.")] = Path("../shared/data"),
    checkpoint: CheckpointOption = None,
) -> None:
    """Measure the models on held-out clips: lips, closures, emotion, picture; each beside its baseline."""
    if split not in ("eval", "train"):
        raise InputError(f"split: {split!r} is unknown; choose from eval, train.")
    if not (data / "manifest.jsonl").is_file():
        raise InputError(f"data {data}: holds no manifest.jsonl; give --data the folder of the clips.")
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: is a file; give the name of a folder for the report.")
    from talkinghead import evaluation

    evaluation.evaluate(split, data, output, checkpoint)
    _say(str(output))


@app.command()
def doctor(checkpoint: CheckpointOption = None) -> None:
    """Versions, device, models, what is missing, and the remedy."""
    from talkinghead.doctor import report

    with _loading():
        lines, is_well = report(checkpoint)
    typer.echo("\n".join(lines))
    raise typer.Exit(0 if is_well else 1)


def main(arguments: list[str] | None = None) -> int:
    """Run a command line -> its exit status: 0 done, 2 something to mend, 130 stopped."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # what the libraries say to developers; python -W shows it
    with contextlib.suppress(ValueError):  # not in the main thread: then nobody sends it a signal either
        signal.signal(signal.SIGTERM, _terminate)
    try:
        status = app(args=arguments, prog_name="talkinghead", standalone_mode=False)
    except TalkingHeadError as error:
        return _fail(str(error))
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "talkinghead"
        if not error.format_message():
            return _EXIT_INPUT  # no command at all: the help has been shown
        return _fail(f"{error.format_message().rstrip('.')}; see: {command} --help")
    except (KeyboardInterrupt, typer.Abort):
        status = _EXIT_INTERRUPTED
    if status == _EXIT_INTERRUPTED:  # typer turns Ctrl-C into this status
        _fail("stopped; no broken file is left, and what was there before is as it was.")
    return status if isinstance(status, int) else 0


def _fail(message: str) -> int:
    typer.echo("talkinghead: " + " ".join(message.split()), err=True)
    return _EXIT_INPUT


def _terminate(signum: int, _frame: object) -> None:
    sys.exit(128 + signum)  # unlike the default, this lets the writer remove its unfinished file


def _check_output(output: Path, extensions: tuple[str, ...], inputs: Iterable[Path | None]) -> None:
    from talkinghead.video.writer import check_output

    check_output(output, extensions)
    for given in inputs:
        if given is not None and output.exists() and given.exists() and output.samefile(given):
            raise OutputError(f"{output}: is one of the inputs and would be overwritten; write to another name.")


def _check_video(
    output: Path, inputs: list[Path | None], fps: float, size: int | None, quality: str, steps: int | None, face: int | None
) -> None:
    from talkinghead.video.writer import CONTAINERS, MAX_FPS, MIN_FPS

    _check_output(output, tuple(CONTAINERS), inputs)
    if not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"--fps {fps:g}: out of range; give {MIN_FPS:g} to {MAX_FPS:g}.")
    if size is not None and not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise InputError(f"--size {size}: out of range; give {MIN_SIZE_PX} to {MAX_SIZE_PX} px for the longest side.")
    if quality not in QUALITIES:
        raise InputError(f"--quality {quality}: unknown; choose from {', '.join(QUALITIES)}.")
    if steps is not None and not 1 <= steps <= 100:
        raise InputError(f"--steps {steps}: out of range; give 1 to 100.")
    if face is not None and face < 1:
        raise InputError(f"--face {face}: faces are counted from 1, left to right.")


def _check_image(image: Path) -> None:
    from talkinghead.synthesis.portrait import check_image_file

    check_image_file(image)


def _check_emotion(emotion: str, intensity: float) -> None:
    from talkinghead.emotion.track import emotion_track

    emotion_track(emotion, intensity, 1)


def _knobs(head_motion: float, blink_rate: float | None, lip_strength: float) -> dict[str, float]:
    knobs = {"head_motion": head_motion, "lip_strength": lip_strength}
    if blink_rate is not None:
        knobs["blink_rate"] = blink_rate
    for name, value in knobs.items():
        if not 0 <= value <= MAX_KNOBS[name]:
            raise InputError(f"--{name.replace('_', '-')} {value:g}: out of range; give 0 to {MAX_KNOBS[name]:g}.")
    return knobs


def _speech(audio: Path | None, text: str | None, voice: str) -> Audio:
    if (audio is None) == (text is None):
        came = "neither came" if audio is None else "both came"
        raise InputError(f"--audio, --text: {came}; give one, a recording or a line to speak.")
    if audio is not None:
        from talkinghead.audio.waveform import load_audio

        return load_audio(audio)
    from talkinghead.audio.voice import speak

    return speak(text or "", voice).audio


def _load(checkpoint: Path | None, device: str | None) -> TalkingHead:
    from talkinghead.checkpoints import checkpoint_folder

    checkpoint_folder(checkpoint)
    from talkinghead.pipeline import TalkingHead

    return TalkingHead.from_pretrained(checkpoint, device)


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """LiteRT greets on the process's standard error, below Python: the greeting is taken out, all else is passed on."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            caught.seek(0)
            os.write(2, b"".join(line for line in caught if _BANNER not in line))


def _write(frames: Iterable[ByteArray], num_frames: int, output: Path, sound: Audio | Path | None, fps: float) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from talkinghead.video.writer import VideoWriter

    console = Console(stderr=True)
    columns = (TextColumn(output.name, markup=False), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    progress = Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal, transient=True)
    started = time.monotonic()
    with progress, VideoWriter(output, sound, fps) as video:
        task = progress.add_task("", total=num_frames, rate="")
        for count, frame in enumerate(frames, 1):
            video.write(frame)
            progress.update(task, advance=1, rate=f"{count / (time.monotonic() - started):.1f} frames/s")
    _say(f"{output}: {video.num_frames_out / fps:.1f} s of video in {time.monotonic() - started:.1f} s")


def _say(message: str) -> None:
    if sys.stderr.isatty():
        typer.echo(message)
