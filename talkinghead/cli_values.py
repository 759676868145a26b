"""What comes in the options of the command line, checked as far as that needs no model.

Heavy modules are imported inside the checks, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from talkinghead.errors import DependencyError, InputError, MotionError, OutputError, install_command

if TYPE_CHECKING:
    from talkinghead.emotion.track import EmotionRequest
    from talkinghead.pipeline import TalkingHead
    from talkinghead.rig.retargeting import Reenactment
    from talkinghead.rig.view import CameraPath
    from talkinghead.types import Audio

QUALITIES: Final = ("draft", "standard", "best")
MIN_FIT_S: Final = 0.6
MAX_FIT_S: Final = 600.0
MAX_STEPS: Final = 100
MAX_SEED: Final = 2**32 - 1


def check_motion_output(output: Path, inputs: list[Path | None]) -> None:
    """Raise OutputError when no motion can be written there, or it would overwrite an input."""
    from talkinghead.export.formats import FORMATS, ending_of, endings_and_programs

    if ending_of(output) is None:
        ending = f"'{output.suffix}'" if output.suffix else "no ending"
        raise OutputError(f"{output}: has {ending}; choose one of {endings_and_programs()}.")
    _check_output(output, tuple(FORMATS), inputs)


def check_video_options(
    output: Path, inputs: list[Path | None], fps: float, size: int | None, quality: str, steps: int | None, face: int | None
) -> None:
    """Raise OutputError when no video can be written there or it would overwrite an input, InputError for the other options."""
    from talkinghead.types import MAX_SIZE_PX, MIN_SIZE_PX
    from talkinghead.video.writer import CONTAINERS, MAX_FPS, MIN_FPS

    _check_output(output, tuple(CONTAINERS), inputs)
    if not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"--fps {fps:g}: out of range; give {MIN_FPS:g} to {MAX_FPS:g}.")
    if size is not None and not MIN_SIZE_PX <= size <= MAX_SIZE_PX:
        raise InputError(f"--size {size}: out of range; give {MIN_SIZE_PX} to {MAX_SIZE_PX} px for the longest side.")
    if quality not in QUALITIES:
        raise InputError(f"--quality {quality}: unknown; choose from {', '.join(QUALITIES)}.")
    if steps is not None and not 1 <= steps <= MAX_STEPS:
        raise InputError(f"--steps {steps}: out of range; give 1 to {MAX_STEPS}.")
    if face is not None and face < 1:
        raise InputError(f"--face {face}: faces are counted from 1, left to right.")


def check_image(image: Path) -> None:
    """Raise ImageError for what is not a picture."""
    from talkinghead.synthesis.portrait import check_image_file

    check_image_file(image)


def emotion_request(
    emotion: list[str] | None,
    intensity: float | None,
    timeline: Path | None,
    prompt: str | None,
    valence: float | None,
    arousal: float | None,
    reference: Path | None,
    checkpoint: Path | None,
) -> EmotionRequest:
    """The options of the emotion as one; when there is none, what is heard in the voice, where the checkpoint can hear it.

    Raises:
        EmotionError: what does not exist or does not go together.
    """
    from talkinghead.checkpoints import default_folder, has_emotion_encoder
    from talkinghead.emotion.track import AUTO, EmotionRequest

    request = EmotionRequest(tuple(emotion or ()), intensity, timeline, prompt, valence, arousal, reference)
    is_heard = request.is_open and has_emotion_encoder(default_folder() if checkpoint is None else checkpoint)
    return EmotionRequest((AUTO,), intensity) if is_heard else request


def check_emotion(request: EmotionRequest, num_frames: int) -> None:
    """Raise what the emotion's files can be known to lack before models are loaded: a cue past the end, no such picture."""
    from talkinghead.emotion.reference import CLIP_SUFFIXES
    from talkinghead.emotion.track import requested_track
    from talkinghead.synthesis.portrait import check_image_file
    from talkinghead.video.reader import check_video_file

    if request.reference is None and not request.is_heard:
        requested_track(request, num_frames)
    elif request.reference is None:
        return  # what is heard is known when the speech has been encoded
    elif request.reference.suffix.lower() in CLIP_SUFFIXES:
        check_video_file(request.reference)
    else:
        check_image_file(request.reference)


