"""Valence and arousal -> which emotion, how strongly: Russell's circumplex, its direction the emotion, its radius the strength.

Sources: Russell, "A circumplex model of affect", 1980 (the plane, and where relaxed and sleepy lie); Russell, Mehrabian,
"Evidence for a three-factor theory of emotions", 1977 (mean pleasure and arousal of happy, surprised, angry, fearful,
disgusted, sad); control by the plane as in Dang et al., "EmotiCrafter", arXiv 2501.05710. Contempt is placed by this project,
between disgust and sadness: no mean of it was at hand. What the plane does not know: anger and fear lie 6 degrees apart,
since it is dominance that tells them apart; to be sure of one, name it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, NEUTRAL, FloatArray

CIRCUMPLEX: Final[dict[str, tuple[float, float]]] = {
    "angry": (-0.51, 0.59),
    "contempt": (-0.55, 0.05),
    "disgusted": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happy": (0.81, 0.51),
    "neutral": (0.0, 0.0),
    "sad": (-0.63, -0.27),
    "surprised": (0.40, 0.67),
}
"""Valence and arousal of each emotion."""

_CALM: Final[tuple[tuple[float, float, dict[str, float]], ...]] = (
    (0.69, -0.45, {"happy": 0.3, "neutral": 0.7}),  # relaxed
    (0.28, -0.67, {"neutral": 1.0}),  # sleepy
)
"""Low arousal has no emotion among the eight: what lies there instead, as a mix."""

_SHARPNESS: Final = 2.0
_SATURATION: Final = 8.0


def affect_activation(valence: float, arousal: float) -> FloatArray:
    """valence (unpleasant to pleasant), arousal (calm to excited), both in [-1, 1] -> (3, 8) activation of each region.

    The mix is interpolated over the angle (inverse distance, Shepard 1968), so that an emotion's own direction gives it
    alone; the strength is the distance from neutral, 1 at most.

    Raises:
        EmotionError: a number out of range.
    """
    for name, value in (("valence", valence), ("arousal", arousal)):
        if not -1 <= value <= 1:
            raise EmotionError(f"{name} is {value}; give a number from -1 to 1, 0 is neutral.")
    radius = float(np.hypot(valence, arousal))
    strength = radius / (1 + radius**_SATURATION) ** (1 / _SATURATION)
    whole = strength * _mix(float(np.arctan2(arousal, valence)))
    return np.repeat(whole[None], len(arkit.REGIONS), axis=0).astype(np.float32)


def _mix(angle_rad: float) -> FloatArray:
    """(8,) shares in one direction of the plane."""
    apart = np.abs((_ANGLES - angle_rad + np.pi) % (2 * np.pi) - np.pi)
    nearness = 1 / np.maximum(apart, 1e-6) ** _SHARPNESS
    mix: FloatArray = nearness @ _MIXES / nearness.sum()
    return mix


def _anchors() -> tuple[FloatArray, FloatArray]:
    """(K,) rad directions and (K, 8) what is shown there."""
    points = [(*point, {name: 1.0}) for name, point in CIRCUMPLEX.items() if name != EMOTIONS[NEUTRAL]]
    angles, mixes = [], []
    for valence, arousal, shares in (*points, *_CALM):
        angles.append(np.arctan2(arousal, valence))
        mixes.append([shares.get(name, 0.0) for name in EMOTIONS])
    return np.array(angles, np.float32), np.array(mixes, np.float32)


_ANGLES, _MIXES = _anchors()
