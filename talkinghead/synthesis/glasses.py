"""Glasses before a moved face, which a mesh that frowns would bend.

Dark frames: where a portrait wears them, the picture without them, and them again, stiff. Of all others, the skin that they
stand before hardly moves. Knows pixels and points; knows nothing of motion but where the mesh goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import box_around, polygon_mask, rigid_map
from talkinghead.synthesis.regions import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, SKULL
from talkinghead.types import ByteArray, FloatArray

# By eye, on 400 photographs: at least half of those who wear glasses in them are missed, and nobody else is found.
_EYES_PX: Final = 240.0
"""The distance of the outer corners of the eyes at which frames are looked for, and a third of it the least."""
_ROUND: Final = np.array([127, 356, 105, 334, 101, 330, 10])
"""Temples, brows, cheeks: what frames stand before."""
_BRIDGE_TOP, _BRIDGE_LOW = 9, 197
"""Down the nose: a frame crosses the way from the one to the other."""
_THICKEST: Final = 0.14
"""Of the eyes' distance."""
_DARKER: Final = 0.35
"""Than the skin on both its sides, as a share."""
_EDGE_PX, _INPAINT_PX = 7, 4
_COVER: Final = np.float32(1.02)
"""So that where the picture was changed the frame covers it wholly: a head that does not move is as it was."""
_LID: Final = 1.35
"""A frame stands further from the middle of an eye than its lids, times."""
_LENS_HEIGHT: Final = 0.65
"""Of a lens's width."""
_LENS: Final = ((0.5, 0.75), (1.3, 1.9))
"""Widths of an eye from its middle: where skin begins to be stiff and is, and where it is and ceases to be."""
_STIFF: Final = np.float32(0.8)
"""How much of what moves that skin is left out: brows that stood quite still would look dead."""


def behind_lenses(mesh_px: FloatArray) -> FloatArray:
    """(V, 3) px -> (V,) in [0, 1], how stiff each vertex is behind glasses: the skin round the eyes, not their lids' rims."""
    stiff = np.zeros(len(mesh_px), np.float32)
    (begins, is_stiff), (is_still, ends) = _LENS
    for loop in (RIGHT_EYE, LEFT_EYE):
        middle, along = mesh_px[loop, :2].mean(0), mesh_px[loop[8], :2] - mesh_px[loop[0], :2]
        width = max(1e-3, float(np.linalg.norm(along)))
        axes = np.array([along, [-along[1] / _LENS_HEIGHT, along[0] / _LENS_HEIGHT]], np.float32) / width**2
        away = np.linalg.norm((mesh_px[:468, :2] - middle) @ axes.T, axis=1)
        inner = np.clip((away - begins) / (is_stiff - begins), 0, 1)
        stiff[:468] = np.maximum(stiff[:468], inner * np.clip((ends - away) / (ends - is_still), 0, 1))
    stiff[np.r_[RIGHT_EYE, LEFT_EYE]] = 0
    return _STIFF * stiff


def held_still(target_px: FloatArray, source_px: FloatArray, stiff: FloatArray) -> FloatArray:
    """target_px: (V, 3) px, where a mesh goes from source_px; stiff: (V,) -> that, by so much with the skull alone."""
    skull = rigid_map(source_px, target_px, SKULL)
    held = target_px.copy()
    held[:, :2] += stiff[:, None] * (source_px[:, :2] @ skull[:, :2].T + skull[:, 2] - target_px[:, :2])
    return held


