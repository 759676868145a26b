"""The command line: each command checks what is cheap to check, loads the models, and lets the frames flow.

Knows words, files and the terminal; everything else is `pipeline`'s. Heavy modules are imported inside the commands, so
that `--help` answers at once. What the user can mend is one line on standard error and exit status 2.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from talkinghead.cli_batch import register as register_batch
from talkinghead.cli_checks import register as register_checks
from talkinghead.cli_export import CharacterOption, MotionFpsOption, NamesOption, checked_character, register, save
from talkinghead.cli_live import (
    PIPE,
    BufferOption,
    LiveFpsOption,
    OscFormatOption,
    OscOption,
    SoundOption,
    opened_sender,
    opened_sound,
    play,
)
from talkinghead.cli_options import (
    ArousalOption,
    ArticulationOption,
    AudioOption,
    BlinkRateOption,
    CameraOption,
    CheckpointOption,
    DeviceOption,
    EmotionOption,
    ExpressionOnlyOption,
    ExpressionStrengthOption,
    FaceOption,
    FitOption,
    FpsOption,
    GazeOption,
    HeadMotionOption,
    ImageOption,
    IntensityOption,
    LipsFromOption,
    LipStrengthOption,
    MotionOutput,
    PromptOption,
    QualityOption,
    ReferenceOption,
    RelativeOption,
    SeedOption,
    SizeOption,
    StepsOption,
    StillBodyOption,
    StrengthOption,
    StyleOption,
    TextOption,
    TimelineOption,
    ValenceOption,
    VideoOutput,
    VoiceOption,
    check_emotion,
    check_image,
    check_motion_output,
    check_seed,
    check_style,
    check_video_options,
    checked_camera,
    checked_fit,
    checked_knobs,
    checked_reenactment,
    emotion_request,
)
from talkinghead.cli_perform import register as register_scenes
from talkinghead.cli_prepare import register as register_prepare
from talkinghead.cli_progress import loading, say, say_emotion, say_small_face, say_what_is_cut, stages, write_video
from talkinghead.errors import InputError, TalkingHeadError

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead
    from talkinghead.types import Audio

_EXIT_INPUT: Final = 2
_EXIT_INTERRUPTED: Final = 130
# typer carries its own click, and of its errors exports the one about a parameter; what that is a kind of is about usage.
_UsageError: Final[Any] = typer.BadParameter.__base__

app = typer.Typer(
    help="Speech and one portrait become a video of that person speaking, with the emotion that you choose. Offline.",
    epilog="Example: talkinghead generate --image portrait.jpg --audio speech.wav --emotion happy -o out.mp4",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from talkinghead import __version__

        typer.echo(f"talkinghead {__version__}")
        raise typer.Exit


@app.command(epilog='Example: talkinghead generate -i me.jpg --text "You came!" --prompt "shocked, then overjoyed" -o out.mp4')
def generate(
    image: ImageOption,
    output: VideoOutput,
    audio: AudioOption = None,
    text: TextOption = None,
    voice: VoiceOption = "en-us",
    fit: FitOption = None,
    emotion: EmotionOption = None,
    intensity: IntensityOption = None,
    prompt: PromptOption = None,
    timeline: TimelineOption = None,
    valence: ValenceOption = None,
    arousal: ArousalOption = None,
    reference: ReferenceOption = None,
    fps: FpsOption = 25.0,
    size: SizeOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    quality: QualityOption = "standard",
    steps: StepsOption = None,
    face: FaceOption = None,
    head_motion: HeadMotionOption = 1.0,
    blink_rate: BlinkRateOption = None,
    gaze: GazeOption = "natural",
    lip_strength: LipStrengthOption = 1.0,
    articulation: ArticulationOption = 1.0,
    expression_strength: ExpressionStrengthOption = 1.0,
    style: StyleOption = None,
    camera: CameraOption = None,
    still_body: StillBodyOption = False,
    checkpoint: CheckpointOption = None,
) -> None:
    """A portrait and speech (a recording or a line of text) -> a talking video."""
    check_video_options(output, [image, audio, timeline, reference], fps, size, quality, steps, face)
    request = emotion_request(emotion, intensity, timeline, prompt, valence, arousal, reference, checkpoint)
    check_seed(seed)
    knobs = checked_knobs(
        head_motion=head_motion,
        blink_rate=blink_rate,
        gaze=gaze,
        lip_strength=lip_strength,
        articulation=articulation,
        expression_strength=expression_strength,
    )
    check_style(style)
    check_image(image)
    speech = _speech(audio, text, voice, fit)
    check_emotion(request, speech.num_frames)
    view: dict[str, Any] = {"camera": checked_camera(camera, speech.num_frames), "still_body": still_body}
    say_emotion(request)
    with loading():
        head = _load(checkpoint, device)
        portrait = head.load_portrait(image, face=face, size=size)
        frames = head(portrait, speech, emotion=request, seed=seed, quality=quality, steps=steps, style=style, **view, **knobs)
    if size is None:
        say_small_face(image, portrait)
    write_video(frames, speech.num_frames, output, speech if fit else audio or speech, fps)


@app.command(epilog="Example: talkinghead animate --audio speech.wav -e sad -e angry:brow:0.8 -o motion.npz")
def animate(
    output: MotionOutput,
    audio: AudioOption = None,
    text: TextOption = None,
    voice: VoiceOption = "en-us",
    fit: FitOption = None,
    emotion: EmotionOption = None,
    intensity: IntensityOption = None,
    prompt: PromptOption = None,
    timeline: TimelineOption = None,
    valence: ValenceOption = None,
    arousal: ArousalOption = None,
    reference: ReferenceOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    head_motion: HeadMotionOption = 1.0,
    blink_rate: BlinkRateOption = None,
    gaze: GazeOption = "natural",
    lip_strength: LipStrengthOption = 1.0,
    articulation: ArticulationOption = 1.0,
    expression_strength: ExpressionStrengthOption = 1.0,
    style: StyleOption = None,
    fps: MotionFpsOption = 25.0,
    character: CharacterOption = None,
    names: NamesOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Speech -> the motion of a face (52 ARKit blendshapes, head, gaze), no picture; for other tools by the name's ending."""
    check_motion_output(output, [audio, timeline, reference, character, names])
    driven = checked_character(output, fps, character, names)
    request = emotion_request(emotion, intensity, timeline, prompt, valence, arousal, reference, checkpoint)
    check_seed(seed)
    knobs = checked_knobs(
        head_motion=head_motion,
        blink_rate=blink_rate,
        gaze=gaze,
        lip_strength=lip_strength,
        articulation=articulation,
        expression_strength=expression_strength,
    )
    check_style(style)
    speech = _speech(audio, text, voice, fit)
    check_emotion(request, speech.num_frames)
    say_emotion(request)
    with loading():
        head = _load(checkpoint, device)
    motion = head.animate(speech, emotion=request, seed=seed, style=style, **knobs)
    save(output, motion, fps, driven, checkpoint)


