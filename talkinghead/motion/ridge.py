"""Ridge regression in closed form from sums over clips, so that clips need not fit in memory together.

Source: Hoerl, Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems", 1970.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from talkinghead.types import FloatArray

Array = npt.NDArray[np.float64]


def with_neighbours(content: FloatArray, context: int = 1) -> FloatArray:
    """content: (T, C) -> (T, (2 * context + 1) * C), frames t - context ... t + context, the ends repeated."""
    padded = np.pad(content.astype(np.float32), ((context, context), (0, 0)), mode="edge")
    result: FloatArray = np.concatenate([padded[i : i + len(content)] for i in range(2 * context + 1)], axis=1)
    return result


@dataclass
class RidgeSums:
    """Running sums of x, x x^T and x y^T over rows."""

    moments: Array
    products: Array
    totals: Array
    target_totals: Array
    num_rows: float = 0.0

    @staticmethod
    def zeros(num_features: int, num_targets: int) -> RidgeSums:
        return RidgeSums(
            np.zeros((num_features, num_features)),
            np.zeros((num_features, num_targets)),
            np.zeros(num_features),
            np.zeros(num_targets),
        )

    def add(self, features: FloatArray, targets: FloatArray) -> None:
        """features: (N, D), targets: (N, K)."""
        x, y = features.astype(np.float32), targets.astype(np.float32)
        self.moments += x.T @ x
        self.products += x.T @ y
        self.totals += x.sum(0, dtype=np.float64)
        self.target_totals += y.sum(0, dtype=np.float64)
        self.num_rows += len(x)

    def mixed(self, share: float, other: RidgeSums) -> RidgeSums:
        """The sums of a set in which these rows weigh `share` of the whole and the other's the rest."""
        if not self.num_rows or not other.num_rows:
            return self if self.num_rows else other
        ours, theirs = share / self.num_rows, (1 - share) / other.num_rows
        return RidgeSums(
            ours * self.moments + theirs * other.moments,
            ours * self.products + theirs * other.products,
            ours * self.totals + theirs * other.totals,
            ours * self.target_totals + theirs * other.target_totals,
            1.0,
        )

    @property
    def covariance(self) -> Array:
        """(D, K) of features with targets."""
        result: Array = self.products / self.num_rows - np.outer(self.totals, self.target_totals) / self.num_rows**2
        return result

    def solve(self, penalty: float) -> tuple[Array, Array]:
        """-> weights (D, K) on the raw features and bias (K,); features are z-scored inside, `penalty` in their variance."""
        mean, target_mean = self.totals / self.num_rows, self.target_totals / self.num_rows
        covariance = self.moments / self.num_rows - np.outer(mean, mean)
        deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-8))
        cross = self.covariance / deviation[:, None]
        scaled = covariance / np.outer(deviation, deviation)
        scaled[np.diag_indices_from(scaled)] += penalty
        weights = np.linalg.solve(scaled, cross) / deviation[:, None]
        return weights, target_mean - mean @ weights
