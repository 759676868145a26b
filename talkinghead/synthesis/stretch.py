"""How skin is drawn out from portrait to frame, and whence it is taken where a turn of the head draws out the edge of the face.

Knows points and where the person is; knows no colours.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from talkinghead.synthesis.backdrop import SURELY, signed_areas
from talkinghead.synthesis.rasteriser import vertex_normals
from talkinghead.synthesis.regions import FACE_OVAL, LEFT_EYE, RIGHT_EYE
from talkinghead.types import UPRIGHT, FloatArray, IntArray

_MOST: Final = 2.0
"""Of the log of an area's ratio."""
# By eye, all of them.
_EDGE: Final = 0.5
"""Cosine between the skin and the viewer from which on there is no edge."""
_INSET: Final = 0.04
"""Of the distance of the outer corners of the eyes, how far inside the edge skin is taken: on it the room shines in."""
_REACH: Final = 0.25
"""Of that distance, how far from the mesh's edge the person's may be: cheeks are hollow that the mesh believes full."""
_STEPS: Final = 26
_RINGS, _PLATEAU = 5, 2.0
"""From the oval inwards, a ring of vertices at a time, skin is taken by 1, 1, 1, .8, .4 and 0 of the way."""
_DEPTH: Final = 3.0
"""So many times as deep as the edge is drawn in, the skin behind it is drawn together."""
_LEAST_SEEN, _LEAST_LEFT = 0.04, 0.1
"""Of that distance, how wide and high a triangle is of which anything is seen; and of its area, what shifts leave at least."""
_MOST_ROUNDS, _TAKEN_BACK = 12, 0.7
"""So often shifts are made shorter, each time so much."""
_DRAWN_OUT: Final = 0.5
"""Log of an area's ratio from which on skin is taken from inside the edge in full."""
_TURNED_UP: Final = 0.12
"""Cosines by which it has turned towards the viewer then: an open jaw draws skin out and turns none."""


class Stretch:
    """Of the skin's 468 vertices, against a portrait's."""

    def __init__(self, own_px: FloatArray, skin: IntArray) -> None:
        """own_px: (V, 3) px, where the mesh stands in the portrait, z away from the camera; skin: (F, 3) its triangles."""
        self._skin = skin
        self._area = _star_areas(own_px, skin)
        normals = _normals(own_px, skin)
        self._facing = normals[:, 2]
        at_edge = np.clip((_EDGE - self._facing) / _EDGE, 0, 1)
        self._inward = _drawn_in(own_px, skin, _INSET * _eyes_px(own_px) * at_edge, _inward(normals))

    def of(self, target_px: FloatArray) -> FloatArray:
        """target_px: (V, 3) px in a frame -> (468,) log of the area round each vertex against the portrait's."""
        ratio = np.log((_star_areas(target_px, self._skin) + 0.5) / (self._area + 0.5))
        return np.clip(ratio, -_MOST, _MOST).astype(np.float32)

    def inset(self, target_px: FloatArray) -> FloatArray:
        """target_px: (V, 3) px in a frame -> (468, 2) px of the portrait, how far inside its edge each vertex' skin is taken.

        The few pixels of a far cheek's edge are half room. A head that turns on draws them out as wide as a finger.
        """
        drawn_out = np.clip(self.of(target_px) / _DRAWN_OUT, 0, 1)
        turned_up = np.clip((_normals(target_px, self._skin)[:, 2] - self._facing) / _TURNED_UP, 0, 1)
        return np.asarray((drawn_out * turned_up)[:, None] * self._inward, np.float32)


def within_person(own_px: FloatArray, skin: IntArray, matte: FloatArray) -> FloatArray:
    """own_px: (V, 3) px of a portrait; skin: (F, 3); matte: (H, W) in [0, 1], where the person is -> (468, 2) px, how far the
    mesh's edge stands in the room: cheeks are hollow that the mesh believes full."""
    inward = _inward(_normals(own_px, skin))
    return _drawn_in(own_px, skin, _way_inside(own_px[:468, :2], inward, matte, _eyes_px(own_px)), inward)


