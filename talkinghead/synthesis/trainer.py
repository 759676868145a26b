"""Prepared meshes -> a trained denoiser, with accelerate. Killed and started again, it ends where it would have ended.

Several processes (`accelerate launch`) see other pairs each and share their gradients; the first one saves and reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from diffusers.training_utils import EMAModel
from torch.utils.data import DataLoader

from talkinghead.corpus.splits import TrainedOn, read, record
from talkinghead.errors import ConfigError
from talkinghead.synthesis.dataset import ClipSource, PairDataset
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.face_network import REMEDY, FaceNetwork
from talkinghead.synthesis.held_out import NUM_PAIRS, HeldOutLoss, kept_out
from talkinghead.synthesis.losses import (
    PatchDiscriminator,
    deep_loss,
    discriminator_loss,
    generator_loss,
    mouth_loss,
    mouth_weight,
    noisy,
    patch_weight,
    reconstruction_loss,
    region_weight,
)
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
from talkinghead.training_log import Show, unseen
from talkinghead.training_state import optimiser_tensors, restore_optimiser

LOSSES: Final = {"face": reconstruction_loss, "mouth": mouth_loss}
LOOKED_AT: Final = {"face": region_weight, "mouth": mouth_weight}
CRITIC_RAMP_STEPS: Final = 300
"""Over so many steps the discriminator's say grows from nothing to its weight."""


@dataclass(frozen=True)
class DenoiserConfig:
    """One run. Flat, so that a YAML file is one of these.

    meshes: folder of scripts/prepare_meshes.py, or of a set of `talkinghead prepare`, of which `split` says who is trained on.
    part: "face" or "mouth": what the network corrects; each has its crop, guides and loss.
    photograph_share: of the pairs, how many are of photographs whose mouth was closed.
    held_out: share of the people, and of the photographs, that are kept out; the loss on them is reported as it goes.
    start_from: folder of a denoiser of the same channels, or empty to start from noise.
    batch_size: pairs a step and process.
    deep_weight: of the distance in a face network's features (extra `identity`); 0 needs no such network.
    adversarial_weight: of the discriminator, from step `adversarial_from` on; 0 trains none.
    one_step_share, own_share: parts of the pairs that begin at pure noise, and at the network's own first guess.
    cache_gb: memory for clips in each process, shared out among its workers.
    """

    meshes: str = "data/meshes/train"
    split: str = ""
    output: str = "runs/denoiser"
    part: str = "face"
    photograph_share: float = 0.2
    held_out: float = 0.0
    start_from: str = ""
    steps: int = 6000
    batch_size: int = 8
    learning_rate: float = 3e-4
    warmup_steps: int = 200
    deep_weight: float = 0.0
    adversarial_from: int = 3000
    adversarial_weight: float = 0.0
    one_step_share: float = 0.5
    own_share: float = 0.35
    ema_decay: float = 0.998
    channels: tuple[int, ...] = (32, 64, 128, 192)
    residual_scale: float = 0.25
    num_workers: int = 1
    cache_gb: float = 4.0
    num_threads: int = 1
    save_every_s: float = 180.0
    seed: int = 0
    bf16: bool = True


