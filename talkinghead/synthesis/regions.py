"""Which of the 478 tracked points bound the eyes and the mouth, and which move with skull and jaw.

Knows indices alone. "Right" and "left" are the subject's own.
"""

from typing import Final

import numpy as np

INNER_LIPS: Final = np.array(
    [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95]
)  # fmt: skip
OUTER_LIPS: Final = np.array(
    [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146]
)  # fmt: skip
RIGHT_EYE: Final = np.array([33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7])
LEFT_EYE: Final = np.array([263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249])
RIGHT_IRIS: Final = np.arange(468, 473)
LEFT_IRIS: Final = np.arange(473, 478)
FACE_OVAL: Final = np.array(
    [10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
     152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109]
)  # fmt: skip
SKULL: Final = np.array([1, 4, 5, 6, 8, 9, 195, 197, 168, 2, 94, 98, 327, 48, 278, 33, 133, 263, 362, 10, 151, 127, 356])
JAW: Final = np.array([152, 148, 377, 176, 400, 149, 378, 199, 200, 175, 208, 428, 201, 421, 18, 83, 313])


def fan(loop: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """A closed loop of point indices -> triangles that fill it, between its upper and its lower half.

    A strip from corner to corner stays flat when the loop closes, where a fan round one point would fold.
    """
    half = len(loop) // 2
    upper, lower = loop[: half + 1], np.r_[loop[0], loop[: half - 1 : -1]]
    faces = []
    for k in range(half):
        faces += [(upper[k], upper[k + 1], lower[k + 1]), (upper[k], lower[k + 1], lower[k])]
    return np.array([f for f in faces if len(set(f)) == 3], np.int64)
