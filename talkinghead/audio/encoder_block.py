"""The blocks of Whisper's encoder, their products in bfloat16 on processors that multiply in it, which is the quicker there.

Knows torch and the parts of Whisper's layers; knows nothing of sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional

MANY_STEPS: Final = 128
"""From so many on torch's own attention takes half as long again as its products by themselves in bfloat16; for the few of a
stream it is the quicker."""


@dataclass(frozen=True, eq=False)
class EncoderBlock:
    """One of Whisper's blocks: its products in a type of the processor's choice, its sums and norms in float32.

    Each of `projection` (queries, keys and values together), `leave`, `widen` and `narrow` is a weight (out, in) and a bias.
    """

    attention_norm: torch.nn.LayerNorm
    projection: tuple[torch.Tensor, torch.Tensor]
    leave: tuple[torch.Tensor, torch.Tensor]
    mixing_norm: torch.nn.LayerNorm
    widen: tuple[torch.Tensor, torch.Tensor]
    narrow: tuple[torch.Tensor, torch.Tensor]
    num_heads: int

    @staticmethod
    @torch.no_grad()
    def of(layer: Any, dtype: torch.dtype) -> EncoderBlock:
        """The block of a layer of `WhisperEncoder`."""

        def linear(module: torch.nn.Linear) -> tuple[torch.Tensor, torch.Tensor]:
            return module.weight.detach().to(dtype), module.bias.detach().to(dtype)

        own = layer.self_attn
        # Whisper's keys have no bias, and its queries are scaled by 1 / 8 before they meet them: exact in any type.
        weight = torch.cat([own.scaling * own.q_proj.weight, own.k_proj.weight, own.v_proj.weight])
        bias = torch.cat([own.scaling * own.q_proj.bias, torch.zeros_like(own.q_proj.bias), own.v_proj.bias])
        return EncoderBlock(
            attention_norm=layer.self_attn_layer_norm,
            projection=(weight.to(dtype), bias.to(dtype)),
            leave=linear(own.out_proj),
            mixing_norm=layer.final_layer_norm,
            widen=linear(layer.fc1),
            narrow=linear(layer.fc2),
            num_heads=own.num_heads,
        )

    def __call__(
        self, x: torch.Tensor, kept: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """x: (B, S, D) float32 -> the same after the block, and keys and values (B, H, S', D / H) that it attended to.

        kept: keys and values of the steps before these.
        """
        dtype = self.projection[0].dtype
        projected = functional.linear(self.attention_norm(x).to(dtype), *self.projection)
        queries, keys, values = projected.view(*x.shape[:2], 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        if kept is not None:
            keys, values = torch.cat([kept[0], keys], 2), torch.cat([kept[1], values], 2)
        attended = _attended(queries, keys, values).transpose(1, 2).reshape(x.shape)
        x = x + functional.linear(attended, *self.leave)
        inner = functional.gelu(functional.linear(self.mixing_norm(x).to(dtype), *self.widen))
        return x + functional.linear(inner, *self.narrow), (keys, values)


def through(blocks: list[EncoderBlock], x: torch.Tensor) -> list[torch.Tensor]:
    """x: (1, S, width) -> what it is after each block."""
    outputs: list[torch.Tensor] = []
    for block in blocks:
        x, _ = block(x)
        outputs.append(x)
    return outputs


def quickest_dtype(device: str) -> torch.dtype:
    """bfloat16 on a processor that multiplies in it, which takes half the time of float32 then; float32 elsewhere."""
    capabilities = torch.cpu.get_capabilities() if torch.device(device).type == "cpu" else {}
    native = any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native else torch.float32


def _attended(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """(B, H, S, D), (B, H, S', D) twice -> (B, H, S, D); the queries are scaled already."""
    if queries.dtype == torch.bfloat16 and queries.device.type == "cpu" and queries.shape[2] >= MANY_STEPS:
        shares = (queries @ keys.transpose(-1, -2)).softmax(-1)
        return shares @ values
    return functional.scaled_dot_product_attention(queries, keys, values, scale=1.0)
