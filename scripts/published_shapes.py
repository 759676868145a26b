"""Networks of published systems' shape, timed with weights of chance. Nothing here is anybody's model."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional as F

from talkinghead.synthesis.pipeline import working_dtype


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


def costs() -> list[tuple[str, int, float]]:
    """Name, number of weights and s a frame of each: a latent denoiser of 25 steps for 512 px, and a warping decoder."""
    torch.manual_seed(0)
    steps, frames = [], []
    # In the type that is the quicker here for each.
    for dtype in {torch.float32, working_dtype(torch.device("cpu"))}:
        with torch.inference_mode():
            unet = UNet2DConditionModel(cross_attention_dim=768).to(dtype, memory_format=torch.channels_last).eval()
            latent, words = torch.randn(1, 4, 64, 64, dtype=dtype), torch.randn(1, 77, 768, dtype=dtype)
            steps.append(median_s(partial(unet, latent, 500, words), 3))
            decoder = WarpingDecoder().to(dtype, memory_format=torch.channels_last).eval()
            feature = torch.randn(1, 256, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
            frames.append(median_s(partial(decoder, feature), 3))
    num_weights = [sum(p.numel() for p in network.parameters()) for network in (unet, decoder)]
    return [
        ("latent denoiser, 25 steps", num_weights[0], 25 * min(steps)),
        ("warping decoder", num_weights[1], min(frames)),
    ]


def median_s(work: Callable[[], object], times: int) -> float:
    """Of so many runs, after one that is not counted."""
    work()
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return float(np.median(spent))
