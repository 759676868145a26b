"""The 52 ARKit blendshape names, in the order of Apple's `ARFaceAnchor` and of the Live Link Face app.

Knows the names, which belong to which region, which mirror which and what turn of the eyes a full `eyeLook*` is; knows no
vertices.
"""

from typing import Final

BLENDSHAPES: Final[tuple[str, ...]] = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft", "eyeWideLeft",
    "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight",
    "jawForward", "jawRight", "jawLeft", "jawOpen",
    "mouthClose", "mouthFunnel", "mouthPucker", "mouthRight", "mouthLeft",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip

INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(BLENDSHAPES)}

EYE_LOOK: Final[tuple[int, ...]] = tuple(INDEX[n] for n in BLENDSHAPES if n.startswith("eyeLook"))
EYE_LOOK_YAW_RAD: Final = 0.6
EYE_LOOK_UP_RAD: Final = 0.45
EYE_LOOK_DOWN_RAD: Final = 0.55
"""What `eyeLookOut/In`, `eyeLookUp` and `eyeLookDown` of 1 mean."""

BROW: Final[tuple[int, ...]] = tuple(INDEX[n] for n in BLENDSHAPES if n.startswith("brow"))
EYES: Final[tuple[int, ...]] = tuple(INDEX[n] for n in BLENDSHAPES if n.startswith("eye") and not n.startswith("eyeLook"))
MOUTH: Final[tuple[int, ...]] = tuple(INDEX[n] for n in BLENDSHAPES if n.startswith(("jaw", "mouth", "cheekPuff", "tongue")))
_CHEEKS_AND_NOSE: Final[tuple[int, ...]] = tuple(INDEX[n] for n in BLENDSHAPES if n.startswith(("cheekSquint", "noseSneer")))

REGIONS: Final[dict[str, tuple[int, ...]]] = {"brow": BROW, "eyes": EYES, "mouth": (*MOUTH, *_CHEEKS_AND_NOSE)}
"""Where an emotion can be shown by itself: every column but the eight of `eyeLook`, in one region each."""


def _mirror_of(name: str) -> str:
    if name.endswith("Left"):
        return name[:-4] + "Right"
    if name.endswith("Right"):
        return name[:-5] + "Left"
    return name


MIRROR: Final[tuple[int, ...]] = tuple(INDEX[_mirror_of(name)] for name in BLENDSHAPES)
"""`blendshapes[:, MIRROR]` is the same motion on the other side of the face."""
