"""A face at which nothing is felt that was asked for goes on smiling as in its portrait, a little less, and speaks so.

People are mostly pictured smiling; without any of it they look stern, not calm, and a mouth drawn together looks it.
Knows blendshapes; knows no picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.motion.expression import compose
from talkinghead.motion.lips import LipTravel
from talkinghead.types import EMOTIONS, FaceMotion, FloatArray

_GONE: Final = 0.5
"""An emotion that is so strong leaves nothing of the portrait's smile; joy gives way to itself alone, up to 1."""
_HAPPY: Final = EMOTIONS.index("happy")
_MOUTH: Final = list(arkit.REGIONS).index("mouth")
_SMILE: Final = [
    arkit.INDEX[name]
    for name in arkit.BLENDSHAPES
    if name.startswith(("mouthSmile", "mouthDimple", "cheekSquint", "eyeSquint"))
]
"""What of a smile does not part the lips."""
_CLOSE: Final = arkit.INDEX["mouthClose"]


def at_ease(activation: FloatArray) -> FloatArray:
    """activation: (T, 3, 8) as `EmotionTrack.activation` -> (T, 1) `FaceMotion.at_ease`. "neutral" is asked for, too."""
    felt, happy = activation[:, _MOUTH].sum(-1, keepdims=True), activation[:, _MOUTH, _HAPPY, None]
    ease: FloatArray = np.clip(1 - happy - (felt - happy) / _GONE, 0, 1).astype(np.float32)
    return ease


def with_own_smile(motion: FaceMotion, resting: FloatArray, keep: float, travel: LipTravel | None) -> FaceMotion:
    """The motion with the smile of a portrait, where it is at ease.

    Args:
        motion: T frames, which nobody did.
        resting: (52,) that the portrait shows.
        keep: how much of its smile, in [0, 1].
        travel: what each column does to the lips, which stay as far apart as the motion has them; None does not see to that.
    """
    own = np.zeros_like(motion.blendshapes)
    own[:, _SMILE] = keep * motion.at_ease * resting[_SMILE]
    if not own.any():
        return motion
    result = compose(motion.blendshapes, own)
    if travel is not None:
        parted = (result - motion.blendshapes) @ travel.parting
        result[:, _CLOSE] = np.clip(result[:, _CLOSE] - parted / travel.parting[_CLOSE], 0, 1)
    return replace(motion, blendshapes=result)
