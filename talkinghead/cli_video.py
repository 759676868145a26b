"""`talkinghead generate` and `render`: a portrait, and speech or a motion, become a video. Knows options only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talkinghead.cli_groups import (
    EmotionOptions,
    MotionOptions,
    PictureOptions,
    ReenactmentOptions,
    SpeechOptions,
    checked_performance,
    with_groups,
)
from talkinghead.cli_options import (
    CheckpointOption,
    DeviceOption,
    ImageOption,
    KeepSmileOption,
    NoiseSeedOption,
    VideoOutput,
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
from talkinghead.cli_values import check_image, check_seed, checked_reenactment, loaded_head
from talkinghead.errors import InputError

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead
    from talkinghead.types import Portrait


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        epilog='Example: talkinghead generate -i me.jpg --text "You came!" --prompt "shocked, then overjoyed" -o out.mp4'
    )(with_groups(generate))
    app.command(
        epilog="Example: talkinghead render -i portrait.jpg -m driver.npz --lips-from speech.wav --camera 10,0 -o out.mp4"
    )(with_groups(render))


def generate(
    image: ImageOption,
    output: VideoOutput,
    speech: SpeechOptions,
    feeling: EmotionOptions,
    motion: MotionOptions,
    picture: PictureOptions,
    keep_smile: KeepSmileOption = None,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A portrait and speech (a recording or a line of text) -> a talking video."""
    picture.check(output, [image, speech.audio, feeling.timeline, feeling.reference])
    check_image(image)
    sound, request, how = checked_performance(speech, feeling, motion, checkpoint)
    if keep_smile and not request.leaves_calm:
        raise InputError(f"--keep-smile {keep_smile:g}: has nothing to act on where an emotion is asked for; drop one of them.")
    how |= picture.view(sound.num_frames) | {"keep_smile": checked_reenactment(keep_smile=keep_smile).keep_smile}
    say_emotion(request)
    with loading():
        head = loaded_head(checkpoint, device)
        own, shown = picture.portrait(head, image)
        frames = head(shown, sound, emotion=request, quality=picture.quality, steps=picture.steps, **how)
    say_silence(speech.audio, sound)
    _say_of_portrait(image, own, shown, head)
    write_video(frames, sound.num_frames, output, sound if speech.fit else speech.audio or sound, picture.fps)


def render(
    image: ImageOption,
    motion: Annotated[Path, typer.Option("--motion", "-m", help="What `animate` or `track` wrote: .npz, .csv, .json.")],
    output: VideoOutput,
    *,
    audio: Annotated[
        Path | None, typer.Option("--audio", "-a", help="Sound of the video. (Default: that of --lips-from.)")
    ] = None,
    taken: ReenactmentOptions,
    picture: PictureOptions,
    seed: NoiseSeedOption = 0,
    device: DeviceOption = None,
    checkpoint: CheckpointOption = None,
) -> None:
    """A portrait and a motion -> a video; with the motion of `track`, a re-enactment."""
    reenactment, lips_from = taken.checked(), taken.lips_from
    picture.check(output, [image, motion, audio, lips_from])
    check_seed(seed)
    check_image(image)
    from talkinghead.audio.waveform import load_audio
    from talkinghead.export.formats import read_motion
    from talkinghead.types import FPS

    performance = read_motion(motion)
    if taken.keep_smile and not performance.at_ease.any():
        why = "nobody is at ease in it: an emotion was asked for, it was tracked, or its file, such as a .csv, does not say"
        raise InputError(f"--keep-smile {taken.keep_smile:g}: has nothing to act on in {motion} ({why}); leave it out.")
    view = picture.view(len(performance))
    speech = load_audio(lips_from) if lips_from is not None else None
    sound = audio or lips_from
    if sound is None:
        say_no_sound(output)
    else:
        heard = speech if audio is None and speech is not None else load_audio(sound)
        say_what_is_cut(sound, heard.duration_s, len(performance) / FPS)
    with loading():
        head = loaded_head(checkpoint, device)
        own, shown = picture.portrait(head, image)
        quality, steps = picture.quality, picture.steps
        frames = head.render(shown, performance, quality, steps, seed, reenactment, speech, **view)
    _say_of_portrait(image, own, shown, head)
    write_video(frames, len(performance), output, sound, picture.fps)


def _say_of_portrait(image: Path, own: Portrait, shown: Portrait, head: TalkingHead) -> None:
    from talkinghead.portrait_notes import portrait_notes
    from talkinghead.rig.fitting import fit_face

    say_size(image, own, shown)
    say_notes(image, portrait_notes(shown, fit_face(shown.face, head.rig)))