def _drawn_in(own_px: FloatArray, skin: IntArray, way: FloatArray, inward: FloatArray) -> FloatArray:
    """way: (468,) px that each vertex is to go `inward`, (468, 2) -> (468, 2) px, with those behind it and without folds."""
    beside, points = _beside_oval(skin)[:, None], own_px[:468, :2]
    shifts = _pressed_together(points, beside * way[:, None] * inward)
    return _without_folds(points, beside * shifts, skin, _eyes_px(own_px))


def _inward(normals: FloatArray) -> FloatArray:
    """(468, 3) -> (468, 2) the way in the picture that leads from an edge to the middle of the face."""
    inward = normals[:, :2] * np.array([-1, 1], np.float32)
    return np.asarray(inward / np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-3), np.float32)


def _eyes_px(points: FloatArray) -> float:
    return float(np.linalg.norm(points[RIGHT_EYE[0]] - points[LEFT_EYE[0]]))


def _normals(points: FloatArray, skin: IntArray) -> FloatArray:
    """points: (V, 3) px, z away from the camera -> (468, 3) of the skin, y up, z to the viewer."""
    return vertex_normals(points[:468] * UPRIGHT, skin)


def _beside_oval(skin: IntArray) -> FloatArray:
    """(F, 3) -> (468,) 1 on the face's oval, less with each edge of a triangle from it, 0 on nose, eyes and lips."""
    near = np.zeros(468, np.float32)
    near[FACE_OVAL] = 1
    for _ in range(_RINGS):
        highest = near[skin].max(1) - 1 / _RINGS
        np.maximum.at(near, skin.ravel(), np.repeat(highest, 3))
    return np.asarray(np.minimum(1, _PLATEAU * near), np.float32)


def _pressed_together(points: FloatArray, shifts: FloatArray) -> FloatArray:
    """points, shifts: (468, 2) px -> (468, 2): each goes with what goes furthest beside it, the less the further from that, so
    that nothing overtakes what lies before it."""
    ways = np.linalg.norm(shifts, axis=1)
    taken_along = ways - np.linalg.norm(points[:, None] - points[None], axis=-1) / _DEPTH
    leader = taken_along.argmax(1)
    share = np.maximum(0, taken_along.max(1)) / np.maximum(ways[leader], 1e-3)
    return np.asarray(share[:, None] * shifts[leader], np.float32)


def _without_folds(points: FloatArray, shifts: FloatArray, skin: IntArray, eyes_px: float) -> FloatArray:
    """points, shifts: (468, 2) px -> the shifts, less where they would turn a triangle over that the portrait shows: what lies
    behind it would be seen mirrored."""
    areas = signed_areas(points, skin)
    seen = areas * np.sign(np.median(areas)) > (_LEAST_SEEN * eyes_px) ** 2
    share = np.ones((468, 1), np.float32)
    for _ in range(_MOST_ROUNDS):
        left = signed_areas(points + share * shifts, skin) / np.where(areas == 0, 1, areas)
        folded = seen & (left < _LEAST_LEFT)
        if not folded.any():
            break
        share[np.unique(skin[folded])] *= _TAKEN_BACK
    return np.asarray(share * shifts, np.float32)


def _way_inside(points: FloatArray, inward: FloatArray, matte: FloatArray, eyes_px: float) -> FloatArray:
    """points: (N, 2) px; inward: (N, 2) -> (N,) px from each that way to the person; 0 where there is none within reach."""
    ways = np.linspace(0, _REACH * eyes_px, _STEPS).astype(np.float32)
    places = points[None] + ways[:, None, None] * inward[None]
    x, y = np.moveaxis(np.asarray(places, np.float32), -1, 0)
    there = np.asarray(cv2.remap(matte, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
    return np.asarray(ways[(there > SURELY).argmax(0)], np.float32)


def _star_areas(points: FloatArray, faces: IntArray) -> FloatArray:
    area = np.abs(signed_areas(points, faces)) / 2
    total: FloatArray = np.bincount(faces.ravel(), np.repeat(area, 3), minlength=468)[:468].astype(np.float32)
    return total
