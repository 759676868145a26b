"""Two curves -> Pearson r at every lag; many clips -> one constant lag a source, and means with one vote a talker.

A lag is by how many frames the generated curve is late, which is by how many the picture of the clip leads its sound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead.evaluation.clips import OTHER_GRID, WILD
from talkinghead.types import FloatArray

MAX_OFFSET: Final = 5
"""Frames, 0.2 s: how far a source's picture may lead or follow its sound."""
MAX_LAG: Final = 2
"""Frames that a clip may lie beside its source's offset."""
LAGS: Final = MAX_OFFSET + MAX_LAG
MIN_FRAMES: Final = 10


def lag_correlations(generated: FloatArray, real: FloatArray, max_lag: int = LAGS) -> FloatArray:
    """(T,) and (T',) curves -> (2 max_lag + 1,) Pearson r at lags -max_lag ... max_lag.

    Frames that are not finite are left out. 0 where the generated curve does not move; NaN where the real one does not, or on
    ten frames or fewer: nothing to compare.
    """
    length = min(len(generated), len(real))
    found = np.full(2 * max_lag + 1, np.nan, np.float32)
    for index, lag in enumerate(range(-max_lag, max_lag + 1)):
        a = generated[max(0, lag) : max(0, length + min(0, lag))]
        b = real[max(0, -lag) : max(0, length + min(0, -lag))]
        keep = np.isfinite(a) & np.isfinite(b)
        if keep.sum() > MIN_FRAMES and b[keep].std() > 1e-9:
            found[index] = np.corrcoef(a[keep], b[keep])[0, 1] if a[keep].std() > 1e-9 else 0.0
    return found


def best_correlation(generated: FloatArray, real: FloatArray, max_lag: int = MAX_LAG) -> float:
    """The best of `lag_correlations`, NaN when there is none."""
    return best_within(lag_correlations(generated, real, max_lag), 0, max_lag)


def best_within(correlations: FloatArray, lag: int, reach: int) -> float:
    """correlations: (2L + 1,) -> the best r at lags from `lag - reach` to `lag + reach`, NaN when there is none."""
    centre = len(correlations) // 2 + lag
    return float(np.fmax.reduce(correlations[max(0, centre - reach) : centre + reach + 1]))


def source_offset(correlations: Sequence[FloatArray], max_offset: int = MAX_OFFSET) -> int:
    """The clips of one source, each (2L + 1,) -> the one lag within `max_offset` at which the mean r over all clips is highest.

    0 when no clip has anything to compare.
    """
    rows = np.stack(correlations)
    centre = rows.shape[1] // 2
    rows = rows[np.isfinite(rows).any(1), centre - max_offset : centre + max_offset + 1]
    if not len(rows):
        return 0
    counted = np.isfinite(rows)
    mean = np.where(counted, rows, 0).sum(0) / np.maximum(counted.sum(0), 1)
    return int(np.where(counted.any(0), mean, -np.inf).argmax()) - max_offset


@dataclass(frozen=True, eq=False)
class Correlated:
    """One clip by one row of a table: which and whose it is, and its r at every lag, (2 LAGS + 1,)."""

    file: str
    source: str
    identity: str
    correlations: FloatArray


def source_offsets(clips: Sequence[Correlated]) -> dict[str, int]:
    """Source -> its offset in frames, chosen over all its clips."""
    by_source = defaultdict(list)
    for clip in clips:
        by_source[clip.source].append(clip.correlations)
    return {source: source_offset(rows) for source, rows in by_source.items()}


def talker_means(clips: Sequence[Correlated], score: Callable[[Correlated], float]) -> dict[tuple[str, str], float]:
    """Clips and the score of each -> (source, identity) -> the talker's mean; a clip whose score is NaN is no vote."""
    votes: dict[tuple[str, str], list[float]] = defaultdict(list)
    for clip in clips:
        if np.isfinite(value := score(clip)):
            votes[clip.source, clip.identity].append(value)
    return {who: float(np.mean(values)) for who, values in votes.items()}


def mean_by_talker(clips: Sequence[Correlated], score: Callable[[Correlated], float]) -> dict[str, float]:
    """Clips and the score of each -> column -> mean with one vote a talker (the mean over that talker's clips).

    Columns: "wild" (the sources of `WILD`), "GRID others", "all but GRID" (every other source, the Javanese and EAMM's too),
    "all", "talkers" (how many voted in "all"), and each source.
    """
    talkers = talker_means(clips, score)

    def mean(wanted: Callable[[str], bool]) -> float:
        values = [value for (source, _), value in talkers.items() if wanted(source)]
        return float(np.mean(values)) if values else float("nan")

    sources = sorted({source for source, _ in talkers})
    return {
        "wild": mean(lambda source: source in WILD),
        "GRID others": mean(lambda source: source == OTHER_GRID),
        "all but GRID": mean(lambda source: not source.startswith("grid")),
        "all": mean(lambda _: True),
        "talkers": float(len(talkers)),
        **{source: mean(lambda s, name=source: s == name) for source in sources},  # type: ignore[misc]
    }
