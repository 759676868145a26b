"""The one notation of emotions, `happy:0.7,surprised:0.3,angry:brow:0.8`, wherever an emotion is written.

    emotion  = part {"," part}
    part     = name [":" share]                 the whole face: shares of a mix; what they lack to 1 is neutral
             | name ":" region [":" strength]   one region, instead of what the whole face shows there
    region   = "brow" | "eyes" | "mouth"

A share says how much of the mix, a strength how far the face goes. Knows the names and the notation; nothing of time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.emotion.lexicon import FEELINGS
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, NEUTRAL, FloatArray

REGIONS: Final = tuple(arkit.REGIONS)
SYNONYMS: Final[dict[str, str]] = {
    "anger": "angry",
    "contemptuous": "contempt",
    "disgust": "disgusted",
    "fearful": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}
_EXAMPLE: Final = "happy:0.7,surprised:0.3"


@dataclass(frozen=True, eq=False)
class Emotion:
    """What one string of the notation says.

    text: as it was written, for messages.
    mix: (8,) shares of the whole face that sum to 1; None when only regions were named.
    regions: region -> (8,) strengths that were written and (8,) which emotions were left without one.
    """

    text: str
    mix: FloatArray | None
    regions: dict[str, tuple[FloatArray, FloatArray]]

    @property
    def needs_intensity(self) -> bool:
        """Whether some part leaves its strength to `intensity`."""
        return self.mix is not None or any(left.any() for _, left in self.regions.values())

    def over(self, activation: FloatArray, intensity: float) -> FloatArray:
        """What the face shows when this is asked of it: (..., 3, 8) -> (..., 3, 8).

        A mix takes the whole face; a region takes its own and leaves the others as they are in `activation`. Emotions of a
        region that were left without a strength share the intensity, as far as the region has room.
        """
        result = np.array(activation, np.float32)
        if self.mix is not None:
            result[...] = intensity * self.mix
        for region, (strengths, left) in self.regions.items():
            room = min(intensity, 1 - strengths.sum())
            result[..., REGIONS.index(region), :] = strengths + room * left / max(1, left.sum())
        return result


def parse_emotion(emotion: str | Iterable[str]) -> Emotion:
    """A string of the notation, or several that are read as one.

    Raises:
        EmotionError: an unknown emotion or region (the choices are listed), a share or strength that is none.
    """
    text = emotion if isinstance(emotion, str) else ",".join(emotion)
    shares = np.zeros(len(EMOTIONS), np.float32)
    is_whole = False
    regions: dict[str, tuple[FloatArray, FloatArray]] = {}
    for part in text.split(","):
        name, *rest = (field.strip() for field in part.split(":"))
        index = _index(name)
        if rest and rest[0].lower() in REGIONS:
            strengths, left = regions.setdefault(rest[0].lower(), _nothing())
            _add_strength(strengths, left, index, rest[1:], part)
        else:
            is_whole = True
            shares[index] += _share(rest, part)
    for region, (strengths, _) in regions.items():
        _check_sum(strengths, region, text)
    return Emotion(text, _mix(shares, text) if is_whole else None, regions)


def _nothing() -> tuple[FloatArray, FloatArray]:
    return np.zeros(len(EMOTIONS), np.float32), np.zeros(len(EMOTIONS), np.float32)


def _index(name: str) -> int:
    word = name.lower()
    word = SYNONYMS.get(word, word)
    if word not in EMOTIONS:
        choices = ", ".join(EMOTIONS)
        raise EmotionError(f"emotion {name!r} is not known; choose from {choices}, or a mix such as {_EXAMPLE}.{_meant(word)}")
    return EMOTIONS.index(word)


def _meant(word: str) -> str:
    """What of this notation comes nearest: what the word means where prompts are read, or what it is a slip of."""
    for mix, _, words in FEELINGS:
        if word in words.split():
            return f" Did you mean {mix}, or the prompt {word!r}?"
    feelings = {one: mix for mix, _, words in FEELINGS for one in words.split()}
    near = difflib.get_close_matches(word, [*EMOTIONS, *SYNONYMS, *feelings], n=1)
    if near and near[0] not in (*EMOTIONS, *SYNONYMS):
        return f" Did you mean {feelings[near[0]]}, or the prompt {near[0]!r}?"
    return f" Did you mean {SYNONYMS.get(near[0], near[0])}?" if near else ""


def _share(fields: list[str], part: str) -> float:
    if not fields:
        return 1.0
    share = _number(fields[0])
    if len(fields) > 1 or not 0 <= share < np.inf:
        raise EmotionError(
            f"emotion has {part.strip()!r}; give a share of 0 or more after the colon, such as happy:0.7, "
            f"or a region of {', '.join(REGIONS)}, such as happy:mouth:0.5."
        )
    return share


def _add_strength(strengths: FloatArray, left: FloatArray, index: int, fields: list[str], part: str) -> None:
    if not fields:
        left[index] = 1
        return
    strength = _number(fields[0])
    if len(fields) > 1 or not 0 <= strength <= 1:
        raise EmotionError(
            f"emotion has {part.strip()!r}; give a strength from 0 to 1 after the region, such as happy:mouth:0.5, or none."
        )
    strengths[index] += strength


def _number(text: str) -> float:
    """A plain decimal number, or NaN."""
    try:
        return float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        return float("nan")


def _check_sum(strengths: FloatArray, region: str, text: str) -> None:
    if strengths.sum() > 1 + 1e-6:
        raise EmotionError(
            f"emotion {text!r} asks {strengths.sum():.3g} of the {region}; give strengths that add up to at most 1."
        )


def _mix(shares: FloatArray, text: str) -> FloatArray:
    if shares.sum() <= 0:
        raise EmotionError(f"emotion {text!r} has no share above 0; give for example {_EXAMPLE}.")
    mix: FloatArray = shares / max(1, shares.sum())
    mix[NEUTRAL] += max(0, 1 - mix.sum())
    return mix