@dataclass(frozen=True, eq=False)
class Glasses:
    """A portrait's frame.

    bare: (H, W, 3) the portrait without it. picture: (h, w, 3), a part of the portrait from px `left`, `top` on, and frame:
    (h, w) in [0, 1], where in that part it is.
    """

    bare: ByteArray
    picture: ByteArray
    frame: FloatArray
    left: int
    top: int

    @staticmethod
    def of(image: ByteArray, mesh_px: FloatArray) -> Glasses | None:
        """image: (H, W, 3) uint8; mesh_px: (V, 3) px; None where no dark frame crosses the nose from eye to eye."""
        eyes_px = float(np.linalg.norm(mesh_px[RIGHT_EYE[0], :2] - mesh_px[LEFT_EYE[0], :2]))
        box = box_around(mesh_px[_ROUND, :2], round(0.1 * eyes_px), image)
        if eyes_px < _EYES_PX / 3 or box is None:
            return None
        x0, y0, x1, y1 = box
        scale = min(1.0, _EYES_PX / eyes_px)
        size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
        small = np.asarray(cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA), np.uint8)
        points = ((mesh_px[:, :2] - (x0, y0)) * np.float32(scale)).astype(np.float32)
        frame = _frame(small, points, eyes_px * scale)
        if frame is None:
            return None
        # Round the frame lies its own soft edge, which goes with it.
        wide = cv2.dilate(frame, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_EDGE_PX, _EDGE_PX)))
        skin = cv2.inpaint(small, cv2.dilate(wide, np.ones((3, 3), np.uint8)), _INPAINT_PX, cv2.INPAINT_TELEA)
        size = (x1 - x0, y1 - y0)
        filled = np.asarray(cv2.resize(skin, size, interpolation=cv2.INTER_CUBIC), np.float32)
        hole = (cv2.resize(wide, size, interpolation=cv2.INTER_LINEAR) > 127).astype(np.float32)
        blur = max(0.7, 0.7 / scale)
        reach = 2 * int(np.ceil(3 * blur)) + 1
        gone = np.asarray(cv2.GaussianBlur(hole, (0, 0), blur), np.float32)
        there = np.asarray(cv2.GaussianBlur(cv2.dilate(hole, np.ones((reach, reach), np.uint8)), (0, 0), blur), np.float32)
        bare = image.copy()
        part = bare[y0:y1, x0:x1]
        part[:] = np.rint(part + gone[..., None] * (filled - part))
        return Glasses(bare, np.ascontiguousarray(image[y0:y1, x0:x1]), np.minimum(1, _COVER * there), x0, y0)

    def lay_over(self, picture: ByteArray, source_px: FloatArray, target_px: FloatArray) -> None:
        """Draw the frame on a picture, (H, W, 3) uint8, whose mesh went from source_px to target_px, (V, 3) px, in place."""
        stiff = rigid_map(source_px, target_px, SKULL)
        stiff[:, 2] += stiff[:, :2] @ np.array([self.left, self.top], np.float32)
        height, width = self.frame.shape
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]]) @ stiff[:, :2].T + stiff[:, 2]
        box = box_around(corners.astype(np.float32), 1, picture)
        if box is None:
            return
        x0, y0, x1, y1 = box
        stiff[:, 2] -= (x0, y0)
        size = (x1 - x0, y1 - y0)
        there = np.asarray(cv2.warpAffine(self.frame, stiff, size), np.float32)
        seen = np.asarray(cv2.warpAffine(self.picture, stiff, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        part = np.ascontiguousarray(picture[y0:y1, x0:x1])
        picture[y0:y1, x0:x1] = cv2.blendLinear(part, seen, 1 - there, there)


def _frame(face: ByteArray, points: FloatArray, eyes_px: float) -> Any:
    """(h, w, 3), (V, 2) px -> (h, w) uint8, 255 on the frame; None where there is none."""
    light = cv2.GaussianBlur(face, (0, 0), 0.8).max(-1)
    reach = 2 * round(_THICKEST * eyes_px / 2) + 1
    closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    dark = light < (1 - _DARKER) * closed
    for loop in (RIGHT_EYE, LEFT_EYE):
        middle = points[loop].mean(0)
        dark &= polygon_mask([middle + _LID * (points[loop] - middle)], *light.shape) == 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(dark.astype(np.uint8))
    top, low = points[_BRIDGE_TOP], points[_BRIDGE_LOW]
    across = np.array([low[1] - top[1], top[0] - low[0]]) / max(1e-3, float(np.linalg.norm(low - top))) * 0.04 * eyes_px
    bridge = polygon_mask([np.array([top - across, top + across, low + across, low - across], np.float32)], *light.shape) > 0
    right, left = sorted((float(points[RIGHT_IRIS[0], 0]), float(points[LEFT_IRIS[0], 0])))
    for number in np.unique(labels[bridge]):
        x, _, width, _, area = stats[number]
        if number and x < right and x + width > left and area < 0.5 * width * stats[number][3]:
            return np.where(labels == number, 255, 0).astype(np.uint8)
    return None
