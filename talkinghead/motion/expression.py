"""EmotionTrack -> what it does to the whole face, and how that is put together with talking.

The prototypes are the facial action units of each emotion, written in ARKit columns; a seed gives each person their own way
of showing them. Knows action units; knows nothing of sound. Sources: Ekman, Friesen, Hager, "Facial Action Coding System",
2002, table of emotion predictions (EMFACS); Matsumoto, Ekman, "The relationship among expressions, labels, and descriptions
of contempt", 2004 (contempt is one-sided).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.motion.smoothing import slow_noise
from talkinghead.types import EMOTIONS, EmotionTrack, FloatArray

# At intensity 1. A name without a side is both sides.
PROTOTYPES: Final[dict[str, dict[str, float]]] = {
    # AU 4 + 7, the nose a little wrinkled (9), lips tight and square (16 + 23/24), chin forward. Lowered brows are hardly seen
    # over open eyes, by people as by the tracker: narrowed lids and the procerus (9) show them, and a trace of 5 is the glare.
    "angry": {
        "browDown": 1.0, "eyeSquint": 0.75, "cheekSquint": 0.3, "eyeWide": 0.15, "noseSneer": 0.7, "mouthPress": 0.5,
        "mouthFrown": 0.7, "mouthLowerDown": 0.3, "mouthRollUpper": 0.2, "mouthStretch": 0.15, "jawForward": 0.4,
    },
    # AU 14 + 12 of one side with that side's nose and brow, the other brow down, lids a little down.
    "contempt": {
        "mouthDimpleLeft": 0.9, "mouthSmileLeft": 0.5, "mouthPressLeft": 0.35, "mouthLeft": 0.16, "cheekSquintLeft": 0.5,
        "noseSneerLeft": 0.35, "browOuterUpLeft": 0.7, "browDownRight": 0.7, "eyeSquint": 0.4, "eyeBlink": 0.14,
        "mouthShrugLower": 0.25,
    },
    # AU 9 + 10 + 15 + 17, cheeks up, lids tight and narrow, brows pulled down by the nose.
    "disgusted": {
        "noseSneer": 1.0, "mouthUpperUp": 0.3, "cheekSquint": 0.55, "browDown": 0.85, "eyeSquint": 0.6, "eyeBlink": 0.05,
        "mouthFrown": 0.6, "mouthShrugLower": 0.5, "mouthShrugUpper": 0.1,
    },
    # AU 1 + 2 + 4 + 5 + 20 + 25/26: brows up and together, and what sets it apart from surprise, the lips drawn back.
    "fear": {
        "browInnerUp": 1.0, "browOuterUp": 0.35, "browDown": 0.4, "eyeWide": 0.7, "mouthStretch": 1.0, "mouthFrown": 0.25,
        "jawOpen": 0.12, "mouthLowerDown": 0.2, "mouthUpperUp": 0.12,
    },
    # AU 6 + 12, a little 25: cheeks lift and the lids narrow with the smile (Duchenne).
    "happy": {
        "mouthSmile": 0.85, "cheekSquint": 0.85, "eyeSquint": 0.55, "mouthDimple": 0.2, "mouthUpperUp": 0.2,
        "mouthLowerDown": 0.1, "browInnerUp": 0.08, "browOuterUp": 0.1, "mouthStretch": 0.08,
    },
    "neutral": {},
    # AU 1 + 4 + 15 + 17, upper lids heavy. Corners that only go down look like pursed lips: they go a little out as well (20).
    "sad": {
        "browInnerUp": 1.0, "browDown": 0.4, "mouthFrown": 0.75, "mouthShrugLower": 0.5, "mouthStretch": 0.25,
        "eyeBlink": 0.25, "eyeSquint": 0.25, "cheekSquint": 0.15, "mouthLowerDown": 0.08,
    },
    # AU 1 + 2 + 5 + 26.
    "surprised": {"browInnerUp": 0.9, "browOuterUp": 1.0, "eyeWide": 0.6, "jawOpen": 0.24, "mouthFunnel": 0.12},
}  # fmt: skip

# How much the rest of talking gives way to a full expression: a smile cannot be kept while the lips are pushed forward.
OPPOSED: Final[tuple[tuple[str, str], ...]] = (
    ("mouthSmile", "mouthPucker"),
    ("mouthSmile", "mouthFrown"),
    ("mouthSmile", "mouthShrugLower"),
    ("mouthFrown", "mouthSmile"),
    ("mouthFrown", "mouthDimple"),
    ("mouthStretch", "mouthPucker"),
)
GIVE_WAY: Final = 0.6
WHOLE_S: Final = 2.2
EACH_S: Final = 1.6
"""How slowly an expression swells and ebbs, as a whole and each column."""
_LIFE: Final = 0.16
_SIDE: Final = 0.08
_STYLE: Final = 0.2


def both_sides(name: str) -> list[int]:
    """Columns of a name: itself, or its left and right."""
    if name in arkit.INDEX:
        return [arkit.INDEX[name]]
    return [arkit.INDEX[f"{name}Left"], arkit.INDEX[f"{name}Right"]]


def _prototype_matrix() -> FloatArray:
    matrix = np.zeros((len(EMOTIONS), len(arkit.BLENDSHAPES)), np.float32)
    for row, emotion in enumerate(EMOTIONS):
        for name, value in PROTOTYPES[emotion].items():
            matrix[row, both_sides(name)] = value
    return matrix


PROTOTYPE_MATRIX: Final[FloatArray] = _prototype_matrix()
"""(8, 52) each emotion at full strength, rows as `EMOTIONS`."""


def _style(generator: np.random.Generator) -> FloatArray:
    """(8, 52) one person's emphasis on each action unit of each emotion, within 20 % of the prototype's.

    Log-normal, so that twice as much and half as much are equally likely. Left and right are one action unit, but for
    contempt, which is of one side.
    """
    style = np.ones(PROTOTYPE_MATRIX.shape, np.float32)
    limit = np.log1p(_STYLE)
    for row, emotion in enumerate(EMOTIONS):
        for name in PROTOTYPES[emotion]:
            columns = both_sides(name)
            num_draws = len(columns) if emotion == "contempt" else 1
            style[row, columns] = np.exp(np.clip(generator.normal(0, limit / 2, num_draws), -limit, limit))
    return style


def _regional(prototypes: FloatArray) -> FloatArray:
    """(8, 52) -> (3, 8, 52), each region's columns alone."""
    regional = np.zeros((len(arkit.REGIONS), *prototypes.shape), np.float32)
    for index, columns in enumerate(arkit.REGIONS.values()):
        regional[index][:, list(columns)] = prototypes[:, list(columns)]
    return regional


