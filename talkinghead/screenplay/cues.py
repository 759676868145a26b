"""What a line's text says and what happens at which word: `You [smile] came! [pause 0.5] I *knew* it. [sad] But why?`

A cue acts at the word that follows it, or at the end when none does. Knows the notation; knows no times and no faces.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

from talkinghead.emotion.grammar import parse_emotion
from talkinghead.emotion.prompt import read_prompt
from talkinghead.errors import EmotionError

EXPRESSIONS: Final[dict[str, str]] = {
    "smile": "happy:mouth:0.85,happy:eyes:0.45",
    "grin": "happy:mouth:1,happy:eyes:0.8",
    "smirk": "contempt:mouth:0.8",
    "frown": "angry:brow:0.9",
    "pout": "sad:mouth:0.8",
    "sneer": "disgusted:mouth:0.7",
    "raise brows": "surprised:brow:0.9",
    "wide eyes": "surprised:eyes:0.9",
    "narrow eyes": "angry:eyes:0.8",
}
"""Cue -> what the face's regions show for its time, in the notation of emotions."""
LOOKS: Final = ("left", "right", "up", "down", "camera", "away")
GESTURES: Final = ("nod", "shake", "tilt left", "tilt right", "blink", "wink left", "wink right")
MAX_CUE_S: Final = 30.0
EXPRESSION_S: Final = 1.4
LOOK_S: Final = 1.2
_TOKEN: Final = re.compile(
    r"\\(?P<escaped>[\[\]*\\])|\[(?P<cue>[^\[\]]*)\]|\*(?P<stressed>[^\s*\[\]](?:[^*\[\]]*[^\s*\[\]])?)\*"
)
_SPOKEN_SIGNS: Final = "&%+=$€£@"
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d*)?|-?\.\d+")


class CueError(ValueError):
    """inside: the part of the text that is meant; the message says what is allowed."""

    def __init__(self, inside: str, message: str) -> None:
        super().__init__(message)
        self.inside = inside


@dataclass(frozen=True)
class Cue:
    """Something that happens at a word.

    word: index of the word, the number of words for the end of the line. kind: "expression", "gesture", "look" or "emotion".
    name: which; of a look also somebody of the cast, of an emotion its notation or its words. strength: in [0, 1], of a
    gesture up to 2; None where the cue says none. duration_s: None where the cue says none.
    """

    word: int
    kind: str
    name: str
    strength: float | None = None
    duration_s: float | None = None
    lead_s: float = 0.0


@dataclass(frozen=True)
class Script:
    """words: as they are written, without marks. stressed: indices of words. pauses: word -> seconds of silence before it."""

    words: tuple[str, ...]
    stressed: frozenset[int] = frozenset()
    pauses: dict[int, float] = field(default_factory=dict)
    cues: tuple[Cue, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(self.words)


def read_script(text: str, names: Collection[str] = (), mistakes: list[CueError] | None = None) -> Script:
    """A line's text -> words and cues; `names` are those of the cast, whom one can look at.

    mistakes: where it is given, cues that are none are added to it and left out, so that all of a text can be told at once.

    Raises:
        CueError: an unknown cue, a number out of range, a bracket or star without its other half.
    """
    words: list[str] = []
    stressed: set[int] = set()
    pauses: dict[int, float] = {}
    cues: list[Cue] = []
    pending, position = "", 0  # a word may be written in pieces: un*believ*able
    is_stressed = False

    def end_word() -> None:
        nonlocal pending, is_stressed
        if pending:
            if is_stressed:
                stressed.add(len(words))
            words.append(pending)
        pending, is_stressed = "", False

    def add(part: str, stress: bool) -> None:
        nonlocal pending, is_stressed
        for index, piece in enumerate(re.split(r"(\s+)", part)):
            if index % 2:
                end_word()
            elif piece:
                pending, is_stressed = pending + piece, is_stressed or stress

    for token in _TOKEN.finditer(text):
        add(_plain(text[position : token.start()]), False)
        position = token.end()
        if token["escaped"]:
            add(token["escaped"], False)
        elif token["stressed"]:
            add(token["stressed"], True)
        else:
            before = text[: token.start()]
            if pending and not (before.endswith((" ", "\n")) or text[position : position + 1].isalnum()):
                end_word()  # "Hello[pause 1], you": the cue stands after the word
            word = len(words)
            try:
                cue = _read_cue(token["cue"], word, names)
            except CueError as error:
                if mistakes is None:
                    raise
                mistakes.append(error)
                continue
            if isinstance(cue, float):
                end_word()
                pauses[len(words)] = pauses.get(len(words), 0.0) + cue
            else:
                cues.append(replace(cue, lead_s=-pauses.get(word, 0.0)))
    add(_plain(text[position:]), False)
    end_word()
    cues = [replace(cue, lead_s=round(pauses.get(cue.word, 0.0) + cue.lead_s, 6)) for cue in cues]
    words, stressed, pauses, cues = _attached(words, stressed, pauses, cues)
    return Script(tuple(words), frozenset(stressed), pauses, tuple(cues))


def _plain(part: str) -> str:
    for mark, other in (("[", "]"), ("]", "["), ("*", "*")):
        if mark in part:
            near = part[part.index(mark) :][:20]
            raise CueError(near, f"{mark!r} has no {other!r} that belongs to it; close it, or write \\{mark} to have it read.")
    return part


def _attached(
    words: list[str], stressed: set[int], pauses: dict[int, float], cues: list[Cue]
) -> tuple[list[str], set[int], dict[int, float], list[Cue]]:
    """Signs that stand alone, as a dash or a comma after a cue, are no words: they go to the word before them."""
    result: list[str] = []
    new_index = []
    for word in words:
        if _is_word(word) or not result:
            new_index.append(len(result))
            result.append(word)
        else:
            result[-1] += word if word[0] in ",.;:!?…" else " " + word
            new_index.append(len(result))
    new_index.append(len(result))
    if result and not _is_word(result[0]):
        first = result.pop(0)
        if result:
            result[0] = f"{first} {result[0]}"
        new_index = [max(0, index - 1) for index in new_index]
    moved: dict[int, float] = {}
    for word_index, pause_s in pauses.items():
        moved[new_index[word_index]] = moved.get(new_index[word_index], 0.0) + pause_s
    for total in moved.values():
        if total > MAX_CUE_S:
            raise CueError("[pause", f"pauses of {total:g} s in one place; give at most {MAX_CUE_S:g} s.")
    moved_cues = [replace(cue, word=new_index[cue.word]) for cue in cues]
    return result, {new_index[index] for index in stressed if new_index[index] < len(result)}, moved, moved_cues


def _is_word(text: str) -> bool:
    return any(character.isalnum() or character in _SPOKEN_SIGNS for character in text)


def _read_cue(written: str, word: int, names: Collection[str]) -> Cue | float:
    """One cue; a pause is its seconds."""
    inside = f"[{written}]"
    fields = written.split()
    if not fields:
        raise CueError(inside, f"{inside} is empty; {_allowed()}.")
    numbers: list[tuple[float, bool]] = []
    while fields and _is_number(fields[-1].removesuffix("s")):
        last = fields.pop()
        numbers.insert(0, (float(last.removesuffix("s")), last.endswith("s")))
    name = " ".join(fields).lower()
    if name == "pause":
        return _pause(numbers, inside)
    if name in EXPRESSIONS:
        strength, duration_s = _strength_and_time(numbers, inside, 1.0)
        return Cue(word, "expression", name, strength, duration_s)
    if name == "wink":
        name = "wink left"
    if name in GESTURES:
        strength, duration_s = _strength_and_time(numbers, inside, 2.0)
        return Cue(word, "gesture", name, strength, duration_s)
    if fields and fields[0].lower() == "look":
        return _look(fields[1:], numbers, inside, word, names)
    return _emotion(" ".join(fields), numbers, inside, word)


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))


