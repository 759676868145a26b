"""Prepared clips -> a trained `LatentRenderer`, with accelerate. Killed and started again, it ends where it would have ended.

The objective is the scheduler's own: the velocity of flow matching (Lipman et al., 2023), or epsilon, velocity or sample of a
discrete schedule (Ho et al., 2020), on windows of latents, weighted by where the compositor lets the result be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from talkinghead.corpus.splits import TrainedOn, read, record
from talkinghead.errors import ConfigError
from talkinghead.files import whole_folder
from talkinghead.synthesis.dataset import ClipSource
from talkinghead.synthesis.latent_dataset import WindowDataset
from talkinghead.synthesis.latent_denoiser import MAX_FRAMES, encode, mixed_noise, working_size
from talkinghead.synthesis.latent_networks import begin, freeze, learning
from talkinghead.synthesis.latent_renderer import LatentRenderer, Scheduler
from talkinghead.synthesis.run_state import (
    FILE,
    learning_rate_at,
    own_batches,
    read_state,
    run,
    step_generator,
    under,
    write_state,
)
from talkinghead.synthesis.topology import MeshTopology
from talkinghead.training_state import optimiser_tensors, restore_optimiser


@dataclass(frozen=True)
class LatentConfig:
    """One run. Flat, so that a YAML file is one of these.

    meshes: folder of scripts/prepare_meshes.py, or of a set of `talkinghead prepare`, of which `split` says who is trained on.
    vae, unet, scheduler, start_from: as `latent_networks.begin`.
    every: of a prepared set's frames one in so many; 1 is 25 a second, which is what is rendered.
    scale, window, overlap, base_steps: of the `LatentRenderer` that comes of it; windows of so many frames are learnt from.
    batch_size: windows a pass and process; accumulate: passes a step.
    train_spatial: what `latent_networks.freeze` leaves learning.
    cache_gb: memory for clips in each process, shared out among its workers.
    """

    meshes: str = "data/meshes/train"
    split: str = ""
    output: str = "runs/latent_denoiser"
    vae: str = ""
    unet: str = ""
    scheduler: str = ""
    start_from: str = ""
    every: int = 1
    scale: int = 2
    window: int = 16
    overlap: int = 4
    base_steps: int = 20
    steps: int = 60000
    batch_size: int = 1
    accumulate: int = 4
    learning_rate: float = 2e-5
    warmup_steps: int = 500
    ema_decay: float = 0.9995
    train_spatial: bool = True
    gradient_checkpointing: bool = True
    num_workers: int = 4
    cache_gb: float = 8.0
    num_threads: int = 1
    save_every_s: float = 1800.0
    seed: int = 0
    bf16: bool = True

    def check(self) -> None:
        """Raise ConfigError where a number cannot be."""
        if not 1 <= self.window <= MAX_FRAMES:
            raise ConfigError(f"window is {self.window}; give 1 to {MAX_FRAMES} frames.")
        if not 0 <= self.overlap < self.window:
            raise ConfigError(f"overlap is {self.overlap}; give 0 to {self.window - 1} frames, fewer than a window has.")
        for name in ("every", "scale", "base_steps", "batch_size", "accumulate"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give 1 or more.")


def noised(scheduler: Scheduler, clean: Tensor, noise: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(B, C, T, h, w) clean latents and noise -> noisy ones, (B,) timesteps, and what is to be predicted of them.

    The level of flow matching is logit-normal (Esser et al., "SD3", 2024, section 3.1), the timestep of others uniform.
    """
    total = scheduler.config.num_train_timesteps
    if isinstance(scheduler, FlowMatchEulerDiscreteScheduler):
        sigma = torch.randn(len(clean), generator=random).sigmoid().to(clean)
        level = sigma.view(-1, 1, 1, 1, 1)
        return (1 - level) * clean + level * noise, sigma * total, noise - clean
    timestep = torch.randint(total, (len(clean),), generator=random).to(clean.device)
    sample = scheduler.add_noise(clean, noise, timestep)
    targets = {"epsilon": noise, "sample": clean}
    target = targets.get(scheduler.config.prediction_type)
    return sample, timestep, scheduler.get_velocity(clean, noise, timestep) if target is None else target


