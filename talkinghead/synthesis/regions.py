"""`facemesh`'s loops as arrays that index points, and which points move with skull and jaw.

Knows indices alone. "Right" and "left" are the subject's own.
"""

from typing import Final

import numpy as np

from talkinghead import facemesh

INNER_LIPS: Final = np.array(facemesh.INNER_LIPS)
OUTER_LIPS: Final = np.array(facemesh.OUTER_LIPS)
RIGHT_EYE: Final = np.array(facemesh.RIGHT_EYE)
LEFT_EYE: Final = np.array(facemesh.LEFT_EYE)
RIGHT_IRIS: Final = np.array(facemesh.RIGHT_IRIS)
LEFT_IRIS: Final = np.array(facemesh.LEFT_IRIS)
RIGHT_CREASE: Final = np.array([247, 30, 29, 27, 28, 56, 190])
LEFT_CREASE: Final = np.array([467, 260, 259, 257, 258, 286, 414])
"""Above the rim of the upper lid, from the outer corner inwards, and above that the ridge under the brow."""
RIGHT_RIDGE: Final = np.array([113, 225, 224, 223, 222, 221, 189])
LEFT_RIDGE: Final = np.array([342, 445, 444, 443, 442, 441, 413])
FACE_OVAL: Final = np.array(facemesh.FACE_OVAL)
FOREHEAD, UNDER_NOSE, CHIN = 10, 2, 152
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


def strip(num_rows: int, num_columns: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Points in rows, one row after the other -> the triangles between them."""
    starts = [num_columns * row + column for row in range(num_rows - 1) for column in range(num_columns - 1)]
    return np.array(
        [(a, b, c) for k in starts for a, b, c in ((k, k + 1, k + num_columns), (k + 1, k + num_columns + 1, k + num_columns))]
    )
