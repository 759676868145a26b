"""Head turns and gaze as the angles and quaternions of other tools.

Source for Live Link Face: recordings of the app. In them an eye's three angles are those of `Rx(pitch) Ry(-yaw) Rz(roll)`, the
roll to seven digits what a turn of yaw and pitch alone has in that order, so yaw grows to the subject's right and pitch
downwards (`EyeLookOutLeft` and `EyeLookDown` agree). Recordings with a turned head were not to be had: its signs (yaw to the
subject's left, pitch up, roll to the subject's right shoulder) are what importers and senders of that format agree on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from talkinghead.rig.gaze import gaze_from_direction, rotation_from_gaze
from talkinghead.types import FloatArray

Array = npt.NDArray[np.float64]


def eye_angles(gaze: FloatArray) -> Array:
    """gaze: (T, 2) rad -> (T, 3) yaw, pitch, roll of an eye as Live Link Face writes them, rad."""
    pitch, yaw, roll = Rotation.from_matrix(rotation_from_gaze(gaze)).as_euler("XYZ").T
    return np.stack([-yaw, pitch, roll], axis=-1)


def gaze_of_eye(angles: Array) -> Array:
    """(T, 3) as `eye_angles` -> (T, 2) gaze, rad."""
    yaw, pitch, roll = angles.T
    turn = Rotation.from_euler("XYZ", np.stack([pitch, -yaw, roll], axis=-1)).as_matrix()
    return gaze_from_direction(turn[..., 2])


def head_angles(rotation: FloatArray) -> Array:
    """rotation: (T, 3) axis-angle, rad -> (T, 3) yaw, pitch, roll of the head as Live Link Face has them, rad."""
    pitch, yaw, roll = Rotation.from_rotvec(np.asarray(rotation, np.float64)).as_euler("XYZ").T
    return np.stack([yaw, -pitch, roll], axis=-1)


def rotation_of_head(angles: Array) -> FloatArray:
    """(T, 3) as `head_angles` -> (T, 3) axis-angle, rad."""
    yaw, pitch, roll = angles.T
    turn: FloatArray = Rotation.from_euler("XYZ", np.stack([-pitch, yaw, roll], axis=-1)).as_rotvec().astype(np.float32)
    return turn


def head_quaternion(rotation: FloatArray) -> FloatArray:
    """rotation: (T, 3) axis-angle, rad -> (T, 4) x, y, z, w; neighbours on the same side, so that interpolation is short."""
    return _continuous(Rotation.from_rotvec(np.asarray(rotation, np.float64)).as_quat())


def eye_quaternion(gaze: FloatArray) -> FloatArray:
    """gaze: (T, 2) rad -> (T, 4) x, y, z, w of an eye against the head."""
    return _continuous(Rotation.from_matrix(rotation_from_gaze(gaze)).as_quat())


def _continuous(quaternions: Array) -> FloatArray:
    turned_over = np.einsum("ti,ti->t", quaternions[1:], quaternions[:-1]) < 0
    sign = np.where(np.cumsum(turned_over) % 2, -1.0, 1.0)
    first = 1.0 if quaternions[0, 3] >= 0 else -1.0
    signed: FloatArray = (quaternions * first * np.concatenate([[1.0], sign])[:, None]).astype(np.float32)
    return signed
