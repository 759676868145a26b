"""Noisy latents of a window of frames + guides + one portrait -> what the scheduler wants: the denoiser of the `full` grade.

Two networks of diffusers' own classes, so that any tool of theirs opens them: `UNetMotionModel`, an image UNet with temporal
layers (Guo et al., "AnimateDiff", ICLR 2024), and beside it the image UNet itself as the reference network, which sees the
portrait once and offers what its self-attention attends from as further keys and values (Hu et al., "Animate Anyone", CVPR
2024; Tian et al., "EMO", ECCV 2024). There is no text: cross-attention gets one token of zeros. Knows nothing of files.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention_processor import AttnProcessor2_0
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn
from torch.nn import functional as F

from talkinghead.errors import ConfigError
from talkinghead.synthesis.geometry import ALIGNED_HEIGHT, ALIGNED_WIDTH, aligned_crop, similarity
from talkinghead.synthesis.proxies import FaceProxies, ReferenceFace
from talkinghead.synthesis.regions import SKULL

MASK_CHANNELS: Final = 3
"""Skin, mouth, eyes."""
MAX_FRAMES: Final = 32
"""Of a window: so many places in time the temporal layers tell apart."""


class _Offering(AttnProcessor2_0):
    """Self-attention of the reference network: as ever, and what it attends from is kept."""

    states: Tensor | None = None

    def __call__(self, attn: nn.Module, hidden_states: Tensor, *rest: Any, **options: Any) -> Tensor:
        self.states = hidden_states
        result: Tensor = super().__call__(attn, hidden_states, *rest, **options)
        return result


class ReferenceAttention(AttnProcessor2_0):
    """Self-attention over the frame's own places and those of the reference; without `states` over its own alone.

    states: (B, L, C); each is seen by the frames of its window, (B * T, L, C). They stay until others are set, for gradient
    checkpointing runs the attention again during the backward pass.
    """

    states: Tensor | None = None

    def __call__(self, attn: nn.Module, hidden_states: Tensor, *rest: Any, **options: Any) -> Tensor:
        if self.states is None:
            result: Tensor = super().__call__(attn, hidden_states, *rest, **options)
            return result
        seen = self.states.to(hidden_states.dtype).repeat_interleave(len(hidden_states) // len(self.states), 0)
        attended: Tensor = super().__call__(attn, hidden_states, torch.cat([hidden_states, seen], 1))
        return attended


class LatentDenoiser(nn.Module):
    """Both networks as one module, so that accelerate trains them as one. Whoever saves them saves each by itself."""

    def __init__(self, unet: UNetMotionModel, reference_unet: UNet2DConditionModel) -> None:
        """Puts its attention processors into both networks."""
        super().__init__()
        self.unet, self.reference_unet = unet, reference_unet
        self._offering = {name: _Offering() for name in _self_attentions(reference_unet)}
        self._taking = {name: ReferenceAttention() for name in _self_attentions(unet)}
        if not self._taking or self._taking.keys() != self._offering.keys():
            raise ConfigError("unet: has no self-attention for a reference; give a UNet of Stable Diffusion's kind.")
        reference_unet.set_attn_processor({**reference_unet.attn_processors, **self._offering})
        unet.set_attn_processor({**unet.attn_processors, **self._taking})

    def reference_states(self, portrait: Tensor) -> dict[str, Tensor]:
        """portrait: (B, C, h, w) latent, without noise -> what each self-attention layer is offered, (B, L, C')."""
        timestep = torch.zeros(len(portrait), dtype=torch.long, device=portrait.device)
        self.reference_unet(portrait, timestep, _no_text(self.reference_unet, portrait, len(portrait)))
        return {name: each.states for name, each in self._offering.items() if each.states is not None}

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor,
        guide: Tensor,
        masks: Tensor,
        portrait: Tensor | None = None,
        states: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """The scheduler's prediction, (B, C, T, h, w).

        sample, guide: (B, C, T, h, w) noisy latents, and latents of the guide's picture; masks: (B, 3, T, h, w) in [0, 1].
        timestep: (B,), as the scheduler counts. portrait: as `reference_states`, or the `states` that it gave.
        """
        if portrait is not None:
            states = self.reference_states(portrait)
        for name, each in self._taking.items():
            each.states = None if states is None else states[name]
        text = _no_text(self.unet, sample, sample.shape[0] * sample.shape[2])
        seen = torch.cat([sample, guide.to(sample), masks.to(sample)], 1)
        prediction: Tensor = self.unet(seen, timestep, text, return_dict=False)[0]
        return prediction


def _self_attentions(unet: UNet2DConditionModel | UNetMotionModel) -> list[str]:
    """Names of the processors of self-attention within a frame: the temporal layers' are not among them."""
    return [name for name in unet.attn_processors if name.endswith("attn1.processor") and "motion_modules" not in name]


def _no_text(unet: UNet2DConditionModel | UNetMotionModel, like: Tensor, count: int) -> Tensor:
    width = unet.config.cross_attention_dim
    return like.new_zeros(count, 1, width if isinstance(width, int) else width[0])


def build_denoiser(unet: UNet2DConditionModel) -> LatentDenoiser:
    """An image UNet -> the same with temporal layers that change nothing yet, and itself as the reference network.

    Raises:
        ConfigError: it cannot carry temporal layers.
    """
    config, wanted = unet.config, "give a UNet of Stable Diffusion 1's or 2's kind"
    try:
        adapter = MotionAdapter(
            block_out_channels=config.block_out_channels,
            motion_layers_per_block=config.layers_per_block,
            motion_norm_num_groups=config.norm_num_groups,
            motion_max_seq_length=MAX_FRAMES,
        )
        motion = UNetMotionModel.from_unet2d(unet, adapter)
        for module in motion.modules():  # the middle block's are not the adapter's: from_unet2d leaves them as they come
            if isinstance(module, AnimateDiffTransformer3D):
                nn.init.zeros_(module.proj_out.weight)
                nn.init.zeros_(module.proj_out.bias)
        apart = _largest_difference(unet, motion)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"unet: cannot carry temporal layers ({' '.join(str(error).split())[:120]}); {wanted}.") from error
    if not apart < 1e-3:
        raise ConfigError(f"unet: is another network once it has temporal layers (it differs by {apart:.2g}); {wanted}.")
    _widen(motion, config.in_channels + MASK_CHANNELS)
    return LatentDenoiser(motion, unet)


