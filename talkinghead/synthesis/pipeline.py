"""A portrait and where its mesh goes in each frame -> frames. The last stage before the file.

Streams: a few frames are in memory at a time, whatever the length, and the same frames come out for any chunk size. On a
processor of several cores a few chunks are made side by side, each on its share of the threads: that is quicker than one chunk
on all of them, for guides and compositor have but one thread.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers import DiffusionPipeline, FlowMatchEulerDiscreteScheduler
from safetensors import SafetensorError
from torch import Tensor

from talkinghead.errors import CheckpointError, InputError
from talkinghead.synthesis.compositor import add_residuals, paste
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.geometry import ALIGNED_HEIGHT, ALIGNED_WIDTH
from talkinghead.synthesis.mouth import MOUTH_HEIGHT, MOUTH_WIDTH, mirrored_mouth
from talkinghead.synthesis.proxies import WARP_PX, FaceProxies, ReferenceFace, build_proxies, mirrored
from talkinghead.synthesis.topology import MeshTopology
from talkinghead.types import ByteArray, FloatArray


@dataclass(frozen=True)
class Quality:
    """What a quality buys: denoising steps, the mean of both ways round, how finely the displacement is drawn, and whether the
    face's network adds to the warp, or that of the mouth alone."""

    steps: int
    both_ways: bool
    warp_px: int
    mouth_alone: bool


QUALITIES: Final[dict[str, Quality]] = {
    "draft": Quality(1, False, 256, True),
    "standard": Quality(1, False, WARP_PX, False),
    "best": Quality(1, True, WARP_PX, False),
}
"""More than one step invents detail that scores lower (docs/log.md): it is there for who asks for it."""


def quality_of(name: str, steps: int | None = None) -> Quality:
    """The quality of a name, with `steps` denoising steps in place of its own when given.

    Raises:
        InputError: no such quality, or less than a step.
    """
    if name not in QUALITIES:
        raise InputError(f"quality: '{name}' is unknown; choose from {', '.join(QUALITIES)}.")
    if steps is not None and steps < 1:
        raise InputError(f"steps is {steps}; give 1 or more denoising steps, or None for the quality's.")
    return QUALITIES[name] if steps is None else replace(QUALITIES[name], steps=steps)


MAX_CHUNK: Final = 4
"""At most so many frames go through the networks at a time."""
MAX_WORKERS: Final = 4
"""At most so many chunks are made side by side."""
WAITING_BYTES: Final = 64_000_000
"""Of the warped crops of frames in the making: of a large picture fewer are, and at least one."""


