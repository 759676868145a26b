"""What the trainers of pictures share: which items a step sees, its learning rate, its random numbers, what a checkpoint is.

Every batch is a function of (seed, step, process), so a checkpoint holds the weights, the optimisers and the step and nothing
else. Knows nothing of networks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor

from talkinghead.errors import ConfigError
from talkinghead.files import beside
from talkinghead.training import check_resumable, save_config

FREE_KEYS: Final = ("output", "num_threads", "num_workers", "save_every_s", "cache_gb")
"""What may differ when a run is resumed. Not `steps`: the learning rate falls towards the last one."""
FILE: Final = "state.safetensors"


class Schedule(Protocol):
    """What a run's configuration says of its length."""

    @property
    def steps(self) -> int: ...

    @property
    def batch_size(self) -> int: ...

    @property
    def learning_rate(self) -> float: ...

    @property
    def warmup_steps(self) -> int: ...

    @property
    def seed(self) -> int: ...


class Trainer(Protocol):
    """Owns the networks, the optimisers and the step."""

    step: int

    @property
    def train_step(self) -> Callable[..., dict[str, float]]: ...

    def save(self, folder: Path) -> None: ...


def learning_rate_at(step: int, config: Schedule) -> float:
    """Linear warm-up, then half a cosine to a twentieth."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    part = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, part)))))


def step_generator(step: int, config: Schedule, accelerator: Accelerator) -> torch.Generator:
    """This process's random numbers in a step. A generator on the processor takes the lower 32 bits of its seed alone."""
    seed = config.seed * 1_000_003 + step + accelerator.process_index * 0x9E3779B1
    return torch.Generator().manual_seed(seed % (1 << 32))


def own_batches(start: int, config: Schedule, accelerator: Accelerator, size: int | None = None) -> Iterator[list[int]]:
    """Which items this process sees in each step from `start` on, `size` of them or a batch; no other process sees them."""
    size = size or config.batch_size
    for step in range(start, config.steps):
        first = (step * accelerator.num_processes + accelerator.process_index) * size
        yield list(range(first, first + size))


def write_state(folder: Path, config: Schedule, step: int, tensors: dict[str, Tensor], accelerator: Accelerator) -> None:
    """Write beside, then rename: a run killed while it saves still has its last checkpoint. For one process to call."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = tensors | {"step": torch.tensor(step), "num_processes": torch.tensor(accelerator.num_processes)}
    save_config(folder / "config.json", config)
    with beside(folder / FILE) as part:
        save_file({key: value.contiguous() for key, value in tensors.items()}, part)


def read_state(folder: Path, config: Schedule, accelerator: Accelerator) -> dict[str, Tensor]:
    """What `write_state` was given, and `step`.

    Raises:
        ConfigError: the checkpoint is of another configuration, or of another number of processes.
    """
    check_resumable(folder / "config.json", config, FREE_KEYS)
    state: dict[str, Tensor] = load_file(folder / FILE)
    before, now = int(state.get("num_processes", torch.tensor(1))), accelerator.num_processes
    if before != now:
        raise ConfigError(f"{folder}: was trained by {before} processes, not {now}; launch as many, or use another output.")
    return state


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What of a state begins with `prefix.`, without it."""
    return {key.removeprefix(prefix + "."): value for key, value in state.items() if key.startswith(prefix + ".")}


def run(
    trainer: Trainer,
    batches: Iterable[Any],
    accelerator: Accelerator,
    checkpoint: Path,
    save_every_s: float,
    report: Callable[[int, dict[str, float]], None],
    look: Callable[[], dict[str, float]] | None = None,
) -> None:
    """One step a batch, to the last; the first process reports each and saves every so often and at the end.

    look: measures more, whenever it saves.
    """
    saved = time.monotonic()
    for batch in batches:
        step, losses = trainer.step, trainer.train_step(*batch)
        if accelerator.is_main_process:
            report(step, losses)
            if time.monotonic() - saved > save_every_s:
                trainer.save(checkpoint)
                if look is not None:
                    report(step, look())
                saved = time.monotonic()
    if accelerator.is_main_process:
        trainer.save(checkpoint)
        if look is not None:
            report(trainer.step, look())
