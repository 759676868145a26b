"""Prepared meshes -> a trained denoiser, with accelerate. Killed and started again, it ends where it would have ended.

Every batch is a function of (seed, step), so a checkpoint holds the weights, the optimisers and the step and nothing else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader, Subset

from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import PairDataset, PreparedClip
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.losses import (
    PatchDiscriminator,
    discriminator_loss,
    generator_loss,
    noisy,
    patch_weight,
    reconstruction_loss,
)
from talkinghead.synthesis.proxies import MeshTopology


@dataclass(frozen=True)
class DenoiserConfig:
    """One run. Flat, so that a YAML file is one of these."""

    meshes: str = "data/meshes/train"
    output: str = "runs/denoiser"
    start_from: str = ""
    steps: int = 6000
    batch_size: int = 8
    learning_rate: float = 3e-4
    warmup_steps: int = 200
    adversarial_from: int = 3000
    adversarial_weight: float = 0.02
    one_step_share: float = 0.5
    own_share: float = 0.35
    ema_decay: float = 0.998
    channels: tuple[int, ...] = (32, 64, 128, 192)
    num_workers: int = 1
    num_threads: int = 1
    save_every_s: float = 180.0
    seed: int = 0
    bf16: bool = True


def learning_rate_at(step: int, config: DenoiserConfig) -> float:
    """Linear warm-up, then half a cosine to a twentieth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    part = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, part)))))


