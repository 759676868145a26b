"""Grey pictures of a face -> what a network that knows emotions sees in each: the user's own image backbone.

Any image network of transformers' format: a folder with `config.json` and `model.safetensors`, and `preprocessor_config.json`
where its pictures are not of mean and deviation 0.5. EMOTE (Danecek et al. 2023, section 3.3) pools a clip's features by a
transformer trained on video emotions; here whoever uses them takes their mean over the clip. Knows pictures; knows no labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from torch import nn

from talkinghead.checkpoints import without_progress
from talkinghead.errors import CheckpointError

USUAL_SIZE_PX: Final = 224
_REMEDY: Final = "give an image network's folder, saved by transformers' save_pretrained(folder, safe_serialization=True)"
_FAULTS: Final = (
    OSError, SafetensorError, ValueError, TypeError, RuntimeError, LookupError, AttributeError, ArithmeticError,
)  # fmt: skip
"""What transformers raises on files that are damaged or do not belong together."""
_UNUSED: Final = ("pooler.", "embeddings.mask_token")
"""Of a backbone, tensors that files of classifiers have not and that are not used here."""


class VideoEmotionNetwork(nn.Module):
    """(B, T, S, S) grey in [0, 1] -> (B, T, F), a picture by itself."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, network: Any, settings: dict[str, Any]) -> None:
        """network: transformers' image model. settings: as `preprocessor_config.json`.

        Raises:
            ValueError: a size, mean or deviation that is none.
        """
        super().__init__()
        self.network = network
        self.size_px = _size_px(settings, network.config)
        for name, key in (("mean", "image_mean"), ("deviation", "image_std")):
            values = torch.tensor(settings.get(key, [0.5] * 3), dtype=torch.float32)
            if values.shape != (3,) or (name == "deviation" and not (values > 0).all()):
                raise ValueError(f"preprocessor_config.json: {key} is {settings[key]}, not three numbers")
            self.register_buffer(name, values[:, None, None])
        # Networks with a token for the whole picture say it there; the others all over the picture.
        self._has_token = any(name.endswith("cls_token") for name, _ in network.named_parameters())

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """pictures: (B, T, S, S) -> (B, T, F)."""
        coloured = (pictures.flatten(0, 1)[:, None] - self.mean) / self.deviation
        hidden: torch.Tensor = self.network(pixel_values=coloured).last_hidden_state
        everywhere = hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden
        features = everywhere[:, 0] if self._has_token else everywhere.mean(1)
        return features.reshape(*pictures.shape[:2], -1)

    @staticmethod
    def load(folder: Path) -> VideoEmotionNetwork:
        """A folder's network, frozen and in eval mode. Nothing is downloaded.

        Raises:
            CheckpointError: no such folder, a file that is missing or damaged, or a network that takes no pictures.
        """
        from transformers import AutoConfig, AutoModel

        if not folder.is_dir():
            raise CheckpointError(f"video_emotion {folder}: no such folder; {_REMEDY}.")
        try:
            if not (folder / "model.safetensors").is_file():
                raise ValueError("there is no model.safetensors")
            AutoConfig.from_pretrained(folder, local_files_only=True)
            with without_progress():
                network, found = AutoModel.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, trust_remote_code=False,
                    torch_dtype=torch.float32, output_loading_info=True,
                )  # fmt: skip
            if network.main_input_name != "pixel_values":
                raise ValueError(f"model_type {network.config.model_type} takes {network.main_input_name}, not pictures")
            if missing := sorted(name for name in found["missing_keys"] if not name.startswith(_UNUSED)):
                raise ValueError(f"model.safetensors lacks {len(missing)} of its tensors, {missing[0]} for one")
            file = folder / "preprocessor_config.json"
            loaded = VideoEmotionNetwork(network, json.loads(file.read_text()) if file.is_file() else {})
        except _FAULTS as error:
            reason = " ".join(str(error).split())[:160]
            raise CheckpointError(f"video_emotion {folder}: no image network ({reason}); {_REMEDY}.") from error
        return loaded.requires_grad_(False).eval()


def _size_px(settings: dict[str, Any], config: Any) -> int:
    """The side of the square pictures that it takes."""
    said = settings.get("crop_size") or settings.get("size") or getattr(config, "image_size", None) or USUAL_SIZE_PX
    if isinstance(said, dict):
        said = said.get("height") or said.get("shortest_edge")
    if isinstance(said, list | tuple):
        said = said[0]
    if not isinstance(said, int) or said <= 0:
        raise ValueError(f"size {said!r} of its pictures is not a number of pixels")
    return said