@dataclass(frozen=True, eq=False)
class PortraitCrop:
    """The part of the picture that can move, and where it stands in the whole."""

    whole: ByteArray
    reference: ReferenceFace
    left: int
    top: int

    @property
    def num_waiting(self) -> int:
        """How many frames may be in the making, that they stay small together."""
        height, width = self.reference.image.shape[:2]
        return max(1, WAITING_BYTES // (int(height) * int(width) * 3))

    @staticmethod
    def of(
        image: ByteArray,
        mesh_px: FloatArray,
        topology: MeshTopology,
        warp_px: int = WARP_PX,
        matte: FloatArray | None = None,
        wears_glasses: bool = False,
    ) -> PortraitCrop:
        """image: (H, W, 3) uint8; mesh_px: (V, 3) px, the portrait's own mesh; all else: as `ReferenceFace`."""
        height, width = image.shape[:2]
        moving = np.unique(np.concatenate([topology.skin.ravel(), topology.ring.ravel()]))
        low, high = mesh_px[moving, :2].min(0), mesh_px[moving, :2].max(0)
        left, top = np.clip(np.floor(low).astype(int) - 4, 0, (width - 1, height - 1))
        right, bottom = np.clip(np.ceil(high).astype(int) + 4, (left + 1, top + 1), (width, height))
        local = mesh_px - np.array([left, top, 0], np.float32)
        part = None if matte is None else matte[top:bottom, left:right]
        reference = ReferenceFace(image[top:bottom, left:right], local, topology, warp_px, part, wears_glasses)
        return PortraitCrop(image, reference, int(left), int(top))


class FaceRenderer(DiffusionPipeline):
    """Guides, a few denoising steps on the residuals of the face and of the mouth, and the compositor."""

    def __init__(
        self, denoiser: ResidualDenoiser, mouth_expert: ResidualDenoiser, scheduler: FlowMatchEulerDiscreteScheduler
    ) -> None:
        super().__init__()
        self.register_modules(denoiser=denoiser, mouth_expert=mouth_expert, scheduler=scheduler)

    @staticmethod
    def load(folder: Path, device: torch.device | None = None) -> FaceRenderer:
        """A checkpoint's folder `renderer` -> both networks, on a device in its `working_dtype`, and the scheduler.

        Raises:
            CheckpointError: a file is missing, damaged, of another shape, or holds numbers that are not finite.
        """
        device = device or torch.device("cpu")
        dtype = working_dtype(device)
        networks = ("denoiser", "mouth_expert")
        files = [f"{name}/{file}" for name in networks for file in ("config.json", "diffusion_pytorch_model.safetensors")]
        for name in ("model_index.json", *files):
            if not (folder / name).is_file():
                raise CheckpointError(f"{folder / name}: missing; reinstall talkinghead, or give --checkpoint a whole folder.")
        loaded = {}
        for name in networks:
            try:
                network = ResidualDenoiser.from_pretrained(folder / name, torch_dtype=dtype, low_cpu_mem_usage=False)
                scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler")
            except (OSError, ValueError, RuntimeError, SafetensorError) as error:
                reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                raise CheckpointError(f"{folder}: cannot be loaded ({reason}); reinstall talkinghead or retrain.") from error
            if not all(math.isfinite(float(p.detach().sum())) for p in network.parameters()):
                raise CheckpointError(f"{folder / name}: holds numbers that are not finite; reinstall talkinghead or retrain.")
            loaded[name] = network.to(device, memory_format=torch.channels_last).eval().fold()
        return FaceRenderer(**loaded, scheduler=scheduler)

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

        chunk: frames that go through the networks at a time; None is as many as the crop's size allows.
        both_ways: the mean of what the networks make of the face and of its mirror image.
        mouth_alone: leave out the face's network, the dearer of the two; skin and eyes are the warp's then.
        """
        quality = Quality(num_inference_steps, both_ways, crop.reference.warp_px, mouth_alone)
        noises = self.noises(seed)

        def made(meshes: list[FloatArray]) -> list[ByteArray]:
            return self.draw(crop, meshes, noises, quality)

        num_threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        workers = min(num_threads, MAX_WORKERS, crop.num_waiting)
        size = chunk or max(1, min(MAX_CHUNK, crop.num_waiting // (1 if workers == 1 else workers + 1)))
        remaining = iter(meshes_px)
        chunks = iter(lambda: list(islice(remaining, size)), [])
        if workers == 1:
            for meshes in chunks:
                yield from made(meshes)
            return
        jobs: deque[Future[list[ByteArray]]] = deque()
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(num_threads // workers,)) as pool:
            try:
                for meshes in chunks:
                    jobs.append(pool.submit(made, meshes))
                    if len(jobs) > workers:
                        yield from jobs.popleft().result()
                while jobs:
                    yield from jobs.popleft().result()
            finally:
                for job in jobs:
                    job.cancel()
                torch.set_num_threads(num_threads)  # what a worker sets is the default of threads that begin later

    def draw(
        self, crop: PortraitCrop, meshes_px: list[FloatArray], noises: tuple[Tensor, Tensor], quality: Quality
    ) -> list[ByteArray]:
        """B meshes, (V, 3) px of the whole picture -> B frames, (H, W, 3) uint8, in one go; noises as `noises`."""
        shift = np.array([crop.left, crop.top, 0], np.float32)
        proxies = [build_proxies(crop.reference, mesh - shift) for mesh in meshes_px]
        changes = self.residuals(proxies, noises, quality.steps, quality.both_ways, quality.mouth_alone)
        return [
            paste(crop.whole, add_residuals(frame, change, mouth_change), crop.left, crop.top)
            for frame, change, mouth_change in zip(proxies, *changes, strict=True)
        ]

    @staticmethod
    def noises(seed: int) -> tuple[Tensor, Tensor]:
        """What the face and the mouth of every frame begin with."""
        return fixed_noise(seed, ALIGNED_HEIGHT, ALIGNED_WIDTH), fixed_noise(seed, MOUTH_HEIGHT, MOUTH_WIDTH)

    def residuals(
        self,
        proxies: list[FaceProxies],
        noises: tuple[Tensor, Tensor],
        num_inference_steps: int,
        both_ways: bool,
        mouth_alone: bool = False,
    ) -> tuple[list[FloatArray] | list[None], list[FloatArray]]:
        """(h, w, 3) of each face, None with `mouth_alone`, and of each mouth, in their crops."""
        of_face, of_mouth = noises

        def found(
            network: ResidualDenoiser, stacks: list[FloatArray], turned: Callable[[Tensor], Tensor], noise: Tensor
        ) -> list[FloatArray]:
            # Guides are made with their channels last, and stay so.
            guide = torch.from_numpy(np.stack([stack.transpose(1, 2, 0) for stack in stacks])).permute(0, 3, 1, 2)
            residual = self.denoise(network, guide, noise, num_inference_steps)
            if both_ways:
                residual = (residual + self.denoise(network, turned(guide), noise, num_inference_steps).flip(-1)) / 2
            return list(np.ascontiguousarray(residual.permute(0, 2, 3, 1).numpy()))

        mouths = found(self.mouth_expert, [p.mouth_guides.stack() for p in proxies], mirrored_mouth, of_mouth)
        if mouth_alone:
            return [None] * len(proxies), mouths
        return found(self.denoiser, [p.face_guides.stack() for p in proxies], mirrored, of_face), mouths

    @torch.inference_mode()
    def denoise(self, network: ResidualDenoiser, guide: Tensor, noise: Tensor, num_inference_steps: int) -> Tensor:
        """guide: (B, 16, h, w); noise: (1, 3, h, w), the same for every frame: what is invented must hold still.

        Returns:
            (B, 3, h, w) float32 residual on the guide's picture, in units of [0, 1].
        """
        device, dtype = network.device, network.dtype
        guide = guide.to(device, dtype, memory_format=torch.channels_last)
        sample = noise.to(device)
        scheduler = deepcopy(self.scheduler)  # it counts its steps, and another chunk may be at another one
        scheduler.set_timesteps(sigmas=np.linspace(1.0, 1.0 / num_inference_steps, num_inference_steps).tolist())
        for timestep, sigma in zip(scheduler.timesteps, scheduler.sigmas, strict=False):
            clean = network(sample.to(dtype, memory_format=torch.channels_last), sigma.to(device).reshape(1), guide).float()
            velocity = (sample - clean) / sigma
            sample = scheduler.step(velocity, timestep, sample).prev_sample
        residual: Tensor = sample.float().cpu() * network.config.residual_scale
        return residual


def working_dtype(device: torch.device) -> torch.dtype:
    """What the networks compute in: bfloat16 where the processor has it. Weights cast once cost a fifth less than autocast."""
    has_bf16 = device.type == "cuda" or (device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.bfloat16 if has_bf16 else torch.float32


def fixed_noise(seed: int, height: int, width: int) -> Tensor:
    """(1, 3, height, width) noise in the face's own frame, so that it moves with the face and does not boil."""
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