class DenoiserTrainer:
    """Owns the networks, the optimisers and the step."""

    def __init__(self, config: DenoiserConfig, accelerator: Accelerator) -> None:
        torch.manual_seed(config.seed)
        self.config, self.accelerator = config, accelerator
        self.denoiser = ResidualDenoiser(channels=tuple(config.channels))
        if config.start_from:
            self.denoiser = ResidualDenoiser.from_pretrained(config.start_from, torch_dtype=torch.float32).train()
        self.discriminator = PatchDiscriminator()
        weights = self.denoiser.parameters()
        self.optimiser = torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.critic_optimiser = torch.optim.AdamW(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.99))
        parts = accelerator.prepare(self.denoiser, self.discriminator, self.optimiser, self.critic_optimiser)
        self.denoiser, self.discriminator, self.optimiser, self.critic_optimiser = parts
        if accelerator.device.type == "cpu":
            self.denoiser = self.denoiser.to(memory_format=torch.channels_last)
        weights = accelerator.unwrap_model(self.denoiser).parameters()
        self.ema = EMAModel(weights, decay=config.ema_decay, use_ema_warmup=True, power=0.75)
        self.step = 0

    def train_step(self, guide: torch.Tensor, real: torch.Tensor) -> dict[str, float]:
        """guide: (B, 16, h, w); real: (B, 3, h, w) in [0, 1] -> the losses."""
        config, scale = self.config, self.accelerator.unwrap_model(self.denoiser).config.residual_scale
        random = torch.Generator().manual_seed(config.seed * 1_000_003 + self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self.step, config)
        warped = (guide[:, :3] + 1) / 2
        sigma, share = torch.rand(2, len(guide), generator=random).to(guide)
        sigma = torch.where(share < config.one_step_share, torch.ones_like(sigma), sigma)
        clean = (real - warped) / scale
        own = (share >= config.one_step_share) & (share < config.one_step_share + config.own_share)
        if own.any():
            clean[own] = self._first_guess(guide[own], random)
        with torch.autocast(guide.device.type, dtype=torch.bfloat16, enabled=config.bf16):
            residual = self.denoiser(noisy(clean, sigma, random), sigma, guide)
        output = warped + residual.float() * scale
        loss = reconstruction_loss(output, real, guide)
        losses = {"reconstruction": float(loss.detach()), "warp": float(reconstruction_loss(warped, real, guide))}
        if self.step >= config.adversarial_from:
            adversarial, losses["critic"] = self._adversarial(output, real, guide)
            ramp = min(1.0, (self.step - config.adversarial_from) / 300)
            loss = loss + ramp * config.adversarial_weight * adversarial
        self.optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.denoiser.parameters(), 1.0)
        self.optimiser.step()
        self.ema.step(self.accelerator.unwrap_model(self.denoiser).parameters())
        self.step += 1
        return losses

    @torch.no_grad()
    def _first_guess(self, guide: torch.Tensor, random: torch.Generator) -> torch.Tensor:
        """(B, 3, h, w) what one step from noise gives: a later step has to mend that, not a noisy truth."""
        noise = torch.randn(len(guide), 3, *guide.shape[2:], generator=random).to(guide)
        with torch.autocast(guide.device.type, dtype=torch.bfloat16, enabled=self.config.bf16):
            first: torch.Tensor = self.denoiser(noise, torch.ones(len(guide)).to(guide), guide)
        return first.float()

    def _adversarial(self, output: torch.Tensor, real: torch.Tensor, guide: torch.Tensor) -> tuple[torch.Tensor, float]:
        weight = patch_weight(guide)
        with torch.autocast(guide.device.type, dtype=torch.bfloat16, enabled=self.config.bf16):
            logits_real, logits_fake = self.discriminator(real, guide), self.discriminator(output.detach(), guide)
        critic = discriminator_loss(logits_real.float(), logits_fake.float(), weight)
        self.critic_optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(critic)
        self.critic_optimiser.step()
        with torch.autocast(guide.device.type, dtype=torch.bfloat16, enabled=self.config.bf16):
            fake = self.discriminator(output, guide)
        return generator_loss(fake.float(), weight), float(critic.detach())

    def save(self, folder: Path) -> None:
        """Write beside, then rename: a run killed while it saves still has its last checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        unwrap = self.accelerator.unwrap_model
        tensors = {f"denoiser.{k}": v for k, v in unwrap(self.denoiser).state_dict().items()}
        tensors |= {f"discriminator.{k}": v for k, v in unwrap(self.discriminator).state_dict().items()}
        for name, optimiser in self._optimisers():
            for index, entry in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{key}": value for key, value in entry.items()}
        tensors |= {f"ema.{i}": p for i, p in enumerate(self.ema.shadow_params)}
        tensors["step"] = torch.tensor(self.step)
        (folder / "config.json").write_text(json.dumps(asdict(self.config), indent=1))
        part = folder / "state.safetensors.part"
        save_file({key: value.contiguous() for key, value in tensors.items()}, part)
        part.replace(folder / "state.safetensors")
        self.export(folder.parent / "denoiser")

    def load(self, folder: Path) -> None:
        """Raises ConfigError when the checkpoint is of another configuration."""
        state = load_file(folder / "state.safetensors")

        def under(prefix: str) -> dict[str, torch.Tensor]:
            return {k.removeprefix(prefix + "."): v for k, v in state.items() if k.startswith(prefix + ".")}

        try:
            self.accelerator.unwrap_model(self.denoiser).load_state_dict(under("denoiser"))
        except RuntimeError as error:
            raise ConfigError(f"{folder}: holds a denoiser of another shape; use another output folder.") from error
        self.accelerator.unwrap_model(self.discriminator).load_state_dict(under("discriminator"))
        for name, optimiser in self._optimisers():
            entries: dict[int, dict[str, torch.Tensor]] = {}
            for key, value in under(name).items():
                index, field = key.split(".")
                entries.setdefault(int(index), {})[field] = value
            optimiser.load_state_dict({"state": entries, "param_groups": optimiser.state_dict()["param_groups"]})
        shadow = under("ema")
        self.ema.shadow_params = [shadow[str(i)] for i in range(len(shadow))]
        self.step = int(state["step"])
        self.ema.optimization_step = self.step

    def _optimisers(self) -> tuple[tuple[str, AcceleratedOptimizer], ...]:
        return (("optimiser", self.optimiser), ("critic_optimiser", self.critic_optimiser))

    def export(self, folder: Path) -> None:
        """The averaged weights, float16, as `from_pretrained` wants them."""
        model = ResidualDenoiser(channels=tuple(self.config.channels))
        model.load_state_dict(self.accelerator.unwrap_model(self.denoiser).state_dict())
        self.ema.copy_to(model.parameters())
        model.half().save_pretrained(folder)


def train_denoiser(config: DenoiserConfig, topology: MeshTopology, report: Callable[[int, dict[str, float]], None]) -> Path:
    """Run to `config.steps`; returns the folder of the exported weights."""
    torch.set_num_threads(config.num_threads)
    output = Path(config.output)
    files = sorted(Path(config.meshes).rglob("*.npz"))
    if not files:
        raise ConfigError(f"meshes: {config.meshes} holds no prepared clip; run scripts/prepare_meshes.py first.")
    trainer = DenoiserTrainer(config, Accelerator(cpu=not torch.cuda.is_available()))
    if (output / "checkpoint/state.safetensors").is_file():
        trainer.load(output / "checkpoint")
    data = PairDataset([PreparedClip.load(f) for f in files], topology, config.seed, config.steps * config.batch_size)
    rest = Subset(data, range(trainer.step * config.batch_size, len(data)))
    ahead = 4 if config.num_workers else None
    loader = DataLoader(rest, config.batch_size, num_workers=config.num_workers, prefetch_factor=ahead)
    saved = time.monotonic()
    for guide, real in loader:
        device = trainer.accelerator.device
        guide, real = guide.to(device, memory_format=torch.channels_last), real.to(device, memory_format=torch.channels_last)
        report(trainer.step, trainer.train_step(guide, real))
        if time.monotonic() - saved > config.save_every_s:
            trainer.save(output / "checkpoint")
            saved = time.monotonic()
    trainer.save(output / "checkpoint")
    return output / "denoiser"
