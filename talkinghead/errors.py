"""The error tree. Each message names the argument, what came, what was wanted and the remedy, in one line.

The command line prints `str(error)` and exits with status 2; a library user catches `TalkingHeadError` or a branch of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BESIDE: Final = Path(__file__).resolve().parents[1]
"""A clone, when its pyproject.toml is there; otherwise where packages are installed."""


class TalkingHeadError(Exception):
    """Base of everything that this package raises on purpose."""


class InputError(TalkingHeadError, ValueError):
    """Something the user gave cannot be used."""


class AudioError(InputError):
    """A recording that cannot be read, or is too short."""


class ImageError(InputError):
    """A picture that cannot be read."""


class FaceError(ImageError):
    """No face, several faces, or one that is too small."""


class VideoError(InputError):
    """A video that cannot be read."""


class EmotionError(InputError):
    """An emotion or intensity that does not exist."""


class MotionError(InputError):
    """A motion file that cannot be read."""


class StyleError(InputError):
    """A speaking style that cannot be learnt, or does not belong to this articulator."""


class OutputError(TalkingHeadError):
    """The result cannot be written."""


class CheckpointError(TalkingHeadError):
    """A checkpoint folder that is missing a file, or holds one of the wrong shape."""


class WorkerError(TalkingHeadError):
    """Processes that were to do the work end before they have done any."""


class DependencyError(TalkingHeadError):
    """An optional package or system library that is needed and missing."""


class ConfigError(InputError):
    """A training configuration with an unknown or wrong key."""


class ScreenplayError(InputError):
    """A written scene that cannot be performed; the message names the file, the line and the column.

    place: its line and column. others: what else is wrong with it.
    """

    place: tuple[int, int] = (0, 0)
    others: tuple[ScreenplayError, ...] = ()


def reason_of(error: Exception) -> str:
    """The first line of what a library says, short, for a line of our own; the error's name where it says nothing."""
    return (str(error).splitlines() or [""])[0][:120].rstrip(".") or type(error).__name__


def clone_folder(beside: Path = _BESIDE) -> Path | None:
    """The clone that this package runs from; None when it was installed from a wheel."""
    return beside if (beside / "pyproject.toml").is_file() else None


def install_command(extra: str, beside: Path = _BESIDE) -> str:
    """What adds an optional extra: in a clone what the README says there, else what a wheel takes."""
    clone = clone_folder(beside)
    return f"pip install -e '{clone}[{extra}]'" if clone else f"pip install 'talkinghead[{extra}]'"
