"""Audio2Face's ten emotions -> our eight.

Source: NVIDIA, Audio2Face-3D, runtime configuration (`emotion_with_timecode_list`: a mapping or a list of entries with
`time_code` in seconds and `emotions`, name to value in [0, 1]). Of the rest of such a file only `beginning_emotion` and
`live_transition_time` are read; its face and blendshape parameters are of another face model.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.emotion.grammar import Emotion
from talkinghead.emotion.marked_yaml import Marked
from talkinghead.types import EMOTIONS, FloatArray

TIMECODES: Final = "emotion_with_timecode_list"
BEGINNING: Final = "beginning_emotion"
TRANSITION: Final = "live_transition_time"
MAX_TRANSITION_S: Final = 60.0
AUDIO2FACE: Final[dict[str, dict[str, float]]] = {
    "amazement": {"surprised": 1.0},
    "anger": {"angry": 1.0},
    "cheekiness": {"happy": 0.5, "contempt": 0.5},
    "disgust": {"disgusted": 1.0},
    "fear": {"fear": 1.0},
    "grief": {"sad": 1.0},
    "joy": {"happy": 1.0},
    "outofbreath": {"surprised": 0.3, "neutral": 0.7},
    "pain": {"disgusted": 0.6, "sad": 0.4},
    "sadness": {"sad": 1.0},
}
"""Cheekiness is a smile of one side. Pain is AU 4, 6/7, 9/10 (Prkachin, Solomon, 2008): disgust's, and sadness's brows.
Being out of breath is hardly an emotion: a little of surprise's open face."""


def read_emotions(emotions: Marked) -> tuple[Emotion, float]:
    """`emotions: {joy: 0.6, anger: 0.2}` -> the mix, and its strength: their sum, 1 at most.

    Raises:
        EmotionError: an unknown name (the ten are listed) or a value out of [0, 1].
    """
    strengths: FloatArray = np.zeros(len(EMOTIONS), np.float32)
    for name, value in emotions.fields("emotions", tuple(AUDIO2FACE)).items():
        for ours, share in AUDIO2FACE[name].items():
            strengths[EMOTIONS.index(ours)] += share * value.number(name, 0, 1)
    total = float(strengths.sum())
    mix = strengths / total if total else np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("neutral")]
    return Emotion(f"emotions of {emotions.where}", mix, {}), min(1.0, total)
