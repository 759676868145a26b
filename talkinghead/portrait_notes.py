"""What a person should know of a portrait before its video is drawn: what of it will go less well, and what would help.

Knows the fitted face and the limits that rig and renderer have; draws nothing and tells nobody.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.rig.view import TURNED_DEG, aside, most_back_deg
from talkinghead.synthesis.portrait import FINE_FACE_PX
from talkinghead.synthesis.regions import INNER_LIPS, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from talkinghead.types import MAX_SIZE_PX

BROAD: Final = 0.78
"""Width of a mouth over the distance of the outer corners of the eyes; of the photographs of congress a third are broader."""
PARTED: Final = 0.05
"""The same of lips that show teeth."""

if TYPE_CHECKING:
    from talkinghead.rig.fitting import FittedFace
    from talkinghead.types import FloatArray, Portrait


def portrait_notes(portrait: Portrait, face: FittedFace, size_option: str | None = "--size") -> list[str]:
    """A line for each thing that will not go well; none for a picture from the front with a large face.

    Args:
        portrait: as it is drawn.
        face: fitted to it.
        size_option: how the user gives the video's size; None where a face has no one size, and nothing is said of it.
    """
    notes = []
    turned_deg = abs(aside(matrix_from_axis_angle(face.rotation))[0])
    if turned_deg >= TURNED_DEG[1]:
        notes.append(
            f"the head is turned by {turned_deg:.0f} degrees: it turns back to the front by {most_back_deg(turned_deg):.0f} "
            "at most; a picture from the front gives a livelier video"
        )
    face_px = _width_px(portrait.face.points)
    if size_option is not None and face_px < FINE_FACE_PX:
        notes.append(f"the face is {face_px:.0f} px wide: teeth will be soft; {_remedy(portrait, face_px, size_option)}")
    if _smiles_broadly(portrait.face.points):
        notes.append(
            "a broad smile, of which a part stays while no emotion is asked for; neutral, sad and angry faces "
            "come out better from a picture with the mouth closed"
        )
    if portrait.wears_glasses:
        notes.append("glasses: the brows move half as far or less, so that the frames keep their shape")
    return notes


def _smiles_broadly(points: FloatArray) -> bool:
    """(478, 3) px of a face -> whether it shows its teeth in a mouth as wide as that of hardly anybody who does not smile."""
    eyes, parted, width = (
        float(np.linalg.norm(points[a] - points[b]))
        for a, b in ((RIGHT_EYE[0], LEFT_EYE[0]), (INNER_LIPS[5], INNER_LIPS[15]), (OUTER_LIPS[0], OUTER_LIPS[10]))
    )
    return width > BROAD * eyes and parted > PARTED * eyes


def _width_px(points: FloatArray) -> float:
    """(478, 2 or more) px -> how wide the face is across its own height, however it is tilted."""
    across = points[LEFT_EYE[0], :2] - points[RIGHT_EYE[0], :2]
    return float(np.ptp(points[:, :2] @ across)) / max(1e-3, float(np.linalg.norm(across)))


def _remedy(portrait: Portrait, face_px: float, size_option: str) -> str:
    """A face that is coarser than the mouth's crop gets the network's teeth, which are softer than those that are drawn."""
    wanted = math.ceil(max(portrait.image.shape[:2]) * FINE_FACE_PX / face_px / 64) * 64
    larger = f"{size_option} {wanted} or a larger picture" if wanted <= MAX_SIZE_PX else "a larger picture"
    return f"{larger} gives finer ones"
