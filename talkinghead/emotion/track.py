"""A label or a mix of labels and an intensity -> EmotionTrack, with its onset and release.

Knows the eight names; knows nothing of what they do to a face.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, FPS, NEUTRAL, EmotionTrack, FloatArray

EASE_S: Final = 0.4
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


def emotion_track(emotion: str, intensity: float, num_frames: int) -> EmotionTrack:
    """An emotion held from the first frame to the last, easing in and out over 0.4 s (less in a very short clip).

    Args:
        emotion: one of `EMOTIONS`, or a mix such as "happy:0.7,surprised:0.3" (shares need not sum to 1).
        intensity: in [0, 1]; MEAD's levels 1, 2, 3 are 1/3, 2/3, 1.
        num_frames: T, at 25 frames a second.

    Raises:
        EmotionError: an unknown emotion (the choices are listed), a share or an intensity out of range.
    """
    strength = float(intensity)
    if not 0 <= strength <= 1:
        raise EmotionError(f"intensity is {intensity}; give a number from 0 (neutral) to 1 (as strong as it gets).")
    if num_frames < 1:
        raise EmotionError(f"num_frames is {num_frames}; an emotion needs at least one frame.")
    weights = np.repeat(parse_mix(emotion)[None], num_frames, axis=0)
    return EmotionTrack(weights, strength * _ease(num_frames))


def parse_mix(emotion: str) -> FloatArray:
    """ "happy" or "happy:0.7,surprised:0.3" -> (8,) shares that sum to 1, columns as `EMOTIONS`."""
    shares = np.zeros(len(EMOTIONS), np.float32)
    for part in emotion.split(","):
        name, _, number = part.partition(":")
        shares[_index(name)] += _share(number, part) if ":" in part else 1.0
    if shares.sum() <= 0:
        raise EmotionError(f"emotion {emotion!r} has no share above 0; give for example happy:0.7,surprised:0.3.")
    mix: FloatArray = shares / shares.sum()
    return mix


def _index(name: str) -> int:
    word = name.strip().lower()
    word = SYNONYMS.get(word, word)
    if word not in EMOTIONS:
        raise EmotionError(
            f"emotion {name.strip()!r} is not known; choose from {', '.join(EMOTIONS)}, "
            "or a mix such as happy:0.7,surprised:0.3."
        )
    return EMOTIONS.index(word)


def _share(number: str, part: str) -> float:
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share < np.inf:
        raise EmotionError(f"emotion mix has {part.strip()!r}; give a share of 0 or more after the colon, such as happy:0.7.")
    return share


def _ease(num_frames: int) -> FloatArray:
    """(T,) 0 -> 1 -> 0; smooth at both ends, and 1 in the middle of any clip of more than 0.8 s."""
    frames = np.arange(num_frames) + 0.5
    edge = np.minimum(frames, num_frames - frames) / min(EASE_S * FPS, max(num_frames / 4, 1.0))
    x = np.clip(edge, 0, 1)
    curve: FloatArray = (x * x * (3 - 2 * x)).astype(np.float32)
    return curve


def is_neutral(track: EmotionTrack) -> bool:
    """Whether a track asks for no expression at all."""
    return bool(np.all((track.intensity == 0) | (track.weights[:, NEUTRAL] == 1)))
