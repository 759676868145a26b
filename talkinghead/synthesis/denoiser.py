"""Noisy residual + guides -> clean residual: the network that adds to the warped picture what a warp cannot know.

A U-Net without normalisation layers (they double its cost on a CPU), conditioned on the noise level by FiLM. It predicts the
sample, so that one step from pure noise is already the best guess and more steps add detail.
Sources: Ronneberger et al., "U-Net", 2015; Brock et al., "NFNets", 2021 (scaled residuals without norms); Lipman et al., "Flow
Matching", 2023; Shi et al., "Pixel unshuffle / ESPCN", 2016.
"""

from __future__ import annotations

import math
from typing import Final

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
        return self.modulated(self.skip(x), self.conv_in(F.silu(x)), embedding)

    def modulated(self, skip: Tensor, h: Tensor, embedding: Tensor) -> Tensor:
        """What follows the first convolution."""
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = skip + self.conv_out(F.silu(h * (1 + scale) + shift))
        return result


_FOLDED: Final = ("taps", "skip_of_coarse", "of_fine", "skip_of_fine")


class UpResidual(FilmResidual):
    """The same of a coarse picture at twice its size and a fine one beside it. Folded, it computes nothing four times over."""

    def __init__(self, coarse: int, fine: int, embedding: int) -> None:
        super().__init__(coarse + fine, fine, embedding)
        self.coarse = coarse

    def fold(self) -> None:
        """Get ready for use alone: weights are as they will stay."""
        coarse, weight = self.coarse, self.conv_in.weight.detach()
        skip = self.skip.get_parameter("weight").detach()
        fine = (half[:, coarse:].contiguous(memory_format=torch.channels_last) for half in (weight, skip))
        folded = (taps_of_doubled(weight[:, :coarse]), skip[:, :coarse].contiguous(), *fine)
        for name, values in zip(_FOLDED, folded, strict=True):
            self.register_buffer(name, values, persistent=False)

    def of_both(self, coarse: Tensor, fine: Tensor, embedding: Tensor) -> Tensor:
        """coarse: (B, C, H, W); fine: (B, D, 2 H, 2 W) -> (B, D, 2 H, 2 W)."""
        if _FOLDED[0] not in self._buffers:
            return self.forward(torch.cat([doubled(coarse), fine], 1), embedding)
        taps, skip_of_coarse, of_fine, skip_of_fine = (self.get_buffer(name) for name in _FOLDED)
        h = conv_of_doubled(F.silu(coarse), taps) + F.conv2d(F.silu(fine), of_fine, self.conv_in.bias, padding=1)
        skip = doubled(F.conv2d(coarse, skip_of_coarse)) + F.conv2d(fine, skip_of_fine, self.skip.get_parameter("bias"))
        return self.modulated(skip, h, embedding)


def doubled(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, 2 H, 2 W), each value four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def taps_of_doubled(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) of a convolution -> (4 O, C, 2, 2) for `conv_of_doubled`: of three taps two fall on the same value."""
    first, middle, last = weight.unbind(-1)
    columns = torch.stack([torch.stack([first, middle + last], -1), torch.stack([first + middle, last], -1)])
    first, middle, last = columns.unbind(-2)  # (2, O, C, 2): by the parity of the column
    rows = torch.stack([torch.stack([first, middle + last], -2), torch.stack([first + middle, last], -2)])
    return rows.flatten(0, 2).contiguous(memory_format=torch.channels_last)


def conv_of_doubled(x: Tensor, taps: Tensor) -> Tensor:
    """`F.conv2d(doubled(x), weight, padding=1)` with four ninths of its work; taps: `taps_of_doubled(weight)`.

    x: (B, C, H, W) -> (B, O, 2 H, 2 W). Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?",
    2016.
    """
    (batch, _, height, width), channels = x.shape, len(taps) // 4
    found = F.conv2d(x, taps, padding=1)
    found = found.view(batch, 2, 2, channels, height + 1, width + 1)
    result = x.new_empty(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)  # channels last
    for row in range(2):
        for column in range(2):
            result[:, :, row::2, column::2] = found[:, row, column, :, row : row + height, column : column + width]
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
        self.up = nn.ModuleList(UpResidual(channels[i + 1], channels[i], embedding) for i in reversed(range(len(channels) - 1)))
        self.conv_out = nn.Conv2d(channels[0], 3 * unshuffle**2, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        if self.conv_out.bias is not None:
            self.conv_out.bias.data.zero_()

    def forward(self, sample: Tensor, sigma: Tensor, guide: Tensor) -> Tensor:
        """sample: (B, 3, H, W) noisy residual; sigma: (B,) noise level in [0, 1]; guide: (B, C, H, W) -> (B, 3, H, W) clean."""
        embedding = self.embed(_fourier(sigma).to(guide.dtype))
        x = self._taken_in(sample, guide)
        skips = []
        for level, block in enumerate(self.down):
            if level:
                x = F.avg_pool2d(x, 2)
            x = block(x, embedding)
            skips.append(x)
        x = self.middle(x, embedding)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            assert isinstance(block, UpResidual)
            x = block.of_both(x, skip, embedding)
        clean: Tensor = F.pixel_shuffle(self.conv_out(F.silu(x)), self.config.unshuffle)
        return clean

    def fold(self) -> ResidualDenoiser:
        """Make ready for use alone: quicker, and no longer to be trained."""
        for block in self.up:
            assert isinstance(block, UpResidual)
            block.fold()
        return self

    def _taken_in(self, sample: Tensor, guide: Tensor) -> Tensor:
        """`conv_in` of both, pixels unshuffled: as one convolution with a larger step, which needs no copy of what comes in.

        sample: (B, 3, H, W), or (1, 3, H, W) the same for all of the batch.
        """
        step, weight = self.config.unshuffle, self.conv_in.weight
        channels, size = weight.shape[1] // step**2, 3 * step
        taps = weight.reshape(-1, channels, step, step, 3, 3).permute(0, 1, 4, 2, 5, 3).reshape(-1, channels, size, size)
        of_sample, of_guide = (
            part.contiguous(memory_format=torch.channels_last)
            for part in (taps[:, : sample.shape[1]], taps[:, sample.shape[1] :])
        )
        x = F.conv2d(guide, of_guide, self.conv_in.bias, stride=step, padding=step)
        return x + F.conv2d(sample, of_sample, None, stride=step, padding=step)


def _fourier(sigma: Tensor) -> Tensor:
    """(B,) in [0, 1] -> (B, 32) sines and cosines."""
    frequency = torch.exp(torch.linspace(0, math.log(100.0), 16, device=sigma.device))
    angle = sigma.float()[:, None] * frequency * math.pi
    return torch.cat([angle.sin(), angle.cos()], 1)
