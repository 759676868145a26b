"""Which of the tracker's 478 points is what: lips, lids, irises, face oval and the points that move least.

Knows indices only. Left and right are the subject's.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.types import FloatArray, IntArray

NUM_SKIN: Final = 468
NUM_POINTS: Final = 478

UPPER_LIP_INNER: Final = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP_INNER: Final = (95, 88, 178, 87, 14, 317, 402, 318, 324)
LIP_CORNERS_INNER: Final = (78, 308)
INNER_LIPS: Final = (78, *UPPER_LIP_INNER, 308, *LOWER_LIP_INNER[::-1])
"""The 20 points round the opening of the mouth, in order."""

UPPER_LIP_OUTER: Final = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LOWER_LIP_OUTER: Final = (146, 91, 181, 84, 17, 314, 405, 321, 375)
OUTER_LIPS: Final = (61, *UPPER_LIP_OUTER, 291, *LOWER_LIP_OUTER[::-1])

# From the inner corner outwards, point against point.
UPPER_LID_RIGHT: Final = (173, 157, 158, 159, 160, 161, 246)
LOWER_LID_RIGHT: Final = (155, 154, 153, 145, 144, 163, 7)
UPPER_LID_LEFT: Final = (398, 384, 385, 386, 387, 388, 466)
LOWER_LID_LEFT: Final = (382, 381, 380, 374, 373, 390, 249)
EYE_CORNERS_RIGHT: Final = (133, 33)
EYE_CORNERS_LEFT: Final = (362, 263)
EYE_RING_RIGHT: Final = (133, *UPPER_LID_RIGHT, 33, *LOWER_LID_RIGHT[::-1])
EYE_RING_LEFT: Final = (362, *UPPER_LID_LEFT, 263, *LOWER_LID_LEFT[::-1])
IRIS_RIGHT: Final = slice(468, 473)
IRIS_LEFT: Final = slice(473, 478)

FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""From the middle of the forehead over the subject's left side and the chin, all round."""

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
