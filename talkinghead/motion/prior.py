"""What mouths do -> a small space of it, and the nearest motion in it: a temporal variational autoencoder.

It learns from tracked people alone, without sound: four frames of the mouth's columns are a few numbers, so what no mouth does
(a tremble, columns that never go together) cannot be written in them. A measure of how near a motion is to what people do, and
no part of the pipeline: no training clip shows a strong emotion on purpose, so it takes acted expressions back by a third to a
half and costs lips (`scripts/measure_prior.py`). Knows blendshapes; knows nothing of speech or emotion.
Source: Danecek et al., "EMOTE", SIGGRAPH Asia 2023, section 3.2 (FLINT); Kingma, Welling, "Auto-Encoding Variational Bayes",
2014.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.nn import functional

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.types import FloatArray

COLUMNS: Final[tuple[str, ...]] = tuple(
    name for name in arkit.BLENDSHAPES if name.startswith(("jaw", "mouth", "cheek", "noseSneer"))
)
"""The lower face."""
INDICES: Final = [arkit.INDEX[name] for name in COLUMNS]
TOKEN_FRAMES: Final = 4


class MotionPrior(ModelMixin, ConfigMixin):
    """(B, T, K) columns of the lower face <-> (B, T // 4, latent) of which people's motion is normally distributed."""

    config_name = "config.json"
    deviation: torch.Tensor

    @register_to_config
    def __init__(
        self,
        width: int = 64,
        latent: int = 16,
        columns: tuple[str, ...] = COLUMNS,
        scale: tuple[float, ...] = (1.0,) * len(COLUMNS),
    ) -> None:
        """
        Args:
            width: channels inside.
            latent: numbers for four frames.
            columns: K ARKit names.
            scale: (K,) the usual deviation of each column, its unit inside.
        """
        super().__init__()
        num_columns = len(columns)
        self.register_buffer("deviation", torch.tensor(scale, dtype=torch.float32)[:, None], persistent=False)
        self.encode = nn.Sequential(
            nn.Conv1d(num_columns, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, 2 * latent, 3, padding=1),
        )
        self.decode = nn.Sequential(
            nn.Conv1d(latent, width, 3, padding=1),
            nn.GELU(),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.ConvTranspose1d(width, width, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(width, num_columns, 5, padding=2),
        )

    def forward(self, motion: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """motion: (B, T, K), T a multiple of 4 -> (B, T, K) as far as the latents tell, their mean and log variance."""
        mean, log_variance = self.encode(motion.transpose(1, 2) / self.deviation).chunk(2, 1)
        drawn = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean
        decoded = (self.decode(drawn) * self.deviation).transpose(1, 2)
        return decoded, mean, log_variance

    @torch.inference_mode()
    def nearest(self, blendshapes: FloatArray) -> FloatArray:
        """blendshapes: (T, 52) in [0, 1] -> the same with the lower face as people move it."""
        num_frames = len(blendshapes)
        motion = torch.from_numpy(np.ascontiguousarray(blendshapes[:, INDICES], np.float32)).T[None]
        padded = functional.pad(motion, (2 * TOKEN_FRAMES, 2 * TOKEN_FRAMES + -num_frames % TOKEN_FRAMES), mode="replicate")
        result = blendshapes.copy()
        decoded = self(padded.transpose(1, 2))[0][0, 2 * TOKEN_FRAMES : 2 * TOKEN_FRAMES + num_frames]
        result[:, INDICES] = decoded.clamp(0, 1).numpy()
        return result

    def distance(self, blendshapes: FloatArray) -> FloatArray:
        """blendshapes: (T, 52) -> (T,) how far the lower face is from what people do: root mean square over its columns, in
        their usual deviations."""
        scale = np.array(self.config.scale, np.float32)
        apart = (blendshapes - self.nearest(blendshapes))[:, INDICES] / scale
        result: FloatArray = np.sqrt((apart**2).mean(1)).astype(np.float32)
        return result

    @staticmethod
    def load(folder: Path) -> MotionPrior:
        """`from_pretrained` in float32 on the CPU, with this package's errors.

        Raises:
            CheckpointError: a file is missing, or holds something else.
        """
        try:
            model, found = MotionPrior.from_pretrained(
                folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False, output_loading_info=True
            )
            if found["missing_keys"] or tuple(model.config.columns) != COLUMNS or len(model.config.scale) != len(COLUMNS):
                raise ValueError("made by another version")
        except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"{folder}: not a motion prior ({reason}); train it again (train.py prior).") from error
        result: MotionPrior = model.eval()
        return result
