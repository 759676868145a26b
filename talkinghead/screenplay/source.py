"""A scene's file -> plain values and the line and column of each, whether YAML or play-like Markdown.

YAML is composed, never constructed, so no tag runs anything. Knows files and places; knows no fields but `lines` and `cast`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from talkinghead.errors import ScreenplayError

MAX_BYTES: Final = 2_000_000
YAML_SUFFIXES: Final = (".yaml", ".yml", ".json")
PLAY_SUFFIXES: Final = (".md", ".markdown", ".txt")
_READ_TAGS: Final = ("int", "float", "bool", "null")
_TEXT_TAGS: Final = ("str", "timestamp", "value", "merge")

Place = tuple[int, int]
"""Line and column, from 1."""
Where = tuple[str | int, ...]
"""Keys and indices down to a value."""


@dataclass(eq=False)
class Source:
    """values: of the file. starts, ends: where each value stands in the text. keys: where its key stands."""

    path: Path
    text: str
    values: dict[str, Any] = field(default_factory=dict)
    starts: dict[Where, Place] = field(default_factory=dict)
    ends: dict[Where, Place] = field(default_factory=dict)
    keys: dict[Where, Place] = field(default_factory=dict)

    def error(self, where: Where, message: str, inside: str = "", at_key: bool = False) -> ScreenplayError:
        """The error of a value; of what stands `inside` it when that is found there."""
        place = self._place(where, at_key)
        if inside and not at_key:
            place = self._find(where, inside) or place
        error = ScreenplayError(f"{self.path}:{place[0]}:{place[1]}: {message}")
        error.place = place
        return error

    def _place(self, where: Where, at_key: bool) -> Place:
        while where:
            place = self.keys.get(where) if at_key else None
            place = place or self.starts.get(where) or self.keys.get(where)
            if place is not None:
                return place
            where = where[:-1]
        return self.starts.get((), (1, 1))

    def _find(self, where: Where, inside: str) -> Place | None:
        start, end = self.starts.get(where), self.ends.get(where)
        if start is None or end is None:
            return None
        for number, line in enumerate(self.text.splitlines()[start[0] - 1 : end[0]], start[0]):
            column = line.find(inside, start[1] - 1 if number == start[0] else 0)
            if column >= 0:
                return number, column + 1
        return None


def read_text(path: Path) -> str:
    """Raises ScreenplayError for what is not a text file."""
    wanted = "give a scene such as scene.yaml or scene.md"
    if path.is_dir():
        raise ScreenplayError(f"{path}: is a folder; {wanted}.")
    if not path.is_file():
        raise ScreenplayError(f"{path}: no such file; {wanted}.")
    if path.suffix.lower() not in YAML_SUFFIXES + PLAY_SUFFIXES:
        raise ScreenplayError(f"{path}: has '{path.suffix}'; choose one of {', '.join(YAML_SUFFIXES + PLAY_SUFFIXES)}.")
    if path.stat().st_size > MAX_BYTES:
        raise ScreenplayError(f"{path}: has {path.stat().st_size} bytes, at most {MAX_BYTES} are read; cut it into scenes.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScreenplayError(f"{path}: is not text in UTF-8; save it as UTF-8.") from error
    except OSError as error:
        raise ScreenplayError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from error
    if (place := text.find("\0")) >= 0:
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        raise ScreenplayError(f"{path}:{line}:{column}: holds a byte of value 0; save it as text.")
    return text


def read_yaml(path: Path, text: str, source: Source, first_line: int = 1) -> None:
    """Fill `source` from YAML text that begins on `first_line` of the file.

    Raises:
        ScreenplayError: not YAML, not a mapping, a key twice, an alias, a tag.
    """
    offset = first_line - 1

    def fail(mark: Any, message: str) -> ScreenplayError:
        place = (mark.line + 1 + offset, mark.column + 1) if mark else (first_line, 1)
        return ScreenplayError(f"{path}:{place[0]}:{place[1]}: {message}")

    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise fail(event.start_mark, f"*{event.anchor} is an alias; put a text that begins with * in quotes.")
        node = yaml.compose(text, yaml.SafeLoader)
    except ScreenplayError:
        raise
    except yaml.MarkedYAMLError as error:
        reason = " ".join(str(error.problem or error.context).split())
        raise fail(
            error.problem_mark or error.context_mark,
            f"is not YAML ({reason}); mend it, and put a text that begins with [ or * in quotes.",
        ) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = "too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())[:120]
        raise ScreenplayError(f"{path}: is not YAML ({reason}); write it as text.") from error
    if node is None:
        raise ScreenplayError(f"{path}: is empty; write cast: and lines:, as docs/screenplay.md shows.")
    if not isinstance(node, yaml.MappingNode):
        raise fail(node.start_mark, "holds no mapping; write cast: and lines:, as docs/screenplay.md shows.")
    source.values = _value(node, (), source, offset, fail)


def _value(node: Any, where: Where, source: Source, offset: int, fail: Any) -> Any:
    source.starts[where] = (node.start_mark.line + 1 + offset, node.start_mark.column + 1)
    source.ends[where] = (node.end_mark.line + 1 + offset, node.end_mark.column + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*where, index), source, offset, fail) for index, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise fail(key.start_mark, "a key is a list or a mapping; write key: value.")
            if key.value in values:
                raise fail(key.start_mark, f"{key.value[:40]!r} is given twice; leave one.")
            inner = (*where, key.value)
            source.keys[inner] = (key.start_mark.line + 1 + offset, key.start_mark.column + 1)
            values[key.value] = _value(value, inner, source, offset, fail)
        return values
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind in _READ_TAGS and node.style is None:
        try:
            return yaml.safe_load(node.value)
        except (yaml.YAMLError, ValueError) as error:
            raise fail(node.start_mark, f"{node.value[:40]!r} cannot be read; write a number or a text.") from error
    if kind in _TEXT_TAGS + _READ_TAGS:
        return node.value
    raise fail(node.start_mark, f"tag {node.tag[:40]!r} is not allowed; write the value alone.")


def speakers_first(source: Source) -> None:
    """`- ana: text` is `- speaker: ana` with that text: the values and their places are written so."""
    cast, lines = source.values.get("cast"), source.values.get("lines")
    if not isinstance(cast, dict) or not isinstance(lines, list):
        return
    for index, line in enumerate(lines):
        if not isinstance(line, dict) or "speaker" in line:
            continue
        for name in [key for key in line if key in cast][:1]:
            old = ("lines", index, name)
            if "text" in line or isinstance(line[name], (dict, list)):
                raise source.error(
                    old, f"{name} is followed by what is said; write - {name}: text, and the rest below.", "", True
                )
            line["text"], line["speaker"] = line.pop(name), name
            for places in (source.starts, source.ends, source.keys):
                if old in places:
                    places["lines", index, "text"] = places[old]
            source.starts["lines", index, "speaker"] = source.keys[old]
            if line["text"] is None:
                line["text"] = ""
