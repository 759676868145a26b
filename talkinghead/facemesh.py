"""The tracker's 478 points: which of them bound the lips, the eyes and the face. Right and left are the subject's own.

Knows indices alone. Every loop is closed from its last point to its first. Source: MediaPipe's canonical face mesh.
"""

from typing import Final

NUM_SKIN: Final = 468
NUM_POINTS: Final = 478

# Lips from the subject's right to the left, point against point.
UPPER_LIP_INNER: Final = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP_INNER: Final = (95, 88, 178, 87, 14, 317, 402, 318, 324)
UPPER_LIP_OUTER: Final = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LOWER_LIP_OUTER: Final = (146, 91, 181, 84, 17, 314, 405, 321, 375)
LIP_CORNERS_INNER: Final = (78, 308)
LIP_CORNERS_OUTER: Final = (61, 291)

# Lids from the inner corner outwards, point against point; corners: the inner one, the outer one.
UPPER_LID_RIGHT: Final = (173, 157, 158, 159, 160, 161, 246)
LOWER_LID_RIGHT: Final = (155, 154, 153, 145, 144, 163, 7)
UPPER_LID_LEFT: Final = (398, 384, 385, 386, 387, 388, 466)
LOWER_LID_LEFT: Final = (382, 381, 380, 374, 373, 390, 249)
EYE_CORNERS_RIGHT: Final = (133, 33)
EYE_CORNERS_LEFT: Final = (362, 263)

# Loops that begin at a corner (the right, the outer one) and go over the top.
INNER_LIPS: Final = (LIP_CORNERS_INNER[0], *UPPER_LIP_INNER, LIP_CORNERS_INNER[1], *LOWER_LIP_INNER[::-1])
OUTER_LIPS: Final = (LIP_CORNERS_OUTER[0], *UPPER_LIP_OUTER, LIP_CORNERS_OUTER[1], *LOWER_LIP_OUTER[::-1])
RIGHT_EYE: Final = (EYE_CORNERS_RIGHT[1], *UPPER_LID_RIGHT[::-1], EYE_CORNERS_RIGHT[0], *LOWER_LID_RIGHT)
LEFT_EYE: Final = (EYE_CORNERS_LEFT[1], *UPPER_LID_LEFT[::-1], EYE_CORNERS_LEFT[0], *LOWER_LID_LEFT)

# The first of each is the pupil.
RIGHT_IRIS: Final = (468, 469, 470, 471, 472)
LEFT_IRIS: Final = (473, 474, 475, 476, 477)

FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""From the middle of the forehead over the subject's left side and the chin, all round."""
