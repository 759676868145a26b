"""What every training stage shares: its configuration, the manifest of the clips, and arrays that are written whole.

Each stage has its own trainer beside its model (`motion.trainer`, `synthesis.trainer`); `scripts/train.py` names them.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt
import yaml

from talkinghead.errors import ConfigError, InputError

Config = TypeVar("Config")


def load_config(path: Path | str, kind: type[Config]) -> Config:
    """Read a flat YAML file into a frozen dataclass; keys that are absent keep its defaults.

    Raises:
        ConfigError: no such file, not a flat mapping, an unknown key (the known ones are listed) or a value of another type.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise ConfigError(f"config {path}: cannot be read ({error.strerror}); give a YAML file of configs/.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"config {path}: is not YAML ({' '.join(str(error).split())[:120]}).") from error
    if not isinstance(content, dict):
        raise ConfigError(f"config {path}: holds a {type(content).__name__}; write one `key: value` a line.")
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(map(str, content)) - known):
        raise ConfigError(f"config {path}: unknown {', '.join(unknown)}; the keys are {', '.join(sorted(known))}.")
    hints = get_type_hints(kind)
    return kind(**{key: _converted(value, hints[key], f"config {path}: {key}") for key, value in content.items()})


def read_manifest(data: Path) -> list[dict[str, Any]]:
    """A folder of clips -> what its `manifest.jsonl` says of each: `file`, `split`, `identity`, `audio` and more.

    Raises:
        InputError: there is none, or a line of it is not JSON.
    """
    manifest = data / "manifest.jsonl"
    if not manifest.is_file():
        raise InputError(f"data {manifest}: no such file; give the folder that holds manifest.jsonl.")
    rows = []
    for number, line in enumerate(manifest.read_text().splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise InputError(f"data {manifest}: line {number} is not JSON ({error.msg}); write one object a line.") from error
    return rows


def save_arrays(path: Path, **arrays: npt.ArrayLike) -> None:
    """Write a .npz and the folders above it; cut off in the middle, it leaves no file that ends in .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    part.replace(path)


def _converted(value: Any, wanted: Any, where: str) -> Any:
    """A YAML value as the field's type; a list becomes a tuple, an integer serves as a float (1e-3 is text to YAML)."""
    try:
        if wanted is bool and not isinstance(value, bool):
            raise ValueError
        if wanted is int and (isinstance(value, bool) or int(value) != float(value)):
            raise ValueError
        if wanted in (int, float, str):
            if wanted is not str and isinstance(value, (list, dict, bool)):
                raise ValueError
            return wanted(value)
        if str(wanted).startswith("tuple"):
            if not isinstance(value, list):
                raise ValueError
            return tuple(value)
    except (TypeError, ValueError) as error:
        name = getattr(wanted, "__name__", str(wanted))
        raise ConfigError(f"{where} is {value!r}; give {'true or false' if wanted is bool else f'a {name}'}.") from error
    return value
