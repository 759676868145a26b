"""Noisy residual + guides -> clean residual: the network that adds to the warped picture what a warp cannot know.

A U-Net without normalisation layers (they double its cost on a CPU), conditioned on the noise level by FiLM. It predicts the
sample, so that one step from pure noise is already the best guess and more steps add detail.
Sources: Ronneberger et al., "U-Net", 2015; Brock et al., "NFNets", 2021 (scaled residuals without norms); Lipman et al., "Flow
Matching", 2023; Shi et al., "Pixel unshuffle / ESPCN", 2016.
"""

from __future__ import annotations

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional as F


class FilmResidual(nn.Module):
    """x + scale * conv(silu(film(conv(silu(x)))))."""

    def __init__(self, in_channels: int, channels: int, embedding: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(in_channels, channels, 1) if in_channels != channels else nn.Identity()
        self.conv_in = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * channels)
        self.conv_out = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.film.weight)
        self.film.bias.data.zero_()
        with torch.no_grad():
            self.conv_out.weight.mul_(0.3)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        h = self.conv_in(F.silu(x)) * (1 + scale) + shift
        result: Tensor = self.skip(x) + self.conv_out(F.silu(h))
        return result


class ResidualDenoiser(ModelMixin, ConfigMixin):
    """The face denoiser. Its sample is the residual on the guide, divided by `residual_scale`."""

    @register_to_config
    def __init__(
        self,
        guide_channels: int = 16,
        channels: tuple[int, ...] = (48, 96, 192, 256),
        embedding: int = 64,
        unshuffle: int = 2,
        residual_scale: float = 0.25,  # noqa: ARG002 - kept in the config
    ) -> None:
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(32, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        first = (guide_channels + 3) * unshuffle**2
        self.conv_in = nn.Conv2d(first, channels[0], 3, padding=1)
        self.down = nn.ModuleList(FilmResidual(channels[max(0, i - 1)], width, embedding) for i, width in enumerate(channels))
        self.middle = FilmResidual(channels[-1], channels[-1], embedding)
        self.up = nn.ModuleList(
            FilmResidual(channels[i + 1] + channels[i], channels[i], embedding) for i in reversed(range(len(channels) - 1))
        )
        self.conv_out = nn.Conv2d(channels[0], 3 * unshuffle**2, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        if self.conv_out.bias is not None:
            self.conv_out.bias.data.zero_()

    def forward(self, sample: Tensor, sigma: Tensor, guide: Tensor) -> Tensor:
        """sample: (B, 3, H, W) noisy residual; sigma: (B,) noise level in [0, 1]; guide: (B, C, H, W) -> (B, 3, H, W) clean."""
        embedding = self.embed(_fourier(sigma).to(guide.dtype))
        x = self.conv_in(F.pixel_unshuffle(torch.cat([sample, guide], 1), self.config.unshuffle))
        skips = []
        for level, block in enumerate(self.down):
            if level:
                x = F.avg_pool2d(x, 2)
            x = block(x, embedding)
            skips.append(x)
        x = self.middle(x, embedding)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="nearest"), skip], 1), embedding)
        clean: Tensor = F.pixel_shuffle(self.conv_out(F.silu(x)), self.config.unshuffle)
        return clean


def _fourier(sigma: Tensor) -> Tensor:
    """(B,) in [0, 1] -> (B, 32) sines and cosines."""
    frequency = torch.exp(torch.linspace(0, math.log(100.0), 16, device=sigma.device))
    angle = sigma.float()[:, None] * frequency * math.pi
    return torch.cat([angle.sin(), angle.cos()], 1)
