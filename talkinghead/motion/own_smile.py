"""A face at which nothing is felt that was asked for goes on smiling as in its portrait, a little less, and speaks so.

People are mostly pictured smiling; without any of it they look stern, not calm, and a mouth drawn together looks it.
Knows blendshapes; knows no picture.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from talkinghead import arkit
from talkinghead.motion.expression import compose
from talkinghead.motion.lips import LipTravel
from talkinghead.types import EMOTIONS, FPS, FaceMotion, FloatArray

_GONE: Final = 0.5
"""An emotion that is so strong leaves nothing of the portrait's smile; joy gives way to itself alone, up to 1."""
_GOES_S: Final = 0.4
"""As fast as emotions come."""
_SERIOUS_S: Final = 2.0
"""Half as long before and after such an emotion there is none of it; it goes and comes back within as long."""
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
_CORNERS: Final = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
_BROAD: Final = 0.4
"""From here on a smile is one: of what is less, so much less stays."""
_CLOSE: Final = arkit.INDEX["mouthClose"]


def at_ease(activation: FloatArray, lastingly: bool = True) -> FloatArray:
    """activation: (T, 3, 8) that nobody asked for -> (T, 1) `FaceMotion.at_ease`, less where something is felt.

    lastingly: shortly before and after something else than joy, too: who was angry until now is not amused.
    """
    happy = activation[:, _MOUTH, _HAPPY, None]
    unlike = np.minimum(1, (activation[:, _MOUTH].sum(-1, keepdims=True) - happy) / _GONE)
    if lastingly:
        held = maximum_filter1d(unlike, 2 * round(_SERIOUS_S * FPS) + 1, axis=0, mode="nearest")
        unlike = uniform_filter1d(held, 2 * round(_SERIOUS_S * FPS / 2) + 1, axis=0, mode="nearest")
    return np.asarray(np.clip(1 - happy - unlike, 0, 1), np.float32)


def ebb(noise: FloatArray) -> FloatArray:
    """(T, 1) of `SlowNoise` over `EBB_S` -> (T, 1) by which a smile is less than it may be: none is as broad for minutes."""
    return np.asarray(1 - _EBB * (0.5 + 0.5 * np.tanh(noise)), np.float32)


def towards(ease: float, wanted: float) -> float:
    """Of a frame and wanted -> of the next, as it is spoken: an emotion takes the smile away as it comes, it returns slowly."""
    return ease + float(np.clip(wanted - ease, -1 / (_GOES_S * FPS), 1 / (_SERIOUS_S * FPS)))


def with_own_smile(motion: FaceMotion, resting: FloatArray, keep: float, travel: LipTravel | None) -> FaceMotion:
    """The motion with the smile of a portrait, where it is at ease.

    Args:
        motion: T frames, which nobody did.
        resting: (52,) that the portrait shows.
        keep: how much of its smile, in [0, 1].
        travel: what each column does to the lips, which stay as far apart as the motion has them; None does not see to that.
    """
    own = np.zeros_like(motion.blendshapes)
    # Narrow eyes and dimples without a smile are no part of one.
    own[:, _SMILE] = keep * motion.at_ease * resting[_SMILE] * min(1.0, float(resting[_CORNERS].max()) / _BROAD)
    if not own.any():
        return motion
    result = compose(motion.blendshapes, own)
    if travel is not None:
        parted = (result - motion.blendshapes) @ travel.parting
        result[:, _CLOSE] = np.clip(result[:, _CLOSE] - parted / travel.parting[_CLOSE], 0, 1)
    return replace(motion, blendshapes=result)
