"""`talkinghead generate` and `render`: a portrait, and speech or a motion, become a video. Knows options only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
)
from talkinghead.cli_progress import (
    loading,
    say_emotion,
    say_no_sound,
    say_notes,
    say_silence,
    say_size,
    say_what_is_cut,
    write_video,
)
from talkinghead.cli_values import (
    check_blinks,
    check_emotion,
    check_image,
    check_seed,
    check_style,
    check_video_options,
    checked_camera,
    checked_knobs,
    checked_reenactment,
    checked_speech,
    emotion_request,
    loaded_head,
)

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead
    from talkinghead.types import Portrait


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog='Example: talkinghead generate -i me.jpg --text "You came!" --prompt "shocked, then overjoyed" -o out.mp4'
    )(generate)
    app.command(
        epilog="Example: talkinghead render -i portrait.jpg -m driver.npz --lips-from speech.wav --camera 10,0 -o out.mp4"
    )(render)


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
    speech = checked_speech(audio, text, voice, fit)
    check_emotion(request, speech.num_frames)
    check_blinks(knobs, speech.num_frames)
    view: dict[str, Any] = {"camera": checked_camera(camera, speech.num_frames), "still_body": still_body}
    say_emotion(request)
    from talkinghead.synthesis.portrait import for_players

    with loading():
        head = loaded_head(checkpoint, device)
        own = head.load_portrait(image, face=face, size=size)
        portrait = own if size else for_players(own)
        frames = head(portrait, speech, emotion=request, seed=seed, quality=quality, steps=steps, style=style, **view, **knobs)
    say_silence(audio, speech)
    _say_of_portrait(image, own, portrait, head)
    write_video(frames, speech.num_frames, output, speech if fit else audio or speech, fps)


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
    if sound is None:
        say_no_sound(output)
    else:
        heard = speech if audio is None and speech is not None else load_audio(sound)
        say_what_is_cut(sound, heard.duration_s, len(performance) / FPS)
    from talkinghead.synthesis.portrait import for_players

    with loading():
        head = loaded_head(checkpoint, device)
        own = head.load_portrait(image, face=face, size=size)
        portrait = own if size else for_players(own)
        frames = head.render(portrait, performance, quality, steps, seed, reenactment, speech, view, still_body)
    _say_of_portrait(image, own, portrait, head)
    write_video(frames, len(performance), output, sound, fps)


def _say_of_portrait(image: Path, own: Portrait, shown: Portrait, head: TalkingHead) -> None:
    from talkinghead.portrait_notes import portrait_notes
    from talkinghead.rig.fitting import fit_face

    say_size(image, own, shown)
    say_notes(image, portrait_notes(shown, fit_face(shown.face, head.rig)))
