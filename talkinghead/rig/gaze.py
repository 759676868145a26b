"""Gaze angles to eyeball turns and to ARKit's eight `eyeLook*` columns, and where an eyeball sits behind its lids.

Knows one gaze for both eyes; knows no vergence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.rig import topology
from talkinghead.rig.pose import Array
from talkinghead.types import FloatArray

RADIUS_OVER_EYE_WIDTH: Final = 0.5
CLEARANCE: Final = 1.03

_COLUMNS: Final = {name: arkit.EYE_LOOK.index(arkit.INDEX[name]) for name in arkit.BLENDSHAPES if name.startswith("eyeLook")}


def eye_look(gaze: FloatArray) -> FloatArray:
    """gaze: (..., 2) yaw to the subject's left and pitch up, rad -> (..., 8) columns `arkit.EYE_LOOK`, in [0, 1]."""
    yaw, pitch = gaze[..., 0] / arkit.EYE_LOOK_YAW_RAD, gaze[..., 1]
    up, down = pitch / arkit.EYE_LOOK_UP_RAD, -pitch / arkit.EYE_LOOK_DOWN_RAD
    columns = np.zeros((*gaze.shape[:-1], 8), np.float32)
    for side, outwards in (("Left", yaw), ("Right", -yaw)):
        for direction, value in (("Out", outwards), ("In", -outwards), ("Up", up), ("Down", down)):
            columns[..., _COLUMNS[f"eyeLook{direction}{side}"]] = np.clip(value, 0, 1)
    return columns


def with_eye_look(blendshapes: FloatArray, gaze: FloatArray) -> FloatArray:
    """blendshapes: (..., 52), gaze: (..., 2) -> (..., 52) with the `eyeLook*` columns filled from the gaze."""
    filled = np.array(blendshapes, np.float32)
    filled[..., list(arkit.EYE_LOOK)] = eye_look(np.asarray(gaze, np.float32))
    return filled


def gaze_from_eye_look(blendshapes: FloatArray) -> FloatArray:
    """blendshapes: (..., 52) of a recording that has `eyeLook*` -> (..., 2) gaze, rad, the mean of both eyes."""
    look = {name: blendshapes[..., arkit.INDEX[name]] for name in _COLUMNS}
    yaw = look["eyeLookOutLeft"] - look["eyeLookInLeft"] + look["eyeLookInRight"] - look["eyeLookOutRight"]
    up = (look["eyeLookUpLeft"] + look["eyeLookUpRight"]) / 2
    down = (look["eyeLookDownLeft"] + look["eyeLookDownRight"]) / 2
    pitch = up * arkit.EYE_LOOK_UP_RAD - down * arkit.EYE_LOOK_DOWN_RAD
    gaze: FloatArray = np.stack([yaw / 2 * arkit.EYE_LOOK_YAW_RAD, pitch], axis=-1).astype(np.float32)
    return gaze


def rotation_from_gaze(gaze: npt.ArrayLike) -> Array:
    """gaze: (..., 2) rad -> (..., 3, 3) that turns +z (straight ahead) to the line of sight."""
    g = np.asarray(gaze, np.float64)
    sy, cy, sp, cp = np.sin(g[..., 0]), np.cos(g[..., 0]), np.sin(g[..., 1]), np.cos(g[..., 1])
    zero = np.zeros_like(sy)
    rows = [[cy, -sy * sp, sy * cp], [zero, cp, sp], [-sy, -cy * sp, cy * cp]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def gaze_from_direction(direction: npt.ArrayLike) -> Array:
    """direction: (..., 3) of the line of sight, any length -> (..., 2) gaze, rad."""
    d = np.asarray(direction, np.float64)
    pitch = np.arctan2(d[..., 1], np.hypot(d[..., 0], d[..., 2]))
    return np.stack([np.arctan2(d[..., 0], d[..., 2]), pitch], axis=-1)


@dataclass(frozen=True, eq=False)
class Eyeball:
    """centre: (3,) m; radius: m. Its front stays behind the open and the closed lids."""

    centre: Array
    radius: float


def place_eyeball(skin: npt.ArrayLike, blinked: npt.ArrayLike, neutral: npt.ArrayLike, side: str) -> Eyeball:
    """The eyeball of one person.

    Args:
        skin, blinked: (468 or more, 3) m, eyes open and closed.
        neutral: (478 or more, 3) m of the rig; its iris says where in the opening a straight gaze looks out.
        side: "right" or "left".
    """
    corners, ring, iris = (
        (topology.EYE_CORNERS_RIGHT, topology.EYE_RING_RIGHT, topology.IRIS_RIGHT.start)
        if side == "right"
        else (topology.EYE_CORNERS_LEFT, topology.EYE_RING_LEFT, topology.IRIS_LEFT.start)
    )
    own, other, base = (np.asarray(points, np.float64) for points in (skin, blinked, neutral))
    width = float(np.linalg.norm(own[corners[0]] - own[corners[1]]))
    base_width = float(np.linalg.norm(base[corners[0]] - base[corners[1]]))
    offset = (base[iris, :2] - base[list(corners), :2].mean(0)) * width / base_width
    centre_xy = own[list(corners), :2].mean(0) + offset
    radius = RADIUS_OVER_EYE_WIDTH * width
    lids = np.concatenate([own[list(ring)], other[list(ring)]])
    beside = ((lids[:, :2] - centre_xy) ** 2).sum(-1)
    depth = lids[:, 2] - np.sqrt(np.maximum((CLEARANCE * radius) ** 2 - beside, 0))
    return Eyeball(np.r_[centre_xy, depth.min()], radius)
