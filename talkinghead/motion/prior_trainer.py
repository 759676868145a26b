"""Tracked training clips -> the motion prior. Killed and started again it ends where an uninterrupted run ends.

A person's rest is theirs: each window keeps a random part of it. Talkers are drawn equally often. Knows clips and the prior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from talkinghead import arkit
from talkinghead.corpus.splits import record
from talkinghead.corpus.store import MOTION, open_clips, trained_on
from talkinghead.errors import InputError
from talkinghead.files import whole, whole_folder
from talkinghead.motion.io import load_motion
from talkinghead.motion.prior import INDICES, TOKEN_FRAMES, MotionPrior
from talkinghead.training import check_resumable, save_config
from talkinghead.training_log import Report, unheard
from talkinghead.training_state import falling_rate, optimiser_tensors, restore_optimiser
from talkinghead.types import FloatArray

RESTING: Final = 10
MIRROR: Final = [INDICES.index(arkit.MIRROR[column]) for column in INDICES]


@dataclass(frozen=True)
class PriorConfig:
    """One run. Flat, so that a YAML file is one of these.

    split: which of `corpus.splits` says who is trained on; empty is the manifest's own.
    held_out_share: of the talkers, the first in a shuffled order, who teach nothing and measure.
    kl: weight of the latents' distance from the normal distribution. velocity: of the error of the change a frame.
    """

    data: str = "../shared/data"
    prepared: str = "data"
    split: str = ""
    output: str = "runs/prior"
    held_out_share: float = 0.2
    max_a_talker: int = 40
    width: int = 64
    latent: int = 16
    window_frames: int = 48
    batch_size: int = 48
    steps: int = 4000
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    kl: float = 2e-3
    velocity: float = 1.0
    save_every: int = 500
    num_threads: int = 1
    seed: int = 0


def talkers_of(config: PriorConfig, held_out: bool) -> dict[str, list[tuple[str, FloatArray]]]:
    """Talker -> file and blendshapes (T, 52) of each of their tracked training clips, of those who teach or of the others.

    Raises:
        InputError: no manifest, or no tracked clip.
    """
    store = open_clips(Path(config.data), Path(config.prepared))
    rows = store.rows_of("train", config.split)
    names = sorted({row["identity"] for row in rows})
    order = np.random.default_rng(config.seed).permutation(len(names))
    chosen = {names[index] for index in order[: round(config.held_out_share * len(names))]}
    talkers: dict[str, list[tuple[str, FloatArray]]] = {}
    for row in rows:
        clips = talkers.get(row["identity"], [])
        if (row["identity"] in chosen) == held_out and store.has(row, MOTION) and len(clips) < config.max_a_talker:
            with store.open(row, MOTION) as stream:
                blendshapes = load_motion(stream).blendshapes
            if len(blendshapes) >= config.window_frames:
                talkers.setdefault(row["identity"], []).append((row["file"], blendshapes))
    if not talkers:
        raise InputError(f"prepared: {config.prepared} has no tracked clip of {config.window_frames} frames; prepare the data.")
    return talkers


def train_prior(config: PriorConfig, say: Callable[[str], None] = lambda _: None, report: Report = unheard) -> Path:
    """One run, or the rest of one -> the folder of the prior."""
    torch.set_num_threads(config.num_threads)
    clips = [[rest_and_rise(clip) for _, clip in some] for _, some in sorted(talkers_of(config, held_out=False).items())]
    folder, steps = Path(config.output), 0
    torch.manual_seed(config.seed)
    # The median talker's deviation, so that a column that few people move weighs no more than they move it.
    scale = np.median([np.concatenate([rest + rise for rest, rise in some]).std(0) for some in clips], axis=0)
    model = MotionPrior(config.width, config.latent, scale=tuple(float(x) for x in np.maximum(scale, 0.02).round(4)))
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.learning_rate, weight_decay=1e-3)
    state = folder / "state.safetensors"
    if state.is_file():
        check_resumable(folder / "run.json", config, ("data", "prepared", "output", "save_every", "num_threads"))
        tensors = load_file(state)
        model.load_state_dict({name.removeprefix("model."): x for name, x in tensors.items() if name.startswith("model.")})
        restore_optimiser("adam", optimiser, tensors)
        steps = int(tensors["step"])
    model.train()
    for step in range(steps, config.steps):
        random = np.random.default_rng([config.seed, step])
        torch.manual_seed(step)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * falling_rate(step, config.steps, config.warmup_steps)
        loss, parts = prior_loss(model, torch.from_numpy(batch(clips, config, random)), config)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            say(f"step {step + 1} " + " ".join(f"{name} {value:.4f}" for name, value in parts.items()))
            report(step + 1, parts)
            _save(folder, config, model, optimiser, step + 1)
    with whole_folder(folder / "prior") as part:
        model.eval().half().save_pretrained(part)
        record(part, [trained_on(Path(config.data), config.split)])
    return folder / "prior"


def prior_loss(model: MotionPrior, motion: torch.Tensor, config: PriorConfig) -> tuple[torch.Tensor, dict[str, float]]:
    """motion: (B, T, K) -> the loss, and its parts: squared errors in usual deviations, and nats a latent."""
    decoded, mean, log_variance = model(motion)
    error = (decoded - motion) / model.deviation[:, 0]
    value, velocity = (error**2).mean(), (error.diff(dim=1) ** 2).mean()
    kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
    loss: torch.Tensor = value + config.velocity * velocity + config.kl * kl
    return loss, {"value": float(value.detach()), "velocity": float(velocity.detach()), "kl": float(kl.detach())}


def rest_and_rise(blendshapes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(T, 52) -> (K,) what the lower face is at rest, and (T, K) what it does beyond."""
    lower = blendshapes[:, INDICES]
    rest = np.percentile(lower, RESTING, axis=0).astype(np.float32)
    return rest, lower - rest


def batch(clips: list[list[tuple[FloatArray, FloatArray]]], config: PriorConfig, random: np.random.Generator) -> FloatArray:
    """(B, T, K) windows, each talker equally often, half of them mirrored, with a random part of their rest."""
    windows = []
    for _ in range(config.batch_size):
        some = clips[random.integers(len(clips))]
        rest, rise = some[random.integers(len(some))]
        start = random.integers(len(rise) - config.window_frames + 1)
        window = random.uniform() * rest + rise[start : start + config.window_frames]
        windows.append(window[:, MIRROR] if random.uniform() < 0.5 else window)
    assert config.window_frames % TOKEN_FRAMES == 0
    return np.clip(np.stack(windows), 0, 1).astype(np.float32)


def _save(folder: Path, config: PriorConfig, model: MotionPrior, optimiser: torch.optim.Optimizer, step: int) -> None:
    """Whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    tensors |= optimiser_tensors("adam", optimiser) | {"step": torch.tensor(step)}
    save_config(folder / "run.json", config)
    with whole(folder / "state.safetensors") as part:
        save_file(tensors, part)
