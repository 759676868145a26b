"""A speech encoder whose upper blocks can learn by low-rank changes (peft), and its read-out of articulation.

What the two trainings of the adapter share: `adapter_training` by phones, `noise_training` by what is heard without noise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn

from talkinghead.audio.adapter import ADAPTED, FILE, FIRST_BLOCK, ArticulationAdapter
from talkinghead.audio.speech_encoder import SpeechEncoder, upper_blocks
from talkinghead.files import whole
from talkinghead.training import check_resumable, save_config
from talkinghead.training_log import Report
from talkinghead.training_state import falling_rate, optimiser_tensors, restore_optimiser
from talkinghead.types import ARTICULATIONS

FREE_KEYS = ("output", "num_threads", "save_every")
"""What may differ when a run is resumed: nothing that is learnt depends on it."""


class RunConfig(Protocol):
    """What a run of any training of the adapter has."""

    @property
    def output(self) -> str: ...
    @property
    def num_threads(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def warmup_steps(self) -> int: ...
    @property
    def save_every(self) -> int: ...


class LowRankEncoder:
    """The network, its changes and the read-out with their optimiser, and how many steps they have learnt.

    Args:
        encoder: whose network is changed in place.
        rank, dropout: of the changes.
        rates: of learning, of the changes and of the read-out.
        weight_decay: likewise.
        start: what to go on from, of the same rank; None begins from nothing.
        seed: of what is begun from nothing.
    """

    def __init__(
        self,
        encoder: SpeechEncoder,
        rank: int,
        dropout: float,
        rates: tuple[float, float],
        weight_decay: tuple[float, float],
        start: ArticulationAdapter | None = None,
        seed: int = 0,
    ) -> None:
        self.step = 0
        torch.manual_seed(seed)
        lora = LoraConfig(
            r=rank,
            lora_alpha=rank,
            lora_dropout=dropout,
            target_modules=[name.rpartition(".")[2] for name in ADAPTED],
            layers_to_transform=list(range(FIRST_BLOCK, len(encoder.network.layers))),
            layers_pattern="layers",
        )
        self.model = get_peft_model(encoder.network, lora)
        self.readout = nn.Linear(encoder.content_width, len(ARTICULATIONS))
        nn.init.normal_(self.readout.weight, 0, 0.002)
        if start is not None:
            self._take(start)
        self._weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        parts = (self._weights, list(self.readout.parameters()))
        groups = [{"params": p, "lr": r, "weight_decay": d} for p, r, d in zip(parts, rates, weight_decay, strict=True)]
        self.optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99))
        self._rates = rates

    def hear(self, mels: torch.Tensor) -> torch.Tensor:
        """mels: (B, 80, M) -> (B, M // 2, C) what the content is the mean of, two steps a frame; with gradients."""
        self.model.train()
        return upper_blocks(self.model.base_model.model, mels)

    def learn(self, loss: torch.Tensor, num_steps: int, warmup_steps: int) -> None:
        """One update."""
        factor = falling_rate(self.step, num_steps, warmup_steps)
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([*self._weights, *self.readout.parameters()], 1.0)
        self.optimiser.step()
        self.step += 1

    def save(self, file: Path) -> None:
        """Weights, optimiser and step, written beside and renamed."""
        tensors = {f"lora.{name}": value for name, value in get_peft_model_state_dict(self.model).items()}
        tensors |= {f"readout.{name}": value for name, value in self.readout.state_dict().items()}
        tensors |= optimiser_tensors("optimiser", self.optimiser) | {"step": torch.tensor(self.step)}
        with whole(file) as part:
            save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, part)

    def load(self, file: Path) -> None:
        """Take what `save` wrote; whether it is of this configuration is `run`'s to check."""
        state = load_file(file)
        lora = {name.removeprefix("lora."): value for name, value in state.items() if name.startswith("lora.")}
        set_peft_model_state_dict(self.model, lora)
        self.readout.load_state_dict({name: state[f"readout.{name}"] for name in ("weight", "bias")})
        restore_optimiser("optimiser", self.optimiser, state)
        self.step = int(state["step"])

    def adapter(self) -> ArticulationAdapter:
        """What has been learnt so far."""
        down: dict[str, torch.Tensor] = {}
        up: dict[str, torch.Tensor] = {}
        for name, value in get_peft_model_state_dict(self.model).items():
            layer = name.removeprefix("base_model.model.").rsplit(".lora_", 1)[0]
            (down if "lora_A" in name else up)[layer] = value.detach()
        return ArticulationAdapter(down, up, self.readout.weight.detach(), self.readout.bias.detach())

    def _take(self, start: ArticulationAdapter) -> None:
        parts = {"A": start.down, "B": start.up}
        tensors = {
            f"base_model.model.{name}.lora_{part}.weight": value for part in parts for name, value in parts[part].items()
        }
        set_peft_model_state_dict(self.model, tensors)
        self.readout.load_state_dict({"weight": start.weight, "bias": start.bias})


def run(
    config: RunConfig,
    start: Callable[[], tuple[LowRankEncoder, Callable[[], float]]],
    say: Callable[[str], None],
    report: Report,
) -> Path:
    """One configuration to its end, or from where it was killed -> the finished adapter's file.

    start: makes what learns and what it does in a step, which returns the step's loss.

    Raises:
        ConfigError: the output folder holds a run of another configuration.
    """
    torch.set_num_threads(config.num_threads)
    output = Path(config.output)
    state, finished = output / "state.safetensors", output / FILE
    if state.is_file():
        check_resumable(output / "config.json", config, FREE_KEYS)
    learner, train_step = start()
    if state.is_file():
        learner.load(state)
        say(f"going on from step {learner.step}")
    else:
        save_config(output / "config.json", config)
    recent: list[float] = []
    while learner.step < config.steps:
        recent.append(train_step())
        if learner.step % config.save_every == 0 or learner.step == config.steps:
            learner.save(state)
            say(f"step {learner.step}: loss {np.mean(recent):.4f}")
            report(learner.step, {"loss": float(np.mean(recent))})
            recent.clear()
    with whole(finished) as part:
        learner.adapter().save(part)
    return finished
