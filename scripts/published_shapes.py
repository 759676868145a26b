"""The shape of a published generator, to be timed with weights of chance. Nothing here is anybody's model."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Spade(nn.Module):
    """Instance normalisation whose scale and shift are convolved from a feature map (Park et al. 2019, sec. 3)."""

    def __init__(self, channels: int, condition: int, hidden: int = 128) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.shared = nn.Conv2d(condition, hidden, 3, padding=1)
        self.scale_and_shift = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        at_size = F.interpolate(condition, size=x.shape[2:], mode="nearest")
        scale, shift = self.scale_and_shift(F.relu(self.shared(at_size))).chunk(2, 1)
        return self.norm(x) * (1 + scale) + shift


class SpadeBlock(nn.Module):
    def __init__(self, channels_in: int, channels_out: int, condition: int) -> None:
        super().__init__()
        between = min(channels_in, channels_out)
        widths = ((channels_in, between), (between, channels_out))
        self.norms = nn.ModuleList(Spade(width, condition) for width, _ in widths)
        self.convs = nn.ModuleList(nn.Conv2d(*width, 3, padding=1) for width in widths)
        self.skip_norm = Spade(channels_in, condition) if channels_in != channels_out else None
        self.skip = nn.Conv2d(channels_in, channels_out, 1, bias=False) if channels_in != channels_out else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        skip = self.skip(x if self.skip_norm is None else self.skip_norm(x, condition))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(F.leaky_relu(norm(x, condition), 0.2))
        return skip + x


class WarpingDecoder(nn.Module):
    """LivePortrait's decoder: a warped feature of 256 x 64 x 64 -> a picture of 512 x 512 px (Guo et al. 2024, sec. 3.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(256, 512, 3, padding=1)
        self.middle = nn.ModuleList(SpadeBlock(512, 512, 256) for _ in range(6))
        self.up = nn.ModuleList([SpadeBlock(512, 256, 256), SpadeBlock(256, 64, 256)])
        self.last = nn.Conv2d(64, 3 * 4, 3, padding=1)

    def forward(self, feature: Tensor) -> Tensor:
        """feature: (B, 256, 64, 64) -> (B, 3, 512, 512) in [0, 1]."""
        x = self.first(feature)
        for block in self.middle:
            x = block(x, feature)
        for block in self.up:
            x = block(F.interpolate(x, scale_factor=2, mode="nearest"), feature)
        return torch.sigmoid(F.pixel_shuffle(self.last(F.leaky_relu(x, 0.2)), 2))
