"""Rotations in batches.

Knows nothing of faces. Rotations are axis-angle, rad, or 3 x 3 matrices, as each name says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead.types import FloatArray

Array = npt.NDArray[np.float64]


def matrix_from_axis_angle(axis_angle: npt.ArrayLike) -> Array:
    """axis_angle: (..., 3) rad -> (..., 3, 3) (Rodrigues)."""
    vector = np.asarray(axis_angle, np.float64)
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    safe = np.where(angle < 1e-8, 1.0, angle)
    cross = np.zeros((*vector.shape[:-1], 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        cross[..., i, j] = -vector[..., k]
        cross[..., j, i] = vector[..., k]
    sine = np.where(angle < 1e-8, 1.0, np.sin(angle) / safe)
    cosine = np.where(angle < 1e-8, 0.5, (1 - np.cos(angle)) / safe**2)
    matrix: Array = np.eye(3) + sine * cross + cosine * (cross @ cross)
    return matrix


def axis_angle_from_matrix(matrix: npt.ArrayLike) -> Array:
    """matrix: (..., 3, 3) -> (..., 3) rad, angle in [0, pi)."""
    m = np.asarray(matrix, np.float64)
    axis = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], axis=-1)
    sine = np.linalg.norm(axis, axis=-1) / 2
    cosine = (np.trace(m, axis1=-2, axis2=-1) - 1) / 2
    angle = np.arctan2(sine, cosine)
    factor = np.where(sine < 1e-8, 0.5, angle / np.where(sine < 1e-8, 1.0, 2 * sine))
    vector: Array = axis * factor[..., None]
    return vector


def turn(rotation: Array, points: npt.ArrayLike) -> FloatArray:
    """rotation: (..., 3, 3), points: (..., N, 3) -> (..., N, 3) float32."""
    turned: FloatArray = (np.asarray(points, np.float32) @ np.swapaxes(rotation, -1, -2).astype(np.float32)).astype(np.float32)
    return turned


STEADY_RAD: Final = 0.008
STEADY_M: Final = 0.0008
"""Turns and shifts of a head smaller than these, from frame to frame, are mostly the tracker's."""
STEADY_REACH: Final = 3


def steadied(rotation: FloatArray, translation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(T, 3) rad and (T, 3) m of a tracked head -> the same, still where only the tracker trembles.

    Each frame becomes the mean of those within `STEADY_REACH` that are in nearly the same pose (a bilateral filter: Tomasi,
    Manduchi, ICCV 1998), so a turn of the head stays as quick as it was.
    """
    return _bilateral(rotation, STEADY_RAD), _bilateral(translation, STEADY_M)


def _bilateral(values: FloatArray, spread: float) -> FloatArray:
    padded = np.pad(values.astype(np.float64), ((STEADY_REACH, STEADY_REACH), (0, 0)), mode="edge")
    near = np.stack([padded[k : k + len(values)] for k in range(2 * STEADY_REACH + 1)])
    away = np.linalg.norm(near - values, axis=-1, keepdims=True) / spread
    late = np.arange(-STEADY_REACH, STEADY_REACH + 1)[:, None, None] / (STEADY_REACH / 2)
    weight = np.exp(-(away**2 + late**2) / 2)
    mean: FloatArray = ((weight * near).sum(0) / weight.sum(0)).astype(np.float32)
    return mean


@dataclass(frozen=True, eq=False)
class CameraPose:
    """Where heads stand before a camera. rotation: (T, 3, 3); scale: (T,) px per m; shift: (T, 3) px, y up, z to the viewer."""

    rotation: Array
    scale: Array
    shift: Array

    def __getitem__(self, frames: slice | npt.NDArray[np.int64]) -> CameraPose:
        return CameraPose(self.rotation[frames], self.scale[frames], self.shift[frames])

    def to_head(self, camera: Array) -> Array:
        """camera: (T, N, 3) px -> (T, N, 3) m in head space."""
        head: Array = ((camera - self.shift[:, None]) @ self.rotation) / self.scale[:, None, None]
        return head
