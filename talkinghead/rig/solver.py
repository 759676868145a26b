"""Many bounded least-squares problems with one matrix, solved at once.

Knows nothing of faces.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def bounded_least_squares(
    gram: Array, right: Array, low: npt.ArrayLike = 0.0, high: npt.ArrayLike = 1.0, num_iterations: int = 120
) -> Array:
    """Minimise `x' gram x / 2 - right' x` with low <= x <= high, for every row of right.

    Args:
        gram: (N, N) symmetric positive definite.
        right: (T, N).
        low, high: bounds, scalars or (N,).

    Returns:
        (T, N). Alternating directions of multipliers on a Jacobi-scaled matrix: one factorisation serves every row and every
        iteration. Source: Boyd et al., "Distributed Optimization and Statistical Learning via ADMM", 2011, section 5.
    """
    size = np.sqrt(np.maximum(np.diag(gram), 1e-12))
    scaled = gram / size[:, None] / size[None]
    low_scaled = np.broadcast_to(np.asarray(low, np.float64), size.shape) * size
    high_scaled = np.broadcast_to(np.asarray(high, np.float64), size.shape) * size
    values, vectors = np.linalg.eigh(scaled)
    rho = float(np.sqrt(max(values[0], 1e-4) * values[-1]))
    inverse = (vectors / (values + rho)) @ vectors.T
    target = right / size
    z = np.clip(target @ inverse, low_scaled, high_scaled)
    dual = np.zeros_like(z)
    for _ in range(num_iterations):
        x = 1.6 * ((target + rho * (z - dual)) @ inverse) - 0.6 * z
        z = np.clip(x + dual, low_scaled, high_scaled)
        dual += x - z
    solution: Array = z / size
    return solution