class LatentTrainer:
    """Owns the networks, the optimiser and the step."""

    def __init__(self, config: LatentConfig, accelerator: Accelerator) -> None:
        config.check()
        torch.manual_seed(config.seed)
        self.config, self.accelerator = config, accelerator
        networks = begin(config.vae, config.unet, config.scheduler, config.start_from)
        freeze(networks, config.train_spatial)
        self.vae, self.denoiser, self.scheduler = networks
        self.vae.to(accelerator.device).eval()
        self.denoiser.train()
        if config.gradient_checkpointing:
            self.denoiser.unet.enable_gradient_checkpointing()
            self.denoiser.reference_unet.enable_gradient_checkpointing()
        weights = list(learning(self.denoiser).values())
        self.optimiser = torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-2)
        self.denoiser, self.optimiser = accelerator.prepare(self.denoiser, self.optimiser)
        self.ema = EMAModel(self._weights().values(), decay=config.ema_decay, use_ema_warmup=True, power=0.75)
        self.step = 0

    def train_step(self, *windows: Tensor) -> dict[str, float]:
        """Reference (N, 3, h, w), guides, masks and real frames (N, T, 3, h, w) -> the loss; N is batch_size * accumulate."""
        config = self.config
        random = step_generator(self.step, config, self.accelerator)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        self.optimiser.zero_grad(set_to_none=True)
        total = 0.0
        for index in range(config.accumulate):
            alone = index + 1 < config.accumulate  # the processes share their gradients in the last pass
            part = slice(index * config.batch_size, (index + 1) * config.batch_size)
            with self.accelerator.no_sync(self.denoiser) if alone else nullcontext():
                loss = self._loss([each[part] for each in windows], random) / config.accumulate
                self.accelerator.backward(loss)
            total += float(loss.detach())
        norm = self.accelerator.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimiser.step()
        self.ema.step(self._weights().values())
        self.step += 1
        return {"latent": total, "gradient": float(norm)}

    def _loss(self, windows: Sequence[Tensor], random: torch.Generator) -> Tensor:
        reference, guides, masks, real = windows
        device, size = guides.device, working_size(self.vae, self.config.scale)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.config.bf16):
            with torch.no_grad():
                portrait = encode(self.vae, reference, size)
                guide, clean = (
                    torch.stack([encode(self.vae, each, size, self.config.window) for each in frames]).transpose(1, 2)
                    for frames in (guides, real)
                )
            shown = torch.stack([F.interpolate(each, clean.shape[-2:], mode="area") for each in masks]).transpose(1, 2)
            shared = torch.randn(clean[:, :, :1].shape, generator=random).to(clean)
            noise = mixed_noise(shared, torch.randn(clean.shape, generator=random).to(clean))
            sample, timestep, target = noised(self.scheduler, clean, noise, random)
            predicted = self.denoiser(sample, timestep, guide, shown, portrait=portrait)
        weight = 0.05 + shown[:, :1] + 2 * shown[:, 1:].amax(1, keepdim=True)
        loss: Tensor = ((predicted.float() - target).square() * weight).mean() / weight.mean()
        return loss

    def _weights(self) -> dict[str, torch.nn.Parameter]:
        return learning(self.accelerator.unwrap_model(self.denoiser))

    def save(self, folder: Path) -> None:
        """What has learnt; the rest is in the folders that the configuration names. For one process to call."""
        tensors = {f"denoiser.{name}": weight.detach() for name, weight in self._weights().items()}
        tensors |= optimiser_tensors("optimiser", self.optimiser)
        tensors |= {f"ema.{i}": p for i, p in enumerate(self.ema.shadow_params)}
        write_state(folder, self.config, self.step, tensors, self.accelerator)

    @torch.no_grad()
    def load(self, folder: Path) -> None:
        """Raises ConfigError when the checkpoint is of another configuration, networks, or number of processes."""
        state = read_state(folder, self.config, self.accelerator)
        before, now = under("denoiser", state), self._weights()
        if {k: v.shape for k, v in before.items()} != {k: v.shape for k, v in now.items()}:
            raise ConfigError(f"{folder}: is of other networks than the vae and unet of now; give the same, or another output.")
        for name, weight in now.items():
            weight.copy_(before[name])
        restore_optimiser("optimiser", self.optimiser, state)
        shadow = under("ema", state)
        self.ema.shadow_params = [shadow[str(i)].to(self.accelerator.device) for i in range(len(shadow))]
        self.step = int(state["step"])
        self.ema.optimization_step = self.step

    def export(self, folder: Path) -> None:
        """The averaged weights as a `LatentRenderer`'s folder, in float16; what was there is replaced when this is whole."""
        denoiser, config = self.accelerator.unwrap_model(self.denoiser), self.config
        weights = self._weights()
        self.ema.store(weights.values())
        self.ema.copy_to(weights.values())
        try:
            vae, unet, reference = (_half(each) for each in (self.vae, denoiser.unet, denoiser.reference_unet))
        finally:
            self.ema.restore(weights.values())
        settings = (config.scale, config.window, config.overlap, config.base_steps)
        with whole_folder(folder) as part:
            LatentRenderer(vae, unet, reference, self.scheduler, *settings).save_pretrained(part)


def _half(network: Any) -> Any:
    """A copy in float16 on the processor."""
    copy = type(network).from_config(network.config).half()
    copy.load_state_dict({name: value.detach().half().cpu() for name, value in network.state_dict().items()})
    return copy


def train_latent_denoiser(
    config: LatentConfig,
    topology: MeshTopology,
    report: Callable[[int, dict[str, float]], None],
    clips: Sequence[ClipSource],
    trained_on: Sequence[TrainedOn] = (),
) -> Path:
    """Run to `config.steps`; returns the folder of the renderer. `report` is called in the first process alone.

    clips: what is learnt from; trained_on: what they are, to be recorded.
    """
    torch.set_num_threads(config.num_threads)
    output = Path(config.output)
    checkpoint = output / "checkpoint"
    if not clips:
        raise ConfigError(f"meshes: {config.meshes} holds no prepared clip; run scripts/prepare_meshes.py first.")
    # The reference network's last layers are seen by nothing, and have no gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[unused])
    trainer = LatentTrainer(config, accelerator)
    if (checkpoint / FILE).is_file():
        trainer.load(checkpoint)
    size = config.batch_size * config.accumulate
    num_windows = config.steps * size * accelerator.num_processes
    cache_gb = config.cache_gb / max(1, config.num_workers)
    data = WindowDataset(clips, topology, config.seed, num_windows, config.window, cache_gb)
    batches = own_batches(trainer.step, config, accelerator, size)
    ahead = 2 if config.num_workers else None
    loader = DataLoader(data, batch_sampler=batches, num_workers=config.num_workers, prefetch_factor=ahead)
    placed = ([each.to(accelerator.device) for each in batch] for batch in loader)
    run(trainer, placed, accelerator, checkpoint, config.save_every_s, report)
    if accelerator.is_main_process:
        trainer.export(output / "renderer")
        before = read(Path(config.start_from)) if config.start_from else []
        record(output / "renderer", [*before, *trained_on])
    accelerator.wait_for_everyone()
    return output / "renderer"
