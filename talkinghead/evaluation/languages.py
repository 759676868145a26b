"""Sentences in ten languages, spoken by espeak-ng with exact phoneme times -> do the lips meet at every p, b and m.

The sentences are `sentences.yaml`; the voice alternates between the language's own and a woman's variant of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from talkinghead.audio.voice import Phoneme, speak
from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.contacts import CLOSED_GAPS, COUNTS, RAISED, Hits, lip_gap, lower_lip_height, parts, reaches
from talkinghead.evaluation.table import Table
from talkinghead.types import FPS, FloatArray

SENTENCES: Final = Path(__file__).with_name("sentences.yaml")
VARIANTS: Final = ("", "+f4")
"""Not +f2, +f3 or +f5, whose breath is noise that is another one in every second: their figures move by a closure or two."""
AROUND_S: Final = 0.04
"""A frame: a consonant is looked for from this long before it begins to this long after it ends."""
OPEN_VOWELS: Final = frozenset("aɑæɐɛɔ")
MIN_VOWEL_S: Final = 0.06
_MARKS: Final = "ˈˌ"


def sentences() -> dict[str, list[str]]:
    """espeak-ng's voice -> its sentences."""
    read: dict[str, list[str]] = yaml.safe_load(SENTENCES.read_text(encoding="utf8"))
    return read


def kind_of(symbol: str) -> str:
    """An IPA symbol -> "p, b, m", "f, v", "open vowel" or nothing; aspirated, long and palatal ones are of their kind.

    The approximant of Spanish between vowels, β, is none of them: its lips do not meet.
    """
    bare = symbol.lstrip(_MARKS)
    if bare[:1] in ("p", "b", "m"):
        return "p, b, m"
    if bare[:1] in ("f", "v"):
        return "f, v"
    return "open vowel" if bare[:1] in OPEN_VOWELS else ""


def language_tables(held_out: HeldOut) -> list[Table]:
    """Language -> the part of its p, b, m at which the lips close, beside chance, and of its vowels at which they must not."""
    of_languages: dict[str, Hits] = {}
    for voice, lines in sentences().items():
        hits: Hits = defaultdict(list)
        for index, line in enumerate(lines):
            spoken = speak(line, voice + VARIANTS[index % len(VARIANTS)])
            points = held_out.vertices(spoken.audio)
            add_contacts(hits, spoken.phonemes, lip_gap(points), lower_lip_height(points))
        of_languages[voice] = hits
    whole: Hits = defaultdict(list)
    for hits in of_languages.values():
        for column, values in hits.items():
            whole[column] += values
    strict, lenient = CLOSED_GAPS
    note = (
        f"Part of all p, b, m of eight sentences of espeak-ng's voices at which the lips' seen gap falls under {strict} (or "
        f"{lenient}) of the mouth's width within a frame of the phoneme's exact time. Chance: the same motion turned round in "
        f"time. f, v: the lower lip at the teeth, as in the table of the labiodentals. Vowels: open ones that last "
        f"{MIN_VOWEL_S} s or more beside no p, b, m, at whose middle the lips are closed, where they should not be."
    )
    rows = parts({**of_languages, "all": whole})
    forms = {column: ".0f" for row in rows.values() for column in row if column in COUNTS}
    return [Table("Ten languages", note, rows, ".0%", forms)]


def add_contacts(hits: Hits, phonemes: Sequence[Phoneme], gap: FloatArray, height: FloatArray) -> None:
    """Phonemes of a sentence, and its `lip_gap` and `lower_lip_height`, (T,) -> whether the lips were as each phoneme wants."""
    kinds = ["", *(kind_of(phoneme.symbol) for phoneme in phonemes), ""]
    for index, phoneme in enumerate(phonemes):
        kind, beside = kinds[index + 1], (kinds[index], kinds[index + 2])
        start_s, end_s = phoneme.start_s - AROUND_S, phoneme.end_s + AROUND_S
        if kind == "p, b, m":
            for limit in CLOSED_GAPS:
                hits[f"closed, under {limit}"].append(reaches(gap, start_s, end_s, limit))
                hits[f"closed, under {limit}, chance"].append(reaches(gap[::-1], start_s, end_s, limit))
            hits["p, b, m"].append(True)
        elif kind == "f, v":
            hits["f, v at the teeth"].append(reaches(height, start_s, end_s, RAISED[0]))
            hits["f, v"].append(True)
        elif kind == "open vowel" and phoneme.end_s - phoneme.start_s >= MIN_VOWEL_S and "p, b, m" not in beside:
            middle = int((phoneme.start_s + phoneme.end_s) / 2 * FPS)
            hits["vowels closed"].append(bool(gap[middle : middle + 1].max(initial=0) < CLOSED_GAPS[0]))
            hits["vowels"].append(True)
