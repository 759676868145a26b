"""espeak-ng as a `Speaker`: its own pace, pitch, melody and word times, stress by its markup.

Knows espeak-ng's scales; the program itself is `espeak_worker`. Source: espeak-ng, `docs/markup.md`, `speak_lib.h`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from talkinghead.audio.prosody import STRESS, Prosody, louder, stressed_gain
from talkinghead.audio.speaker import Utterance
from talkinghead.audio.voice import Phoneme, Timing, synthesise
from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE

USUAL_RATE: Final = 165
RATES: Final = (80, 450)
_UNITS_A_SEMITONE: Final = 50 / 12
"""From 50 to 99 its pitch doubles."""


@dataclass(frozen=True)
class EspeakSpeaker:
    """voice: a language with a variant if wanted, as "en-gb+f3"."""

    voice: str

    def say(self, words: Sequence[str], stressed: Collection[int], prosody: Prosody) -> Utterance:
        """As `Speaker.say`.

        Raises:
            AudioError: nothing to speak, or no such voice.
            DependencyError: espeak-ng cannot be started.
        """
        text, ranges = _marked_up(words, stressed)
        rate = int(np.clip(round(USUAL_RATE * prosody.rate), *RATES))
        pitch = int(np.clip(round(50 + _UNITS_A_SEMITONE * prosody.pitch_st), 0, 99))
        melody = int(np.clip(round(50 * prosody.range), 0, 99))
        try:
            timing, samples = synthesise(text, self.voice, rate, pitch, melody, is_ssml=True)
        except AudioError as error:
            if "holds nothing to speak" in str(error):
                raise AudioError(f"text: {' '.join(words)[:40]!r} holds nothing that {self.voice} can speak.") from error
            raise
        phonemes = _phonemes(timing, len(samples) / SAMPLE_RATE)
        end_s = max((phoneme.end_s for phoneme in phonemes if phoneme.symbol), default=len(samples) / SAMPLE_RATE)
        times = word_times(_starts(timing, ranges), [len(word) for word in words], phonemes, end_s)
        sound = louder(samples[: round((end_s + 0.03) * SAMPLE_RATE)], prosody)
        gain = stressed_gain(len(sound), [times[index] for index in sorted(stressed)])
        return Utterance(np.clip(sound * gain, -1, 1), tuple(p for p in phonemes if p.start_s < end_s), times)


def _marked_up(words: Sequence[str], stressed: Collection[int]) -> tuple[str, list[tuple[int, int]]]:
    """-> markup, and of each word the first and the last character in it, counted from 0."""
    pace, higher = f"{100 * STRESS[0]:.0f}%", f"+{100 * (2 ** (STRESS[1] / 12) - 1):.0f}%"
    text, ranges = "<speak>", []
    for index, word in enumerate(words):
        written = escape(word)
        if index in stressed:
            text += f'<prosody rate="{pace}" pitch="{higher}">'
        ranges.append((len(text), len(text) + len(written)))
        text += written
        text += "</prosody> " if index in stressed else " "
    return text.rstrip() + "</speak>", ranges


def _phonemes(timing: Timing, length_s: float) -> tuple[Phoneme, ...]:
    starts = timing["phonemes"]
    ends = [start for _, start in starts[1:]] + [length_s]
    return tuple(Phoneme(symbol.strip(), start, end) for (symbol, start), end in zip(starts, ends, strict=True))


def _starts(timing: Timing, ranges: list[tuple[int, int]]) -> list[float | None]:
    """When espeak-ng says that each word begins; None for one that it speaks together with the word before it."""
    starts: list[float | None] = [None] * len(ranges)
    for first, _, start_s in timing["words"]:
        for index, (low, high) in enumerate(ranges):
            known = starts[index]
            if low <= first < high and (known is None or start_s < known):
                starts[index] = start_s
    return starts


def word_times(
    starts: Sequence[float | None], lengths: Sequence[int], phonemes: Sequence[Phoneme], end_s: float
) -> tuple[tuple[float, float], ...]:
    """Starts of words, some unknown -> start and end of each, s.

    Words that are spoken as one share its time by their letters. A word ends where the next begins or a pause before it does.
    """
    known = [0.0 if start is None and index == 0 else start for index, start in enumerate(starts)]
    filled: list[float] = []
    index = 0
    while index < len(known):
        stop = index + 1
        while stop < len(known) and known[stop] is None:
            stop += 1
        first = known[index] or 0.0
        last = _last_sound(phonemes, first, known[stop] if stop < len(known) else end_s, end_s)
        shares = np.cumsum([0, *lengths[index : stop - 1]]) / max(1, sum(lengths[index:stop]))
        filled += [first + float(share) * (last - first) for share in shares]
        index = stop
    ends = [_last_sound(phonemes, start, after, end_s) for start, after in zip(filled, [*filled[1:], end_s], strict=True)]
    return tuple(zip(filled, ends, strict=True))


def _last_sound(phonemes: Sequence[Phoneme], start_s: float, stop_s: float | None, end_s: float) -> float:
    """Where the last phoneme that is no pause ends between the two."""
    stop_s = end_s if stop_s is None else stop_s
    ends = [min(p.end_s, stop_s) for p in phonemes if p.symbol and start_s - 1e-6 <= p.start_s < stop_s - 1e-6]
    return max(ends, default=stop_s)
