"""Pores for lids that come down: those of the skin beneath the eye, for a lid drawn out over the eyeball has none of its own.

Knows pixels and points; knows nothing of why a lid comes down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from talkinghead.synthesis.closing import lowered
from talkinghead.synthesis.geometry import box_around, composed, polygon_mask, rigid_map
from talkinghead.synthesis.interior import skin_colour, skin_likeness
from talkinghead.synthesis.lids import SKIN_OF_LIDS
from talkinghead.synthesis.regions import LEFT_CREASE, LEFT_EYE, RIGHT_CREASE, RIGHT_EYE, SKULL
from talkinghead.types import ByteArray, FloatArray, IntArray

# By eye, all of them; lengths in parts of the eye's width.
_BENEATH: Final = 0.1
"""How far beneath the eye the pores are taken that its lid has at its crease."""
_LEVEL, _SOFT = 0.03, 0.04
"""What is finer is grain; how softly it ends where the lid does."""
_MOST: Final = 3.0
"""Times the mean of the grain: a mole, a line and the frame of glasses are none."""
_SHARE: Final = 0.8
_MARGIN_PX: Final = 3
_MOVES: Final = 0.004
"""Lids that are less drawn out have their own."""


@dataclass(frozen=True, eq=False)
class LidGrain:
    """Of one eye. levels: (h, w, 3) to be added where its lid is; left_top: (2,) px, where they stand in the portrait."""

    loop: IntArray
    crease: IntArray
    levels: FloatArray
    left_top: FloatArray

    @staticmethod
    def of(image: ByteArray, mesh_px: FloatArray, loop: IntArray, crease: IntArray) -> LidGrain | None:
        """image: (H, W, 3); mesh_px: (V, 3) px in it; of an eye's loop and crease. None where it is not in the picture."""
        eye = mesh_px[loop, :2]
        eye_px = float(np.linalg.norm(eye[0] - eye[8]))
        down = eye[9:16].mean(0) - eye[1:8].mean(0) + eye[4] - mesh_px[crease[3], :2]
        high = max(1e-3, float(np.linalg.norm(down)))
        shift = np.round((high + _BENEATH * eye_px) / high * down).astype(np.float32)
        box = box_around(mesh_px[np.r_[loop, crease], :2] + shift, _MARGIN_PX, image)
        if box is None:
            return None
        x0, y0, x1, y1 = box
        part = image[y0:y1, x0:x1].astype(np.float32)
        soft = np.asarray(cv2.GaussianBlur(part, (0, 0), max(0.6, _LEVEL * eye_px)), np.float32)
        skin = skin_likeness(soft, 255 * skin_colour(image, mesh_px), *SKIN_OF_LIDS)[..., None]
        grain = (part - soft) * skin
        most = _MOST * float(np.abs(grain).sum() / max(1.0, 3 * float(skin.sum())))
        levels = np.asarray(_SHARE * np.clip(grain, -most, most), np.float32)
        return LidGrain(loop, crease, levels, np.array([x0, y0], np.float32) - shift)

    def lay_on(self, part: ByteArray, to_frame: FloatArray, target_px: FloatArray, skull: FloatArray, shut: float) -> None:
        """Give a lid its pores, in place.

        part: (h, w, 3) of the frame; to_frame: (2, 3) from its pixels to the frame's; target_px: (V, 3) px; skull: (2, 3) how
        the head went from the portrait to the frame; shut: how much of the lid is drawn out, 0 to 1.
        """
        rim, crease = target_px[self.loop[:9], :2], target_px[self.crease, :2]
        outline = np.concatenate([rim, crease[::-1]]) - to_frame[:, 2]
        box = box_around(outline, _MARGIN_PX, part)
        if box is None:
            return
        x0, y0, x1, y1 = box
        mask = polygon_mask([outline - np.array([x0, y0], np.float32)], y1 - y0, x1 - x0)
        mask = np.float32(shut) * cv2.GaussianBlur(mask, (0, 0), max(0.6, _SOFT * float(np.linalg.norm(rim[0] - rim[8]))))
        to_grain = composed(np.asarray(cv2.invertAffineTransform(skull), np.float32), to_frame)
        to_grain[:, 2] += to_grain[:, :2] @ (x0, y0) - self.left_top
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        levels = np.asarray(cv2.warpAffine(self.levels, to_grain, (x1 - x0, y1 - y0), flags=flags), np.float32)
        part[y0:y1, x0:x1] = cv2.add(part[y0:y1, x0:x1], levels * mask[..., None], dtype=cv2.CV_8U)


def lid_grains(image: ByteArray, mesh_px: FloatArray) -> list[LidGrain]:
    """Of both eyes, as far as they are in the picture, (H, W, 3); mesh_px: (V, 3) px in it."""
    eyes = ((RIGHT_EYE, RIGHT_CREASE), (LEFT_EYE, LEFT_CREASE))
    return [grain for loop, crease in eyes if (grain := LidGrain.of(image, mesh_px, loop, crease)) is not None]


def lay_grain(
    part: ByteArray, grains: list[LidGrain], own_px: FloatArray, target_px: FloatArray, left_top: tuple[int, int]
) -> None:
    """Give lids that have come down their pores, in place.

    part: (h, w, 3) of the frame, from `left_top` px on; own_px, target_px: (V, 3) px of the mesh in portrait and frame.
    """
    to_frame = np.array([[1, 0, left_top[0]], [0, 1, left_top[1]]], np.float32)
    skull = rigid_map(own_px, target_px, SKULL)
    for grain in grains:
        shut = lowered(target_px[grain.loop, :2], own_px[grain.loop, :2])
        if shut >= _MOVES:
            grain.lay_on(part, to_frame, target_px, skull, shut)
