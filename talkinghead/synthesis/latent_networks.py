"""A run's configuration -> the networks that it begins with: the user's own, a renderer's of before, or tiny ones of chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel, UNetMotionModel
from torch import nn

from talkinghead.errors import ConfigError
from talkinghead.synthesis.latent_denoiser import LatentDenoiser, build_denoiser
from talkinghead.synthesis.latent_renderer import Scheduler, load_network, load_scheduler

TINY: Final = "tiny"
"""In place of a folder: a network of this kind, tiny, with weights of chance. To try a configuration on; it learns nothing."""


class Networks(NamedTuple):
    """The frozen VAE, the denoiser with its reference network, and the schedule."""

    vae: AutoencoderKL
    denoiser: LatentDenoiser
    scheduler: Scheduler


def begin(vae: str, unet: str, scheduler: str, start_from: str) -> Networks:
    """Folders in diffusers' format, or `TINY` -> the networks of a run's first step; `start_from` goes before the others.

    scheduler: the one that the UNet was trained with; empty is `scheduler` beside the UNet's folder, as diffusers lays it.

    Raises:
        ConfigError: a folder holds no such network, or they do not fit together.
    """
    if start_from:
        root = Path(start_from)
        before = load_network(root / "unet", UNetMotionModel), load_network(root / "reference_unet", UNet2DConditionModel)
        return Networks(load_network(root / "vae", AutoencoderKL), LatentDenoiser(*before), load_scheduler(root / "scheduler"))
    for name, value in (("vae", vae), ("unet", unet)):
        if not value:
            raise ConfigError(f"{name}: is empty; give a folder in diffusers' format, or the word {TINY} to try the path.")
    encoder = tiny_vae() if vae == TINY else load_network(Path(vae), AutoencoderKL)
    image_unet = tiny_unet() if unet == TINY else load_network(Path(unet), UNet2DConditionModel)
    has, wants = encoder.config.latent_channels, image_unet.config.in_channels
    if has != wants:
        raise ConfigError(f"unet: takes {wants} channels, and the VAE's latents have {has}; give two that belong together.")
    if unet == TINY and not scheduler:
        steps: Scheduler = FlowMatchEulerDiscreteScheduler()
    else:
        steps = load_scheduler(Path(scheduler) if scheduler else Path(unet).parent / "scheduler")
    return Networks(encoder, build_denoiser(image_unet), steps)


def freeze(networks: Networks, train_spatial: bool) -> None:
    """Mark what learns: all but the VAE, or the temporal layers, the first one and self-attention, without the reference's."""
    networks.vae.requires_grad_(False)
    unet = networks.denoiser.unet
    if train_spatial:
        return
    networks.denoiser.reference_unet.requires_grad_(False)
    unet.freeze_unet2d_params()
    unet.conv_in.requires_grad_(True)
    for name, module in unet.named_modules():
        if name.endswith(".attn1"):
            module.requires_grad_(True)


def learning(network: nn.Module) -> dict[str, nn.Parameter]:
    """What of it learns, by name."""
    return {name: weight for name, weight in network.named_parameters() if weight.requires_grad}


def tiny_vae() -> AutoencoderKL:
    """A factor of 8 and four channels, as Stable Diffusion's."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
    )


def tiny_unet(**more: Any) -> UNet2DConditionModel:
    """Two levels, the first with attention; more: any other argument."""
    return UNet2DConditionModel(
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=4,
        **{"cross_attention_dim": 8, **more},
    )
