"""A gesture model that is adapted: low-rank changes are learnt beside frozen weights, and added to them at the end.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022. Needs the extra `train` (peft).
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from talkinghead.errors import DependencyError, install_command
from talkinghead.motion.gesture_denoiser import GestureDenoiser

_BESIDE: Final = ("film", "along", "across")
"""Of each block: the scales by the time, the convolution along time, the mixing of channels."""


def learn_beside(model: GestureDenoiser, rank: int) -> None:
    """Freeze the model and put changes of that rank beside its blocks, which do nothing yet.

    Raises:
        DependencyError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise DependencyError(
            f"peft is not installed, which lora_rank needs; run: {install_command('train')}, or write lora_rank: 0."
        ) from error
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(_BESIDE)), model)


def merged(model: GestureDenoiser) -> GestureDenoiser:
    """A plain model whose weights are the frozen ones and what was learnt beside them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    adapted = deepcopy(model)
    for module in adapted.modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
    weights = {name.replace(".base_layer", ""): value for name, value in adapted.state_dict().items() if ".lora_" not in name}
    plain: GestureDenoiser = GestureDenoiser(**{key: value for key, value in model.config.items() if not key.startswith("_")})
    plain.load_state_dict(weights)
    plain.eval()
    return plain
