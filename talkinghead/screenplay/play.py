"""A scene written like a play -> the same plain values as YAML gives, with their places.

    ---
    camera: side by side
    ---
    # At the table
    ## Cast
    - Ana: drawn_woman.png; voice en-us+f3; seat left
    ## Scene
    Ana (quietly furious; pause 1): I *told* you. [nod] Twice.

What stands between the two --- is YAML, of the fields of a scene. Knows this notation; knows no ranges.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from talkinghead.emotion.grammar import parse_emotion
from talkinghead.errors import EmotionError, ScreenplayError
from talkinghead.screenplay.source import Place, Source, Where, read_yaml

LINE_FIELDS: Final = ("pause", "overlap", "fit", "recording", "voice", "camera", "strength", "direction", "emotion")
CAST_FIELDS: Final = ("voice", "style", "emotion", "strength", "seat", "face", "head_motion", "keep_smile")
PROSODY_FIELDS: Final = ("rate", "pitch", "range", "volume")
_SPEECH: Final = re.compile(
    r"(?P<mark>\*\*|__)?(?P<name>[^\s:*_()\[\]#>-][^:*()\[\]#]*?)(?::?(?P=mark))?\s*"
    r"(?:[_*]?\((?P<how>[^()]*)\)[_*]?)?\s*:\s*(?:\*\*(?=\s))?\s*(?P<text>.*)",
    re.S,
)
_MEMBER: Final = re.compile(r"[-*+]\s+(?:\*\*|__)?(?P<name>[^:*]+?)(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*(?P<fields>.*)")
_HOW: Final = re.compile(r"[_*]?\(([^()]*)\)[_*]?\s*")
_STAGE: Final = re.compile(r"\[\s*(?P<field>camera|pause)\s+(?P<value>[^\[\]]+)\]", re.I)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.S)
_EXPECTED: Final = (
    "write NAME (how): what is said, - NAME: portrait.png below ## Cast, [camera ...], [pause ...] or a # heading"
)


def read_play(path: Path, text: str, source: Source) -> None:
    """Fill `source` from a play.

    Raises:
        ScreenplayError: a paragraph that is none of these, a field that there is not, a name twice.
    """
    body, first_line = text, 1
    if text.startswith("---\n"):
        end = text.find("\n---", 3)
        if end < 0:
            raise ScreenplayError(f"{path}:1:1: --- begins a head that has no end; close it with a line of ---.")
        if text[4:end].strip():
            read_yaml(path, text[4:end] + "\n", source, 2)
        cut = text.find("\n", end + 1)
        cut = len(text) if cut < 0 else cut + 1
        body, first_line = text[cut:], text.count("\n", 0, cut) + 1
    # A comment leaves its line breaks, so that what follows keeps its place.
    body = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), body)
    _Play(source).read(body, first_line)


class _Play:
    """What has been read so far. waiting: fields of a stage line that the next line takes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.cast: dict[str, Any] = source.values.setdefault("cast", {})
        self.lines: list[dict[str, Any]] = source.values.setdefault("lines", [])
        self.waiting: list[tuple[str, str, Place]] = []
        source.starts.setdefault((), (1, 1))

    def read(self, body: str, first_line: int) -> None:
        if not isinstance(self.cast, dict) or not isinstance(self.lines, list):
            return  # the head is wrong, which is told by the schema
        lines, number = body.split("\n"), 0
        while number < len(lines):
            line, place = lines[number].strip(), (first_line + number, len(lines[number]) - len(lines[number].lstrip()) + 1)
            number += 1
            if not line or (set(line) <= set("-*_=") and len(line) >= 3):
                continue
            if line.startswith("#"):
                self._heading(line)
            elif member := _MEMBER.fullmatch(line):
                self._member(member, place)
            elif stage := _STAGE.fullmatch(line):
                self.waiting.append((stage["field"].lower(), stage["value"].strip(), place))
            else:
                # A paragraph goes on to the next empty line.
                more = []
                while number < len(lines) and lines[number].strip() and not self._begins(lines[number].strip()):
                    more.append(lines[number].strip())
                    number += 1
                self._speech("\n".join([line, *more]), place, (first_line + number - 1, len(lines[number - 1]) + 1))
        for name, _, place in self.waiting:
            raise self._error(place, f"[{name} ...] stands after the last line; put it before the line that it is for.")

    def _begins(self, line: str) -> bool:
        """Whether a paragraph ends before this line though none is empty."""
        speech = _SPEECH.fullmatch(line)
        return bool(line.startswith("#") or _STAGE.fullmatch(line) or (speech and self._known(speech["name"])))

    def _known(self, name: str) -> str | None:
        return next((known for known in self.cast if known.lower() == name.strip().lower()), None)

    def _heading(self, line: str) -> None:
        title = line.lstrip("#").strip()
        if line.startswith("# ") and "title" not in self.source.values:
            self.source.values["title"] = title

    def _member(self, member: re.Match[str], place: Place) -> None:
        name = member["name"].strip()
        if self._known(name):
            raise self._error(place, f"{name!r} is given twice in the cast; leave one.")
        portrait, *fields = (part.strip() for part in member["fields"].split(";"))
        self.cast[name] = {"portrait": portrait}
        where = ("cast", name)
        self._mark(where, place)
        self._mark((*where, "portrait"), place)
        for part in fields:
            self._field(self.cast[name], where, part, CAST_FIELDS, place)

    def _field(self, values: dict[str, Any], where: Where, part: str, allowed: tuple[str, ...], place: Place) -> None:
        if not part:
            return
        name, _, value = part.partition(" ")
        name = name.rstrip(":").lower()
        if name in PROSODY_FIELDS:
            values.setdefault("prosody", {})
            inner, into = (*where, "prosody"), values["prosody"]
        elif name in allowed:
            inner, into = where, values
        else:
            raise self._error(place, f"unknown field {name[:40]!r}; choose from {', '.join((*allowed, *PROSODY_FIELDS))}.")
        if name in into:
            raise self._error(place, f"{name} is given twice; leave one.")
        if name == "emotion":
            self._emotion(into, inner, value.strip(), place)
            return
        into[name] = value.strip()
        self._mark((*inner, name), place)

    def _emotion(self, values: dict[str, Any], where: Where, written: str, place: Place) -> None:
        """`sad 0.6` is the emotion and its strength."""
        name, _, strength = written.rpartition(" ")
        if name and re.fullmatch(r"-?\d*\.?\d+", strength):
            values["strength"] = strength
            self._mark((*where, "strength"), place)
            written = name
        values["emotion"] = written.strip()
        self._mark((*where, "emotion"), place)

    def _speech(self, paragraph: str, place: Place, end: Place) -> None:
        speech = _SPEECH.fullmatch(paragraph)
        if speech is None:
            raise self._error(place, f"{paragraph.split(chr(10))[0][:40]!r} is not understood; {_EXPECTED}.")
        name = self._known(speech["name"])
        if name is None:
            people = ", ".join(self.cast) or "nobody yet: write - NAME: portrait.png below ## Cast"
            raise self._error(place, f"{speech['name'].strip()[:40]!r} is not in the cast; choose from {people}.")
        where = ("lines", len(self.lines))
        how, text = speech["how"], " ".join(speech["text"].split())
        if how is None and (told := _HOW.match(text)):  # NAME: (how) what is said
            how, text = told[1], text[told.end() :]
        values: dict[str, Any] = {"speaker": name, "text": text}
        for key in ((), ("speaker",), ("text",)):
            self._mark((*where, *key), place)
            self.source.ends[(*where, *key)] = end
        for field, value, stage_place in self.waiting:
            values[field] = value
            self._mark((*where, field), stage_place)
        self.waiting.clear()
        for part in (how or "").split(";"):
            self._how(values, where, part.strip(), place)
        self.lines.append(values)

    def _how(self, values: dict[str, Any], where: Where, part: str, place: Place) -> None:
        """A part of what stands in parentheses: a field by its name, else the emotion or a direction in words."""
        if not part:
            return
        first = part.partition(" ")[0].rstrip(":").lower()
        if first in LINE_FIELDS + PROSODY_FIELDS and part != first:
            self._field(values, where, part, LINE_FIELDS, place)
            return
        name = re.sub(r"\s+-?\d*\.?\d+$", "", part)
        try:
            parse_emotion(name)
        except EmotionError:
            if "direction" in values:
                raise self._error(place, f"{part[:40]!r}: a direction is there already; join them with a comma.") from None
            values["direction"] = part
            self._mark((*where, "direction"), place)
        else:
            self._emotion(values, where, part, place)

    def _mark(self, where: Where, place: Place) -> None:
        self.source.starts[where] = self.source.ends[where] = self.source.keys[where] = place

    def _error(self, place: Place, message: str) -> ScreenplayError:
        return ScreenplayError(f"{self.source.path}:{place[0]}:{place[1]}: {message}")