class DenoiserTrainer:
    """Owns the networks, the optimisers and the step."""

    def __init__(self, config: DenoiserConfig, accelerator: Accelerator) -> None:
        torch.manual_seed(config.seed)
        self.config, self.accelerator = config, accelerator
        self.denoiser = ResidualDenoiser(channels=tuple(config.channels), residual_scale=config.residual_scale)
        self.reconstruction = LOSSES[config.part]
        if config.start_from:
            self.denoiser = _denoiser_of(config.start_from, tuple(config.channels)).train()
        if accelerator.device.type == "cpu":
            self.denoiser = self.denoiser.to(memory_format=torch.channels_last)
        self.discriminator = PatchDiscriminator()
        self.face_network = _face_network(accelerator.device) if config.deep_weight else None
        weights = self.denoiser.parameters()
        self.optimiser = torch.optim.AdamW(weights, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.critic_optimiser = torch.optim.AdamW(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.99))
        parts = accelerator.prepare(self.denoiser, self.discriminator, self.optimiser, self.critic_optimiser)
        self.denoiser, self.discriminator, self.optimiser, self.critic_optimiser = parts
        weights = accelerator.unwrap_model(self.denoiser).parameters()
        self.ema = EMAModel(weights, decay=config.ema_decay, use_ema_warmup=True, power=0.75)
        self.step = 0

    @property
    def residual_scale(self) -> float:
        return float(self.accelerator.unwrap_model(self.denoiser).config.residual_scale)

    def train_step(self, guide: torch.Tensor, real: torch.Tensor) -> dict[str, float]:
        """guide: (B, 16, h, w); real: (B, 3, h, w) in [0, 1] -> the losses."""
        config, scale = self.config, self.residual_scale
        random = step_generator(self.step, config, self.accelerator)
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
        loss = self.reconstruction(output, real, guide)
        losses = {"reconstruction": float(loss.detach()), "warp": float(self.reconstruction(warped, real, guide))}
        if self.face_network is not None:
            with torch.autocast(guide.device.type, dtype=torch.bfloat16, enabled=config.bf16):
                deep = deep_loss(self.face_network, output, real, LOOKED_AT[config.part](guide))
            loss, losses["deep"] = loss + config.deep_weight * deep, float(deep.detach())
        if config.adversarial_weight and self.step >= config.adversarial_from:
            adversarial, losses["critic"] = self._adversarial(output, real, guide)
            ramp = min(1.0, (self.step - config.adversarial_from) / CRITIC_RAMP_STEPS)
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
            # Unwrapped: not every process has such pairs in this step, and none may wait for the others here.
            denoiser = self.accelerator.unwrap_model(self.denoiser)
            first: torch.Tensor = denoiser(noise, torch.ones(len(guide)).to(guide), guide)
        return first.float()

    def _adversarial(self, output: torch.Tensor, real: torch.Tensor, guide: torch.Tensor) -> tuple[torch.Tensor, float]:
        weight = patch_weight(LOOKED_AT[self.config.part](guide))
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
        """The checkpoint, and the weights as they are exported. For one process to call."""
        unwrap = self.accelerator.unwrap_model
        tensors = {f"denoiser.{k}": v for k, v in unwrap(self.denoiser).state_dict().items()}
        tensors |= {f"discriminator.{k}": v for k, v in unwrap(self.discriminator).state_dict().items()}
        for name, optimiser in self._optimisers():
            tensors |= optimiser_tensors(name, optimiser)
        tensors |= {f"ema.{i}": p for i, p in enumerate(self.ema.shadow_params)}
        write_state(folder, self.config, self.step, tensors, self.accelerator)
        self.export(folder.parent / "denoiser")

    def load(self, folder: Path) -> None:
        """Raises ConfigError when the checkpoint is of another configuration, or of another number of processes."""
        state = read_state(folder, self.config, self.accelerator)
        self.accelerator.unwrap_model(self.denoiser).load_state_dict(under("denoiser", state))
        self.accelerator.unwrap_model(self.discriminator).load_state_dict(under("discriminator", state))
        for name, optimiser in self._optimisers():
            restore_optimiser(name, optimiser, state)
        shadow = under("ema", state)
        self.ema.shadow_params = [shadow[str(i)].to(self.accelerator.device) for i in range(len(shadow))]
        self.step = int(state["step"])
        self.ema.optimization_step = self.step

    def _optimisers(self) -> tuple[tuple[str, AcceleratedOptimizer], ...]:
        return (("optimiser", self.optimiser), ("critic_optimiser", self.critic_optimiser))

    def export(self, folder: Path) -> None:
        """The averaged weights, float16, as `from_pretrained` wants them."""
        trained = self.accelerator.unwrap_model(self.denoiser)
        model = ResidualDenoiser(**{key: value for key, value in trained.config.items() if not key.startswith("_")})
        model.load_state_dict(trained.state_dict())
        self.ema.copy_to(model.parameters())
        model.half().save_pretrained(folder)


