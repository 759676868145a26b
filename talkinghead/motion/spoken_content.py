"""What is said apart from how strongly: the read-out of a recording as a few components about 0 at unit spread, and effort.

The components are the opening and the width of the lips and the principal ways in which the rest of the mouth moves besides
(reduced-rank regression). What a recording's level and spread of each are, its effort, tells who speaks and how they feel: it
is carried apart, may be another recording's, and the shape in time that is left is the content. Sources: Izenman,
"Reduced-rank regression for the multivariate linear model", 1975; Chou et al., "One-shot Voice Conversion by Separating Speaker
and Content Representations with Instance Normalization", Interspeech 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead.motion.lips import LipContacts
from talkinghead.motion.ridge import Array
from talkinghead.types import FloatArray

LEAST_SPREAD: Final = 1e-3
"""Of a component, whose usual spread is about 1: less is stillness, not speech."""
NUM_LEADING: Final = 2
"""Opening and width, the last two outputs, are components by themselves: nothing of what they say is lost."""


@dataclass(frozen=True, eq=False)
class Effort:
    """level, spread: (M,) of each component over a recording, beyond the usual: how wide a mouth this voice opens."""

    level: FloatArray
    spread: FloatArray


@dataclass(frozen=True, eq=False)
class SpokenContent:
    """All that the lips are computed from, but for the loudness that says whether anybody speaks.

    tracks: (T, M) of mean 0 and deviation 1: what is said. contacts: what the lips must touch. effort: how strongly.
    """

    tracks: FloatArray
    contacts: LipContacts
    effort: Effort

    @staticmethod
    def of(components: FloatArray, contacts: LipContacts) -> SpokenContent:
        """components: (T, M) of a recording."""
        level = components.mean(0)
        spread = np.maximum(components.std(0), LEAST_SPREAD)
        return SpokenContent(((components - level) / spread).astype(np.float32), contacts, Effort(level, spread))

    def components(self, effort: Effort | None = None) -> FloatArray:
        """(T, M) as they came, or said with another recording's effort."""
        effort = effort or self.effort
        result: FloatArray = (effort.level + effort.spread * self.tracks).astype(np.float32)
        return result


def reduced_rank(explained: Array, num_components: int) -> tuple[Array, Array]:
    """What the outputs of a ridge regression share with their targets -> which few components say the most of it.

    Args:
        explained: (K + 2, K + 2) covariance of the outputs with the targets, the opening and the width last.
        num_components: M, at least 2 and at most K + 2.

    Returns:
        directions (K + 2, M), outputs to components of unit variance, and mixing (M, K + 2), back; the two are a projection,
        and it leaves the opening and the width as they are.
    """
    symmetric = (explained + explained.T) / 2
    deviation = np.sqrt(np.maximum(np.diag(symmetric), 1e-12))
    scaled = symmetric / np.outer(deviation, deviation)
    rest = len(scaled) - NUM_LEADING
    across = scaled[:rest, rest:]
    _, ways = np.linalg.eigh(scaled[:rest, :rest] - across @ np.linalg.pinv(scaled[rest:, rest:]) @ across.T)
    directions = np.zeros((len(scaled), num_components))
    directions[rest:, :NUM_LEADING] = np.eye(NUM_LEADING)
    directions[:rest, NUM_LEADING:] = ways[:, ::-1][:, : num_components - NUM_LEADING]
    directions /= deviation[:, None]
    shared = directions.T @ symmetric
    return directions, np.linalg.pinv(shared @ directions, rcond=1e-8, hermitian=True) @ shared
