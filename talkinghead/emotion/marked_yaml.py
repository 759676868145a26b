"""YAML file -> its values with the line each stands on, so that an error can name the line.

Only composed, never constructed: no tag runs anything, `1:02.5` stays as it was written. Knows YAML; knows no emotions.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from talkinghead.errors import EmotionError

MAX_BYTES: Final = 4_000_000
_MORE: Final = 60


@dataclass(frozen=True, eq=False)
class Marked:
    """One value of a file: the text of a scalar, a list, or a mapping; and where it stands."""

    path: Path
    line: int
    value: str | list[Marked] | dict[str, Marked]

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    def error(self, message: str) -> EmotionError:
        return EmotionError(f"{self.where}: {message}")

    def text(self, name: str) -> str:
        """The scalar, as it was written; raises EmotionError for a list or a mapping."""
        if isinstance(self.value, str):
            return self.value.strip()
        raise self.error(f"{name} is a {_kind(self.value)}; give one value.")

    def number(self, name: str, low: float, high: float) -> float:
        """The scalar as a number in [low, high]."""
        written = self.text(name)
        try:
            number = float(written)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise self.error(f"{name} is {written or 'empty'}; give a number from {low:g} to {high:g}.")
        return number

    def fields(self, what: str, allowed: tuple[str, ...], wanted: tuple[str, ...] = ()) -> dict[str, Marked]:
        """The mapping; raises EmotionError for a key that is not allowed, or a wanted one that is missing."""
        if not isinstance(self.value, dict):
            raise self.error(f"{what} is {_shown(self.value)}; write {', '.join(f'{key}: ...' for key in wanted or allowed)}.")
        for key, value in self.value.items():
            if key not in allowed:
                raise value.error(f"unknown key {key[:_MORE]!r}; {what} has {', '.join(allowed)}.")
        for key in wanted:
            if key not in self.value:
                raise self.error(
                    f"{what} has no {key}; it has {', '.join(allowed)}, of which {' and '.join(wanted)} must be given."
                )
        return self.value


def read_yaml(path: Path) -> Marked:
    """Read a file of YAML, or of JSON.

    Raises:
        EmotionError: it cannot be read, is not YAML, is empty, or uses a key twice or an alias.
    """
    text = _text(path)
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = f":{event.start_mark.line + 1}" if event.start_mark else ""
                raise EmotionError(f"{path}{line}: *{event.anchor} is an alias; write the value out.")
        node = yaml.compose(text, yaml.SafeLoader)
        if node is None:
            raise EmotionError(f"{path}: is empty; write one cue a line, such as - {{time: 2.5, emotion: happy}}.")
        return _marked(node, path)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        reason = " ".join(str(error.problem or error.context).split())
        raise EmotionError(f"{path}{line}: is not YAML ({reason}); mend that line.") from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())[:120]
        raise EmotionError(f"{path}: is not YAML ({reason}); write it as a text file of cues.") from error


def _text(path: Path) -> str:
    wanted = "give a YAML file of cues"
    if path.is_dir():
        raise EmotionError(f"{path}: is a folder; {wanted}.")
    if not path.is_file():
        raise EmotionError(f"{path}: no such file; {wanted}.")
    if path.stat().st_size > MAX_BYTES:
        raise EmotionError(f"{path}: has {path.stat().st_size} bytes, at most {MAX_BYTES} are read; {wanted}.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EmotionError(f"{path}: is not text in UTF-8; {wanted}.") from error
    except OSError as error:
        raise EmotionError(f"{path}: cannot be read ({error.strerror}); {wanted}.") from error


def _marked(node: Any, path: Path) -> Marked:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Marked(path, line, node.value)
    if isinstance(node, yaml.SequenceNode):
        return Marked(path, line, [_marked(item, path) for item in node.value])
    mapping: dict[str, Marked] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise EmotionError(f"{path}:{key.start_mark.line + 1}: a key is a list or a mapping; write key: value.")
        if key.value in mapping:
            raise EmotionError(f"{path}:{key.start_mark.line + 1}: {key.value} is given twice; leave one.")
        marked = _marked(value, path)
        mapping[key.value] = Marked(path, key.start_mark.line + 1, marked.value)
    return Marked(path, line, mapping)


def _kind(value: list[Marked] | dict[str, Marked]) -> str:
    return "list" if isinstance(value, list) else "mapping"


def _shown(value: str | list[Marked] | dict[str, Marked]) -> str:
    return repr(value[:_MORE]) if isinstance(value, str) else f"a {_kind(value)}"
