"""A training run's folder says how it went: `versions.json`, `metrics.jsonl`, and TensorBoard's events where that is installed.

Knows files, numbers and pictures; knows nothing of models.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imageio.v3 as iio

from talkinghead.files import whole
from talkinghead.types import ByteArray

Report = Callable[[int, Mapping[str, float]], None]
"""Called with a step and what was measured there."""
Show = Callable[[int, ByteArray], None]
"""Called with a step and a picture of what was made there, (H, W, 3) uint8 RGB."""


def unheard(_step: int, _values: Mapping[str, float]) -> None:
    """For who wants no report."""


def unseen(_step: int, _picture: ByteArray) -> None:
    """For who wants no picture."""


class RunLog:
    """Called with a step and its numbers, it keeps them, and pictures; a run that is resumed goes on in the same files."""

    def __init__(self, output: Path, config: Path) -> None:
        """Writes `versions.json`. output: folder of the run; config: file that it was started with."""
        self.output = output
        output.mkdir(parents=True, exist_ok=True)
        packages = ("talkinghead", "torch", "numpy", "accelerate", "diffusers", "transformers")
        about = {
            "config": config.name,
            "python": platform.python_version(),
            "packages": {name: _version(name) for name in packages},
        }
        (output / "versions.json").write_text(json.dumps(about, indent=1) + "\n")
        self._board: Any = _board(output)

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        with (self.output / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, **{name: float(value) for name, value in values.items()}}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, float(value), step)
            self._board.flush()

    def show(self, step: int, picture: ByteArray) -> None:
        """Keep the newest picture as `samples.png`, all of them in TensorBoard."""
        with whole(self.output / "samples.png") as part:
            iio.imwrite(part, picture, extension=".png")
        if self._board is not None:
            self._board.add_image("samples", picture, step, dataformats="HWC")
            self._board.flush()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _board(output: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # of the extra `train`; the numbers are in metrics.jsonl all the same
        return None
    return SummaryWriter(str(output / "tensorboard"))
