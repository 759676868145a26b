"""What stands behind a person, and the edges of what stands before what.

A picture does not show what a head hides: where the head has gone, the room goes on as it does beside it. Knows pixels; knows
nothing of faces. Source of the filling: Telea, "An Image Inpainting Technique Based on the Fast Marching Method", J. Graphics
Tools 2004.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from talkinghead.types import ByteArray, FloatArray, IntArray

FILL_PX: Final = 160
"""The room behind is made at this size: it is seen in a narrow band beside the head, and mostly out of focus."""
HIDDEN: Final = 0.05
"""From this much of the person on a pixel says nothing of the room."""
SURELY: Final = 0.8
"""Of the matte, what is surely the person."""
_BARE: Final = 1 / 255
"""Less of the room than this is not seen."""
FOLD_PX, EDGE_FOLD_PX = 4.0, 2.0
"""Neighbours whose sources lie further apart than this are of two surfaces, one before the other: in a face, and elsewhere."""


def room_behind(image: ByteArray, matte: FloatArray) -> ByteArray:
    """image: (H, W, 3), matte: (H, W) in [0, 1] of the person -> (H, W, 3), the picture without them."""
    height, width = matte.shape
    scale = min(1.0, FILL_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    hidden = (cv2.resize(matte, size, interpolation=cv2.INTER_AREA) > HIDDEN).astype(np.uint8)
    if hidden.all():
        return image
    # Each small pixel is the mean of the room that it shows, without what of the person falls into it.
    seen = (matte <= HIDDEN).astype(np.float32)
    room = cv2.resize(image * seen[..., None], size, interpolation=cv2.INTER_AREA)
    share = np.maximum(cv2.resize(seen, size, interpolation=cv2.INTER_AREA), 1e-3)
    small = np.clip(np.asarray(room, np.float32) / share[..., None], 0, 255).astype(np.uint8)
    filled = cv2.inpaint(small, hidden, 3, cv2.INPAINT_TELEA)
    behind: ByteArray = np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    return behind


def before_the_room(
    person: ByteArray, there: FloatArray, picture: ByteArray, matte: FloatArray, behind: ByteArray
) -> ByteArray:
    """The moved person before the room as it is in the picture, and what they hid of it where they left.

    person: (h, w, 3); there: (h, w) in [0, 1], where they are now; picture: (h, w, 3), matte: (h, w), of where they were;
    behind: (h, w, 3), of `room_behind`.
    """
    still = np.ascontiguousarray(picture)
    mixed = np.asarray(cv2.blendLinear(still, person, 1 - there, there), np.uint8)
    rows, columns = np.nonzero(matte - there > _BARE)
    if len(rows):
        was, now, room = (x[rows, columns].astype(np.float32) for x in (still, person, behind))
        share = there[rows, columns, None]
        bare = matte[rows, columns, None] - share
        mixed[rows, columns] = np.clip(np.rint(was + share * (now - was) + bare * (room - was)), 0, 255)
    return mixed


def folds(source: FloatArray, target: FloatArray, faces: IntArray) -> bool:
    """source, target: (V, 2 or more) px -> whether any of the triangles is turned over on its way."""
    return bool((signed_areas(source, faces) * signed_areas(target, faces) < 0).any())


def soften_folds(picture: ByteArray, displacement: FloatArray, within: FloatArray) -> ByteArray:
    """The warped picture with the steps taken off the edges where one surface stands before another.

    picture: (H, W, 3); displacement: (h, w, 2) px of the smaller grid that it was warped by; within: (h, w) in [0, 1], the face
    without its edge, whose mouth and eyes draw skin out that is of one surface.
    """
    height, width = picture.shape[:2]
    scale = width / displacement.shape[1]
    kernel = np.ones((3, 3), np.uint8)
    steps = cv2.dilate(displacement, kernel) - cv2.erode(displacement, kernel)
    least = EDGE_FOLD_PX + (FOLD_PX - EDGE_FOLD_PX) * within
    jump = np.maximum(steps[..., 0], steps[..., 1]) > least * scale
    if not jump.any():
        return picture
    edge = cv2.GaussianBlur(cv2.dilate(jump.astype(np.float32), kernel), (3, 3), 0)
    weight = np.asarray(cv2.resize(edge, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    smooth = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.9 * max(1.0, scale)), np.uint8)
    return np.asarray(cv2.blendLinear(picture, smooth, 1 - weight, weight), np.uint8)


def signed_areas(points: FloatArray, faces: IntArray) -> FloatArray:
    """(V, 2 or more) px, (F, 3) -> (F,) twice the area of each triangle, below 0 where it is turned over."""
    a, b, c = (points[faces[:, k], :2] for k in range(3))
    ab, ac = b - a, c - a
    area: FloatArray = (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).astype(np.float32)
    return area