@torch.no_grad()
def _largest_difference(unet: UNet2DConditionModel, motion: UNetMotionModel) -> float:
    """Of a frame each, relative: not every kind of UNet survives the change, and none says so."""
    sample = torch.randn(2, unet.config.in_channels, 16, 16, generator=torch.Generator().manual_seed(0))
    text = _no_text(unet, sample, 2)
    expected = unet(sample, 500, text, return_dict=False)[0]
    got = motion(sample.transpose(0, 1)[None], 500, text, return_dict=False)[0][0].transpose(0, 1)
    return float((got - expected).abs().max() / expected.abs().max().clamp_min(1e-6))


def _widen(unet: UNetMotionModel, more: int) -> None:
    """So many more channels into the first layer, which has no weight for them yet."""
    before = unet.conv_in
    total = before.in_channels + more
    unet.conv_in = nn.Conv2d(total, before.out_channels, before.kernel_size, padding=before.padding).to(before.weight.dtype)
    with torch.no_grad():
        unet.conv_in.weight.zero_()
        unet.conv_in.weight[:, : before.in_channels] = before.weight
        unet.conv_in.bias.copy_(before.bias)
    unet.register_to_config(in_channels=total)


def encode(vae: AutoencoderKL, pictures: Tensor, size: tuple[int, int], chunk: int = 1) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> (N, C, h, w) float32 latents of them at `size` px, as the UNet wants them scaled.

    chunk: pictures that the VAE sees at a time.
    """
    shift, scale, parts = vae.config.shift_factor or 0, vae.config.scaling_factor, []
    for first in range(0, len(pictures), chunk):
        part = F.interpolate(pictures[first : first + chunk].float(), size, mode="bilinear", antialias=True)
        parts.append((vae.encode((part * 2 - 1).to(vae.dtype)).latent_dist.mode().float() - shift) * scale)
    return torch.cat(parts)


def decode(vae: AutoencoderKL, latents: Tensor, chunk: int = 1) -> Tensor:
    """(N, C, h, w) latents -> (N, 3, ALIGNED_HEIGHT, ALIGNED_WIDTH) float32, in units of [0, 1]."""
    shift, scale, parts = vae.config.shift_factor or 0, vae.config.scaling_factor, []
    for first in range(0, len(latents), chunk):
        part = latents[first : first + chunk] / scale + shift
        picture = (vae.decode(part.to(vae.dtype), return_dict=False)[0].float() + 1) / 2
        parts.append(F.interpolate(picture, (ALIGNED_HEIGHT, ALIGNED_WIDTH), mode="bilinear", antialias=True))
    return torch.cat(parts)


def working_size(vae: AutoencoderKL, scale: int) -> tuple[int, int]:
    """Height and width px of what the VAE sees: the aligned crop, stretched to the next multiples of the VAE's factor.

    scale: how many times as large. A VAE that keeps a place for 8 x 8 px loses a mouth's detail at the crop's own size.
    """
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    height, width = (-(-side * scale // factor) * factor for side in (ALIGNED_HEIGHT, ALIGNED_WIDTH))
    return height, width


def mixed_noise(shared: Tensor, own: Tensor) -> Tensor:
    """Half of the variance common to all frames: what is invented holds still. Ge et al., "PYoCo", ICCV 2023, section 4."""
    return (shared + own) / 2**0.5


def condition(proxies: FaceProxies) -> tuple[Tensor, Tensor]:
    """One frame -> (3, h, w) the guide's picture in [0, 1], (3, h, w) masks, in the aligned crop."""
    guides = proxies.face_guides
    masks = np.stack([guides.skin, guides.mouth, guides.eyes])
    return channels_first(guides.guide), torch.from_numpy(masks.astype(np.float32))


def aligned_portrait(reference: ReferenceFace) -> Tensor:
    """(3, h, w) in [0, 1]: the portrait as it is, in its own aligned crop."""
    to_aligned = similarity(reference.mesh_px[SKULL, :2], reference.topology.layout_px[SKULL])
    return channels_first(aligned_crop(reference.image, to_aligned) / np.float32(255))


def channels_first(picture: np.ndarray[Any, np.dtype[np.float32]]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32))
