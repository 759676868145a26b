"""A line as it is to be delivered -> its sound, with the times of words and phonemes: breaths, pauses, a given length.

Knows breaths and silences; each breath is a `Speaker`'s, or a recording's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.audio.prosody import MAX_RATE, MIN_RATE, Prosody
from talkinghead.audio.speaker import Speaker, Utterance, open_voice
from talkinghead.audio.voice import LEAD_S, TAIL_S, Phoneme, speak
from talkinghead.audio.waveform import load_audio
from talkinghead.errors import AudioError
from talkinghead.types import SAMPLE_RATE, Audio, FloatArray

FIT_TRIES: Final = 4
FIT_ENOUGH: Final = 0.02
"""A pace that misses the length by less than this share is stretched the rest of the way."""
MAX_STRETCH: Final = 1.6


@dataclass(frozen=True)
class SpokenWord:
    """text: as it was written; start_s, end_s: s from the start of the sound."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Delivery:
    """audio: with a silence before and after. words: one for each that was given."""

    audio: Audio
    words: tuple[SpokenWord, ...]
    phonemes: tuple[Phoneme, ...]

    @property
    def end_s(self) -> float:
        """When the last word ends; of a silence, its end."""
        return self.words[-1].end_s if self.words else self.audio.duration_s


def deliver(
    speaker: Speaker,
    words: Sequence[str],
    stressed: Collection[int] = (),
    pauses: Mapping[int, float] | None = None,
    prosody: Prosody | None = None,
    fit_s: float | None = None,
    edges_s: tuple[float, float] = (LEAD_S, TAIL_S),
) -> Delivery:
    """Words -> a line spoken with its pauses.

    Args:
        speaker: whose voice.
        words: as written, with their punctuation.
        stressed: indices of words.
        pauses: index of a word -> seconds of silence before it; the number of words for the end.
        prosody: how it is spoken.
        fit_s: how long the whole is to last; the pace does most of it, the pauses keep their length.
        edges_s: silence before the first word and after the last.

    Raises:
        AudioError: nothing can be spoken, or not in that time: what is possible is said.
    """
    pauses, prosody = dict(pauses or {}), prosody or Prosody()
    line = _spoken(speaker, words, stressed, pauses, prosody, edges_s)
    if fit_s is None or not words:
        return line
    silent_s = sum(edges_s) + sum(pauses.values())
    natural_s = line.audio.duration_s - silent_s
    wanted_s = fit_s - silent_s
    shortest, longest = (silent_s + natural_s * prosody.rate / rate for rate in (MAX_RATE, MIN_RATE))
    if not shortest <= fit_s <= longest:
        raise AudioError(
            f"fit is {fit_s:g} s, and these words with their pauses take {shortest:.1f} to {longest:.1f} s; "
            "give a time between them, or change the words."
        )
    rate = prosody.rate
    for _ in range(FIT_TRIES):
        spoken_s = line.audio.duration_s - silent_s
        if abs(spoken_s / wanted_s - 1) < FIT_ENOUGH:
            break
        rate = float(np.clip(rate * spoken_s / wanted_s, MIN_RATE, MAX_RATE))
        line = _spoken(speaker, words, stressed, pauses, replace(prosody, rate=rate), edges_s)
    return fitted(line, fit_s)


def spoken_line(text: str, voice: str, fit_s: float | None = None, folder: Path | None = None) -> Delivery:
    """A text without cues in any voice (`speaker`), as long as asked; files of voices may be given beside `folder`.

    Raises:
        AudioError: no text, no such voice, or not in that time.
        DependencyError: the extra that the voice needs is not installed.
    """
    words = text.replace("\0", " ").split()
    if not words:
        raise AudioError("text: is empty; give a sentence to speak.")
    return deliver(open_voice(voice, folder or Path()), words, fit_s=fit_s)


def speech_of(recording: Path | None, text: str, voice: str, fit_s: float | None, folder: Path | None = None) -> Audio:
    """A recording, or without one a line of text spoken -> its sound, as long as asked.

    Args:
        recording: file of speech, or None.
        text: what is spoken then.
        voice: of `open_voice`.
        fit_s: how long it is to last, s; None as it comes.
        folder: beside which the files of a voice stand.
    """
    if recording is not None:
        audio = load_audio(recording)
        return audio if fit_s is None else fitted(Delivery(audio, (), ()), fit_s).audio
    if fit_s is None and ":" not in voice and voice != "piper":
        return speak(text, voice).audio
    return spoken_line(text, voice, fit_s, folder).audio


def fitted(line: Delivery, fit_s: float) -> Delivery:
    """The line stretched to an exact length, its pitch as it was.

    Raises:
        AudioError: it would have to be stretched or pressed beyond what still sounds like speech.
    """
    factor = fit_s / line.audio.duration_s
    if not 1 / MAX_STRETCH <= factor <= MAX_STRETCH:
        low, high = line.audio.duration_s / MAX_STRETCH, line.audio.duration_s * MAX_STRETCH
        raise AudioError(f"fit is {fit_s:g} s for {line.audio.duration_s:.1f} s of speech; give {low:.1f} to {high:.1f} s.")
    num_samples = round(fit_s * SAMPLE_RATE)
    samples = line.audio.samples
    if num_samples != len(samples):
        import librosa  # takes a second, and few lines need it

        stretched = librosa.effects.time_stretch(samples, rate=1 / factor, n_fft=1024)
        samples = np.clip(librosa.util.fix_length(stretched, size=num_samples), -1, 1).astype(np.float32)
    words = tuple(SpokenWord(w.text, w.start_s * factor, w.end_s * factor) for w in line.words)
    phonemes = tuple(Phoneme(p.symbol, p.start_s * factor, p.end_s * factor) for p in line.phonemes)
    return Delivery(Audio(samples), words, phonemes)


def _spoken(
    speaker: Speaker,
    words: Sequence[str],
    stressed: Collection[int],
    pauses: dict[int, float],
    prosody: Prosody,
    edges_s: tuple[float, float],
) -> Delivery:
    edges = sorted({0, len(words), *(index for index in pauses if pauses[index] > 0)})
    parts: list[FloatArray] = [_silence(edges_s[0] + pauses.get(0, 0.0))]
    found: list[SpokenWord] = []
    phonemes = [Phoneme("", 0.0, edges_s[0] + pauses.get(0, 0.0))]
    for first, last in pairwise(edges):
        breath = speaker.say(words[first:last], {index - first for index in stressed if first <= index < last}, prosody)
        begin_s = sum(map(len, parts)) / SAMPLE_RATE
        texts = words[first:last]
        found += [SpokenWord(t, begin_s + a, begin_s + b) for t, (a, b) in zip(texts, breath.words, strict=True)]
        phonemes += _moved(breath, begin_s)
        parts += [breath.samples, _silence(pauses.get(last, 0.0) if last < len(words) else 0.0)]
        phonemes.append(Phoneme("", begin_s + len(breath.samples) / SAMPLE_RATE, sum(map(len, parts)) / SAMPLE_RATE))
    parts.append(_silence(edges_s[1] + (pauses.get(len(words), 0.0) if words else 0.0)))
    samples = np.concatenate(parts)
    phonemes.append(Phoneme("", phonemes[-1].end_s, len(samples) / SAMPLE_RATE))
    return Delivery(Audio(samples), tuple(found), tuple(p for p in phonemes if p.end_s > p.start_s))


def _moved(breath: Utterance, begin_s: float) -> list[Phoneme]:
    return [Phoneme(p.symbol, begin_s + p.start_s, begin_s + p.end_s) for p in breath.phonemes]


def _silence(seconds: float) -> FloatArray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)
