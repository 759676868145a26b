"""Prepared clips -> windows of consecutive frames with one reference: what the latent denoiser learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import MAX_TURN, ClipSource, PairDataset, jittered, recoloured
from talkinghead.synthesis.geometry import aligned_crop
from talkinghead.synthesis.latent_denoiser import aligned_portrait, channels_first, condition
from talkinghead.synthesis.proxies import ReferenceFace, build_proxies
from talkinghead.synthesis.topology import MeshTopology

Window = tuple[Tensor, Tensor, Tensor, Tensor]


class WindowDataset(Dataset[Window]):
    """`length` windows, each identity as often as any other. Every item is a function of (seed, index) alone.

    An item is, in the aligned crop and in [0, 1]: the reference (3, h, w), the guides (T, 3, h, w), their masks (T, 3, h, w)
    and the real frames (T, 3, h, w). A clip that is shorter than a window is played to and fro.
    """

    def __init__(
        self,
        clips: Sequence[Path | ClipSource],
        topology: MeshTopology,
        seed: int,
        length: int,
        window: int,
        cache_gb: float = 4.0,
    ) -> None:
        """As `PairDataset`, of the people alone: a photograph has no frames after one another.

        Raises:
            ConfigError: there is nobody but photographs.
        """
        self.pairs = PairDataset(clips, topology, seed, length, cache_gb, photograph_share=0.0)
        self.window = window
        if not self.pairs.people:
            raise ConfigError("meshes: holds photographs alone; windows of frames need clips of people.")

    def __len__(self) -> int:
        return self.pairs.length

    def __getitem__(self, index: int) -> Window:
        rng = np.random.default_rng([self.pairs.seed, index])
        clip = self.pairs.clip(rng)
        num_frames = len(clip.frames)
        telling = int(rng.choice(num_frames, p=clip.wide / clip.wide.sum()))
        start = int(np.clip(telling - rng.integers(self.window), 0, max(0, num_frames - self.window)))
        targets = [to_and_fro(start + place, num_frames) for place in range(self.window)]
        near = np.flatnonzero(np.abs(clip.turned - clip.turned[telling]) < MAX_TURN)
        source = int(near[rng.integers(len(near))])
        frames = recoloured(clip.frames[[source, *targets]], rng)
        wrong, how = bool(rng.random() < 0.4), int(rng.integers(1 << 32))
        reference = ReferenceFace(frames[0], clip.meshes[source], self.pairs.topology)
        guides, masks, real = [], [], []
        for frame, target in zip(frames[1:], targets, strict=True):
            mesh = clip.meshes[target]  # wrong in the same way throughout: a fitted rig errs, and does not tremble
            proxies = build_proxies(reference, jittered(mesh, np.random.default_rng(how)) if wrong else mesh)
            guide, mask = condition(proxies)
            guides.append(guide)
            masks.append(mask)
            real.append(channels_first(aligned_crop(frame, proxies.to_aligned) / np.float32(255)))
        item = aligned_portrait(reference), torch.stack(guides), torch.stack(masks), torch.stack(real)
        if rng.random() < 0.5:
            a, b, c, d = (each.flip(-1) for each in item)
            return a, b, c, d
        return item


def to_and_fro(place: int, length: int) -> int:
    """A place in a row that turns round at either end: 0 1 2 1 0 1 ... of three."""
    place %= max(1, 2 * length - 2)
    return place if place < length else 2 * length - 2 - place
