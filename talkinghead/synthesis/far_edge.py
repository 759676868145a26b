"""No room between a face and what a turn uncovers of it.

The mesh's edge stands a little outside the person where their outline is hollow. A head that turns on shows skin on both sides
of it, and the room between, a bright or dark line: there the person's skin goes on, mirrored at their outline. Knows pixels and
where the person is.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from talkinghead.synthesis.backdrop import SURELY
from talkinghead.synthesis.geometry import box_around, carried, polygon_mask
from talkinghead.synthesis.regions import CHIN, FACE_OVAL, FOREHEAD
from talkinghead.types import ByteArray, FloatArray

# All by eye, of the distance of the outer corners of the eyes.
_EYES_PX: Final = 100.0
"""At this distance gaps are looked for: they are wide and soft, and a large picture has no more of them."""
_WIDEST: Final = 0.2
"""A wider gap is the room itself."""
_OWN: Final = 0.02
"""The gaps that the portrait has itself, between an ear and a cheek or strands of hair, are left that much wider."""
_INSIDE: Final = 0.03
"""So far inside their outline a person is surely skin."""
_ROUND: Final = 0.12
"""So far beside the face gaps are looked for, and none beneath it: between a chin and a collar there is room."""
_GAIN: Final = 3.0
"""A third of a gap is one."""


class FarEdge:
    """Of one portrait."""

    def __init__(self, image: ByteArray, matte: FloatArray, eyes_px: float) -> None:
        """image: (H, W, 3) uint8; matte: (H, W) in [0, 1], where the person is; eyes_px: between the eyes' outer corners."""
        self._scale = min(1.0, _EYES_PX / max(1.0, eyes_px))
        eyes = eyes_px * self._scale
        self._round_px, self._widest_px = max(1, round(_ROUND * eyes)), max(1, round(_WIDEST / 2 * eyes))
        size = tuple(max(1, round(side * self._scale)) for side in matte.shape[::-1])
        small = np.asarray(cv2.resize(matte, size, interpolation=cv2.INTER_AREA), np.float32)
        self._person = np.asarray(cv2.erode(small, np.ones((3, 3), np.uint8)), np.float32)
        self._own_gaps = np.asarray(cv2.dilate(self._gaps(self._person), _disc(_OWN * eyes)), np.float32)
        self._beyond = _going_on(image, small, _INSIDE * eyes)

    def fill(self, warped: ByteArray, place: FloatArray, target_px: FloatArray, share: float = 1.0) -> None:
        """warped: (h, w, 3) uint8, a part of a frame, changed in place.

        place: (h, w, 2) px of the portrait where it comes from; target_px: (V, 2) px of that part, where the mesh is; share: in
        [0, 1], how much a gap is filled.
        """
        scale = self._scale
        up = target_px[FOREHEAD] - target_px[CHIN]
        up = up * (self._round_px / scale / max(1e-3, float(np.linalg.norm(up))))
        oval_px = target_px[FACE_OVAL] + up
        box = box_around(oval_px, int((self._round_px + self._widest_px) / scale) + 2, warped)
        if box is None:
            return
        part, place = warped[box[1] : box[3], box[0] : box[2]], place[box[1] : box[3], box[0] : box[2]]
        size = tuple(max(1, round(side * scale)) for side in part.shape[1::-1])
        # Pixels of the small matte are counted from the middle of the first, as those of the portrait are.
        small = (cv2.resize(place, size, interpolation=cv2.INTER_AREA) + np.float32(0.5)) * np.float32(scale) - np.float32(0.5)
        oval = ((oval_px - np.array(box[:2])) * scale).astype(np.float32)
        face = cv2.dilate(polygon_mask([oval], size[1], size[0]), _disc(self._round_px))
        gap = self._gaps(carried(self._person, small)) - carried(self._own_gaps, small)
        gap = np.clip(_GAIN * gap, 0, 1) * face * np.float32(share)
        if gap.max() < 1 / 255:
            return
        soft = cv2.GaussianBlur(cv2.dilate(gap, np.ones((3, 3), np.uint8)), (0, 0), 0.7)
        soft = np.asarray(cv2.resize(soft, part.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        part[:] = cv2.blendLinear(np.ascontiguousarray(part), carried(self._beyond, place), 1 - soft, soft)

    def _gaps(self, person: FloatArray) -> FloatArray:
        """(h, w) in [0, 1] -> (h, w) what lies between two parts of a person; beyond the picture is nobody."""
        px = self._widest_px
        wide = cv2.copyMakeBorder(person, px, px, px, px, cv2.BORDER_CONSTANT, value=0)
        closed = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, _disc(px))[px:-px, px:-px]
        return np.asarray(closed - person, np.float32)


def _going_on(image: ByteArray, matte: FloatArray, margin_px: float) -> Any:
    """(H, W, 3); a smaller (h, w) in [0, 1] -> the picture where the person surely is, round that what is inside, mirrored."""
    inside = cv2.erode((matte > SURELY).astype(np.uint8), _disc(margin_px))
    if not inside.any():
        return image
    _, labels = cv2.distanceTransformWithLabels(1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(inside)
    of_label = np.zeros((int(labels.max()) + 1, 2), np.float32)
    of_label[labels[rows, columns]] = np.stack([columns, rows], -1)
    edge = of_label[labels]
    here = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in inside.shape[::-1])), -1)
    mirrored = 2 * edge - here
    x, y = np.moveaxis(np.clip(np.rint(mirrored), 0, np.array(inside.shape[::-1]) - 1).astype(int), -1, 0)
    source = np.where(inside[y, x, None] > 0, mirrored, edge)
    # Where the nearest edge leaps from one place to another, its skin does not.
    way = cv2.blur((source - here).astype(np.float32), (2 * int(margin_px / 2) + 1,) * 2)
    height, width = image.shape[:2]
    large = np.asarray(cv2.resize(way, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    large *= np.array([width / inside.shape[1], height / inside.shape[0]], np.float32)
    large[..., 0] += np.arange(width, dtype=np.float32)
    large[..., 1] += np.arange(height, dtype=np.float32)[:, None]
    return carried(image, large)


def _disc(radius_px: float) -> Any:
    size = 2 * max(1, round(radius_px)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