def _pause(numbers: list[tuple[float, bool]], inside: str) -> float:
    if len(numbers) != 1 or not 0 <= numbers[0][0] <= MAX_CUE_S:
        raise CueError(inside, f"{inside} is no pause; give seconds, 0 to {MAX_CUE_S:g}, such as [pause 0.5].")
    return numbers[0][0]


def _strength_and_time(numbers: list[tuple[float, bool]], inside: str, most: float) -> tuple[float | None, float | None]:
    strengths = [value for value, is_time in numbers if not is_time]
    times = [value for value, is_time in numbers if is_time]
    if len(strengths) > 1 or len(times) > 1:
        raise CueError(inside, f"{inside} has too many numbers; give a strength and a time at most, such as [smile 0.5 2s].")
    if strengths and not 0 <= strengths[0] <= most:
        raise CueError(inside, f"{inside}: strength {strengths[0]:g} is out of range; give 0 to {most:g}.")
    if times and not 0.1 <= times[0] <= MAX_CUE_S:
        raise CueError(inside, f"{inside}: {times[0]:g} s is out of range; give 0.1s to {MAX_CUE_S:g}s.")
    return (strengths[0] if strengths else None), (times[0] if times else None)


def _look(fields: list[str], numbers: list[tuple[float, bool]], inside: str, word: int, names: Collection[str]) -> Cue:
    wanted = " ".join(field for field in fields if field.lower() != "at")
    known = {name.lower(): name for name in names} | {name: name for name in LOOKS}
    if wanted.lower() not in known:
        near = difflib.get_close_matches(wanted.lower(), known, 1)
        meant = f" Did you mean look {near[0]}?" if near else ""
        people = f", at {', at '.join(names)}" if names else ""
        raise CueError(inside, f"{inside}: nobody knows where that is; look {', '.join(LOOKS)}{people}.{meant}")
    strength, duration_s = _strength_and_time(numbers, inside, 2.0)
    return Cue(word, "look", known[wanted.lower()], strength, duration_s)


def _emotion(name: str, numbers: list[tuple[float, bool]], inside: str, word: int) -> Cue:
    if any(is_time for _, is_time in numbers):
        raise CueError(inside, f"{inside}: an emotion stays until the next; leave the time out.")
    strength, _ = _strength_and_time(numbers, inside, 1.0)
    try:
        emotion = parse_emotion(name)
    except EmotionError as error:
        if name.split(":")[0].split(",")[0].lower() in _emotion_names() or ":" in name:
            raise CueError(inside, f"{inside}: {error}") from error
        return _prompt(name, strength, inside, word)
    if strength is not None and not emotion.needs_intensity:
        raise CueError(inside, f"{inside}: says every strength itself; leave {strength:g} out.")
    return Cue(word, "emotion", name, strength)


def _prompt(name: str, strength: float | None, inside: str, word: int) -> Cue:
    try:
        read_prompt(name)
    except EmotionError as error:
        near = difflib.get_close_matches(name.lower(), [*EXPRESSIONS, *GESTURES, "pause", "look left", *_emotion_names()], 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise CueError(inside, f"{inside} is no cue; {_allowed()}.{meant}") from error
    return Cue(word, "emotion", name, strength)


def _emotion_names() -> tuple[str, ...]:
    from talkinghead.types import EMOTIONS

    return EMOTIONS


def _allowed() -> str:
    cues = ", ".join((*EXPRESSIONS, *GESTURES, "look", "pause"))
    return f'give {cues}, an emotion such as sad 0.6, or words of one such as "quietly furious"'
