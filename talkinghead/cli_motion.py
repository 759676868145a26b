"""`talkinghead animate`, `track`, `adapt` and `stream`: speech, or a face that is seen, becomes motion or a style.

Knows options only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from talkinghead.cli_export import CharacterOption, MotionFpsOption, NamesOption, checked_character, save
from talkinghead.cli_groups import EmotionOptions, MotionOptions, SpeechOptions, checked_performance, with_groups
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
    CheckpointOption,
    DeviceOption,
    LiveEmotionOption,
    LiveIntensityOption,
    MotionOutput,
    ValenceOption,
)
from talkinghead.cli_progress import loading, say, say_emotion, say_silence, stages
from talkinghead.cli_values import check_motion_output, loaded_head


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog="Example: talkinghead animate --audio speech.wav -e sad -e angry:brow:0.8 -o motion.npz")(
        with_groups(animate)
    )
    app.command(epilog="Example: talkinghead track video.mp4 -o motion.npz")(track)
    app.command(epilog="Example: talkinghead adapt ana.mp4 -o styles/ana; then: talkinghead generate --style styles/ana ...")(
        adapt
    )
    app.command(epilog="Example: arecord -t raw -f S16_LE -r 16000 -c 1 | talkinghead stream -e happy --osc 127.0.0.1:39539")(
        with_groups(stream)
    )


def animate(
    output: MotionOutput,
    speech: SpeechOptions,
    feeling: EmotionOptions,
    moved: MotionOptions,
    fps: MotionFpsOption = 25.0,
    character: CharacterOption = None,
    names: NamesOption = None,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Speech -> the motion of a face (52 ARKit blendshapes, head, gaze), no picture; for other tools by the name's ending."""
    check_motion_output(output, [speech.audio, feeling.timeline, feeling.reference, character, names])
    driven = checked_character(output, fps, character, names)
    sound, request, how = checked_performance(speech, feeling, moved, checkpoint)
    say_emotion(request)
    with loading():
        head = loaded_head(checkpoint, device)
    say_silence(speech.audio, sound)
    save(output, head.animate(sound, emotion=request, **how), fps, driven, checkpoint)


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
        head = loaded_head(checkpoint, device)
        begin(f"tracking {video.name}")
        motion = head.track(video)
    save(output, motion, fps, driven, checkpoint)


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
        head = loaded_head(checkpoint, device)
        from talkinghead.adaptation import adapt as adapt_to

        style = adapt_to(head, videos, begin)
    style.save(output)
    say(f"{output}: {style.describe()}")


def stream(
    *,
    audio: SoundOption = PIPE,
    osc: OscOption = None,
    osc_format: OscFormatOption = None,
    fps: LiveFpsOption = None,
    buffer: BufferOption = None,
    emotion: LiveEmotionOption = None,
    intensity: LiveIntensityOption = None,
    valence: ValenceOption = None,
    arousal: ArousalOption = None,
    moved: MotionOptions,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """Speech as it is spoken -> motion: a line of JSON a frame on standard output, 0.16 s behind, and OSC to an avatar.

    With --osc a pipe or a file gets the lines, a terminal does not.

    The sound of a pipe is raw: signed 16 bit, little endian, 16000 Hz, mono. Without --emotion the face is neutral.
    """
    from talkinghead.emotion.track import EmotionRequest

    request = EmotionRequest(tuple(emotion or ()), intensity, valence=valence, arousal=arousal)
    how = moved.checked()
    source = opened_sound(audio)
    from talkinghead.streaming import MotionStream, steady_activation

    steady_activation(request)
    sender = opened_sender(osc, osc_format, fps, buffer)
    with loading():
        head = loaded_head(checkpoint, device)
    play(source, MotionStream(head, request, **how), sender)
