"""What a face shows -> how strongly each region shows each emotion.

The prototypes are fitted to the face by non-negative least squares: first to the whole face, then to each region, held to
the whole face's answer where the region alone cannot tell (a brow has five columns, and eight emotions move it). Talking is
one more prototype, which takes what it explains and is then left out. Source of the solver: Lawson, Hanson, "Solving Least
Squares Problems", 1974, ch. 23. It sees muscles, not feelings: a face that rests in a frown is read as a frown.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from talkinghead import arkit
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, FPS, FloatArray

TALKING: Final[dict[str, tuple[float, float]]] = {
    "eyeSquint": (0, 0.06), "eyeWide": (0, 0.05), "jawForward": (0, 0.02), "jawOpen": (0.19, 0.12), "mouthFunnel": (0.11, 0.07),
    "mouthPucker": (0.1, 0.07), "mouthClose": (0.05, 0.06), "mouthSmile": (0.04, 0.05), "mouthFrown": (0.12, 0.12),
    "mouthStretch": (0.09, 0.08), "mouthRollLower": (0.08, 0.06), "mouthRollUpper": (0.09, 0.05), "mouthPress": (0.02, 0.03),
    "mouthShrugLower": (0.11, 0.06), "mouthShrugUpper": (0.11, 0.06), "mouthUpperUp": (0.04, 0.05), "browDown": (0, 0.06),
    "browInnerUp": (0, 0.03), "browOuterUp": (0, 0.07),
}  # fmt: skip
"""What a neutral voice does to the mouth, and how much each column wanders meanwhile: mean and deviation over a hundred
training clips of GRID, as they are tracked here."""

CLIP_SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".3gp")
"""Files that are read as clips; others are read as pictures."""

_UNSEEN: Final = ("cheekSquint", "eyeBlink")
"""What is no sign: the tracker misses cheeks (median 0 in forty portraits of people who smile), and lids blink."""

_OWN_BROWS: Final = 0.4
"""A still cannot tell low brows from lowered ones: the median of those portraits, which a still is read against."""

_DEVIATION: Final = 0.05
_TRACE: Final = 0.2
_SMOOTHING_S: Final = 0.6
_HELD: Final = 0.35
_STEP: Final = 5


def reference_activation(blendshapes: FloatArray, prototypes: FloatArray) -> FloatArray:
    """(T, 52) in [0, 1], what a tracked face does -> (T, 3, 8) activation of each region, at most 1 in all.

    Args:
        blendshapes: one row for a picture, one a frame for a clip, at 25 frames a second.
        prototypes: (8, 52) each emotion at full strength, rows as `EMOTIONS`.

    Raises:
        EmotionError: no frames, or not 52 finite columns.
    """
    width = len(arkit.BLENDSHAPES)
    if blendshapes.ndim != 2 or blendshapes.shape[1] != width or not len(blendshapes) or not np.isfinite(blendshapes).all():
        came = f"blendshapes of the reference have shape {blendshapes.shape} or are not finite"
        raise EmotionError(f"{came}; give (T, {width}) of a tracked face.")
    if len(blendshapes) == 1:
        blendshapes = blendshapes.copy()
        lowered = [arkit.INDEX["browDownLeft"], arkit.INDEX["browDownRight"]]
        blendshapes[:, lowered] = np.maximum(blendshapes[:, lowered] - _OWN_BROWS, 0)
    shown = gaussian_filter1d(np.asarray(blendshapes, np.float64), _SMOOTHING_S * FPS, axis=0, mode="nearest")
    # A smoothed course is as well known from every fifth frame, at a fifth of the time.
    keys = np.unique(np.r_[0 : len(shown) : _STEP, len(shown) - 1])
    fitted = np.stack([_fit(shown[key], prototypes.astype(np.float64)) for key in keys])
    times = np.arange(len(shown))
    flat = fitted.reshape(len(keys), -1)
    course = np.stack([np.interp(times, keys, column) for column in flat.T], 1)
    return course.reshape(len(shown), len(arkit.REGIONS), len(EMOTIONS)).astype(np.float32)


def stretch(activation: FloatArray, num_frames: int) -> FloatArray:
    """(T, 3, 8) -> (num_frames, 3, 8), the same course over another length."""
    if len(activation) == 1:
        return np.repeat(activation, num_frames, axis=0)
    places = np.linspace(0, len(activation) - 1, num_frames)
    before = np.minimum(places.astype(np.int64), len(activation) - 2)
    share = (places - before)[:, None, None].astype(np.float32)
    course: FloatArray = activation[before] * (1 - share) + activation[before + 1] * share
    return course


def _fit(shown: FloatArray, prototypes: FloatArray) -> FloatArray:
    """shown: (52,) -> (3, 8)."""
    talking, trust = _talking()
    causes = np.vstack([prototypes, talking]) * trust
    shown = shown * trust
    used = np.asarray(causes.any(0))
    whole, _ = nnls(causes[:, used].T, shown[used])
    whole[:-1] *= whole[:-1] >= _TRACE * whole[:-1].max()
    # An emotion that the whole face does not show is not looked for in its regions.
    causes[whole == 0] = 0
    result = np.zeros((len(arkit.REGIONS), len(EMOTIONS)), np.float32)
    for region, columns in enumerate(arkit.REGIONS.values()):
        own = [column for column in columns if used[column]]
        system = np.concatenate([causes[:, own].T, _HELD * np.eye(len(causes))])
        strengths, _ = nnls(system, np.concatenate([shown[own], _HELD * whole]))
        result[region] = strengths[:-1] / max(1.0, strengths[:-1].sum())
    return result


def _talking() -> tuple[FloatArray, FloatArray]:
    """(52,) what talking shows, and (52,) how far each column is to be trusted: the less the more it wanders by itself."""
    mean, trust = np.zeros(len(arkit.BLENDSHAPES), np.float32), np.ones(len(arkit.BLENDSHAPES), np.float32)
    for index, name in enumerate(arkit.BLENDSHAPES):
        of_both_sides = name.removesuffix("Left").removesuffix("Right")
        mean[index], deviation = TALKING.get(of_both_sides, (0.0, _DEVIATION))
        trust[index] = 0 if of_both_sides in _UNSEEN else _DEVIATION / max(_DEVIATION, deviation)
    return mean, trust
