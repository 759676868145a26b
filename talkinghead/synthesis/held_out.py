"""People that a renderer's run keeps out, and its loss on them as it goes: what it learns by heart does not show there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import ClipSource, MeshFile, is_photograph

NUM_PAIRS: Final = 96
_SEED: Final = 0
"""Who is kept out does not hang on a run's seed, so that runs can be compared."""

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def kept_out(clips: Sequence[Path | ClipSource], share: float) -> tuple[list[ClipSource], list[ClipSource]]:
    """Clips -> those to learn from, and those of a share of the people and of the photographs.

    Raises:
        ConfigError: the share leaves nobody on one of the sides.
    """
    sources: list[ClipSource] = [MeshFile.of(clip) if isinstance(clip, Path) else clip for clip in clips]
    if not share:
        return sources, []
    out: set[str] = set()
    for photographs in (False, True):
        names = sorted({source.identity for source in sources if is_photograph(source.identity) == photographs})
        order = np.random.default_rng(_SEED).permutation(len(names))
        out |= {names[i] for i in order[: round(share * len(names))]}
    learnt = [source for source in sources if source.identity not in out]
    if not out or not learnt:
        raise ConfigError(f"held_out: {share} of these people leaves nobody; give a share between 0 and 1, or 0.")
    return learnt, [source for source in sources if source.identity in out]


class HeldOutLoss:
    """The loss of one step from noise on the same pairs each time, and the warp's own."""

    def __init__(self, pairs: Dataset[tuple[Tensor, Tensor]], loss: Loss, batch_size: int, device: torch.device) -> None:
        """pairs: (guide, real) of `PairDataset`; they are made at the first call and kept."""
        self.pairs, self.loss, self.batch_size, self.device = pairs, loss, batch_size, device
        self._batches: list[list[Tensor]] = []

    @torch.no_grad()
    def __call__(self, denoiser: nn.Module, scale: float) -> dict[str, float]:
        """denoiser: a `ResidualDenoiser` of that `residual_scale`."""
        if not self._batches:
            made = [self.pairs[i] for i in range(NUM_PAIRS)]
            chunks = [made[i : i + self.batch_size] for i in range(0, NUM_PAIRS, self.batch_size)]
            self._batches = [[torch.stack(part).to(self.device) for part in zip(*chunk, strict=True)] for chunk in chunks]
        random = torch.Generator().manual_seed(_SEED)
        found = np.zeros(2)
        for guide, real in self._batches:
            noise = torch.randn(real.shape, generator=random).to(guide)
            warped = (guide[:, :3] + 1) / 2
            output = warped + denoiser(noise, torch.ones(len(guide)).to(guide), guide).float() * scale
            found += [len(guide) * float(self.loss(picture, real, guide)) for picture in (output, warped)]
        return {"held_out": float(found[0]) / NUM_PAIRS, "held_out_warp": float(found[1]) / NUM_PAIRS}
