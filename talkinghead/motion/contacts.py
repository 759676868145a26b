"""How surely each articulation is heard -> when the lips are on their way to a contact.

Knows the speech encoder's scores; knows nothing of lips that move.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead.types import ARTICULATIONS, FloatArray

SURE_CONTACT: Final = {"bilabial": 0.3, "labiodental": 0.4}
"""How sure the speech encoder must be of an articulation for the lips to make it: so 99 and 98 % are made of those of the
speech that it learnt from, and less than 0.2 % of the vowels away from any."""
CONTACT_SLOPE: Final = 3.0

DOUBT_FRAMES: Final = 21
USUAL_DOUBT: Final = 0.18
DOUBT_SLOPE: Final = 4.0
MOST_CAUTION: Final = 0.5
"""In noise and in far rooms everything is heard by halves, p, b and m where there are none too: what passes `USUAL_DOUBT`
(the median of clear recordings in the wild) raises what is asked for. On 57 clips of training talkers, each left out of the
read-out, the opening's r in the wild goes from .743 to .744, in white noise at 10 dB from .625 to .640. A lip that touches the
teeth by mistake closes no mouth: f and v are not asked for more."""


def doubt(articulation: FloatArray) -> FloatArray:
    """articulation: (T, A) in [0, 1] -> (T,) how undecided the encoder is within 0.4 s: 0 sure of each, 1 all at a half."""
    undecided = (4 * articulation * (1 - articulation)).mean(1)
    reach = DOUBT_FRAMES // 2
    near = np.pad(undecided, reach, mode="edge")
    result: FloatArray = np.convolve(near, np.ones(DOUBT_FRAMES) / DOUBT_FRAMES, "valid").astype(np.float32)
    return result


def contact(articulation: FloatArray, name: str) -> FloatArray:
    """articulation: (T, A) as `SpeechFeatures` -> (T,) in [0, 1] how far the lips are on their way to a contact."""
    sure = articulation[:, ARTICULATIONS.index(name)] - SURE_CONTACT[name]
    if name == "bilabial":
        sure = sure - np.clip(DOUBT_SLOPE * (doubt(articulation) - USUAL_DOUBT), 0, MOST_CAUTION)
    result: FloatArray = np.clip(0.5 + sure * CONTACT_SLOPE, 0, 1)
    return result
