"""Frames and fitted meshes -> where the rows of teeth stand in them.

The tracker sees lips. Teeth hang behind them as they do in most people, which is wrong by some millimetres in any one of them,
so they are moved, one way for all frames, to where their drawing goes best with what is seen between the lips: of a portrait
that shows its teeth, and of each clip that the mouth's network learns from, since a guide that is wrong as often as right
teaches it to blur. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from talkinghead.synthesis.geometry import area_crop, polygon_mask
from talkinghead.synthesis.interior import draw_mouth, lit_colours
from talkinghead.synthesis.mouth import MOUTH_HEIGHT, MOUTH_PX_PER_M, MOUTH_WIDTH, mouth_crop, moved_px
from talkinghead.synthesis.regions import INNER_LIPS
from talkinghead.synthesis.topology import MeshTopology
from talkinghead.types import ByteArray, FloatArray

MAX_FRAMES: Final = 5
"""So many frames of a clip are looked at."""
MIN_GAP: Final = 0.12
"""Between the lips, in parts of the mouth's width: below it nothing is seen."""
MIN_SEEN_PX: Final = 25
MIN_GAIN: Final = 0.1
"""In correlation: teeth that fit hardly better elsewhere stay."""
MAX_SHIFT_PX: Final = 8
"""Of the mouth's crop."""
_COST: Final = 0.01
"""Of a pixel of shift, in correlation: of two places as good the nearer."""
_STEPS: Final = (2, 1)


@dataclass(frozen=True, eq=False)
class _Look:
    """One frame in the mouth's crop: the mesh, its inner parts' colours, the real grey, and where it is the mouth's inside."""

    points: FloatArray
    colours: FloatArray
    real: FloatArray
    inside: npt.NDArray[np.bool_]


def teeth_shift(frames: ByteArray | Sequence[ByteArray], meshes: FloatArray, topology: MeshTopology) -> FloatArray:
    """frames: T of (H, W, 3) uint8 RGB; meshes: (T, V, 3) px -> (3,) both rows to the picture's right, upper and lower down.

    In m of the generic face. Nought where no mouth is open, or nothing is won.
    """
    looks = [look for t in _telling(meshes) if (look := _look(frames[t], meshes[t], topology)) is not None]
    if not looks:
        return np.zeros(3, np.float32)
    return _best_shift(lambda shift: _likeness(looks, shift, topology)) / np.float32(MOUTH_PX_PER_M)


def with_teeth_as_seen(frames: ByteArray, meshes: FloatArray, topology: MeshTopology) -> FloatArray:
    """(T, H, W, 3) uint8 RGB, (T, V, 3) px -> such meshes, with the rows of teeth where the frames show them."""
    return with_teeth_shifted(meshes, teeth_shift(frames, meshes, topology), topology)


def with_teeth_shifted(meshes: FloatArray, shift: FloatArray, topology: MeshTopology) -> FloatArray:
    """(T, V, 3) px and a `teeth_shift` -> such meshes: in the picture's plane, turned as each frame's skull is."""
    moved = meshes.copy()
    for mesh in moved:
        from_crop = np.linalg.inv(mouth_crop(mesh, topology)[:, :2]).astype(np.float32)
        _shift_teeth(mesh, from_crop, shift * np.float32(MOUTH_PX_PER_M), topology)
    return moved


def with_own_teeth(shape: FloatArray, shift: FloatArray, topology: MeshTopology) -> FloatArray:
    """(V, 3) m, a person's neutral in head space, and a `teeth_shift` -> it with the rows moved."""
    moved = shape.copy()
    for part, moves in _rows(shift, topology):
        moved[part, :2] += moves * np.array([1, -1], np.float32)
    return moved


def _telling(meshes: FloatArray) -> list[int]:
    """The frames to look at: spread over those whose mouth is open."""
    width = np.linalg.norm(meshes[:, 78] - meshes[:, 308], axis=1)
    gap = np.linalg.norm(meshes[:, 13] - meshes[:, 14], axis=1) / np.maximum(width, 1)
    found = np.flatnonzero(gap > MIN_GAP)
    chosen: list[int] = found[np.linspace(0, len(found) - 1, min(MAX_FRAMES, len(found))).round().astype(int)].tolist()
    return chosen


def _look(frame: ByteArray, mesh: FloatArray, topology: MeshTopology) -> _Look | None:
    to_crop = mouth_crop(mesh, topology)
    points = moved_px(mesh, to_crop)
    lips = polygon_mask([points[INNER_LIPS, :2]], MOUTH_HEIGHT, MOUTH_WIDTH)
    inside = cv2.erode(lips, np.ones((3, 3), np.uint8)) > 0.9
    if inside.sum() < MIN_SEEN_PX:
        return None
    real = area_crop(frame, to_crop, MOUTH_WIDTH, MOUTH_HEIGHT).mean(-1)
    return _Look(points, lit_colours(topology.colours, frame, mesh), real, inside)


def _likeness(looks: list[_Look], shift: FloatArray, topology: MeshTopology) -> float:
    """The mean correlation, over frames, of the drawn inside of the mouth with the real one."""
    found = []
    for look in looks:
        points = look.points.copy()
        _shift_teeth(points, np.eye(2, dtype=np.float32), shift, topology)
        drawn = draw_mouth(topology, look.colours, points, (0, 0, MOUTH_WIDTH, MOUTH_HEIGHT)).mean(-1)
        x, y = (picture[look.inside] for picture in (cv2.GaussianBlur(drawn, (0, 0), 1.0), look.real))
        x, y = x - x.mean(), y - y.mean()
        found.append(float(x @ y / np.sqrt((x @ x) * (y @ y) + 1e-6)))
    return float(np.mean(found)) - _COST * float(np.abs(shift).sum())


def _best_shift(likeness: Callable[[FloatArray], float]) -> FloatArray:
    """(3,) px of the crop: both rows sideways, the upper and the lower down. One after the other, coarse then fine."""
    best = np.zeros(3, np.float32)
    start = score = likeness(best)
    for step in _STEPS:
        reach = MAX_SHIFT_PX if step > 1 else 1
        for axis in (1, 2, 0):
            for value in np.arange(-reach, reach + 1, step) + (0 if step > 1 else best[axis]):
                trial = best.copy()
                trial[axis] = np.clip(value, -MAX_SHIFT_PX, MAX_SHIFT_PX) if axis else np.clip(value, -2, 2)
                if not np.array_equal(trial, best) and (found := likeness(trial)) > score:
                    best, score = trial, found
    return best if score > start + MIN_GAIN else np.zeros(3, np.float32)


def _shift_teeth(points: FloatArray, from_crop: FloatArray, shift: FloatArray, topology: MeshTopology) -> None:
    """Move the rows of teeth of a mesh in place; shift: (3,) px of the crop; from_crop: (2, 2) such px -> the mesh's px."""
    for part, moves in _rows(shift, topology):
        points[part, :2] += moves @ from_crop.T


def _rows(shift: FloatArray, topology: MeshTopology) -> list[tuple[slice, FloatArray]]:
    """(3,) of a `teeth_shift` -> each row and how its vertices go, (N, 2) right and down.

    A row that stands further out of its gum has longer teeth, for what people show above them is seldom gum; one that stands
    further in goes as it is.
    """
    rows = []
    for part, down, out in ((topology.upper_teeth, shift[1], 1), (topology.lower_teeth, shift[2], -1)):
        follows = topology.hanging[part] if down * out > 0 else np.ones_like(topology.hanging[part])
        rows.append((part, np.stack([np.full_like(follows, shift[0]), down * follows], 1).astype(np.float32)))
    return rows
