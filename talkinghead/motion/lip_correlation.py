"""How well the lips of a model follow those of tracked clips. Knows training clips; knows nothing of how anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from talkinghead.motion.articulator import Articulator
from talkinghead.motion.readout import predict
from talkinghead.motion.training_clips import TrainingClip
from talkinghead.types import FloatArray

_LIPS: Final = {"opening_r": -3, "width_r": -2}
"""Of the outputs and targets, the closure comes last."""


def lip_correlation(model: Articulator, clips: Mapping[str, Sequence[TrainingClip]]) -> dict[str, float]:
    """Talker -> clips -> Pearson r of the lips' opening and width with the real ones; each talker has one vote."""
    talkers = []
    for own in clips.values():
        said = [(predict(model, clip.content)[clip.seen], clip.targets[clip.seen]) for clip in own]
        talkers.append([np.mean([pearson(ours[:, k], theirs[:, k]) for ours, theirs in said]) for k in _LIPS.values()])
    return {name: float(r) for name, r in zip(_LIPS, np.mean(talkers, axis=0), strict=True)}


def pearson(a: FloatArray, b: FloatArray) -> float:
    """(T,), (T,) -> their correlation, 0 when one of them stands still."""
    if len(a) < 2 or min(np.std(a), np.std(b)) < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
