"""A face at which nothing is felt that was asked for goes on smiling as in its portrait, a little less, and speaks so.

People are mostly pictured smiling; without any of it they look stern, not calm, and a mouth drawn together looks it.
Knows blendshapes; knows no picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from talkinghead import arkit
from talkinghead.motion.expression import compose
from talkinghead.motion.lips import LipTravel
from talkinghead.types import EMOTIONS, FPS, FaceMotion, FloatArray

_GONE: Final = 0.5
"""An emotion that is so strong leaves nothing of the portrait's smile; joy gives way to itself alone, up to 1."""
_GOES_S: Final = 0.4
"""As fast as emotions come."""
_SERIOUS_S: Final = 2.0
"""So long before and after such an emotion there is none of it; it goes and comes back within as long."""
EBB_S: Final = 4.0
_EBB: Final = 0.3
"""How slowly a smile ebbs by itself, and by how much at most."""
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


def is_serious(activation: FloatArray) -> bool:
    """(T, 3, 8) -> whether something else than joy is felt, or calm wanted."""
    return bool((activation[:, _MOUTH].sum(-1) - activation[:, _MOUTH, _HAPPY]).max(initial=0) > _GONE / 2)


def lastingly(ease: FloatArray) -> FloatArray:
    """(T, 1) -> the same without a smile shortly before and after what takes it away: who was angry until now is not amused."""
    frames = 2 * round(_SERIOUS_S * FPS) + 1
    held = minimum_filter1d(ease, frames, axis=0, mode="nearest")
    slow = 2 * round(_SERIOUS_S * FPS / 2) + 1
    return np.asarray(uniform_filter1d(held, slow, axis=0, mode="nearest"), np.float32)


def ebb(noise: FloatArray) -> FloatArray:
    """(T, 1) of `SlowNoise` over `EBB_S` -> (T, 1) by which a smile is less than it may be: none is as broad for minutes."""
    return np.asarray(1 - _EBB * (0.5 + 0.5 * np.tanh(noise)), np.float32)


def towards(ease: FloatArray, wanted: FloatArray) -> FloatArray:
    """(1, 1) of a frame and what is wanted -> of the next: an emotion takes the smile away as it comes, it returns slowly."""
    return np.asarray(ease + np.clip(wanted - ease, -1 / (_GOES_S * FPS), 1 / (_SERIOUS_S * FPS)), np.float32)


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
