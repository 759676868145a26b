"""Linear classifier for small measuring instruments: the judge of emotions and the probes.

Multinomial logistic regression, every class of the same weight, fitted to its optimum: nothing in it is drawn by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from talkinghead.types import FloatArray

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """mean, deviation: (F,) of what it was fitted on; weight: (F, K); bias: (K,)."""

    mean: FloatArray
    deviation: FloatArray
    weight: FloatArray
    bias: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        """x: (N, F) -> (N, K) logits."""
        logits = ((x - self.mean) / self.deviation) @ self.weight + self.bias
        return np.asarray(logits, np.float32)


def fit_linear(x: FloatArray, label: Labels, num_classes: int, penalty: float, max_steps: int = 60) -> LinearClassifier:
    """x: (N, F), label: (N,) in [0, K) -> the classifier; `penalty` on the squared weights over the mean loss of a row."""
    mean, deviation = x.mean(0), x.std(0) + np.float32(1e-5)
    rows, wanted = torch.from_numpy(((x - mean) / deviation).astype(np.float32)), torch.from_numpy(label)
    count = torch.bincount(wanted, minlength=num_classes).clamp_min(1)
    share = (1 / count)[wanted] / (1 / count)[wanted].sum()
    weight = torch.zeros(x.shape[1], num_classes, requires_grad=True)
    bias = torch.zeros(num_classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=max_steps, history_size=10, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        each = functional.cross_entropy(rows @ weight + bias, wanted, reduction="none")
        value = (each * share).sum() + penalty * (weight**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return LinearClassifier(
        mean.astype(np.float32), deviation.astype(np.float32), weight.detach().numpy(), bias.detach().numpy()
    )


def unweighted_recall(meant: Labels, said: Labels) -> float:
    """Mean over the classes that were meant of the part of each that was said."""
    return float(np.mean([(said[meant == k] == k).mean() for k in np.unique(meant)]))
