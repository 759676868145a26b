"""What the denoiser is trained on: regions weighted by how much the eye looks at them, edges, and patch realism.

Sources: Isola et al., "pix2pix" (patch discriminator), 2017; Lim, Ye, "Geometric GAN" (hinge), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def region_weight(guide: Tensor) -> Tensor:
    """guide: (B, 16, H, W) -> (B, 1, H, W): 1 on skin, more in eyes and mouth and just round them, little outside."""
    looked_at = guide[:, 14:16].amax(1, keepdim=True)
    return 0.05 + guide[:, 13:14] + 3 * _dilated(looked_at) + 2 * looked_at


@torch.no_grad()
def _dilated(mask: Tensor) -> Tensor:
    """(B, 1, H, W) mask grown by about 8 px, found at a quarter of its size."""
    small = F.max_pool2d(F.max_pool2d(mask, 4), 5, stride=1, padding=2)
    return F.interpolate(small, size=mask.shape[-2:], mode="nearest")


def reconstruction_loss(output: Tensor, real: Tensor, guide: Tensor) -> Tensor:
    """Weighted L1 of the picture and of its first differences; output, real: (B, 3, H, W), guide: (B, 16, H, W).

    Between the lips the guide's teeth are never just where the real ones are, and the best guess for a pixel is a pink blur.
    There the tone is learnt at a coarse scale, and the differences are held to the guide's own: its teeth stay teeth.
    """
    inside = guide[:, 14:15]
    weight = region_weight(guide) * (1 - 0.8 * inside)
    total = ((output - real).abs() * weight).mean()
    change = output - (guide[:, :3] + 1) / 2
    for dim in (2, 3):
        size = weight.shape[dim] - 1
        total = total + ((output.diff(dim=dim) - real.diff(dim=dim)).abs() * weight.narrow(dim, 0, size)).mean()
        total = total + 1.5 * (change.diff(dim=dim).abs() * inside.narrow(dim, 0, size)).mean()
    coarse = F.avg_pool2d((output - real) * inside, 9, stride=3).abs().mean()
    return total + 5 * coarse


def mouth_loss(output: Tensor, real: Tensor, guide: Tensor) -> Tensor:
    """The same for the mouth's expert: guide (B, 16, H, W) of `synthesis.mouth`.

    Between the lips the picture is learnt as it is. Coarse tones count besides: a mouth is dark where it is deep.
    """
    inside, lips = guide[:, 14:15], guide[:, 15:16]
    weight = 0.1 + _dilated(torch.maximum(inside, lips)) + lips + 2 * inside
    difference = output - real
    total = (difference.abs() * weight).mean()
    for dim in (2, 3):
        size = weight.shape[dim] - 1
        total = total + (difference.diff(dim=dim).abs() * weight.narrow(dim, 0, size)).mean()
    return total + 2 * F.avg_pool2d(difference * inside, 8, stride=4).abs().mean()


class PatchDiscriminator(nn.Module):
    """Is each patch of a picture real, given its guide? (B, 3 + 3 + 3, H, W) -> (B, 1, H / 8, W / 8) logits."""

    def __init__(self, channels: int = 48) -> None:
        super().__init__()
        widths = (9, channels, channels * 2, channels * 4)
        layers: list[nn.Module] = []
        for i in range(3):
            conv = nn.Conv2d(widths[i], widths[i + 1], 4, stride=2, padding=1)
            layers += [nn.utils.parametrizations.spectral_norm(conv), nn.LeakyReLU(0.2)]
        layers += [nn.utils.parametrizations.spectral_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))]
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor, guide: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat([picture * 2 - 1, guide[:, :3], guide[:, 13:16]], 1))
        return logits


def patch_weight(guide: Tensor) -> Tensor:
    """(B, 1, H / 8, W / 8): patches that touch eyes or mouth count, skin counts little, the outside not at all."""
    near = _dilated(guide[:, 14:16].amax(1, keepdim=True))
    return F.adaptive_avg_pool2d(0.15 * guide[:, 13:14] + near, (guide.shape[2] // 8, guide.shape[3] // 8))


def discriminator_loss(real: Tensor, fake: Tensor, weight: Tensor) -> Tensor:
    return ((F.relu(1 - real) + F.relu(1 + fake)) * weight).sum() / weight.sum().clamp_min(1e-6)


def generator_loss(fake: Tensor, weight: Tensor) -> Tensor:
    return -(fake * weight).sum() / weight.sum().clamp_min(1e-6)


def noisy(sample: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The straight path of flow matching: (1 - sigma) * sample + sigma * noise."""
    noise = torch.randn(sample.shape, generator=generator).to(sample)
    s = sigma[:, None, None, None]
    return (1 - s) * sample + s * noise
