"""Whether the emotion heard in a voice changes where the mood does, and whether plain speech is left alone.

Two moods of one speaker are joined in one recording, which an encoder that never heard that speaker then hears. Knows acted
recordings and the tracks that are heard in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.emotion_encoder import EmotionEncoder, neutral_unless_sure
from talkinghead.emotion.voices import read_voice, speaker_folds, spoken_emotion
from talkinghead.errors import InputError
from talkinghead.types import FPS, NEUTRAL, SAMPLES_PER_FRAME, Audio, EmotionTrack, FloatArray, SpeechFeatures

LEAST_FRAMES: Final = FPS
"""A mood lasts a second at least."""
WITHIN_S: Final = 1.0
SHOWN: Final = 0.1
"""An activation that one sees."""


@dataclass(frozen=True, eq=False)
class Splice:
    """A recording whose mood changes: what was joined, at which frame, and the two emotions."""

    audio: Audio
    change: int
    emotions: tuple[int, int]
    fold: int


def splices(voices: Path, recordings: Path, num_folds: int, count: int, seed: int) -> Iterator[Splice]:
    """Two moods of one RAVDESS speaker joined, one or two recordings of each, `count` times.

    voices: prepared (`data/features/voices`: they say which speaker is in which fold); recordings: RAVDESS's own.

    Raises:
        InputError: no such recordings.
    """
    known = [(file, said) for file in sorted(voices.glob("*/*.npz")) if (said := spoken_emotion(file)) is not None]
    fold = speaker_folds(np.array([said[2] for _, said in known]), num_folds) if known else np.empty(0, int)
    of: dict[str, dict[int, list[Path]]] = {}
    fold_of = {}
    for (file, (label, strength, speaker)), k in zip(known, fold, strict=True):
        sound = recordings / f"{file.stem}.ogg"
        # Of an acted emotion the strong ones: a mood that is hardly one has no place where it changes.
        if file.parent.name == "ravdess" and sound.is_file() and (label == NEUTRAL or strength == 1):
            of.setdefault(speaker, {}).setdefault(label, []).append(sound)
            fold_of[speaker] = int(k)
    if not of:
        raise InputError(f"{recordings}: holds none of the recordings prepared in {voices}; give RAVDESS's folder.")
    random = np.random.default_rng(seed)
    for _ in range(count):
        speaker = str(random.choice(sorted(of)))
        one, other = (int(label) for label in random.choice(sorted(of[speaker]), 2, replace=False))
        parts = [
            np.concatenate([_whole_frames(load_audio(of[speaker][label][i])) for i in _some(random, len(of[speaker][label]))])
            for label in (one, other)
        ]
        yield Splice(Audio(np.concatenate(parts)), len(parts[0]) // SAMPLES_PER_FRAME, (one, other), fold_of[speaker])


def change_table(
    speech_encoder: SpeechEncoder, folds: list[EmotionEncoder], joined: Iterator[Splice], seed: int = 0
) -> dict[str, dict[str, float]]:
    """Row -> part of the changes found within a second, median error in s, part of the splices of which both moods are named.

    Rows: what is heard; what of it is sure enough to be shown; a guess at any frame.
    """
    random = np.random.default_rng(seed)
    errors: dict[str, list[float]] = {"heard": [], "shown": [], "chance: any frame": []}
    named: dict[str, list[bool]] = {"heard": [], "shown": []}
    for splice in joined:
        track = folds[splice.fold].hear(speech_encoder.encode(splice.audio, with_voice=True))
        for row, felt in (("heard", track.weights), ("shown", shown(neutral_unless_sure(track)))):
            errors[row].append(abs(change_point(felt) - splice.change) / FPS)
            halves = (felt[: splice.change].mean(0).argmax(), felt[splice.change :].mean(0).argmax())
            named[row].append(halves == splice.emotions)
        guess = random.integers(LEAST_FRAMES, len(track) - LEAST_FRAMES)
        errors["chance: any frame"].append(abs(guess - splice.change) / FPS)
    return {
        row: {
            "within 1 s": float(np.mean(np.array(errors[row]) <= WITHIN_S)),
            "median error, s": float(np.median(errors[row])),
            "both moods named": float(np.mean(named[row])) if row in named else 1 / 42,
            "splices": float(len(errors[row])),
        }
        for row in errors
    }


def shown(track: EmotionTrack) -> FloatArray:
    """(T, 8) what the face shows of each emotion, neutral the rest to 1."""
    felt = track.weights * track.intensity[:, None]
    felt[:, NEUTRAL] = 0
    felt[:, NEUTRAL] = 1 - felt.sum(1)
    return np.asarray(felt, np.float32)


def change_point(felt: FloatArray) -> int:
    """felt: (T, 8) -> the frame at which two constant moods explain the track best (least squares)."""
    total = np.cumsum(felt.astype(np.float64), axis=0)
    frames = np.arange(1, len(felt) + 1)[:, None]
    gain = (total**2 / frames + (total[-1] - total) ** 2 / np.maximum(len(felt) - frames, 1)).sum(1)
    inside = slice(LEAST_FRAMES - 1, max(len(felt) - LEAST_FRAMES, LEAST_FRAMES))
    return int(gain[inside].argmax()) + LEAST_FRAMES


def calm_table(folds: list[EmotionEncoder], voices: Path) -> dict[str, float]:
    """Plain voices, each heard by the encoder that never heard it: in how many an emotion is seen, and how much of the time."""
    known = [(file, said) for file in sorted(voices.glob("*/*.npz")) if (said := spoken_emotion(file)) is not None]
    fold = speaker_folds(np.array([said[2] for _, said in known]), len(folds))
    seen = [_seen(folds[k], read_voice(file)) for (file, _), k in zip(known, fold, strict=True) if file.parent.name == "plain"]
    return _calm(seen)


def calm_of(speech_encoder: SpeechEncoder, encoder: EmotionEncoder, files: list[Path]) -> dict[str, float]:
    """The same of recordings that the encoder never heard."""
    return _calm([_seen(encoder, speech_encoder.encode(load_audio(file), with_voice=True)) for file in files])


def _seen(encoder: EmotionEncoder, features: SpeechFeatures) -> FloatArray:
    """(T,) whether an emotion is seen in each frame."""
    return np.asarray(shown(neutral_unless_sure(encoder.hear(features)))[:, NEUTRAL] < 1 - SHOWN, np.float32)


def _calm(seen: list[FloatArray]) -> dict[str, float]:
    return {
        "recordings in which an emotion is seen": float(np.mean([frames.any() for frames in seen])) if seen else 0.0,
        "time in which it is": float(np.concatenate(seen).mean()) if seen else 0.0,
        "recordings": float(len(seen)),
    }


def _some(random: np.random.Generator, available: int) -> list[int]:
    return [int(i) for i in random.choice(available, min(available, int(random.integers(1, 3))), replace=False)]


def _whole_frames(audio: Audio) -> FloatArray:
    return audio.samples[: len(audio.samples) // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME]
