"""What the denoiser is trained on: regions weighted by how much the eye looks at them, edges, and patch realism.

Sources: Isola et al., "pix2pix" (patch discriminator), 2017; Lim, Ye, "Geometric GAN" (hinge), 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from talkinghead.synthesis.face_network import FaceNetwork, feature_distances

DEEP_LAYERS = (0, 3, 7)
"""Of `FaceNetwork`: the stem, and what its first and second width of blocks end with."""


def region_weight(guide: Tensor) -> Tensor:
    """guide: (B, 16, H, W) -> (B, 1, H, W): 1 on skin, more in the eyes and round them, little outside.

    Nothing between the lips: there the mouth's expert has the say.
    """
    skin, mouth, eyes = guide[:, 13:14], guide[:, 14:15], guide[:, 15:16]
    return (0.05 + skin + _dilated(mouth) + 3 * _dilated(eyes) + 2 * eyes) * (1 - mouth)


@torch.no_grad()
def _dilated(mask: Tensor) -> Tensor:
    """(B, 1, H, W) mask grown by about 8 px, found at a quarter of its size."""
    small = F.max_pool2d(F.max_pool2d(mask, 4), 5, stride=1, padding=2)
    return F.interpolate(small, size=mask.shape[-2:], mode="nearest")


def reconstruction_loss(output: Tensor, real: Tensor, guide: Tensor) -> Tensor:
    """Weighted L1 of the picture and of its first differences; output, real: (B, 3, H, W), guide: (B, 16, H, W)."""
    weight, difference = region_weight(guide), output - real
    total = (difference.abs() * weight).mean()
    for dim in (2, 3):
        size = weight.shape[dim] - 1
        total = total + (difference.diff(dim=dim).abs() * weight.narrow(dim, 0, size)).mean()
    return total


def mouth_loss(output: Tensor, real: Tensor, guide: Tensor) -> Tensor:
    """The same for the mouth's expert: guide (B, 16, H, W) of `synthesis.mouth`.

    Between the lips the picture is learnt as it is. Coarse tones count besides: a mouth is dark where it is deep.
    """
    inside, weight = guide[:, 14:15], mouth_weight(guide)
    difference = output - real
    total = (difference.abs() * weight).mean()
    for dim in (2, 3):
        size = weight.shape[dim] - 1
        total = total + (difference.diff(dim=dim).abs() * weight.narrow(dim, 0, size)).mean()
    return total + 2 * F.avg_pool2d(difference * inside, 8, stride=4).abs().mean()


def mouth_weight(guide: Tensor) -> Tensor:
    """guide: (B, 16, H, W) of `synthesis.mouth` -> (B, 1, H, W): most between the lips, then on and round them."""
    inside, lips = guide[:, 14:15], guide[:, 15:16]
    return 0.1 + _dilated(torch.maximum(inside, lips)) + lips + 2 * inside


def deep_loss(network: FaceNetwork, output: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """How far two pictures lie apart in the features of a network that tells faces apart; weight: (B, 1, H, W).

    `feature_distances`, their mean over places by their weight, then over the layers.
    """
    total = output.new_zeros(())
    with torch.no_grad():
        wanted = network.features(real, max(DEEP_LAYERS))
    found = network.features(output, max(DEEP_LAYERS))
    for apart in feature_distances([found[k] for k in DEEP_LAYERS], [wanted[k] for k in DEEP_LAYERS]):
        share = F.interpolate(weight, size=apart.shape[-2:], mode="area")
        total = total + (apart * share).sum() / share.sum().clamp_min(1e-6)
    return total / len(DEEP_LAYERS)


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


def patch_weight(weight: Tensor) -> Tensor:
    """weight: (B, 1, H, W) of the loss -> (B, 1, H / 8, W / 8): how much each patch counts."""
    return F.adaptive_avg_pool2d(weight, (weight.shape[2] // 8, weight.shape[3] // 8))


def discriminator_loss(real: Tensor, fake: Tensor, weight: Tensor) -> Tensor:
    return ((F.relu(1 - real) + F.relu(1 + fake)) * weight).sum() / weight.sum().clamp_min(1e-6)


def generator_loss(fake: Tensor, weight: Tensor) -> Tensor:
    return -(fake * weight).sum() / weight.sum().clamp_min(1e-6)


def noisy(sample: Tensor, sigma: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The straight path of flow matching: (1 - sigma) * sample + sigma * noise."""
    noise = torch.randn(sample.shape, generator=generator).to(sample)
    s = sigma[:, None, None, None]
    return (1 - s) * sample + s * noise
