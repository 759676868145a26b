"""What was asked for -> EmotionTrack: one source for the whole face, regions over it, a strength, an onset and a release.

The whole face is said by a label or a mix, by a prompt, by valence and arousal, by a reference, or by a timeline of cues.
Knows how these go together; what each means is in its own file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.emotion.affect import affect_activation
from talkinghead.emotion.easing import onset_and_release
from talkinghead.emotion.grammar import Emotion, parse_emotion
from talkinghead.emotion.prompt import prompt_activation, read_prompt
from talkinghead.emotion.reference import stretch
from talkinghead.emotion.timeline import load_timeline
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, NEUTRAL, EmotionTrack, FloatArray

DEFAULT_INTENSITY: Final = 0.7
AUTO: Final = "auto"
"""The emotion that is heard in the voice (`emotion_encoder`), instead of one that is named."""

ReadReference = Callable[[Path], FloatArray]
"""A picture or a clip of a face -> (T, 3, 8), what it shows (`reference.reference_activation`)."""

Hear = Callable[[], EmotionTrack]
"""What is heard in the speech, T frames (`EmotionEncoder.hear`)."""


@dataclass(frozen=True)
class EmotionRequest:
    """What a face is to feel, as people say it.

    emotions: strings of the notation (`grammar`), read as one: a whole face, regions, or both. "auto" among them is what is
        heard in the voice.
    intensity: strength of what says none itself, 0.7 when None; of a prompt, of valence and arousal and of a reference, which
        say their own, it is how strong the strongest moment is to be. What is heard is as strong as it is heard at 0.7, and
        more or less so by this.
    timeline: a file of cues; before the first one the face shows `emotions`.
    prompt: a line of text.
    valence, arousal: in [-1, 1]; one alone leaves the other 0.
    reference: a picture or a clip of a face to be imitated.

    Raises:
        EmotionError: two sources for the whole face, a number out of range, a string that is none.
    """

    emotions: tuple[str, ...] = ()
    intensity: float | None = None
    timeline: Path | None = None
    prompt: str | None = None
    valence: float | None = None
    arousal: float | None = None
    reference: Path | None = None

    def __post_init__(self) -> None:
        _check_intensity(self.intensity)
        self._check_auto()
        emotion = self.emotion
        self._check_sources(emotion)
        if self.prompt is not None:
            read_prompt(self.prompt)
        self.affect()
        if emotion and self.intensity is not None and not self._sources() and not emotion.needs_intensity:
            raise EmotionError(
                f"intensity has nothing to act on, since emotion {emotion.text!r} says every strength itself; drop one of them."
            )

    @property
    def emotion(self) -> Emotion | None:
        """The strings of `emotions` but "auto" as one; None when there are none."""
        named = [part for text in self.emotions for part in text.split(",") if part.strip().lower() != AUTO]
        return parse_emotion(named) if named else None

    @property
    def is_heard(self) -> bool:
        """Whether the emotion is that of the voice."""
        return any(part.strip().lower() == AUTO for text in self.emotions for part in text.split(","))

    @property
    def is_open(self) -> bool:
        """Whether nothing was asked for: neither the whole face nor a region."""
        return not self.emotions and not self._sources()

    @property
    def leaves_calm(self) -> bool:
        """Whether nothing is asked of the face but what is heard: `EmotionTrack.is_open`."""
        return self.is_open or (self.is_heard and self.emotion is None)

    def _check_auto(self) -> None:
        for part in (part for text in self.emotions for part in text.split(",")):
            if ":" in part and part.split(":")[0].strip().lower() == AUTO:
                raise EmotionError(
                    f"emotion {part.strip()!r}: 'auto' takes no number and no region; its strength is the intensity."
                )

    def affect(self) -> FloatArray | None:
        """(3, 8) activation of valence and arousal, None when neither is given."""
        if self.valence is None and self.arousal is None:
            return None
        return affect_activation(self.valence or 0.0, self.arousal or 0.0)

    def _sources(self) -> list[str]:
        given = {
            "timeline": self.timeline is not None,
            "prompt": self.prompt is not None,
            "valence and arousal": self.valence is not None or self.arousal is not None,
            "reference": self.reference is not None,
            "emotion 'auto'": self.is_heard,
        }
        return [name for name, is_given in given.items() if is_given]

    def _check_sources(self, emotion: Emotion | None) -> None:
        """One source says the whole face; only a timeline begins from another."""
        sources = self._sources()
        if len(sources) > 1:
            drop = f"drop {' or '.join(sources)}" if len(sources) == 2 else "drop all but one"
            given = f"{' and '.join(sources)} each say what the whole face feels"
            raise EmotionError(f"{given}; {drop}. Regions such as happy:mouth:0.5 go with any.")
        if sources and sources != ["timeline"] and emotion is not None and emotion.mix is not None:
            raise EmotionError(
                f"{sources[0]} and emotion {emotion.text!r} both say what the whole face feels; drop one of them, "
                "or give the emotion a region, such as happy:mouth:0.5."
            )


def asked(emotion: str | EmotionRequest | EmotionTrack | None) -> str | EmotionRequest | EmotionTrack:
    """What was asked for; None is nothing.

    Raises:
        EmotionError: of another kind.
    """
    if emotion is not None and not isinstance(emotion, str | EmotionRequest | EmotionTrack):
        kind = type(emotion).__name__
        raise EmotionError(f"emotion is {kind}; give a label or a mix such as happy:0.7, an EmotionRequest or an EmotionTrack.")
    return NOTHING_ASKED if emotion is None else emotion


def _check_intensity(intensity: float | None) -> None:
    if intensity is not None and not (isinstance(intensity, int | float) and 0 <= intensity <= 1):
        raise EmotionError(f"intensity is {intensity}; give a number from 0 (neutral) to 1 (as strong as it gets).")


NOTHING_ASKED: Final = EmotionRequest()
"""The face is calm, and a portrait keeps a part of its smile (`motion.own_smile`); "neutral" takes that away."""


def emotion_track(emotion: str, intensity: float | None, num_frames: int) -> EmotionTrack:
    """An emotion held from the first frame to the last, easing in and out over 0.4 s (less in a very short clip).

    Args:
        emotion: the notation of `grammar`: one of `EMOTIONS`, a mix such as "happy:0.7,surprised:0.3", regions.
        intensity: in [0, 1], 0.7 when None; MEAD's levels 1, 2, 3 are 1/3, 2/3, 1. Strengths in `emotion` go before it.
        num_frames: T, at 25 frames a second.

    Raises:
        EmotionError: an unknown emotion (the choices are listed), a share or an intensity out of range.
    """
    _check_intensity(intensity)
    if EmotionRequest((emotion,)).is_heard:
        raise EmotionError("emotion 'auto': needs the speech to listen to; ask TalkingHead for it.")
    is_used = parse_emotion(emotion).needs_intensity
    return requested_track(EmotionRequest((emotion,), intensity if is_used else None), num_frames)


def requested_track(
    request: EmotionRequest, num_frames: int, read_reference: ReadReference | None = None, hear: Hear | None = None
) -> EmotionTrack:
    """All that was asked for, as one track of `num_frames` at 25 frames a second.

    Everything eases in at the beginning of the clip and out at its end, but for a timeline, whose cues say when.

    Raises:
        EmotionError: a timeline that cannot be used, a reference without `read_reference`, "auto" without `hear`; whatever
            these raise.
    """
    if num_frames < 1:
        raise EmotionError(f"num_frames is {num_frames}; an emotion needs at least one frame.")
    emotion, intensity = request.emotion, DEFAULT_INTENSITY if request.intensity is None else request.intensity
    held = _neutral(num_frames)
    if emotion is not None:
        held = emotion.over(held, intensity)
    if request.timeline is not None:
        timeline = load_timeline(request.timeline).activation(held[0], intensity, num_frames)
        return EmotionTrack.from_activation(timeline if emotion is None else _regions_over(emotion, timeline, intensity))
    whole = _whole_face(request, num_frames, read_reference)
    if request.is_heard:
        held = _heard(hear, intensity, num_frames)
        held = held if emotion is None else emotion.over(held, intensity)
    elif whole is not None:
        held = whole if request.intensity is None else _with_peak(whole, request.intensity)
        held = held if emotion is None else emotion.over(held, intensity)
    return EmotionTrack.from_activation(held * onset_and_release(num_frames)[:, None, None], request.leaves_calm)


def _whole_face(request: EmotionRequest, num_frames: int, read_reference: ReadReference | None) -> FloatArray | None:
    """(T, 3, 8) of the source that says its own strengths; None when there is none."""
    if request.prompt is not None:
        return prompt_activation(request.prompt, num_frames)
    affect = request.affect()
    if affect is not None:
        return np.repeat(affect[None], num_frames, axis=0)
    if request.reference is None:
        return None
    if read_reference is None:
        raise EmotionError(f"reference {request.reference}: needs the face tracker; ask TalkingHead, or give read_reference.")
    return stretch(read_reference(request.reference), num_frames)


def _heard(hear: Hear | None, intensity: float, num_frames: int) -> FloatArray:
    """(T, 3, 8) what is heard in the voice, as strong as it is heard at the intensity that a label would have."""
    if hear is None:
        raise EmotionError("emotion 'auto': needs the speech to listen to; ask TalkingHead, or give hear.")
    track = hear()
    if len(track) != num_frames:
        raise EmotionError(f"emotion 'auto': {len(track)} frames were heard, the speech has {num_frames}.")
    heard: FloatArray = np.clip(track.activation * np.float32(intensity / DEFAULT_INTENSITY), 0, 1)
    total: FloatArray = np.maximum(heard.sum(-1, keepdims=True), 1)
    return np.asarray(heard / total, np.float32)


def _with_peak(activation: FloatArray, intensity: float) -> FloatArray:
    """The same course, its strongest moment of any region at `intensity`."""
    peak = float(np.delete(activation, NEUTRAL, axis=2).sum(2).max())
    return activation if peak == 0 else np.clip(activation * np.float32(intensity / peak), 0, 1)


def _regions_over(emotion: Emotion, activation: FloatArray, intensity: float) -> FloatArray:
    """The regions of an emotion all along a timeline; its mix was only where that began."""
    return Emotion(emotion.text, None, emotion.regions).over(activation, intensity)


def _neutral(num_frames: int) -> FloatArray:
    return np.zeros((num_frames, len(arkit.REGIONS), len(EMOTIONS)), np.float32)


def is_neutral(track: EmotionTrack) -> bool:
    """Whether a track asks for no expression at all."""
    return not np.delete(track.activation, NEUTRAL, axis=2).any()
