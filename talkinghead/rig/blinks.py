"""Blinks of a tracked face -> blinks of any face.

A tracker sees shut lids a little open, and which part of that is a blink, which a squint and which the person's own narrow eye
is the driver's affair: on another face the same coefficients leave an eye half open. Knows coefficients; knows no pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.rig.face_rig import BLINK, FaceRig, scale_blinks
from talkinghead.rig.fitting import FittedFace
from talkinghead.rig.topology import lid_gap
from talkinghead.types import FPS, FaceMotion, FloatArray

# All these were set by eye.
_USUAL: Final = 75
"""Percentile of a performance's gaps between the lids: as open as these eyes are when they are open."""
_NARROWEST: Final = 0.35
"""And at least so much of the neutral face's gap: who sleeps does not blink with every tremble of the tracker."""
_LOWERED: Final = 0.4
"""By such a part of that lids have come down that may be in a blink."""
_FALLING, _SHUT = 0.58, 0.8
"""Parts of it by which they may only be lowered, and are surely shut;"""
_LONG_FALLING, _LONG_SHUT = 0.75, 0.92
"""and the same where they stay down for longer than a blink: who laughs or reads has lowered lids."""
_LONG_S: Final = 0.8
_WINK: Final = (0.3, 0.5)
"""By so much more than the other has one lid come down where a blink is deepest: no wink yet, and surely one."""


def with_whole_blinks(motion: FaceMotion, face: FittedFace, rig: FaceRig) -> FloatArray:
    """A performance and the face that did it, as `fit_motion` gives them -> its blendshapes, (T, 52), in which lids that were
    seen shut are shut, and both of them unless it is a wink.

    Lids that follow a look down are not counted: what the look lowers, it lowers on any face.
    """
    coefficients = scale_blinks(motion.blendshapes, face.lid_scale)
    neutral = lid_gap(face.shape)
    gaps = neutral + coefficients @ lid_gap(rig.deltas)
    usual = np.maximum(np.percentile(gaps, _USUAL, axis=0), np.maximum(_NARROWEST * neutral, 1e-6))
    down = 1 - gaps / usual
    result = motion.blendshapes.copy()
    for first, last in _runs(down.max(1) > _LOWERED):
        here = np.s_[first:last]
        share = _shut(down[here])
        for side, column in enumerate((BLINK["right"], BLINK["left"])):
            result[here, column] += share[:, side] * (1 - result[here, column])
    return result


def _shut(down: FloatArray) -> FloatArray:
    """(T, 2) by which part the right and the left lid have come down, from when they begin to until they are up again -> (T, 2)
    how surely each is shut."""
    deepest = down[down.max(1).argmax()]
    wink = np.clip((np.ptp(deepest) - _WINK[0]) / (_WINK[1] - _WINK[0]), 0, 1)
    together = down.max(1, keepdims=True)
    both = together + wink * (down - together)
    falling, shut = (_LONG_FALLING, _LONG_SHUT) if len(down) > _LONG_S * FPS else (_FALLING, _SHUT)
    return np.asarray(np.clip((both - falling) / (shut - falling), 0, 1), np.float32)


def _runs(where: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(T,) -> first and last + 1 of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, where, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
