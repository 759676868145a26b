"""A line of text -> emotions one after another, each with its strength: "quietly furious, then relieved".

Reads words, not meaning: a feeling (`lexicon.FEELINGS`), what strengthens, weakens or negates it in front of it, and what puts
one clause after another. What it is to be like: EmoTalker (arXiv 2402.01422), text to emotion, strength and order, without
its language model, so offline and the same every time. It knows no irony, no metaphor and no other language.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.emotion.easing import ease, frame_times
from talkinghead.emotion.grammar import parse_emotion
from talkinghead.emotion.lexicon import (
    AFTER_THAT,
    BRIEF,
    CONTRASTS,
    EARLIER,
    FACTORS,
    FEELINGS,
    GRADUAL,
    IGNORED,
    LATER,
    NEGATIONS,
    PHRASES,
    SUDDEN,
    THOUGH,
)
from talkinghead.errors import EmotionError
from talkinghead.types import EMOTIONS, FPS, FloatArray

MAX_CHARACTERS: Final = 2000
_PACES_S: Final = {"even": 0.8, "sudden": 0.16}
_BRIEF_SHARE: Final = 0.4
_NOT_VERY: Final = 0.3
_PUNCTUATION: Final = frozenset(",;.!?:")
_ENDINGS: Final = (
    ("ily", "y"), ("ly", ""), ("ally", ""), ("iness", "y"), ("ness", ""), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"),
    ("ied", "y"), ("ies", "y"), ("es", ""), ("s", ""), ("ier", "y"), ("er", ""), ("iest", "y"), ("est", ""),
)  # fmt: skip
_DOUBLED: Final = re.compile(r"(.)\1(?:ing|ed|er|est)$")
_ORDER: Final = ("before", "after")
_SHOWN: Final = 60
_NAMED: Final = 8


@dataclass(frozen=True, eq=False)
class Moment:
    """One stretch of the text: activation (8,) of the whole face, how it comes, how long it lasts against the others."""

    activation: FloatArray
    pace: str = "even"
    length: float = 1.0


@dataclass
class _Clause:
    """Words between two joints: feelings as (mix (8,), strength), 0 for a negated one; factor: what no feeling took."""

    joint: str
    words: list[str] = field(default_factory=list)
    feelings: list[tuple[FloatArray, float]] = field(default_factory=list)
    factor: float = 1.0


def prompt_activation(prompt: str, num_frames: int) -> FloatArray:
    """(T, 3, 8): the text's moments in their order over the whole clip, each giving way smoothly to the next.

    Raises:
        EmotionError: no word of emotion is in it (near ones are named), it is empty, or too long.
    """
    moments = read_prompt(prompt)
    lengths = np.array([moment.length for moment in moments])
    bounds_s = np.concatenate([[0], np.cumsum(lengths) / lengths.sum()]) * num_frames / FPS
    times_s = frame_times(num_frames)
    whole = np.zeros((num_frames, moments[0].activation.size), np.float32)
    room_s = 0.0
    for index, moment in enumerate(moments):
        lasts_s = 0.8 * (bounds_s[index + 1] - bounds_s[index])
        # It begins to come half its time before its own, so far as the moment before has room.
        ease_s = lasts_s if moment.pace == "gradual" else min(_PACES_S[moment.pace], lasts_s, room_s)
        begin_s = bounds_s[index] - (0 if moment.pace == "gradual" else ease_s / 2)
        share = ease(times_s, begin_s, ease_s)[:, None]
        whole = (1 - share) * whole + share * moment.activation
        room_s = lasts_s
    return np.repeat(whole[:, None].astype(np.float32), len(arkit.REGIONS), axis=1)


def read_prompt(prompt: str) -> list[Moment]:
    """The text's moments, in the order they are to be shown."""
    if not prompt.strip():
        raise EmotionError('prompt is empty; write for example "quietly furious, then relieved".')
    if len(prompt) > MAX_CHARACTERS:
        raise EmotionError(f"prompt has {len(prompt)} characters; write at most {MAX_CHARACTERS}.")
    clauses = _clauses(prompt)
    for clause in clauses:
        _read(clause)
    if not any(clause.feelings for clause in clauses):
        raise EmotionError(_nothing_found(prompt, (word for clause in clauses for word in clause.words)))
    return [_moment(together) for together in _ordered(_joined(clauses))]


def _clauses(prompt: str) -> list[_Clause]:
    text = prompt.lower().replace("’", "'").replace("n't", "nt")
    text = text.replace("->", " then ").replace("→", " then ")
    for phrase, word in PHRASES.items():
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", word, text)
    clauses = [_Clause("start")]
    is_from = False
    for token in re.findall(r"[\w'-]+|[,;.!?:]", text):
        is_from = is_from or token == "from"
        if token in _PUNCTUATION or token in THOUGH:
            clauses.append(_Clause(","))
        elif token in AFTER_THAT or (is_from and token in ("to", "through")):
            clauses.append(_Clause("then", [token]))
        elif token in _ORDER:
            clauses.append(_Clause(token, [token]))
        else:
            clauses[-1].words.append(token)
    return clauses


