"""What is installed, what is missing, and the remedy: `talkinghead doctor`.

Knows names of packages and files; runs no model.
"""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Final

from talkinghead import __version__
from talkinghead.checkpoints import default_folder, missing_files

PACKAGES: Final = (
    "torch", "diffusers", "transformers", "librosa", "numba", "numpy", "scipy", "opencv-python-headless", "av", "imageio",
    "ai-edge-litert", "espeakng-loader",
)  # fmt: skip
EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "app": ("gradio",),
    "train": ("accelerate", "pocketsphinx", "tensorboard"),
    "evaluate": ("flip-evaluator", "scikit-image"),
    "rig": ("fast-simplification",),
    "preview": ("pyrender", "trimesh"),
    "face-alignment": ("face-alignment",),
}


def report(checkpoint: Path | None = None) -> tuple[list[str], bool]:
    """-> the lines to print, and whether everything that is needed is there."""
    lines = [f"talkinghead {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    problems: list[str] = []
    missing = [name for name in PACKAGES if _version(name) is None]
    lines.append("packages: " + ", ".join(f"{name} {_version(name) or 'MISSING'}" for name in PACKAGES))
    if missing:
        problems.append(f"{', '.join(missing)} missing: pip install --force-reinstall talkinghead")
    lines.extend(_devices() if "torch" not in missing else [])
    folder = default_folder() if checkpoint is None else checkpoint
    absent = missing_files(folder)
    lines.append(f"models: {folder}, " + (f"MISSING {', '.join(absent)}" if absent else "whole"))
    if absent:
        problems.append("models are missing: reinstall talkinghead, or give --checkpoint a whole folder")
    problems += _codecs(lines) if "av" not in missing else []
    problems += _voice(lines) if "espeakng-loader" not in missing else []
    for extra, names in EXTRAS.items():
        lacking = [name for name in names if _version(name) is None]
        state = f"not installed (optional): pip install 'talkinghead[{extra}]'" if lacking else "installed"
        lines.append(f"extra {extra}: {state}")
    lines += [f"PROBLEM {problem}" for problem in problems] or ["all is well"]
    return lines, not problems


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("Apple mps")
    return [f"device: {', '.join(names) or 'cpu'}, {torch.get_num_threads()} threads"]


def _codecs(lines: list[str]) -> list[str]:
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    lines.append("video encoder: " + (f"MISSING {', '.join(missing)}" if missing else "libx264 and aac"))
    return [f"PyAV without {', '.join(missing)}: pip install --force-reinstall --only-binary=:all: av"] if missing else []


def _voice(lines: list[str]) -> list[str]:
    import espeakng_loader

    library = Path(espeakng_loader.get_library_path())
    lines.append(f"voice: espeak-ng {'in its own process' if library.is_file() else 'MISSING'}")
    return [] if library.is_file() else ["espeak-ng's library is missing: pip install --force-reinstall espeakng-loader"]