def checked_fit(fit: str | None) -> float | None:
    """What --fit says, s; raises InputError for what is no time."""
    if fit is None:
        return None
    try:
        seconds = float(fit.strip().removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not MIN_FIT_S <= seconds <= MAX_FIT_S:
        raise InputError(f"--fit {fit[:20]}: is no such time; give {MIN_FIT_S:g}s to {MAX_FIT_S:g}s, such as 3.2s.")
    return seconds


def checked_camera(camera: str | None, num_frames: int) -> CameraPath | None:
    """What --camera says, for a video of so many frames.

    Raises:
        InputError: not understood, out of range, or a time after the end.
    """
    from talkinghead.rig.view import CameraPath

    if camera is None:
        return None
    try:
        path = CameraPath.parse(camera)
        path.check_length(num_frames)
    except MotionError as error:
        raise InputError(f"--{str(error).replace(' is ', ' ', 1)}") from error
    return path


def checked_reenactment(
    relative: bool | None = None, expression_only: bool = False, strength: float = 1.0, keep_smile: float | None = None
) -> Reenactment:
    """How the motion is put on the portrait; raises InputError for what is out of range."""
    from talkinghead.rig.retargeting import KEPT_SMILE, Reenactment

    try:
        return Reenactment(relative, not expression_only, strength, KEPT_SMILE if keep_smile is None else keep_smile)
    except MotionError as error:
        raise InputError(f"--{str(error).replace(' is ', ' ', 1).replace('_', '-', 1)}") from error


def check_style(style: Path | None) -> None:
    """Raise StyleError for a folder that holds no style; whether it is of this articulator is known when that is loaded."""
    if style is not None:
        from talkinghead.motion.style import SpeakingStyle

        SpeakingStyle.load(style)


def check_seed(seed: int) -> None:
    """Raise InputError for a seed that the generators of random numbers do not take."""
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"--seed {seed}: out of range; give 0 to {MAX_SEED}.")


def check_extra(extra: str) -> None:
    """Raise DependencyError when a package of an optional part is missing: better now than after minutes of work."""
    from talkinghead.doctor import missing_packages

    if missing := missing_packages(extra):
        raise DependencyError(f"{', '.join(missing)} not installed; run: {install_command(extra)}.")


def checked_knobs(**knobs: float | str | None) -> dict[str, Any]:
    """The knobs of the motion that were given, by name.

    Raises:
        InputError: one is out of range, or says what there is not.
    """
    from talkinghead.motion.knobs import MotionKnobs

    given = {name: value for name, value in knobs.items() if value is not None}
    for name, value in given.items():
        try:
            MotionKnobs.of(**{name: value})
        except MotionError as error:
            raise InputError(f"--{name.replace('_', '-')} {str(error).removeprefix(f'{name} is ')}") from error
    return given


def check_blinks(blink_rate: str | None, num_frames: int) -> None:
    """Raise InputError for a blink that is asked for after the speech has ended, `num_frames` long."""
    from talkinghead.motion.knobs import MotionKnobs
    from talkinghead.types import FPS

    length_s = num_frames / FPS
    late = [time_s for time_s in MotionKnobs(blink_rate=blink_rate).blinks.times_s or () if time_s >= length_s]
    if late:
        raise InputError(f"--blink-rate {late[0]:g}s: the speech ends at {length_s:.2f} s; give times before that.")


def _check_output(output: Path, extensions: tuple[str, ...], inputs: list[Path | None]) -> None:
    from talkinghead.video.writer import check_output

    check_output(output, extensions)
    for given in inputs:
        if given is not None and output.exists() and given.exists() and output.samefile(given):
            raise OutputError(f"{output}: is one of the inputs and would be overwritten; write to another name.")


def checked_speech(audio: Path | None, text: str | None, voice: str, fit: str | None) -> Audio:
    """What is said: a recording or a line to speak, as long as `--fit` wants it."""
    if (audio is None) == (text is None):
        came = "neither came" if audio is None else "both came"
        raise InputError(f"--audio, --text: {came}; give one, a recording or a line to speak.")
    from talkinghead.audio.delivery import speech_of

    return speech_of(audio, text or "", voice, checked_fit(fit))


def loaded_head(checkpoint: Path | None, device: str | None) -> TalkingHead:
    """The whole path, of the checkpoint that is asked for."""
    from talkinghead.checkpoints import checkpoint_folder

    checkpoint_folder(checkpoint)
    from talkinghead.pipeline import TalkingHead

    return TalkingHead.from_pretrained(checkpoint, device)
