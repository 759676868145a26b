"""Noisy gestures, what came before, voice and liveliness -> the velocity of flow matching: a small temporal network.

Four frames are one token, and a window is a few seconds long, so that minutes take a few steps of a network of 0.4 M. Knows
nothing of seconds, faces or files. Sources: Lipman et al., "Flow Matching for Generative Modeling", 2023; Perez et al., "FiLM",
2018; what came before is given as in inpainting, Lugmayr et al., "RePaint", 2022, but as an input that training sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.nn import functional

from talkinghead.errors import CheckpointError
from talkinghead.motion.gesture_dataset import CHANNELS, LIVELINESS, VOICE


class GestureDenoiser(ModelMixin, ConfigMixin):
    """(B, T, 12) noisy gestures in units of the usual deviation -> their velocity, noise less gesture."""

    config_name = "config.json"

    @register_to_config
    def __init__(
        self,
        width: int = 128,
        dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4),
        token_frames: int = 4,
        window_frames: int = 72,  # noqa: ARG002 - kept in the config
        dropout: float = 0.0,
        scale: tuple[float, ...] = (1.0,) * len(CHANNELS),  # noqa: ARG002
        usual_effort: float = 0.6,  # noqa: ARG002
        effort_slope: float = 0.0,  # noqa: ARG002
        unexplained: float = 0.3,  # noqa: ARG002
        blinks_per_minute: float = 17.0,  # noqa: ARG002
        closing_s: float = 0.08,  # noqa: ARG002
        opening_s: float = 0.16,  # noqa: ARG002
    ) -> None:
        """
        Args:
            width: channels inside.
            dilations: one residual block each, in tokens.
            token_frames: frames a token.
            dropout: inside the blocks.
            window_frames: T that it was trained on.
            scale: (12,) the usual deviation of each of `CHANNELS`, their unit inside.
            usual_effort: mean vocal effort of the training clips. effort_slope, unexplained: how the head's liveliness follows
                vocal effort, and the deviation of what it does besides.
            blinks_per_minute, closing_s, opening_s: of the training clips' talkers.
        """
        super().__init__()
        self.token_frames = token_frames
        self.enter = nn.Conv1d(token_frames * (2 * len(CHANNELS) + VOICE) + 1 + LIVELINESS, width, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(width, width), nn.SiLU())
        self.blocks = nn.ModuleList(_Block(width, dilation, dropout) for dilation in dilations)
        self.leave = nn.Conv1d(width, token_frames * len(CHANNELS), 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]
        frequencies = torch.exp(torch.linspace(0, 6, width // 2))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(
        self,
        sample: torch.Tensor,
        sigma: torch.Tensor,
        before: torch.Tensor,
        known: torch.Tensor,
        voice: torch.Tensor,
        lively: torch.Tensor,
    ) -> torch.Tensor:
        """
        Args:
            sample: (B, T, 12) noisy, T a multiple of `token_frames`.
            sigma: (B,) share of noise in [0, 1].
            before: (B, T, 12) what came before, 0 where that is not known.
            known: (B, T // token_frames) 1 where it is.
            voice: (B, T, 3).
            lively: (B, T // token_frames, 3).

        Returns:
            (B, T, 12) the velocity; what it says of known tokens means nothing.
        """
        tokens = torch.cat([self._tokens(x) for x in (sample, before, voice)] + [known[..., None], lively], -1)
        angle = sigma[:, None] * self.frequencies.to(sigma)
        time = self.time(torch.cat([angle.sin(), angle.cos()], -1))
        x = self.enter(tokens.transpose(1, 2))
        for block in self.blocks:
            x = block(x, time)
        velocity: torch.Tensor = self.leave(functional.silu(x)).transpose(1, 2).reshape(sample.shape)
        return velocity

    def _tokens(self, curves: torch.Tensor) -> torch.Tensor:
        return curves.reshape(len(curves), curves.shape[1] // self.token_frames, -1)

    @staticmethod
    def load(folder: Path) -> GestureDenoiser:
        """`from_pretrained` in float32 on the CPU, with this package's errors.

        Raises:
            CheckpointError: a file is missing, or holds something else.
        """
        try:
            found: dict[str, Any]
            model, found = GestureDenoiser.from_pretrained(
                folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
            )
            if found["missing_keys"]:
                raise ValueError(f"{', '.join(found['missing_keys'])} missing: made by an earlier version, train it again")
            if len(model.config.scale) != len(CHANNELS) or min(model.config.scale) <= 0:
                raise ValueError(f"scale: not {len(CHANNELS)} positive numbers")
            if not all(bool(value.isfinite().all()) for value in model.parameters()):
                raise ValueError("weights that are not finite")
        except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(
                f"{folder}: not a gesture model ({reason}); reinstall talkinghead or point to a whole checkpoint."
            ) from error
        result: GestureDenoiser = model.eval()
        return result


class _Block(nn.Module):
    """A dilated convolution, scaled and shifted by the time, and a mixing of channels, added to what came in."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.film = nn.Linear(width, 2 * width)
        self.along = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.across = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.across.weight)
        nn.init.zeros_(self.across.bias)  # type: ignore[arg-type]

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """x: (B, width, N tokens), time: (B, width)."""
        scale, shift = self.film(time)[..., None].chunk(2, 1)
        y = self.along(functional.silu(self.norm(x) * (1 + scale) + shift))
        result: torch.Tensor = x + self.across(self.dropout(functional.silu(y)))
        return result


class FoldedDenoiser:
    """What `GestureDenoiser` says at given shares of noise, in matrix products over tokens and with all that hangs on the share
    alone reckoned beforehand: a window is so short that its convolutions would cost five times as much.
    """

    @torch.inference_mode()
    def __init__(self, denoiser: GestureDenoiser, sigmas: torch.Tensor) -> None:
        """sigmas: (S,) in [0, 1], a step each. The denoiser's weights as they are now; its dropout is left out."""
        self._token_frames = denoiser.token_frames
        self._enter, self._leave = _Taps.of(denoiser.enter), _Taps.of(denoiser.leave)
        angle = sigmas[:, None] * denoiser.frequencies.to(sigmas)
        time = denoiser.time(torch.cat([angle.sin(), angle.cos()], -1))
        self._blocks = []
        for block in denoiser.blocks:
            assert isinstance(block, _Block)
            scale, shift = block.film(time).chunk(2, 1)
            gains = block.norm.weight * (1 + scale)
            shifts = block.norm.bias * (1 + scale) + shift
            self._blocks.append((gains, shifts, _Taps.of(block.along), _Taps.of(block.across)))

    def context(self, before: torch.Tensor, known: torch.Tensor, voice: torch.Tensor, lively: torch.Tensor) -> torch.Tensor:
        """What a window is told at every step, as `GestureDenoiser.forward` -> (B, N, C) for a call."""
        return torch.cat([self._tokens(before), self._tokens(voice), known[..., None], lively], -1)

    @torch.inference_mode()
    def __call__(self, sample: torch.Tensor, step: int, context: torch.Tensor) -> torch.Tensor:
        """sample: (B, T, 12) noisy by the share of `step`, context: of its window -> (B, T, 12) the velocity."""
        x = self._enter(torch.cat([self._tokens(sample), context], -1))
        for gains, shifts, along, across in self._blocks:
            y = functional.silu(torch.addcmul(shifts[step], functional.layer_norm(x, x.shape[1:]), gains[step]))
            x = x + across(functional.silu(along(y)))
        velocity: torch.Tensor = self._leave(functional.silu(x)).reshape(sample.shape)
        return velocity

    def _tokens(self, curves: torch.Tensor) -> torch.Tensor:
        return curves.reshape(len(curves), curves.shape[1] // self._token_frames, -1)


@dataclass(frozen=True, eq=False)
class _Taps:
    """A convolution along the tokens as one product. weight: (out, K * in). bias: (out,)."""

    weight: torch.Tensor
    bias: torch.Tensor
    num_taps: int
    dilation: int

    @staticmethod
    def of(convolution: nn.Conv1d) -> _Taps:
        weight = convolution.weight.detach().permute(0, 2, 1).flatten(1).clone()
        assert convolution.bias is not None
        return _Taps(weight, convolution.bias.detach().clone(), convolution.kernel_size[0], convolution.dilation[0])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """x: (B, N, in) -> (B, N, out)."""
        if self.num_taps > 1:
            num_tokens, reach = x.shape[1], self.dilation * (self.num_taps // 2)
            padded = functional.pad(x, (0, 0, reach, reach))
            x = torch.cat([padded[:, tap * self.dilation :][:, :num_tokens] for tap in range(self.num_taps)], -1)
        return functional.linear(x, self.weight, self.bias)