@app.command(epilog="Example: talkinghead render -i portrait.jpg -m driver.npz --lips-from speech.wav --camera 10,0 -o out.mp4")
def render(
    image: ImageOption,
    motion: Annotated[Path, typer.Option("--motion", "-m", help="What `animate` or `track` wrote: .npz, .csv, .json.")],
    output: VideoOutput,
    audio: Annotated[
        Path | None, typer.Option("--audio", "-a", help="Sound of the video. (Default: that of --lips-from.)")
    ] = None,
    relative: RelativeOption = None,
    expression_only: ExpressionOnlyOption = False,
    strength: StrengthOption = 1.0,
    lips_from: LipsFromOption = None,
    camera: CameraOption = None,
    still_body: StillBodyOption = False,
    fps: FpsOption = 25.0,
    size: SizeOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    quality: QualityOption = "standard",
    steps: StepsOption = None,
    face: FaceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A portrait and a motion -> a video; with the motion of `track`, a re-enactment."""
    check_video_options(output, [image, motion, audio, lips_from], fps, size, quality, steps, face)
    check_seed(seed)
    reenactment = checked_reenactment(relative, expression_only, strength)
    check_image(image)
    from talkinghead.audio.waveform import load_audio
    from talkinghead.export.formats import read_motion
    from talkinghead.types import FPS

    performance = read_motion(motion)
    view = checked_camera(camera, len(performance))
    speech = load_audio(lips_from) if lips_from is not None else None
    sound = audio or lips_from
    if sound is not None:
        heard = speech if audio is None and speech is not None else load_audio(sound)
        say_what_is_cut(sound, heard.duration_s, len(performance) / FPS)
    with loading():
        head = _load(checkpoint, device)
        portrait = head.load_portrait(image, face=face, size=size)
        frames = head.render(portrait, performance, quality, steps, seed, reenactment, speech, view, still_body)
    write_video(frames, len(performance), output, sound, fps)


@app.command(epilog="Example: talkinghead track video.mp4 -o motion.npz")
def track(
    video: Annotated[Path, typer.Argument(help="A video that shows one face.")],
    output: MotionOutput,
    fps: MotionFpsOption = 25.0,
    character: CharacterOption = None,
    names: NamesOption = None,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A video -> the motion of its largest face; `render` puts it on a portrait."""
    check_motion_output(output, [video, character, names])
    driven = checked_character(output, fps, character, names)
    from talkinghead.video.reader import check_video_file

    check_video_file(video)
    with stages() as begin:
        head = _load(checkpoint, device)
        begin(f"tracking {video.name}")
        motion = head.track(video)
    save(output, motion, fps, driven, checkpoint)


@app.command(epilog="Example: talkinghead adapt ana.mp4 -o styles/ana; then: talkinghead generate --style styles/ana ...")
def adapt(
    videos: Annotated[list[Path], typer.Argument(help="One person, seen and heard: 10 s to 2 min, in one video or several.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the style, such as styles/ana.")],
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A video of a person speaking -> their speaking style, for --style of `generate` and `animate`."""
    from talkinghead.motion.style import check_style_output
    from talkinghead.video.reader import check_video_file

    check_style_output(output)
    for video in videos:
        check_video_file(video)
    with stages() as begin:
        head = _load(checkpoint, device)
        from talkinghead.adaptation import adapt as adapt_to

        style = adapt_to(head, videos, begin)
    style.save(output)
    say(f"{output}: {style.describe()}")


@app.command(epilog="Example: arecord -t raw -f S16_LE -r 16000 -c 1 | talkinghead stream -e happy --osc 127.0.0.1:39539")
def stream(
    audio: SoundOption = PIPE,
    osc: OscOption = None,
    osc_format: OscFormatOption = None,
    fps: LiveFpsOption = None,
    buffer: BufferOption = None,
    emotion: EmotionOption = None,
    intensity: IntensityOption = None,
    valence: ValenceOption = None,
    arousal: ArousalOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    head_motion: HeadMotionOption = 1.0,
    blink_rate: BlinkRateOption = None,
    gaze: GazeOption = "natural",
    lip_strength: LipStrengthOption = 1.0,
    articulation: ArticulationOption = 1.0,
    expression_strength: ExpressionStrengthOption = 1.0,
    style: StyleOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Speech as it is spoken -> motion: a line of JSON a frame on standard output, 0.16 s behind, and OSC to an avatar.

    The sound of a pipe is raw: signed 16 bit, little endian, 16000 Hz, mono. Without --emotion the face is neutral.
    """
    from talkinghead.emotion.track import EmotionRequest

    request = EmotionRequest(tuple(emotion or ()), intensity, valence=valence, arousal=arousal)
    check_seed(seed)
    knobs = checked_knobs(
        head_motion=head_motion,
        blink_rate=blink_rate,
        gaze=gaze,
        lip_strength=lip_strength,
        articulation=articulation,
        expression_strength=expression_strength,
    )
    check_style(style)
    source = opened_sound(audio)
    from talkinghead.streaming import MotionStream, steady_activation

    steady_activation(request)
    sender = opened_sender(osc, osc_format, fps, buffer)
    with loading():
        head = _load(checkpoint, device)
    play(source, MotionStream(head, request, seed=seed, style=style, **knobs), sender)


register(app)
register_scenes(app)
register_batch(app)
register_checks(app)
register_prepare(app)


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
    except OSError as error:
        what = "" if error.filename is None else f"{error.filename}: "
        return _fail(f"{what}{error.strerror or error}; check its name, its permissions and the space on the disk.")
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


def _speech(audio: Path | None, text: str | None, voice: str, fit: str | None) -> Audio:
    if (audio is None) == (text is None):
        came = "neither came" if audio is None else "both came"
        raise InputError(f"--audio, --text: {came}; give one, a recording or a line to speak.")
    from talkinghead.audio.delivery import speech_of

    return speech_of(audio, text or "", voice, checked_fit(fit))


def _load(checkpoint: Path | None, device: str | None) -> TalkingHead:
    from talkinghead.checkpoints import checkpoint_folder

    checkpoint_folder(checkpoint)
    from talkinghead.pipeline import TalkingHead

    return TalkingHead.from_pretrained(checkpoint, device)
