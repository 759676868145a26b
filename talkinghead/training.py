"""What every training stage shares: its configuration, what may be resumed, the manifest of the clips, and whole writes.

Each stage has its own trainer beside its model (`motion.trainer`, `synthesis.trainer`); `scripts/train.py` names them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt
import yaml

from talkinghead.errors import ConfigError, InputError
from talkinghead.files import whole

Config = TypeVar("Config")


def load_config(path: Path | str, kind: type[Config], section: str = "") -> Config:
    """Read a flat YAML file into a frozen dataclass; keys that are absent keep its defaults.

    section: which part of a file for several stages, `configs/debug.yaml`; a flat file is for one and needs none.

    Raises:
        ConfigError: no such file, not such a mapping, no such section, an unknown key (the known ones are listed) or a value
            of another type.
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
    if section and content and all(isinstance(part, dict) for part in content.values()):
        if section not in content:
            raise ConfigError(f"config {path}: has nothing for {section}; it has {', '.join(content)}.")
        content = content[section]
    known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(map(str, content)) - known):
        raise ConfigError(f"config {path}: unknown {', '.join(unknown)}; the keys are {', '.join(sorted(known))}.")
    hints = get_type_hints(kind)
    return kind(**{key: _converted(value, hints[key], f"config {path}: {key}") for key, value in content.items()})


def save_config(file: Path, config: Any) -> None:
    """Write a configuration beside a checkpoint; a run killed meanwhile leaves the one that was there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with whole(file) as part:
        part.write_text(json.dumps(dataclasses.asdict(config), indent=1))


def check_resumable(file: Path, config: Any, free: Collection[str]) -> None:
    """Raise ConfigError unless a checkpoint was made with this configuration, so that a run ends where it would have ended.

    file: what `save_config` wrote beside the checkpoint; config: a frozen dataclass, this run's.
    free: keys that may differ because nothing that is learnt depends on them. `steps` is seldom one: a learning rate that
    falls towards the last step is another one when the last step moves. A key newer than the checkpoint had its default.
    """
    try:
        before = dict(json.loads(file.read_text()))
    except (OSError, TypeError, ValueError) as error:
        raise ConfigError(f"{file}: does not say what its checkpoint was trained with; use another output folder.") from error
    now = json.loads(json.dumps(dataclasses.asdict(config)))  # as the file has it: tuples are lists
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    free = {*free, *(key for key in now.keys() - before.keys() if now[key] == defaults[key])}
    before, now = ({key: repr(value) for key, value in keys.items() if key not in free} for keys in (before, now))
    other = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
    if other:
        changes = ", ".join(f"{key} {before.get(key, 'absent')} (now {now.get(key, 'absent')})" for key in other)
        raise ConfigError(f"{file}: was trained with {changes}; use another output folder, or the same configuration.")


def read_manifest(data: Path) -> list[dict[str, Any]]:
    """A folder of clips -> what its `manifest.jsonl` says of each: `file`, `split`, `identity`, `audio` and more.

    The first three are text and must be there; `audio` says whether the clip has sound that is speech, and is false if absent.

    Raises:
        InputError: there is none, a line of it is not JSON, or lacks a key or has one of another type.
    """
    manifest = data / "manifest.jsonl"
    if not manifest.is_file():
        raise InputError(f"data {manifest}: no such file; give the folder that holds manifest.jsonl.")
    rows = []
    for number, line in enumerate(manifest.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"data {manifest}: line {number} is not JSON ({error.msg}); write one object a line.") from error
        if not isinstance(row, dict):
            raise InputError(f"data {manifest}: line {number} is a {type(row).__name__}; write one object a line.")
        row.setdefault("audio", False)
        for key, kind in (("file", str), ("split", str), ("identity", str), ("audio", bool)):
            if not isinstance(row.get(key), kind) or row[key] == "":
                came = f"{key} {row[key]!r}" if key in row else f"no {key}"
                raise InputError(f"data {manifest}: line {number} has {came}; give {key} as {_WANTED[kind]}.")
        rows.append(row)
    return rows


def save_arrays(path: Path, **arrays: npt.ArrayLike) -> None:
    """Write a .npz and the folders above it; cut off in the middle, it leaves no file that ends in .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _converted(value: Any, wanted: Any, where: str) -> Any:
    """A YAML value as the field's type; a list becomes a tuple, an integer serves as a float (1e-3 is text to YAML)."""
    if get_origin(wanted) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where} is {_shown(value)}; give a list such as [1, 2].")
        return tuple(_converted(item, get_args(wanted)[0], f"{where}[{index}]") for index, item in enumerate(value))
    converted = _number(value) if wanted in (int, float) else value
    if wanted is int and converted is not None and float(converted).is_integer():
        converted = value if isinstance(value, int) else int(converted)
    if not isinstance(converted, wanted):
        raise ConfigError(f"{where} is {_shown(value)}; give {_WANTED[wanted]}.")
    return converted


_WANTED: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _number(value: Any) -> float | None:
    """A finite number, or text that says one; None for all else, for a yes is no number."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def _shown(value: Any) -> str:
    return "empty" if value is None else repr(value)