class PersonalExpression:
    """One person's way to show emotions, and how theirs swell and ebb by themselves, by a seed; a stretch after the other.

    An expression is never still: it swells and ebbs a little, each side in its own time. The swell multiplies, so that more
    intensity is always more of each column. Two seeds give two people's anger, the same seed the same person's in every clip.
    """

    def __init__(self, seed: int, prototypes: FloatArray = PROTOTYPE_MATRIX) -> None:
        """prototypes: (8, 52) each emotion at full strength, as everybody shows it."""
        own = np.random.default_rng([seed, 4])
        self._person, lean = _regional(prototypes * _style(own)), np.float32(own.uniform(-_SIDE, _SIDE))
        self._side = np.zeros(len(arkit.BLENDSHAPES), np.float32)
        for index, name in enumerate(arkit.BLENDSHAPES):
            self._side[index] = lean if name.endswith("Left") else -lean if name.endswith("Right") else 0

    def __call__(self, activation: FloatArray, whole: FloatArray, each: FloatArray) -> FloatArray:
        """activation: (T, 3, 8), noise of `WHOLE_S` (T, 1) and `EACH_S` (T, 52) -> (T, 52) in [0, 1], 0 where there is none.

        Linear in the activation of each region.
        """
        swell = 1 + _LIFE * np.tanh(0.6 * whole + 0.4 * each) + self._side
        columns = np.einsum("tre,rec->tc", activation, self._person)
        result: FloatArray = np.clip(columns * swell, 0, 1).astype(np.float32)
        return result


def expression(track: EmotionTrack, seed: int, prototypes: FloatArray = PROTOTYPE_MATRIX) -> FloatArray:
    """The expression alone, (T, 52) in [0, 1]; all zeros where the track's activation is. As `PersonalExpression`."""
    generator = np.random.default_rng([seed, 3])
    whole = slow_noise(len(track), 1, WHOLE_S, generator)
    each = slow_noise(len(track), len(arkit.BLENDSHAPES), EACH_S, generator)
    return PersonalExpression(seed, prototypes)(track.activation, whole, each)


def compose(talking: FloatArray, emotional: FloatArray) -> FloatArray:
    """Talking and expression on one face.

    talking, emotional: (T, 52) in [0, 1] -> (T, 52) in [0, 1]. Columns add up and saturate softly; what an expression cannot
    share the face with gives way. The lips' closure comes after this (`articulator.close_lips`).
    """
    talking = talking.copy()
    for ours, theirs in OPPOSED:
        strength = emotional[:, both_sides(ours)].mean(1)
        talking[:, both_sides(theirs)] *= (1 - GIVE_WAY * strength)[:, None]
    # 1 - (1 - a)(1 - b): equal to a where b is 0, rises with either, never above 1.
    result: FloatArray = (talking + emotional - talking * emotional).astype(np.float32)
    return result
