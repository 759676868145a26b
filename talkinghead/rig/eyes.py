"""Tracked frames of a person whose shape and pose are known -> where they look, and their irises when they look straight ahead.

Knows eyeballs behind lids and the tracker's irises; knows no expression but the blink.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.rig import topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.gaze import gaze_from_direction, place_eyeball, rotation_from_gaze
from talkinghead.rig.pose import Array, CameraPose

MAX_GAZE_RAD: Final = (0.75, 0.6)


def _balls(skin: Array, rig: FaceRig, lid_scale: Array) -> list[tuple[Array, float, slice]]:
    balls = []
    for index, (side, iris) in enumerate((("Right", topology.IRIS_RIGHT), ("Left", topology.IRIS_LEFT))):
        delta = rig.deltas[arkit.INDEX[f"eyeBlink{side}"], : topology.NUM_SKIN]
        blinked = skin[: topology.NUM_SKIN] + lid_scale[index] * delta
        ball = place_eyeball(skin, blinked, rig.neutral, side.lower())
        balls.append((ball.centre, ball.radius, iris))
    return balls


def _on_ball(pose: CameraPose, camera: Array, centre: Array, radius: float) -> Array:
    """camera: (T, N, 3) px near an eye -> (T, N, 3) m from the eyeball's centre to its surface, in head space."""
    middle = pose.scale[:, None] * (centre @ np.swapaxes(pose.rotation, -1, -2)) + pose.shift
    beside = (camera - middle[:, None])[..., :2] / pose.scale[:, None, None]
    squared = (beside**2).sum(-1)
    limit = np.minimum(1, 0.9 * radius / np.sqrt(np.maximum(squared, 1e-12)))
    depth = np.sqrt(np.maximum(radius**2 - squared * limit**2, 0))
    surface: Array = np.concatenate([beside, depth[..., None]], axis=-1) @ pose.rotation
    return surface


def gaze_of_frames(pose: CameraPose, camera: Array, shape: Array, rig: FaceRig, lid_scale: Array) -> Array:
    """(T, 2) mean gaze of both eyes. The eye that is turned away counts less."""
    directions = np.zeros((len(camera), 3))
    for centre, radius, iris in _balls(shape, rig, lid_scale):
        direction = _on_ball(pose, camera[:, iris], centre, radius).mean(1)
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        side = np.sign(centre[0])
        yaw = np.arctan2(pose.rotation[:, 0, 2], pose.rotation[:, 2, 2])
        directions += direction * (1 + np.clip(-side * yaw * 1.5, -0.9, 0.9))[:, None]
    gaze: Array = np.clip(gaze_from_direction(directions), -np.array(MAX_GAZE_RAD), MAX_GAZE_RAD)
    return gaze


def straight_irises(pose: CameraPose, camera: Array, gaze: Array, skin: Array, rig: FaceRig, lid_scale: Array) -> Array:
    """(10, 3) m: where the irises are when the eyes look straight ahead, so that the gaze puts them where they were seen."""
    back = rotation_from_gaze(gaze)
    straight = []
    for centre, radius, iris in _balls(skin, rig, lid_scale):
        straight.append((_on_ball(pose, camera[:, iris], centre, radius) @ back).mean(0) + centre)
    return np.concatenate(straight)
