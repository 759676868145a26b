"""The tracker's points as the rig wants them: `facemesh`'s names for lips, lids and oval, and the points that move least.

Knows indices only. Left and right are the subject's.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import facemesh
from talkinghead.types import FloatArray, IntArray

NUM_SKIN: Final = facemesh.NUM_SKIN
NUM_POINTS: Final = facemesh.NUM_POINTS

UPPER_LIP_INNER: Final = facemesh.UPPER_LIP_INNER
LOWER_LIP_INNER: Final = facemesh.LOWER_LIP_INNER
LIP_CORNERS_INNER: Final = facemesh.LIP_CORNERS_INNER
INNER_LIPS: Final = facemesh.INNER_LIPS
UPPER_LIP_OUTER: Final = facemesh.UPPER_LIP_OUTER
LOWER_LIP_OUTER: Final = facemesh.LOWER_LIP_OUTER
OUTER_LIPS: Final = facemesh.OUTER_LIPS

UPPER_LID_RIGHT: Final = facemesh.UPPER_LID_RIGHT
LOWER_LID_RIGHT: Final = facemesh.LOWER_LID_RIGHT
UPPER_LID_LEFT: Final = facemesh.UPPER_LID_LEFT
LOWER_LID_LEFT: Final = facemesh.LOWER_LID_LEFT
EYE_CORNERS_RIGHT: Final = facemesh.EYE_CORNERS_RIGHT
EYE_CORNERS_LEFT: Final = facemesh.EYE_CORNERS_LEFT
EYE_RING_RIGHT: Final = (EYE_CORNERS_RIGHT[0], *UPPER_LID_RIGHT, EYE_CORNERS_RIGHT[1], *LOWER_LID_RIGHT[::-1])
EYE_RING_LEFT: Final = (EYE_CORNERS_LEFT[0], *UPPER_LID_LEFT, EYE_CORNERS_LEFT[1], *LOWER_LID_LEFT[::-1])
"""`facemesh`'s loops the other way round, from the inner corner over the top: sums over them depend on the order."""
IRIS_RIGHT: Final = slice(facemesh.RIGHT_IRIS[0], facemesh.RIGHT_IRIS[-1] + 1)
IRIS_LEFT: Final = slice(facemesh.LEFT_IRIS[0], facemesh.LEFT_IRIS[-1] + 1)

FACE_OVAL: Final = facemesh.FACE_OVAL

CHIN: Final = (152, 148, 377, 176, 400, 175, 199)
RIGID: Final = (
    4, 6, 10, 33, 54, 67, 119, 121, 127, 129, 133, 143, 147, 198, 205, 263, 284, 297, 348, 350, 356, 358, 362, 372, 376,
    420, 425, 168, 197, 195, 5, 151, 9, 8, 1, 2, 98, 327, 234, 454, 162, 389, 21, 251, 109, 338,
)  # fmt: skip
"""Points of nose, forehead, eye corners and temples, from which the head pose is first guessed."""


def interocular(points: FloatArray) -> FloatArray:
    """points: (..., 478 or more, 3) -> (...) distance between the outer corners of the eyes."""
    distance: FloatArray = np.linalg.norm(points[..., EYE_CORNERS_LEFT[1], :] - points[..., EYE_CORNERS_RIGHT[1], :], axis=-1)
    return distance


def lid_gap(points: FloatArray) -> FloatArray:
    """points: (..., 478 or more, 3) -> (..., 2) mean height of the opening of the right and of the left eye."""
    right = (points[..., UPPER_LID_RIGHT[2:5], 1] - points[..., LOWER_LID_RIGHT[2:5], 1]).mean(-1)
    left = (points[..., UPPER_LID_LEFT[2:5], 1] - points[..., LOWER_LID_LEFT[2:5], 1]).mean(-1)
    return np.stack([right, left], axis=-1)


def mirror_index(vertices: FloatArray) -> IntArray:
    """vertices: (V, 3) of a symmetric mesh -> (V,) which vertex stands at the mirrored place."""
    mirrored = vertices * np.array([-1, 1, 1], np.float32)
    nearest = np.stack([((vertices - v) ** 2).sum(-1).argmin() for v in mirrored])
    return nearest.astype(np.int64)
