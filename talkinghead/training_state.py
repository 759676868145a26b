"""How an optimiser is kept as tensors by name, and how fast it learns at which step."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch


def optimiser_tensors(name: str, optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Its state as `<name>.<index of the weight>.<entry>` -> tensor."""
    state = optimiser.state_dict()["state"]
    return {f"{name}.{index}.{key}": value for index, entry in state.items() for key, value in entry.items()}


def restore_optimiser(name: str, optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put back what `optimiser_tensors` gave, out of a file that may hold more."""
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for full_name, value in tensors.items():
        if full_name.startswith(f"{name}."):
            index, key = full_name.removeprefix(f"{name}.").split(".")
            entries.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({"state": entries, "param_groups": optimiser.state_dict()["param_groups"]})


def falling_rate(step: int, num_steps: int, warmup_steps: int, least: float = 0.02) -> float:
    """Part of the learning rate at a step: rises evenly over the warm-up, falls along a cosine to `least` at the end."""
    warm = min(1.0, (step + 1) / max(1, warmup_steps))
    part = min(1.0, step / max(1, num_steps))
    return warm * (least + (1 - least) * 0.5 * (1 + math.cos(math.pi * part)))
