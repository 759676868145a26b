"""A portrait and where its mesh goes in each frame -> frames, by the latent video denoiser: the `full` grade's `FaceRenderer`.

What the denoiser adds to the guide is found in windows of frames and added by the same compositor, in the face's aligned crop
and from there between the lips: the picture keeps its own detail and all that is not face stays as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, TypeAlias

import cv2
import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
    UNetMotionModel,
)
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F

from talkinghead.errors import CheckpointError, ConfigError, InputError
from talkinghead.synthesis.compositor import add_residuals, paste
from talkinghead.synthesis.geometry import composed
from talkinghead.synthesis.latent_denoiser import (
    LatentDenoiser,
    aligned_portrait,
    condition,
    decode,
    encode,
    mixed_noise,
    working_size,
)
from talkinghead.synthesis.latent_windows import over_windows
from talkinghead.synthesis.mouth import MOUTH_HEIGHT, MOUTH_WIDTH
from talkinghead.synthesis.pipeline import PortraitCrop, working_dtype
from talkinghead.synthesis.proxies import FaceProxies, build_proxies
from talkinghead.types import ByteArray, FloatArray

NETWORKS: Final = {"vae": AutoencoderKL, "unet": UNetMotionModel, "reference_unet": UNet2DConditionModel}
SETTINGS: Final = ("scale", "window", "overlap", "base_steps")
Scheduler: TypeAlias = DDIMScheduler | FlowMatchEulerDiscreteScheduler


@dataclass(frozen=True, eq=False)
class _Frame:
    """One frame on its way: its place in the video, its mesh, px of the crop, and what the denoiser sees, (3, h, w) each."""

    index: int
    mesh_px: FloatArray
    proxies: FaceProxies | None
    guide: Tensor
    masks: Tensor


class LatentRenderer(DiffusionPipeline):
    """VAE, denoiser, reference network and scheduler, all of diffusers' own classes, and the compositor."""

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNetMotionModel,
        reference_unet: UNet2DConditionModel,
        scheduler: Scheduler,
        scale: int = 2,
        window: int = 16,
        overlap: int = 4,
        base_steps: int = 20,
    ) -> None:
        """scale: as `working_size`; window, overlap: frames, as `over_windows`.

        base_steps: denoising steps for each that is asked for, as the compact networks need one where this one needs many.
        """
        super().__init__()
        self.register_modules(vae=vae, unet=unet, reference_unet=reference_unet, scheduler=scheduler)
        self.register_to_config(scale=scale, window=window, overlap=overlap, base_steps=base_steps)
        self.denoiser = LatentDenoiser(unet, reference_unet)

    @staticmethod
    def load(folder: Path, device: torch.device | None = None) -> LatentRenderer:
        """A checkpoint's folder `renderer` -> the networks, on a device in its `working_dtype`, and the scheduler.

        Raises:
            CheckpointError: a file is missing, damaged, of another shape, or holds numbers that are not finite.
        """
        device = device or torch.device("cpu")
        try:
            index = json.loads((folder / "model_index.json").read_text())
            settings = {key: int(index[key]) for key in SETTINGS}
            parts: dict[str, Any] = {name: load_network(folder / name, kind) for name, kind in NETWORKS.items()}
            scheduler = load_scheduler(folder / "scheduler")
        except (OSError, KeyError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{folder}: cannot be loaded ({reason}); train it again, or take a whole folder.") from error
        for name, network in parts.items():
            if not all(math.isfinite(float(p.detach().float().sum())) for p in network.parameters()):
                raise CheckpointError(f"{folder / name}: holds numbers that are not finite; train it again.")
            parts[name] = network.to(device, working_dtype(device)).eval()
        return LatentRenderer(**parts, scheduler=scheduler, **settings)

    def __call__(
        self,
        crop: PortraitCrop,
        meshes_px: Iterable[FloatArray],
        num_inference_steps: int = 1,
        seed: int = 0,
        chunk: int | None = None,
        both_ways: bool = False,
        mouth_alone: bool = False,
    ) -> Iterator[ByteArray]:
        """meshes_px: (V, 3) px of the whole picture, one a frame -> (H, W, 3) uint8 frames of the whole picture.

        num_inference_steps: of `base_steps` each. chunk: frames that the VAE sees at a time; None is one.
        both_ways: the mean of what is made of the face and of its mirror image. mouth_alone: leave skin and eyes to the warp;
        it costs as much.
        """
        portrait = aligned_portrait(crop.reference)[None]
        turns = (False, True) if both_ways else (False,)
        seen = [self._seen(portrait.flip(-1) if turned else portrait) for turned in turns]
        num_steps = num_inference_steps * self.config.base_steps

        def made(frames: list[_Frame]) -> Tensor:
            pictures = torch.stack([frame.guide for frame in frames]), torch.stack([frame.masks for frame in frames])
            noise = self._noise([frame.index for frame in frames], seed)
            total = torch.zeros_like(pictures[0])
            for turned, states in zip(turns, seen, strict=True):
                guides, masks = (each.flip(-1) if turned else each for each in pictures)
                residual = self._residuals(guides, masks, states, noise, num_steps, chunk or 1)
                total += (residual.flip(-1) if turned else residual) / len(turns)
            return total

        for frame, residual in over_windows(self._frames(crop, meshes_px), made, self.config.window, self.config.overlap):
            proxies = frame.proxies or build_proxies(crop.reference, frame.mesh_px)
            change = np.ascontiguousarray(residual.permute(1, 2, 0).numpy())
            back = np.asarray(cv2.invertAffineTransform(proxies.to_aligned), np.float32)
            to_mouth = composed(proxies.mouth_guides.to_crop, back)
            in_mouth = np.asarray(cv2.warpAffine(change, to_mouth, (MOUTH_WIDTH, MOUTH_HEIGHT)), np.float32)
            face = None if mouth_alone else change
            yield paste(crop.whole, add_residuals(proxies, face, in_mouth, fine=0.0), crop.left, crop.top)

    def noises(self, *_: object) -> NoReturn:
        """For live video, which this renderer cannot draw: it would wait for a window of frames. Raises InputError."""
        raise InputError(f"renderer: the latent one draws {self.config.window} frames at a time and none live; {_LIVE}.")

    draw = noises

    def _frames(self, crop: PortraitCrop, meshes_px: Iterable[FloatArray]) -> Iterator[_Frame]:
        shift = np.array([crop.left, crop.top, 0], np.float32)
        keep = crop.num_waiting >= self.config.window  # of a large picture the warps are made again: a window of them is much
        for index, mesh in enumerate(meshes_px):
            proxies = build_proxies(crop.reference, mesh - shift)
            yield _Frame(index, mesh - shift, proxies if keep else None, *condition(proxies))

    @torch.inference_mode()
    def _seen(self, portrait: Tensor) -> dict[str, Tensor]:
        """portrait: (1, 3, h, w) -> what the reference network offers of it; once a video."""
        latent = encode(self.vae, portrait.to(self.vae.device), working_size(self.vae, self.config.scale))
        return self.denoiser.reference_states(latent.to(self.unet.dtype))

    def _noise(self, indices: list[int], seed: int) -> Tensor:
        """(1, C, N, h, w) what frames begin with: a function of the seed and of a frame's own place in the video alone."""
        factor = 2 ** (len(self.vae.config.block_out_channels) - 1)
        height, width = (side // factor for side in working_size(self.vae, self.config.scale))
        shape = (self.unet.config.out_channels, height, width)

        def drawn(place: int) -> Tensor:
            number = (seed * 0x9E3779B1 + place) % (1 << 32)  # a generator looks at no more bits
            return torch.randn(shape, generator=torch.Generator().manual_seed(number))

        shared = drawn(0)
        return torch.stack([mixed_noise(shared, drawn(1 + index)) for index in indices], 1)[None]

    @torch.inference_mode()
    def _residuals(
        self, guides: Tensor, masks: Tensor, states: dict[str, Tensor], noise: Tensor, num_steps: int, chunk: int
    ) -> Tensor:
        """guides, masks: (N, 3, h, w) of the aligned crop -> (N, 3, h, w) float32 on the processor, in units of [0, 1].

        It is what the denoiser made, decoded, against the guide, decoded: what the VAE itself loses of a picture is not taken.
        """
        device, dtype = self.unet.device, self.unet.dtype
        size = working_size(self.vae, self.config.scale)
        latents = encode(self.vae, guides.to(device), size, chunk)
        guide = latents.transpose(0, 1)[None].to(dtype)
        small = F.interpolate(masks.to(device), latents.shape[-2:], mode="area").transpose(0, 1)[None].to(dtype)
        scheduler = deepcopy(self.scheduler)  # it counts its steps
        scheduler.set_timesteps(num_steps, device=device)
        sample = noise.to(device)
        for timestep in scheduler.timesteps:
            predicted = self.denoiser(sample.to(dtype), timestep[None], guide, small, states=states).float()
            sample = scheduler.step(predicted, timestep, sample).prev_sample
        return (decode(self.vae, sample[0].transpose(0, 1), chunk) - decode(self.vae, latents, chunk)).cpu()


_LIVE: Final = "use the checkpoint that came with talkinghead"


def load_network(folder: Path, kind: Any) -> Any:
    """A folder in diffusers' format -> its network in float32.

    Raises:
        ConfigError: it holds none, one of another class, or not in safetensors.
    """
    wanted = "give a folder with its config.json and diffusion_pytorch_model.safetensors"
    try:
        found = json.loads((folder / "config.json").read_text())["_class_name"]
        if found != kind.__name__:
            raise ConfigError(f"{folder}: holds {found}, not {kind.__name__}; {wanted}.")
        options = {"local_files_only": True, "use_safetensors": True, "low_cpu_mem_usage": False}
        return kind.from_pretrained(folder, torch_dtype=torch.float32, **options)
    except ConfigError:
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ConfigError(f"{folder}: no {kind.__name__} can be loaded ({reason}); {wanted}.") from error


def load_scheduler(folder: Path) -> Scheduler:
    """A scheduler's folder -> flow matching where it says so; DDIM on its schedule for any of the others.

    Raises:
        ConfigError: it holds none.
    """
    try:
        content = json.loads((folder / "scheduler_config.json").read_text())
        flows = content["_class_name"] == FlowMatchEulerDiscreteScheduler.__name__
    except (OSError, KeyError, TypeError, ValueError) as error:
        remedy = "give the scheduler's folder that came with the UNet"
        raise ConfigError(f"{folder}: holds no scheduler_config.json; {remedy}.") from error
    if flows:
        scheduler: Scheduler = FlowMatchEulerDiscreteScheduler.from_config(content)
    else:
        scheduler = DDIMScheduler.from_config(content, clip_sample=False)  # it would clip latents as if they were pictures
    return scheduler
