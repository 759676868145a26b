"""Line of text -> spoken `Audio` with phoneme and word times, by espeak-ng (100 languages, offline).

espeak-ng is GPL-3, so it runs in a process of its own (`espeak_worker.py`). Knows nothing of faces.
"""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
import soxr

from talkinghead.errors import AudioError, DependencyError
from talkinghead.types import SAMPLE_RATE, Audio, FloatArray

DEFAULT_VOICE: Final = "en-us"
MAX_CHARACTERS: Final = 50_000
LEAD_S: Final = 0.2
"""Silence before the first sound, in which the mouth prepares."""
TAIL_S: Final = 0.3
_REMEDY: Final = "reinstall: pip install --force-reinstall espeakng-loader"
_EXIT_NO_VOICE: Final = 3
"""As in `espeak_worker`, which is never imported."""
_WORKER: Final = Path(__file__).with_name("espeak_worker.py")


@dataclass(frozen=True)
class Phoneme:
    """symbol: IPA, empty in a pause; start_s, end_s: s from the start of the sound."""

    symbol: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Word:
    """text: as it was written; start_s: s from the start of the sound."""

    text: str
    start_s: float


@dataclass(frozen=True, eq=False)
class SpokenText:
    """A spoken line: its sound, its phonemes without gaps in order, its words."""

    audio: Audio
    phonemes: tuple[Phoneme, ...]
    words: tuple[Word, ...]


class Timing(TypedDict):
    """What the worker says of its samples: Hz; symbol and start in s; first character, length and start in s."""

    rate: int
    phonemes: list[tuple[str, float]]
    words: list[tuple[int, int, float]]


def speak(text: str, voice: str = DEFAULT_VOICE, words_per_minute: int = 165, pitch: int = 50) -> SpokenText:
    """text in the language of `voice` -> its sound at 16 kHz and when each phoneme is spoken.

    voice: a language of espeak-ng, with a variant if wanted: "en-us", "de", "en-gb+f3".
    words_per_minute: 80 to 450. pitch: 0 to 99.

    Raises:
        AudioError: no text, nothing in it to speak, too much of it, an unknown voice, or a speed or pitch out of range.
        DependencyError: espeak-ng cannot be started.
    """
    if not text.strip():
        raise AudioError("text: is empty; give a sentence to speak.")
    if len(text) > MAX_CHARACTERS:
        raise AudioError(f"text: {len(text)} characters, at most {MAX_CHARACTERS} are wanted; cut it into parts.")
    if not 80 <= words_per_minute <= 450:
        raise AudioError(f"words_per_minute: {words_per_minute}; give 80 to 450.")
    if not 0 <= pitch <= 99:
        raise AudioError(f"pitch: {pitch}; give 0 to 99.")
    text = text.replace("\0", " ")
    timing, samples = synthesise(text, voice, words_per_minute, pitch)
    return _spoken(text, timing, samples)


def synthesise(
    text: str, voice: str, words_per_minute: int, pitch: int, pitch_range: int = 50, volume: int = 100, is_ssml: bool = False
) -> tuple[Timing, FloatArray]:
    """-> when what is spoken, and the samples at 16 kHz.

    pitch_range: 0 is flat, 50 the voice's own, 99 twice that. volume: in per cent of the voice's own, 0 to 200.

    Raises:
        AudioError, DependencyError: as `speak`.
    """
    form = "ssml" if is_ssml else "text"
    output = _run_worker(text, voice, words_per_minute, pitch, pitch_range, volume, form)
    head, _, body = output.partition(b"\n")
    timing: Timing = json.loads(head)
    samples = np.frombuffer(body, "<i2").astype(np.float32) / 32768
    if not any(symbol.strip() for symbol, _ in timing["phonemes"]) or not samples.any():
        raise AudioError(f"text: {text.strip()[:40]!r} holds nothing to speak; give words in the language of the voice.")
    resampled = soxr.resample(samples, timing["rate"], SAMPLE_RATE)
    return timing, np.clip(resampled, -1, 1).astype(np.float32)


def ipa(lines: Sequence[str], voice: str = DEFAULT_VOICE) -> list[list[str]]:
    """Lines of text -> the IPA of each line's clauses, stress marks kept: "hˈaɪ ðˈɛɹ".

    Raises:
        AudioError, DependencyError: as `speak`.
    """
    written = "\n".join(" ".join(line.split()) for line in lines)
    clauses: list[list[str]] = json.loads(_run_worker(written, voice, 165, 50, 50, 100, "ipa"))
    return clauses


def check_espeak_voice(voice: str) -> None:
    """Raise AudioError for a voice that there is not; the choices are listed."""
    _run_worker("", voice, 165, 50, 50, 100, "ipa")


def _run_worker(text: str, voice: str, *how: int | str) -> bytes:
    # -P: the folder of the script must not shadow the standard library.
    command = [sys.executable, "-P", str(_WORKER), voice, *map(str, how)]
    try:
        done = subprocess.run(command, input=text.encode("utf8", "replace"), capture_output=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DependencyError(f"espeak-ng did not run ({error}); {_REMEDY}.") from error
    if done.returncode == _EXIT_NO_VOICE:
        languages = json.loads(done.stdout)
        near = difflib.get_close_matches(voice.partition("+")[0], languages, 1)
        meant = f"did you mean {near[0]}? Or " if near else ""
        raise AudioError(f"voice: no {voice[:60]!r} in espeak-ng; {meant}choose one of {', '.join(languages)}.")
    if done.returncode:
        last_line = done.stderr.decode("utf8", "replace").strip().rpartition("\n")[2]
        raise DependencyError(f"espeak-ng failed with status {done.returncode} ({last_line}); {_REMEDY}.")
    return done.stdout


def _spoken(text: str, timing: Timing, samples: FloatArray) -> SpokenText:
    """The samples between two silences, and what is said when."""
    lead, tail = np.zeros(round(LEAD_S * SAMPLE_RATE), np.float32), np.zeros(round(TAIL_S * SAMPLE_RATE), np.float32)
    audio = Audio(np.concatenate([lead, samples, tail]))
    starts = [(symbol, LEAD_S + start) for symbol, start in timing["phonemes"]]
    ends = [start for _, start in starts[1:]] + [LEAD_S + len(samples) / SAMPLE_RATE]
    phonemes = tuple(Phoneme(symbol.strip(), start, end) for (symbol, start), end in zip(starts, ends, strict=True))
    words = tuple(Word(text[first : first + length], LEAD_S + start) for first, length, start in timing["words"])
    return SpokenText(audio, phonemes, words)
