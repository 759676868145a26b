"""What of the expression in a portrait is its owner's usual look, which a calm face keeps: heavy lids, low or raised brows; and
where its lips meet.

One picture does not say what of a face is expression and what is the face; the fit takes for expression what the identity
modes cannot be, and its neutral has wider eyes and lower brows than the talker usually has
(`scripts/measure_usual.py`). Knows coefficients; knows no pixels and no speech.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.types import FloatArray

_KEPT: Final = {"eyeBlink": 1.0, "eyeSquint": 0.4, "browDown": 0.7, "browInnerUp": 0.65, "browOuterUp": 0.75}
"""Shares, by least squares on the median faces of training talkers, rounded. What helped their mouths did not help others'."""
_MOST: Final = 0.4
"""By eye: who was pictured in surprise or in anger is not so always."""
_BLINK: Final = (0.35, 0.6)
"""How far lids are shut in a picture that surely is of no blink, and in one that surely is."""
_WINK: Final = 0.3
"""How much further one lid is shut than the other by a will of its own."""
_LIDS: Final = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]
_AGAINST: Final = {
    "browDown": ("browInnerUp", "browOuterUp"), "browInnerUp": ("browDown",), "browOuterUp": ("browDown",),
}  # fmt: skip
"""What gives way, and to what: low brows to raised ones. Lids do not: narrow eyes that widen stare otherwise."""

_REST_GAP, _CLOSES = 0.0152, 0.307
"""Of the distance of the outer corners of the eyes: the rig's own lips are so far apart, and `mouthClose` draws them so much
nearer, as `jawOpen` parts them."""
_UPPER_LIP, _LOWER_LIP, _RIGHT_EYE, _LEFT_EYE = 13, 14, 33, 263
_MOUTH_CLOSE, _JAW_OPEN = arkit.INDEX["mouthClose"], arkit.INDEX["jawOpen"]


def _columns(stems: tuple[str, ...], side: str) -> list[int]:
    """Of blendshapes of these names, on one side ("Left") or on both (""); what has no side belongs to both."""
    named = [name for name in arkit.BLENDSHAPES if name.startswith(stems)]
    return [arkit.INDEX[name] for name in named if not side or name.endswith(side) or not name.endswith(("Left", "Right"))]


def _side(name: str) -> str:
    return next((side for side in ("Left", "Right") if name.endswith(side)), "")


_ROWS: Final = [
    (arkit.INDEX[name], share, _columns(_AGAINST.get(stem, ()), _side(name)))
    for stem, share in _KEPT.items()
    for name in arkit.BLENDSHAPES
    if name.startswith(stem)
]


def with_meeting_lips(blendshapes: FloatArray, shape: FloatArray) -> FloatArray:
    """blendshapes: (T, 52) counted from a calm face -> the same on a person's neutral `shape`, (V, 3) m, whose lips the fit may
    have left further apart than the rig's: what shuts those shuts these.
    """
    return _nearer(blendshapes, max(0.0, _lips_apart(shape)))


def with_lips_from(blendshapes: FloatArray, shape: FloatArray) -> FloatArray:
    """blendshapes: (T, 52) fitted on a person's neutral `shape`, (V, 3) m -> the same for the rig's: what shuts lips that are
    nearer or further apart when at rest shuts the rig's, and what opens them opens it as far.
    """
    return _nearer(blendshapes, -_lips_apart(shape))


def with_lips_to(blendshapes: FloatArray, shape: FloatArray) -> FloatArray:
    """blendshapes: (T, 52) as `with_lips_from` gives them -> the same on a person's neutral `shape`, (V, 3) m."""
    return _nearer(blendshapes, _lips_apart(shape))


def _lips_apart(shape: FloatArray) -> float:
    """How much further apart a neutral's lips are than the rig's, over the distance of the outer corners of the eyes."""
    # In height, as the lips' travel is: one lip may stand before the other.
    gap, eyes = float(shape[_UPPER_LIP, 1] - shape[_LOWER_LIP, 1]), float(np.linalg.norm(shape[_RIGHT_EYE] - shape[_LEFT_EYE]))
    return gap / eyes - _REST_GAP if eyes else 0.0


def _nearer(blendshapes: FloatArray, by: float) -> FloatArray:
    """Lips drawn nearer, over the distance of the outer corners of the eyes; or, where nothing draws them, the jaw opened."""
    result = blendshapes.copy()
    wanted = result[:, _MOUTH_CLOSE] + by / _CLOSES
    result[:, _MOUTH_CLOSE] = np.clip(wanted, 0, 1)
    result[:, _JAW_OPEN] = np.clip(result[:, _JAW_OPEN] + np.maximum(-wanted, 0), 0, 1)
    return result


def usual_look(resting: FloatArray) -> FloatArray:
    """resting: (52,) that a portrait shows -> (52,) of it that its owner always shows."""
    shown, usual = _awake(resting), np.zeros_like(resting)
    for column, share, _ in _ROWS:
        usual[column] = min(share * float(shown[column]), _MOST)
    return usual


def _awake(resting: FloatArray) -> FloatArray:
    """(52,) without the lids of who is caught in a blink, or winks."""
    shown, lids = resting.copy(), resting[_LIDS]
    heavy = lids if np.ptp(lids) < _WINK else np.full_like(lids, lids.min())
    shown[_LIDS] = heavy * np.clip((_BLINK[1] - heavy) / (_BLINK[1] - _BLINK[0]), 0, 1)
    return shown


def on_usual_look(blendshapes: FloatArray, resting: FloatArray) -> FloatArray:
    """blendshapes: (T, 52) counted from a calm face -> (T, 52) on the face of a portrait that shows `resting`, (52,).

    1 stays 1: a lid that shuts, shuts.
    """
    usual, result = usual_look(resting), blendshapes.copy()
    for column, _, against in _ROWS:
        kept = usual[column] * (1 - blendshapes[:, against].max(1, initial=0))
        result[:, column] = kept + (1 - kept) * blendshapes[:, column]
    return result
