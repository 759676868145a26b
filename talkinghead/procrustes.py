"""The turn, scale and shift that lay one set of points on another, in batches. Knows nothing of faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


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
