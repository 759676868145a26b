"""Somebody's face with the lips of another speech: brows, lids, look and mood are the one's, what the mouth says the other's.

Knows blendshapes; knows no pictures. Closures are made last, whatever the rest of the face does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.motion.expression import compose
from talkinghead.motion.lips import LipContacts, LipTravel, restrain_parting, touch_lips
from talkinghead.motion.smoothing import moving_average
from talkinghead.types import FloatArray

MOOD_S: Final = 0.6
"""Half the window over which the mouth's corners are a mood and no longer a word."""


def _columns(*prefixes: str) -> list[int]:
    return [index for index, name in enumerate(arkit.BLENDSHAPES) if name.startswith(prefixes)]


UPPER_FACE: Final = _columns("brow", "eye", "cheekSquint", "noseSneer")
MOOD: Final = _columns("mouthSmile", "mouthFrown", "mouthDimple")


def dubbed(blendshapes: FloatArray, talking: FloatArray, contacts: LipContacts, travel: LipTravel | None) -> FloatArray:
    """A face that did something, and what another mouth said -> that face saying it, (T, 52) in [0, 1].

    blendshapes: (T, 52). talking, contacts: as `Articulator.articulate`, of any length: the mouth rests after their end. Of
    the face's own mouth its mood is left, the slow course of the corners.
    """
    talking, contacts = _as_long(talking, contacts, len(blendshapes))
    face = np.zeros_like(blendshapes)
    face[:, UPPER_FACE] = blendshapes[:, UPPER_FACE]
    for column in MOOD:
        face[:, column] = moving_average(blendshapes[:, column], MOOD_S)
    both = compose(talking, face)
    if travel is not None:
        both = touch_lips(restrain_parting(both, talking, travel), contacts, travel)
    return np.clip(both, 0, 1).astype(np.float32)


def _as_long(talking: FloatArray, contacts: LipContacts, num_frames: int) -> tuple[FloatArray, LipContacts]:
    after = max(0, num_frames - len(talking))
    closed, tucked = (np.pad(curve, (0, after))[:num_frames] for curve in (contacts.closed, contacts.tucked))
    return np.pad(talking, ((0, after), (0, 0)))[:num_frames], LipContacts(closed, tucked)
