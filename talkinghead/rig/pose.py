"""Rotations and similarity transforms in batches.

Knows nothing of faces. Rotations are axis-angle, rad, or 3 x 3 matrices, as each name says.
"""

from __future__ import annotations

from dataclasses import dataclass

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


def similarity(
    source: npt.ArrayLike, target: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[Array, Array, Array]:
    """The turn, scale and shift that carry source to target: `target ~ scale * source @ rotation.T + shift`.

    Args:
        source: (..., N, 3); leading axes broadcast against target's.
        target: (..., N, 3).
        weights: (N,) of the points, equal when absent.

    Returns:
        rotation (..., 3, 3), scale (...), shift (..., 3). Source: Umeyama, TPAMI 1991.
    """
    a, b = np.broadcast_arrays(np.asarray(source, np.float64), np.asarray(target, np.float64))
    w = np.full(a.shape[-2], 1.0) if weights is None else np.asarray(weights, np.float64)
    w = (w / w.sum())[:, None]
    mean_a, mean_b = (w * a).sum(-2, keepdims=True), (w * b).sum(-2, keepdims=True)
    a, b = a - mean_a, b - mean_b
    u, s, vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ (w * a))
    sign = np.ones_like(s)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[..., None, :]) @ vt
    scale = (s * sign).sum(-1) / np.maximum((w * a * a).sum((-1, -2)), 1e-12)
    shift = mean_b[..., 0, :] - scale[..., None] * (rotation @ mean_a[..., 0, :, None])[..., 0]
    return rotation, scale, shift


def turn(rotation: Array, points: npt.ArrayLike) -> FloatArray:
    """rotation: (..., 3, 3), points: (..., N, 3) -> (..., N, 3) float32."""
    turned: FloatArray = (np.asarray(points, np.float32) @ np.swapaxes(rotation, -1, -2).astype(np.float32)).astype(np.float32)
    return turned


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
