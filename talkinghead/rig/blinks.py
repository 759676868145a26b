"""Blinks of a tracked face -> blinks of any face.

A tracker sees shut lids a little open, and which part of that is a blink, which a squint and which the person's own narrow eye
is the driver's affair: on another face the same coefficients leave an eye half open. Knows coefficients; knows no pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.rig.face_rig import BLINK, FaceRig, scale_blinks
from talkinghead.rig.fitting import FittedFace
from talkinghead.rig.gaze import with_eye_look
from talkinghead.rig.topology import lid_gap
from talkinghead.types import FaceMotion, FloatArray

# All these were set by eye.
_USUAL: Final = 75
"""Percentile of a performance's gaps between the lids: as open as these eyes are when they are open."""
_NARROWEST: Final = 0.35
"""And at least so much of the neutral face's gap: who sleeps does not blink with every tremble of the tracker."""
_FALLING, _SHUT = 0.58, 0.8
"""Parts of that by which lids have come down: they may only be lowered, and are surely shut."""
_WINK: Final = 0.35
"""By so much more is one lid down than the other if that is meant."""


def with_whole_blinks(motion: FaceMotion, face: FittedFace, rig: FaceRig) -> FloatArray:
    """A performance and the face that did it, as `fit_motion` gives them -> its blendshapes, (T, 52), in which lids that were
    seen shut are shut, and both of them unless it is a wink."""
    coefficients = scale_blinks(with_eye_look(motion.blendshapes, motion.gaze), face.lid_scale)
    neutral = lid_gap(face.shape)
    gaps = neutral + coefficients @ lid_gap(rig.deltas)
    usual = np.maximum(np.percentile(gaps, _USUAL, axis=0), np.maximum(_NARROWEST * neutral, 1e-6))
    down = 1 - gaps / usual
    meant = np.ptp(down, axis=1, keepdims=True) > _WINK
    down = np.where(meant, down, down.max(1, keepdims=True))
    shut = np.clip((down - _FALLING) / (_SHUT - _FALLING), 0, 1)
    result = motion.blendshapes.copy()
    for column, share in zip((BLINK["right"], BLINK["left"]), shut.T, strict=True):
        result[:, column] += share * (1 - result[:, column])
    return result