def _read(clause: _Clause) -> None:
    """Find the feelings of a clause, with what stands in front of each."""
    factor, is_negated = 1.0, False
    for word in clause.words:
        feeling = _feeling(word)
        if feeling is not None:
            mix, strength = feeling
            if is_negated:
                strength *= _NOT_VERY if factor > 1 else 0
                factor = 1.0
            clause.feelings.append((mix, min(1.0, strength * factor)))
            factor = 1.0
        elif word.replace("'", "") in NEGATIONS:
            is_negated = True
        elif word in CONTRASTS:
            is_negated = False
        else:
            factor *= FACTORS.get(word, 1.0)
    if clause.feelings:
        mix, strength = clause.feelings[-1]
        clause.feelings[-1] = mix, min(1.0, strength * factor)
    clause.factor = 1.0 if clause.feelings else factor


def _joined(clauses: list[_Clause]) -> list[_Clause]:
    """Clauses that have a feeling; what the others say goes to the next one, at the end of the text to the last."""
    result: list[_Clause] = []
    joint, words = ",", list[str]()
    for clause in clauses:
        joint = clause.joint if clause.joint != "," else joint
        words += clause.words
        if clause.feelings:
            result.append(replace(clause, joint=joint, words=words))
            joint, words = ",", []
        elif result and clause.factor < 1:
            result[-1].feelings = [(mix, strength * clause.factor) for mix, strength in result[-1].feelings]
    if LATER.intersection(words):
        result[-1].joint = "then"
    return result


def _ordered(clauses: list[_Clause]) -> list[list[_Clause]]:
    """Clauses of one moment together, moments in the order of time."""
    first, *others = clauses
    moments, now = [[first]], 0
    before = first
    for clause in others:
        opening = before.joint if before is first else ""
        if clause.joint == "after" or (clause.joint == "," and opening == "before"):
            moments.insert(now, [clause])
            now += 1
        elif clause.joint in ("then", "before") or opening == "after" or _says_later(before, clause):
            now += 1
            moments.insert(now, [clause])
        else:
            moments[now].append(clause)
        before = clause
    return moments


def _says_later(before: _Clause, clause: _Clause) -> bool:
    return bool(EARLIER.intersection(before.words) or LATER.intersection(clause.words))


def _moment(clauses: list[_Clause]) -> Moment:
    """The mix by strength, as strong as the strongest feeling in it."""
    feelings = [feeling for clause in clauses for feeling in clause.feelings]
    mix = np.sum([strength * mix for mix, strength in feelings], axis=0)
    total = sum(strength for _, strength in feelings)
    activation = mix / total * min(1.0, max(strength for _, strength in feelings)) if total else mix
    words = {word for clause in clauses for word in clause.words}
    pace = "sudden" if words & SUDDEN else "gradual" if words & GRADUAL else "even"
    return Moment(activation.astype(np.float32), pace, _BRIEF_SHARE if words & BRIEF else 1.0)


@cache
def _vocabulary() -> dict[str, tuple[FloatArray, float]]:
    """Word -> mix (8,) and strength."""
    vocabulary = {}
    for mix, strength, words in FEELINGS:
        shares = parse_emotion(mix).mix
        for word in words.split():
            if shares is not None:
                vocabulary[word] = (shares, strength)
    return vocabulary


def _feeling(word: str) -> tuple[FloatArray, float] | None:
    vocabulary = _vocabulary()
    return next((vocabulary[stem] for stem in _stems(word) if stem in vocabulary), None)


def _stems(word: str) -> Iterator[str]:
    """The word, and what it may be a form of: angrily, smiling, sobbed, sadness."""
    yield word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            yield word[: -len(ending)] + instead
    if doubled := _DOUBLED.search(word):
        yield word[: doubled.start() + 1]


def describe_prompt(prompt: str) -> str:
    """What was read, in the notation of `grammar`: "angry at 0.5, then happy:0.6 at 0.5"; and the words that were not."""
    moments = ", then ".join(_described(moment.activation) for moment in read_prompt(prompt))
    unknown = _unknown(word for clause in _clauses(prompt) for word in clause.words)
    return moments + (f"; not read: {', '.join(unknown)}" if unknown else "")


def _described(activation: FloatArray) -> str:
    felt = {name: float(value) for name, value in zip(EMOTIONS, activation, strict=True) if value > 0 and name != "neutral"}
    total = float(activation.sum())
    shares = [name if value > 0.995 * total else f"{name}:{value / total:.2g}" for name, value in felt.items()]
    return f"{','.join(shares)} at {total:.2g}" if felt else "neutral"


def _unknown(words: Iterable[str]) -> list[str]:
    """Words that mean something, perhaps, and are not in the lexicon."""
    known = IGNORED.union(FACTORS, NEGATIONS, CONTRASTS, THOUGH, AFTER_THAT, EARLIER, SUDDEN, GRADUAL, BRIEF, _ORDER)
    return [word for word in dict.fromkeys(words) if word not in known and _feeling(word) is None]


def _nothing_found(prompt: str, words: Iterable[str]) -> str:
    """The message, with the words that are not known and what they may have meant."""
    named = []
    for word in _unknown(words)[:_NAMED]:
        near = difflib.get_close_matches(word, _vocabulary(), 1, 0.7)
        named.append(f"{word[:_SHOWN]!r}" + (f" (did you mean {near[0]}?)" if near else ""))
    shown = " ".join(prompt.split())
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    return (
        f"prompt {shown!r} has no word of emotion{', not known: ' if named else ''}{', '.join(named)}; "
        "use words such as happy, furious, sad, scared, disgusted, surprised, sarcastic or calm."
    )
