"""Options that several commands share, declared once, and checked together: a command takes a group as one parameter.

`with_groups` unfolds them for typer, which knows parameters only.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

from talkinghead.cli_options import (
    ArousalOption,
    ArticulationOption,
    AudioOption,
    BlinkRateOption,
    CameraOption,
    EmotionOption,
    ExpressionOnlyOption,
    ExpressionStrengthOption,
    FaceOption,
    FitOption,
    FpsOption,
    GazeOption,
    HeadMotionOption,
    IntensityOption,
    KeepSmileOption,
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
    VoiceOption,
)
from talkinghead.cli_values import (
    check_blinks,
    check_emotion,
    check_seed,
    check_style,
    check_video_options,
    checked_camera,
    checked_knobs,
    checked_reenactment,
    checked_speech,
    emotion_request,
)

if TYPE_CHECKING:
    from talkinghead.emotion.track import EmotionRequest
    from talkinghead.pipeline import TalkingHead
    from talkinghead.rig.retargeting import Reenactment
    from talkinghead.types import Audio, Portrait


@dataclass(frozen=True)
class SpeechOptions:
    """What is said."""

    audio: AudioOption = None
    text: TextOption = None
    voice: VoiceOption = "en-us"
    fit: FitOption = None

    def checked(self) -> Audio:
        """The recording, or the line spoken."""
        return checked_speech(self.audio, self.text, self.voice, self.fit)


@dataclass(frozen=True)
class EmotionOptions:
    """What is felt."""

    emotion: EmotionOption = None
    intensity: IntensityOption = None
    prompt: PromptOption = None
    timeline: TimelineOption = None
    valence: ValenceOption = None
    arousal: ArousalOption = None
    reference: ReferenceOption = None

    def request(self, checkpoint: Path | None) -> EmotionRequest:
        """All of them as one; what is heard in the voice when there is none."""
        return emotion_request(
            self.emotion, self.intensity, self.timeline, self.prompt, self.valence, self.arousal, self.reference, checkpoint
        )


@dataclass(frozen=True)
class MotionOptions:
    """How the face moves."""

    seed: SeedOption = 0
    head_motion: HeadMotionOption = 1.0
    blink_rate: BlinkRateOption = None
    gaze: GazeOption = "natural"
    lip_strength: LipStrengthOption = 1.0
    articulation: ArticulationOption = 1.0
    expression_strength: ExpressionStrengthOption = 1.0
    style: StyleOption = None

    def checked(self) -> dict[str, Any]:
        """`seed`, `style` and the knobs that were given, as `TalkingHead.animate` takes them."""
        check_seed(self.seed)
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        seed, style = given.pop("seed"), given.pop("style")
        knobs = checked_knobs(**given)
        check_style(style)
        return {"seed": seed, "style": style} | knobs


@dataclass(frozen=True)
class ReenactmentOptions:
    """How the motion is taken."""

    relative: RelativeOption = None
    expression_only: ExpressionOnlyOption = False
    strength: StrengthOption = 1.0
    lips_from: LipsFromOption = None
    keep_smile: KeepSmileOption = None

    def checked(self) -> Reenactment:
        """All but the lips, which are a recording."""
        return checked_reenactment(self.relative, self.expression_only, self.strength, self.keep_smile)


@dataclass(frozen=True)
class PictureOptions:
    """What the video shows."""

    fps: FpsOption = 25.0
    size: SizeOption = None
    quality: QualityOption = "standard"
    steps: StepsOption = None
    face: FaceOption = None
    camera: CameraOption = None
    still_body: StillBodyOption = False

    def check(self, output: Path, inputs: list[Path | None]) -> None:
        """Raise what `check_video_options` does."""
        check_video_options(output, inputs, self.fps, self.size, self.quality, self.steps, self.face)

    def view(self, num_frames: int) -> dict[str, Any]:
        """`camera` and `still_body` as `TalkingHead.render` takes them, for a video of so many frames."""
        return {"camera": checked_camera(self.camera, num_frames), "still_body": self.still_body}

    def portrait(self, head: TalkingHead, image: Path) -> tuple[Portrait, Portrait]:
        """The picture as it is, and as it is shown."""
        from talkinghead.synthesis.portrait import for_players

        own = head.load_portrait(image, face=self.face, size=self.size)
        return own, own if self.size else for_players(own)


def checked_performance(
    speech: SpeechOptions, feeling: EmotionOptions, motion: MotionOptions, checkpoint: Path | None
) -> tuple[Audio, EmotionRequest, dict[str, Any]]:
    """What is said, what is felt and how it is moved, as `TalkingHead.animate` takes them; checked against each other."""
    request, how = feeling.request(checkpoint), motion.checked()
    sound = speech.checked()
    check_emotion(request, sound.num_frames)
    check_blinks(motion.blink_rate, sound.num_frames)
    return sound, request, how


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command some of whose parameters are groups -> the same with their fields in their places."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            options = _options(groups[name])
            parameters += [
                parameter.replace(name=field.name, default=_default(field), annotation=options[field.name])
                for field in fields(groups[name])
            ]
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    def unfolded(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    unfolded.__name__, unfolded.__doc__ = command.__name__, command.__doc__
    unfolded.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    unfolded.__signature__ = inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
    return unfolded


def _default(field: Field[Any]) -> Any:
    """What is wanted of the user has none."""
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _options(group: type[Any]) -> dict[str, Any]:
    """Each field's option, in a panel of the help that is named as the group says what it is."""
    options = {}
    for name, hint in get_type_hints(group, include_extras=True).items():
        kind, option = get_args(hint)
        option = copy.copy(option)
        option.rich_help_panel = (group.__doc__ or "").rstrip(".")
        options[name] = Annotated[kind, option]
    return options
