"""Where the models are: the folder that is installed with the package, or the user's own, checked before anything is loaded.

Knows the names of files; knows nothing of what is in them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from talkinghead.errors import CheckpointError

DEFAULT: Final = "default"
_REMEDY: Final = "reinstall talkinghead, or give --checkpoint a whole folder"

ADAPTER: Final = "speech_encoder/adapter.safetensors"
WHISPER: Final = "whisper"

FILES: Final[tuple[str, ...]] = (
    "articulator/config.json",
    "articulator/diffusion_pytorch_model.safetensors",
    "gesture/config.json",
    "gesture/diffusion_pytorch_model.safetensors",
    "matte/selfie_segmentation.tflite",
    "renderer/denoiser/config.json",
    "renderer/denoiser/diffusion_pytorch_model.safetensors",
    "renderer/model_index.json",
    "renderer/mouth_expert/config.json",
    "renderer/mouth_expert/diffusion_pytorch_model.safetensors",
    "renderer/scheduler/scheduler_config.json",
    "rig/config.json",
    "rig/rig.safetensors",
    ADAPTER,
    "speech_encoder/config.json",
    "speech_encoder/model.safetensors",
    "tracker/face_landmarker.task",
)
"""What a whole checkpoint holds, a folder for each model."""

LATENT_RENDERER: Final[tuple[str, ...]] = tuple(
    f"renderer/{name}/{part}"
    for name in ("reference_unet", "unet", "vae")
    for part in ("config.json", "diffusion_pytorch_model.safetensors")
)
"""What a `LatentRenderer` has in place of the two networks of a `FaceRenderer`."""

OPTIONAL_FILES: Final[tuple[str, ...]] = (
    "emotion_encoder/config.json",
    "emotion_encoder/diffusion_pytorch_model.safetensors",
)
"""What only `--emotion auto` needs: a part with terms of its own, which may be left out."""
EYEWEAR: Final = "eyewear/eyewear.safetensors"
"""What knows who wears glasses; a checkpoint without it takes nobody for one who does."""


MADE: Final = "checkpoint"
"""Where `scripts/make_checkpoint.py` puts what it makes of a folder of runs."""


def default_folder() -> Path:
    """The models that came with the package: beside its modules when installed, at the top of a source tree otherwise."""
    package = Path(__file__).resolve().parent
    installed = package / "checkpoints" / "default"
    return installed if installed.is_dir() else package.parent / "checkpoints" / "default"


def has_emotion_encoder(folder: Path) -> bool:
    """Whether a folder holds what `--emotion auto` needs."""
    return all((folder / name).is_file() for name in OPTIONAL_FILES)


def missing_files(folder: Path) -> list[str]:
    """Which of `FILES` a folder lacks, or has empty; only Whisper's encoder has an adapter."""
    wanted = [name for name in _files(folder) if name != ADAPTER or _is_whisper(folder / "speech_encoder/config.json")]
    return [name for name in wanted if not (folder / name).is_file() or not (folder / name).stat().st_size]


def _is_whisper(config: Path) -> bool:
    """Of a speech encoder's configuration; what cannot be read is held to be, and who loads it says what is wrong."""
    try:
        return bool(json.loads(config.read_text()).get("model_type", WHISPER) == WHISPER)
    except (OSError, ValueError, AttributeError):
        return True


def _files(folder: Path) -> list[str]:
    """`FILES`, with those of the renderer that the folder has; what cannot be read, who loads it says."""
    try:
        renderer = json.loads((folder / "renderer/model_index.json").read_text())["_class_name"]
    except (OSError, KeyError, TypeError, ValueError):
        renderer = "FaceRenderer"
    if renderer != "LatentRenderer":
        return list(FILES)
    of_faces = ("renderer/denoiser/", "renderer/mouth_expert/")
    return [name for name in FILES if not name.startswith(of_faces)] + list(LATENT_RENDERER)


def checkpoint_folder(folder: Path | None = None) -> Path:
    """The folder to load; None, or "default" where no such folder is, is the one that came with the package.

    Of a folder of training runs it is the one that `scripts/make_checkpoint.py` made in it.

    Raises:
        CheckpointError: no such folder, or a model's file is missing from it.
    """
    if folder is None or (str(folder) == DEFAULT and not folder.exists()):
        folder = default_folder()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "no such folder"
        raise CheckpointError(f"checkpoint {folder}: {what}; {_REMEDY}.")
    if (folder / MADE).is_dir() and missing_files(folder):
        folder = folder / MADE
    missing = missing_files(folder)
    if missing:
        raise CheckpointError(f"checkpoint {folder}: {', '.join(missing)} missing or empty; {_REMEDY}.")
    return folder


@contextlib.contextmanager
def without_progress() -> Iterator[None]:
    """Load without transformers' bars and tables: what is wrong is said in one line."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
