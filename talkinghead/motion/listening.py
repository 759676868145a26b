"""Who listens: looks at who speaks, blinks, nods where a phrase ends, and shows a little of what the other feels.

Knows times of phrases and the other's emotion; knows no sound. Sources: Ward, Tsukahara, "Prosodic features which cue
back-channel responses", J. Pragmatics 2000 (a response some 0.7 s into the end of a phrase); Hess, Fischer, "Emotional mimicry
as social regulation", 2013 (joy and sorrow are mirrored, anger and contempt are not).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from talkinghead.motion.acting import Act
from talkinghead.types import EMOTIONS, FPS, FloatArray, SpeechFeatures

MIRRORED: Final[dict[str, tuple[str, float]]] = {
    "angry": ("fear", 0.2),
    "contempt": ("neutral", 0.0),
    "disgusted": ("disgusted", 0.2),
    "fear": ("fear", 0.35),
    "happy": ("happy", 0.55),
    "neutral": ("neutral", 0.0),
    "sad": ("sad", 0.5),
    "surprised": ("surprised", 0.4),
}
"""What of another's emotion is shown as what."""
DELAY_S: Final = 0.5
NOD_AFTER_S: Final = 0.15
NOD_SHARE: Final = 0.6
LEAST_APART_S: Final = 1.6


def mirrored(activation: FloatArray) -> FloatArray:
    """(T, 3, 8) of who speaks -> (T, 3, 8) of who listens, half a second later."""
    matrix = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.float32)
    for row, name in enumerate(EMOTIONS):
        shown, share = MIRRORED[name]
        matrix[row, EMOTIONS.index(shown)] = share
    delay = min(round(DELAY_S * FPS), len(activation))
    late = np.concatenate([np.zeros_like(activation[:delay]), activation[: len(activation) - delay]])
    result: FloatArray = (late @ matrix).astype(np.float32)
    return result


def over_mood(shown: FloatArray, mood: FloatArray) -> FloatArray:
    """What is shown for the moment over a lasting mood, (T, 3, 8) and (3, 8) -> (T, 3, 8), at most 1 a region."""
    room = np.clip(1 - shown.sum(-1, keepdims=True), 0, 1)
    result: FloatArray = (shown + room * mood).astype(np.float32)
    return result


def nods(phrase_ends_s: Sequence[float], seed: int) -> list[Act]:
    """Small nods soon after some of the ends of another's phrases, never close to one another; a seed says after which."""
    random, result = np.random.default_rng([seed, 11]), list[Act]()
    for end_s in phrase_ends_s:
        is_wanted, strength = random.uniform() < NOD_SHARE, random.uniform(0.35, 0.7)
        start_s = end_s + NOD_AFTER_S + random.uniform(0, 0.25)
        if is_wanted and (not result or start_s - result[-1].start_s > LEAST_APART_S):
            result.append(Act("nod", float(start_s), float(strength)))
    return result


def silence(features: SpeechFeatures, num_frames: int) -> SpeechFeatures:
    """Features of a short silence -> as long as wanted: its middle frame, again and again."""
    middle = len(features) // 2

    def held(values: FloatArray) -> FloatArray:
        return np.repeat(values[middle : middle + 1], num_frames, axis=0)

    return SpeechFeatures(
        held(features.content),
        held(features.loudness),
        None if features.voice is None else held(features.voice),
        None if features.articulation is None else held(features.articulation),
    )
