"""People that a renderer's run keeps out, and its loss on them as it goes: what it learns by heart does not show there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import ClipSource, MeshFile, is_photograph
from talkinghead.types import ByteArray

NUM_PAIRS: Final = 96
NUM_SHOWN: Final = 8
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

    def __call__(self, denoiser: nn.Module, scale: float) -> dict[str, float]:
        """denoiser: a `ResidualDenoiser` of that `residual_scale`."""
        found = np.zeros(2)
        for guide, warped, output, real in self._made(denoiser, scale):
            found += [len(guide) * float(self.loss(picture, real, guide)) for picture in (output, warped)]
        return {"held_out": float(found[0]) / NUM_PAIRS, "held_out_warp": float(found[1]) / NUM_PAIRS}

    def samples(self, denoiser: nn.Module, scale: float) -> ByteArray:
        """(H, W, 3) uint8: of the first pairs what the residual is added to, what is made and the real picture, in rows."""
        _, warped, output, real = next(self._made(denoiser, scale))
        rows = torch.cat([warped, output.clamp(0, 1), real], -1)[:NUM_SHOWN]
        picture = torch.cat(list(rows), 1).permute(1, 2, 0)
        shown: ByteArray = (picture * 255).round().byte().cpu().numpy()
        return shown

    @torch.no_grad()
    def _made(self, denoiser: nn.Module, scale: float) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Batches of guides, warps, outputs and real pictures."""
        if not self._batches:
            pairs = [self.pairs[i] for i in range(NUM_PAIRS)]
            chunks = [pairs[i : i + self.batch_size] for i in range(0, NUM_PAIRS, self.batch_size)]
            self._batches = [[torch.stack(part).to(self.device) for part in zip(*chunk, strict=True)] for chunk in chunks]
        random = torch.Generator().manual_seed(_SEED)
        for guide, real in self._batches:
            noise = torch.randn(real.shape, generator=random).to(guide)
            warped = (guide[:, :3] + 1) / 2
            yield guide, warped, warped + denoiser(noise, torch.ones(len(guide)).to(guide), guide).float() * scale, real
