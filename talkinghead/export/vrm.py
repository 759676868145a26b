"""ARKit's 52 -> the expressions of VRM avatars: five vowels, blinks, looks and moods, in VRM 1.0's names and in 0.x'.

Source: VRM specification, `VRMC_vrm` 1.0 (preset expressions) and `VRM` 0.x (blend shape presets). A vowel is what the mouth
looks like, not what is said: rounded lips are ou and oh, wide ones ee and ih, an open jaw the rest.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.types import FloatArray

PRESETS: Final = (
    "aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight", "lookUp", "lookDown", "lookLeft", "lookRight",
    "happy", "angry", "sad", "surprised",
)  # fmt: skip
"""Of VRM 1.0; `relaxed` and `neutral` are never set."""
OLD_NAMES: Final[dict[str, str]] = {
    "aa": "A", "ih": "I", "ou": "U", "ee": "E", "oh": "O", "blink": "Blink", "blinkLeft": "Blink_L", "blinkRight": "Blink_R",
    "lookUp": "LookUp", "lookDown": "LookDown", "lookLeft": "LookLeft", "lookRight": "LookRight",
    "happy": "Joy", "angry": "Angry", "sad": "Sorrow", "surprised": "Surprised",
}  # fmt: skip
"""The same in VRM 0.x, as VMC sends them; there Surprised is no preset, but most avatars have it."""

_OPEN_AT: Final = 0.6
"""Of `jawOpen`, where a mouth is as open as a vowel's expression is."""


def expressions(blendshapes: FloatArray) -> dict[str, FloatArray]:
    """blendshapes: (T, 52) with `eyeLook*` filled -> VRM 1.0 name -> (T,) in [0, 1]; the vowels sum to at most 1.

    `blink` is what both eyes do together and the sides what each does beyond it, so that all three can be applied.
    """

    def of(name: str) -> FloatArray:
        return blendshapes[:, arkit.INDEX[name]]

    def both(name: str) -> FloatArray:
        return (of(f"{name}Left") + of(f"{name}Right")) * np.float32(0.5)

    def clipped(values: npt.NDArray[Any]) -> FloatArray:
        cut: FloatArray = np.clip(values, 0, 1).astype(np.float32)
        return cut

    opening = clipped((of("jawOpen") - of("mouthClose")) / _OPEN_AT)
    pucker, funnel = clipped(of("mouthPucker")), clipped(of("mouthFunnel"))
    round_ = np.maximum(1, pucker + funnel)
    rest = clipped(1 - pucker / round_ - funnel / round_)
    wide = clipped(both("mouthStretch") + both("mouthSmile") / 2)
    blink = np.minimum(of("eyeBlinkLeft"), of("eyeBlinkRight"))
    made = {
        "aa": rest * opening * (1 - wide),
        "ih": rest * (1 - opening) * wide * 0.5,
        "ou": pucker / round_,
        "ee": rest * opening * wide,
        "oh": funnel / round_,
        "blink": blink,
        "blinkLeft": of("eyeBlinkLeft") - blink,
        "blinkRight": of("eyeBlinkRight") - blink,
        "lookUp": both("eyeLookUp"),
        "lookDown": both("eyeLookDown"),
        "lookLeft": (of("eyeLookOutLeft") + of("eyeLookInRight")) / 2,
        "lookRight": (of("eyeLookInLeft") + of("eyeLookOutRight")) / 2,
        "happy": both("mouthSmile"),
        "angry": both("browDown"),
        "sad": np.minimum(both("mouthFrown") * 2, 1) * np.minimum(of("browInnerUp") * 2, 1),
        "surprised": both("browOuterUp") * both("eyeWide"),
    }
    return {name: clipped(made[name]) for name in PRESETS}
