"""No room between a face and what a turn uncovers of it.

The mesh's edge stands a little outside the person where their outline is hollow. A head that turns on shows skin on both sides
of it, and the room between, a bright or dark line: there the person's skin goes on, mirrored at their outline. Knows pixels and
where the person is.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from talkinghead.synthesis.geometry import box_around, carried, polygon_mask
from talkinghead.synthesis.regions import FACE_OVAL
from talkinghead.types import ByteArray, FloatArray

_FOREHEAD, _CHIN = 10, 152
# All by eye, of the distance of the outer corners of the eyes.
_WIDEST: Final = 0.2
"""A wider gap is the room itself."""
_OWN: Final = 0.02
"""The gaps that the portrait has itself, between an ear and a cheek or strands of hair, are left that much wider."""
_INSIDE: Final = 0.03
"""So far inside their outline a person is surely skin."""
_ROUND: Final = 0.12
"""So far beside the face gaps are looked for, and none beneath it: between a chin and a collar there is room."""
_SURELY: Final = 0.8
"""Of the matte, what is surely the person."""
_GAIN: Final = 3.0
"""A third of a gap is one."""


class FarEdge:
    """Of one portrait."""

    def __init__(self, image: ByteArray, matte: FloatArray, eyes_px: float) -> None:
        """image: (H, W, 3) uint8; matte: (H, W) in [0, 1], where the person is; eyes_px: between the eyes' outer corners."""
        self._round = _disc(_ROUND * eyes_px)
        self._widest = _disc(_WIDEST / 2 * eyes_px)
        self._person = np.asarray(cv2.erode(matte, np.ones((3, 3), np.uint8)), np.float32)
        own = cv2.morphologyEx(self._person, cv2.MORPH_CLOSE, self._widest) - self._person
        self._own_gaps = np.asarray(cv2.dilate(own, _disc(_OWN * eyes_px)), np.float32)
        self._beyond = _going_on(image, matte, _INSIDE * eyes_px)

    def fill(self, warped: ByteArray, place: FloatArray, target_px: FloatArray) -> None:
        """warped: (h, w, 3) uint8, a part of a frame, changed in place.

        place: (h, w, 2) px of the portrait where it comes from; target_px: (V, 2) px of that part, where the mesh is.
        """
        up = target_px[_FOREHEAD] - target_px[_CHIN]
        up *= (len(self._round) // 2) / max(1e-3, float(np.linalg.norm(up)))
        oval_px = target_px[FACE_OVAL] + up
        box = box_around(oval_px, len(self._round) // 2 + len(self._widest), warped)
        if box is None:
            return
        part, place = warped[box[1] : box[3], box[0] : box[2]], place[box[1] : box[3], box[0] : box[2]]
        face = cv2.dilate(polygon_mask([oval_px - np.array(box[:2], np.float32)], *part.shape[:2]), self._round)
        there = carried(self._person, place)
        gap = cv2.morphologyEx(there, cv2.MORPH_CLOSE, self._widest) - there - carried(self._own_gaps, place)
        gap = np.clip(_GAIN * gap, 0, 1) * face
        if gap.max() < 1 / 255:
            return
        soft = cv2.GaussianBlur(cv2.dilate(gap, np.ones((3, 3), np.uint8)), (0, 0), 1)
        part[:] = cv2.blendLinear(np.ascontiguousarray(part), carried(self._beyond, place), 1 - soft, soft)


def _going_on(image: ByteArray, matte: FloatArray, margin_px: float) -> Any:
    """(H, W, 3) -> the same where the person surely is, and round that what is inside, mirrored at its edge."""
    inside = cv2.erode((matte > _SURELY).astype(np.uint8), _disc(margin_px))
    if not inside.any():
        return image
    _, labels = cv2.distanceTransformWithLabels(1 - inside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(inside)
    of_label = np.zeros((int(labels.max()) + 1, 2), np.float32)
    of_label[labels[rows, columns]] = np.stack([columns, rows], -1)
    edge = of_label[labels]
    here = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in image.shape[1::-1])), -1)
    mirrored = 2 * edge - here
    x, y = np.moveaxis(np.clip(np.rint(mirrored), 0, np.array(image.shape[1::-1]) - 1).astype(int), -1, 0)
    source = np.where(inside[y, x, None] > 0, mirrored, edge).astype(np.float32)
    # Where the nearest edge leaps from one place to another, its skin does not.
    source = cv2.blur(source, (2 * int(margin_px / 2) + 1,) * 2)
    return carried(image, np.where(inside[..., None] > 0, here, source).astype(np.float32))


def _disc(radius_px: float) -> Any:
    size = 2 * max(1, round(radius_px)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