def _face_network(device: torch.device) -> FaceNetwork:
    network = FaceNetwork.load()
    if network is None:
        raise ConfigError(f"deep_weight: needs dlib's face network; {REMEDY}, or write deep_weight: 0.")
    placed: FaceNetwork = network.to(device)
    return placed


def _denoiser_of(folder: str, channels: tuple[int, ...]) -> ResidualDenoiser:
    """The network to start from. Raises ConfigError when there is none, or it is not of the configuration's channels."""
    try:
        denoiser: ResidualDenoiser = ResidualDenoiser.from_pretrained(
            folder, torch_dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    except OSError as error:
        raise ConfigError(f"start_from {folder}: holds no denoiser; give a folder that a training run wrote.") from error
    if tuple(denoiser.config.channels) != channels:
        other, wanted = list(denoiser.config.channels), list(channels)
        raise ConfigError(
            f"start_from {folder}: has channels {other}, not {wanted}; write channels: {other}, or start from another."
        )
    return denoiser


def train_denoiser(
    config: DenoiserConfig,
    topology: MeshTopology,
    report: Callable[[int, dict[str, float]], None],
    clips: Sequence[ClipSource] = (),
    trained_on: Sequence[TrainedOn] = (),
    show: Show = unseen,
) -> Path:
    """Run to `config.steps`; returns the folder of the exported weights. The first process alone reports and shows.

    clips: what is learnt from; those below `config.meshes` when there are none. trained_on: what they are, to be recorded.
    """
    torch.set_num_threads(config.num_threads)
    checkpoint = Path(config.output) / "checkpoint"
    if config.part not in LOSSES:
        raise ConfigError(f"part: '{config.part}' is no part that is trained; choose from {', '.join(LOSSES)}.")
    sources: Sequence[Path | ClipSource] = clips or sorted(Path(config.meshes).rglob("*.npz"))
    if not sources:
        raise ConfigError(f"meshes: {config.meshes} holds no prepared clip; run scripts/prepare_meshes.py first.")
    learnt, held_out = kept_out(sources, config.held_out)
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    trainer = DenoiserTrainer(config, accelerator)
    if (checkpoint / FILE).is_file():
        trainer.load(checkpoint)
    num_pairs = config.steps * config.batch_size * accelerator.num_processes
    cache_gb = config.cache_gb / max(1, config.num_workers)
    data = PairDataset(learnt, topology, config.seed, num_pairs, cache_gb, config.part, config.photograph_share)
    ahead = 4 if config.num_workers else None
    batches = own_batches(trainer.step, config, accelerator)
    loader = DataLoader(data, batch_sampler=batches, num_workers=config.num_workers, prefetch_factor=ahead)
    device, layout = accelerator.device, torch.channels_last
    placed = ([x.to(device, memory_format=layout) for x in pair] for pair in loader)
    look: Callable[[], dict[str, float]] | None = None
    if held_out:
        pairs = PairDataset(held_out, topology, 0, NUM_PAIRS, cache_gb, config.part, config.photograph_share)
        on_others = HeldOutLoss(pairs, trainer.reconstruction, config.batch_size, device)

        def look() -> dict[str, float]:
            network = accelerator.unwrap_model(trainer.denoiser), trainer.residual_scale
            show(trainer.step, on_others.samples(*network))
            return on_others(*network)

    run(trainer, placed, accelerator, checkpoint, config.save_every_s, report, look)
    if accelerator.is_main_process:
        before = read(Path(config.start_from)) if config.start_from else []
        record(checkpoint.parent / "denoiser", [*before, *trained_on])
    accelerator.wait_for_everyone()
    return checkpoint.parent / "denoiser"
