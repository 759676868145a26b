"""What every renderer can do, and a checkpoint's own, whichever it is. Knows their names; knows nothing of networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from talkinghead.errors import CheckpointError
from talkinghead.synthesis.pipeline import FaceRenderer, PortraitCrop, Quality
from talkinghead.types import ByteArray, FloatArray


class Renderer(Protocol):
    """`FaceRenderer` and whatever takes its place; the arguments are described there."""

    @property
    def device(self) -> torch.device: ...

    def __call__(
        self,
        crop: PortraitCrop,
        meshes_px: Iterable[FloatArray],
        num_inference_steps: int = 1,
        seed: int = 0,
        chunk: int | None = None,
        both_ways: bool = False,
        mouth_alone: bool = False,
    ) -> Iterator[ByteArray]: ...

    def draw(
        self, crop: PortraitCrop, meshes_px: list[FloatArray], noises: tuple[Tensor, Tensor], quality: Quality
    ) -> list[ByteArray]: ...

    def noises(self, seed: int) -> tuple[Tensor, Tensor]: ...


def load_renderer(folder: Path, device: torch.device | None = None) -> Renderer:
    """A checkpoint's folder `renderer` -> the one that its `model_index.json` names.

    Raises:
        CheckpointError: it names none that is known, or that one cannot be loaded.
    """
    try:
        kind = json.loads((folder / "model_index.json").read_text())["_class_name"]
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{folder / 'model_index.json'}: cannot be read ({reason}); reinstall talkinghead.") from error
    if kind == "FaceRenderer":
        return FaceRenderer.load(folder, device)
    if kind == "LatentRenderer":
        from talkinghead.synthesis.latent_renderer import LatentRenderer  # late: few checkpoints need its classes

        return LatentRenderer.load(folder, device)
    raise CheckpointError(f"{folder}: is a {kind}; give a checkpoint with a FaceRenderer or a LatentRenderer.")
