"""What the upper blocks of the speech encoder learnt of articulation: low-rank changes of their weights, and a read-out.

Knows tensors by name; knows nothing of sound. Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from talkinghead.errors import CheckpointError
from talkinghead.types import ARTICULATIONS

FILE: Final = "adapter.safetensors"
FIRST_BLOCK: Final = 1
"""The blocks from here on are adapted; the ones before serve the voice and the content alike."""
ADAPTED: Final = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2")


@dataclass(frozen=True, eq=False)
class ArticulationAdapter:
    """down, up: name of a linear layer, as `layers.1.fc1`, -> (r, in) and (out, r): its weight changes by up @ down.

    readout: (A, C) weight and (A,) bias: content of one step -> logits of `ARTICULATIONS`.
    """

    down: dict[str, torch.Tensor]
    up: dict[str, torch.Tensor]
    weight: torch.Tensor
    bias: torch.Tensor

    def blocks(self, layers: nn.ModuleList) -> nn.ModuleList:
        """A copy of an encoder's blocks from `FIRST_BLOCK` on, changed."""
        adapted = copy.deepcopy(layers[FIRST_BLOCK:])
        with torch.no_grad():
            for name, up in self.up.items():
                _, block, module = name.split(".", 2)
                weight = adapted[int(block) - FIRST_BLOCK].get_submodule(module).get_parameter("weight")
                weight.add_((up @ self.down[name]).to(weight))
        return adapted

    def save(self, file: Path) -> None:
        """In half precision."""
        tensors = {f"{name}.down": value for name, value in self.down.items()}
        tensors |= {f"{name}.up": value for name, value in self.up.items()}
        tensors |= {"articulations.weight": self.weight, "articulations.bias": self.bias}
        halves = {name: value.detach().cpu().half().contiguous() for name, value in tensors.items()}
        save_file(halves, file, {"articulations": " ".join(ARTICULATIONS)})

    @staticmethod
    def load(file: Path) -> ArticulationAdapter:
        """Read what `save` wrote, in float32.

        Raises:
            CheckpointError: it cannot be read, lacks a tensor, or knows other articulations.
        """
        try:
            with safe_open(file, "pt") as archive:
                known = (archive.metadata() or {}).get("articulations", "")
                tensors = {name: archive.get_tensor(name).float() for name in archive.keys()}  # noqa: SIM118 - no mapping
            if known.split() != list(ARTICULATIONS):
                raise ValueError("made by another version, it knows other articulations")
            down = {name.removesuffix(".down"): value for name, value in tensors.items() if name.endswith(".down")}
            up = {name: tensors[f"{name}.up"] for name in down}
            return ArticulationAdapter(down, up, tensors["articulations.weight"], tensors["articulations.bias"])
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{file}: not an adapter ({reason}); reinstall talkinghead, or train it again (train.py speech_encoder)."
            ) from error
