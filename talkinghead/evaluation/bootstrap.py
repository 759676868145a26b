"""Values a clip -> a mean with its interval, and two systems compared clip by clip. Knows numbers alone.

Clips of one actor are not independent: an interval over clips is about other sentences of these actors, not about other actors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import wilcoxon

RESAMPLES: Final = 2000
LEVEL: Final = 0.95


@dataclass(frozen=True)
class Interval:
    """The mean over clips, its percentile bootstrap interval, and how many clips voted."""

    mean: float
    low: float
    high: float
    count: int


def interval(values: Sequence[float], seed: int = 0, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval:
    """One value a clip -> mean and interval; NaN is no vote, and one clip alone has no interval.

    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979; percentiles of the means of resampled clips.
    An infinite value (PSNR of equal pictures) makes the mean infinite and the interval empty.
    """
    kept = np.array([value for value in values if not math.isnan(value)], np.float64)
    if len(kept) < 2 or not np.isfinite(kept).all():
        return Interval(float(kept.mean()) if len(kept) else math.nan, math.nan, math.nan, len(kept))
    picks = np.random.default_rng(seed).integers(len(kept), size=(resamples, len(kept)))
    low, high = np.percentile(kept[picks].mean(1), [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(kept.mean()), float(low), float(high), len(kept))


@dataclass(frozen=True)
class Comparison:
    """effect: mean over clips of the first less the second, with its interval. p: two-sided, of no difference. count: clips."""

    effect: float
    low: float
    high: float
    p: float
    count: int


def paired(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Comparison:
    """Two values of each clip, the same clips in the same order -> is one system's better.

    p is of Wilcoxon's signed-rank test (Biometrics 1945): exact without ties up to 50 clips, else by its normal approximation;
    pairs without a difference are left out. Pairs in which either value is not finite are left out. NaN without a pair, p 1
    where no pair differs.
    """
    pairs = [(a, b) for a, b in zip(first, second, strict=True) if math.isfinite(a) and math.isfinite(b)]
    differences = np.array([a - b for a, b in pairs], np.float64)
    found = interval(list(differences), seed)
    if not len(differences):
        return Comparison(math.nan, math.nan, math.nan, math.nan, 0)
    p = float(wilcoxon(differences).pvalue) if differences.any() else 1.0
    return Comparison(found.mean, found.low, found.high, p, found.count)


def holm(p_values: Sequence[float]) -> list[float]:
    """p of several tests -> each corrected for their number (Holm, Scand. J. Statistics 1979); NaN is no test."""
    order = sorted((index for index, p in enumerate(p_values) if not math.isnan(p)), key=lambda index: p_values[index])
    corrected, least = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p_values[index]))
        corrected[index] = least
    return corrected
