"""Features of generated and of real pictures or clips -> the Fréchet distance of Gaussians fitted to both: FID and FVD.

FID: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, of Inception's 2,048 features; MEAD's papers
take 5 evenly spaced frames a clip, of all clips. FVD: Unterthiner et al., "Towards Accurate Generative Models of Video", 2018,
of I3D's logits of 16 frames. Both are of a whole set: there is no value a clip, and no test that pairs clips. They fall as
samples become more, so only equal sets compare. Knows features alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh, svdvals

from talkinghead.types import FloatArray

FRAMES_A_CLIP: Final = 5
"""Of FID."""
CLIP_FRAMES: Final = 16
"""Of FVD, a clip's windows follow one another without overlap."""
GROUPS: Final = 10
Array = npt.NDArray[np.float64]


def frechet_distance(generated: FloatArray, real: FloatArray) -> float:
    """|m_g - m_r|^2 + tr(S_g + S_r - 2 (S_g S_r)^(1/2)); m the means, S the sample covariances (over n - 1); less is better.

    The trace of the root is the sum of the singular values of F_g' F_r, where S = F F': exact whether there are more samples
    than features or fewer, and nothing imaginary has to be dropped.

    Args:
        generated, real: (N, D) and (M, D) features, two rows or more each; fewer give NaN.
    """
    if min(len(generated), len(real)) < 2:
        return float("nan")
    a, b = generated.astype(np.float64), real.astype(np.float64)
    apart = float(((a.mean(0) - b.mean(0)) ** 2).sum())
    root_a, root_b = _root(a), _root(b)
    common = float(svdvals(root_a.T @ root_b).sum())
    return max(0.0, apart + float((root_a**2).sum() + (root_b**2).sum()) - 2 * common)


def jackknife(generated: Sequence[FloatArray], real: Sequence[FloatArray]) -> tuple[float, float, float]:
    """Features a clip, (n, D) each, the same clips in both -> the distance over all, and its 95 % interval.

    The interval is the distance -/+ 1.96 standard errors of a jackknife over `GROUPS` groups of whole clips. A bootstrap would
    repeat clips, which lies lower in rank and so higher in distance than any real set. NaN bounds with fewer clips than groups.
    """
    whole = frechet_distance(_joined(generated), _joined(real))
    if len(generated) < GROUPS:
        return whole, float("nan"), float("nan")
    left = []
    for group in range(GROUPS):
        kept = [index for index in range(len(generated)) if index % GROUPS != group]
        left.append(frechet_distance(_joined([generated[i] for i in kept]), _joined([real[i] for i in kept])))
    error = float(np.sqrt((GROUPS - 1) / GROUPS * ((np.array(left) - np.mean(left)) ** 2).sum()))
    return whole, whole - 1.96 * error, whole + 1.96 * error


def _root(samples: Array) -> Array:
    """(N, D) -> (D, K) whose product with its own transpose is the sample covariance, K the smaller of N and D."""
    centred: Array = (samples - samples.mean(0)) / np.sqrt(len(samples) - 1)
    if len(samples) <= samples.shape[1]:
        return centred.T
    values, vectors = eigh(centred.T @ centred)
    root: Array = vectors * np.sqrt(np.maximum(values, 0))
    return root


def _joined(clips: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate(list(clips)) if len(clips) else np.empty((0, 1), np.float32)
