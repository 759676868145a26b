"""Blendshapes with the lips as far apart, as wide and as shut as was measured, whatever else the face does.

Blendshapes overlap: many move the lips, and none of them says how far apart they are. What each column does to the lips of the
rig is known (`LipTravel`), so the columns that move little else make up for the rest. Knows blendshapes and distances; knows
nothing of sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from talkinghead import arkit
from talkinghead.types import FloatArray

UPPER_LIP: Final = 13
LOWER_LIP: Final = 14
RIGHT_CORNER: Final = 61
LEFT_CORNER: Final = 291
RIGHT_EYE: Final = 33
LEFT_EYE: Final = 263

SHUT_BEYOND_REST: Final = 0.008
"""How far past the resting gap shut lips meet, over the distance between the outer eye corners."""
FELT_PARTING: Final = 0.045
"""By how much an emotion may part the lips of who speaks, over the eye distance: a raised lip must not drown what is said."""
SPEAKING: Final = 0.05
"""From this much of any column on somebody speaks."""
PARTERS_LET_GO: Final = 0.95
SNEERS_LET_GO: Final = 0.15
JAW_LETS_GO: Final = 0.4
"""What part of each gives way while the lips are shut. A wrinkled nose stays: brows and cheeks move with it, and would twitch
at every p."""
PRESSED: Final = 0.12
"""At least this much are shut lips pressed together."""
TUCKED_GAP: Final = 0.012
"""The gap at f and v: the lower lip is at the upper teeth, the upper lip a little off them."""
TUCK: Final = {
    "mouthRollLower": 0.45, "mouthUpperUpLeft": 0.14, "mouthUpperUpRight": 0.14, "mouthShrugLower": 0.12,
}  # fmt: skip
"""At least this much of each column at f and v."""

SEEN_SHUT: Final = (0.003, 0.022)
"""Lips that touch are seen up to so far past the resting gap, and lips from the other on are surely apart."""

PICTURED_PARTED: Final = 0.03
"""Lips that a picture shows so far apart show teeth; over the distance between the outer eye corners, past the resting gap."""

JAW_OPEN: Final = arkit.INDEX["jawOpen"]
MOUTH_CLOSE: Final = arkit.INDEX["mouthClose"]


def _columns(*prefixes: str) -> list[int]:
    return [index for index, name in enumerate(arkit.BLENDSHAPES) if name.startswith(prefixes)]


# What parts the lips without the jaw; while they shut these give way first.
LIP_PARTERS: Final = _columns("mouthLowerDown", "mouthUpperUp", "mouthFunnel", "mouthShrugUpper")
SNEERS: Final = _columns("noseSneer")
PRESSERS: Final = _columns("mouthPress")
WIDENERS: Final = _columns("mouthStretch")
NARROWERS: Final = _columns("mouthPucker")
# Of what is said, these give way before the above are added to.
WIDE: Final = _columns("mouthStretch", "mouthSmile", "mouthDimple")
NARROW: Final = _columns("mouthPucker", "mouthFunnel")


@dataclass(frozen=True, eq=False)
class LipContacts:
    """closed, tucked: (T,) float32 in [0, 1], how far the lips must be shut, and the lower lip be at the upper teeth."""

    closed: FloatArray
    tucked: FloatArray

    def scaled(self, factor: float) -> LipContacts:
        """Less of a contact for a mumble; more than 1 changes nothing, lips that touch touch."""
        return LipContacts(min(1.0, factor) * self.closed, min(1.0, factor) * self.tucked)


@dataclass(frozen=True, eq=False)
class LipTravel:
    """parting, widening: (52,) by how much the gap and the width of the lips grow with each column at 1, over the distance
    between the outer eye corners."""

    parting: FloatArray
    widening: FloatArray

    @staticmethod
    def of_rig(neutral: FloatArray, deltas: FloatArray) -> LipTravel:
        """A rig's neutral (V, 3) and deltas (52, V, 3), x to its left and y up."""
        eyes = np.linalg.norm(neutral[RIGHT_EYE] - neutral[LEFT_EYE])
        side = np.sign(neutral[LEFT_CORNER, 0] - neutral[RIGHT_CORNER, 0])
        parting = (deltas[:, UPPER_LIP, 1] - deltas[:, LOWER_LIP, 1]) / eyes
        widening = side * (deltas[:, LEFT_CORNER, 0] - deltas[:, RIGHT_CORNER, 0]) / eyes
        return LipTravel(parting.astype(np.float32), widening.astype(np.float32))

    @property
    def is_usable(self) -> bool:
        """Whether the columns that make up for others do what they are taken for."""
        shapes = self.parting.shape == self.widening.shape == (len(arkit.BLENDSHAPES),)
        return shapes and bool(
            self.parting[JAW_OPEN] > 0 > self.parting[MOUTH_CLOSE]
            and self.widening[WIDENERS].sum() > 0 > self.widening[NARROWERS].sum()
        )


def spread_lips(blendshapes: FloatArray, width: FloatArray, travel: LipTravel) -> FloatArray:
    """The same motion with the corners of the mouth as far apart as `width` says.

    What narrows gives way to width and what widens to roundness; only then is stretched or puckered.

    blendshapes: (T, 52). width: (T,) beyond rest, over the eye distance.
    """
    result = blendshapes.copy()
    for way, give, add in ((1, NARROW, WIDENERS), (-1, WIDE, NARROWERS)):
        missing = np.maximum(way * (width - result @ travel.widening), 0)
        held = np.maximum(-way * (result[:, give] @ travel.widening[give]), 1e-6)
        result[:, give] *= (1 - np.clip(missing / held, 0, 1))[:, None]
        missing = np.maximum(way * (width - result @ travel.widening), 0)
        result[:, add] = np.clip(result[:, add] + (missing / (way * travel.widening[add].sum()))[:, None], 0, 1)
    return result


def open_lips(blendshapes: FloatArray, opening: FloatArray, travel: LipTravel) -> FloatArray:
    """The same motion with the lips as far apart as `opening` says: by the jaw, then by `mouthClose`.

    blendshapes: (T, 52). opening: (T,) beyond rest, over the eye distance.
    """
    result, parting = blendshapes.copy(), travel.parting
    for column in (JAW_OPEN, MOUTH_CLOSE):
        missing = opening - result @ parting
        result[:, column] = np.clip(result[:, column] + missing / parting[column], 0, 1)
    return result


def restrain_parting(blendshapes: FloatArray, talking: FloatArray, travel: LipTravel) -> FloatArray:
    """The same face with the lips parted by little more than talking parts them; who is silent may bare the teeth.

    blendshapes: (T, 52) talking and emotion together. talking: (T, 52) by itself.
    """
    result = blendshapes.copy()
    excess = np.maximum((blendshapes - talking) @ travel.parting - FELT_PARTING, 0) * np.clip(talking.max(1) / SPEAKING, 0, 1)
    result[:, MOUTH_CLOSE] = np.clip(result[:, MOUTH_CLOSE] - excess / travel.parting[MOUTH_CLOSE], 0, 1)
    return result


def shut_seen_lips(blendshapes: FloatArray, travel: LipTravel) -> FloatArray:
    """(T, 52) of a tracked face -> the same with lips that were seen shut as shut as speech shuts them: a tracker leaves them a
    little apart, where another face may show its teeth.
    """
    result, parted = blendshapes.copy(), blendshapes @ travel.parting
    surely, apart = SEEN_SHUT
    shut = np.clip((apart - parted) / (apart - surely), 0, 1)
    nearer = shut * np.maximum(parted + SHUT_BEYOND_REST, 0)
    result[:, MOUTH_CLOSE] = np.clip(result[:, MOUTH_CLOSE] - nearer / travel.parting[MOUTH_CLOSE], 0, 1)
    return result


def shut_at_rest(blendshapes: FloatArray, resting: FloatArray, travel: LipTravel) -> FloatArray:
    """(T, 52) that nobody did -> the same on a portrait that shows `resting`, (52,): lips that rest are shut if it parts them.

    The rig's rest is a little open. Of lips that a picture shuts that is the line between them, of others a slit of teeth.
    """
    return shut_seen_lips(blendshapes, travel) if resting @ travel.parting > PICTURED_PARTED else blendshapes


def touch_lips(blendshapes: FloatArray, contacts: LipContacts, travel: LipTravel) -> FloatArray:
    """(T, 52) -> the same with every contact made, whatever else the face does."""
    return close_lips(tuck_lips(blendshapes, contacts.tucked, travel), contacts.closed, travel)


def tuck_lips(blendshapes: FloatArray, tucked: FloatArray, travel: LipTravel) -> FloatArray:
    """Bring the lower lip to the upper teeth where `tucked` says, as at f and v.

    blendshapes: (T, 52). tucked: (T,) in [0, 1].
    """
    result, parting = blendshapes.copy(), travel.parting
    for name, least in TUCK.items():
        column = arkit.INDEX[name]
        result[:, column] = np.maximum(result[:, column], least * tucked)
    for column in _columns("mouthLowerDown", "mouthFunnel", "mouthRollUpper"):
        result[:, column] *= 1 - tucked
    gap = result @ parting
    wanted = np.where(gap > TUCKED_GAP, (1 - tucked) * gap + tucked * TUCKED_GAP, gap)
    result[:, JAW_OPEN] = np.clip(result[:, JAW_OPEN] + (wanted - gap) / parting[JAW_OPEN], 0, 1)
    gap = result @ parting
    result[:, MOUTH_CLOSE] = np.clip(result[:, MOUTH_CLOSE] + np.minimum(wanted - gap, 0) / parting[MOUTH_CLOSE], 0, 1)
    return result


def close_lips(blendshapes: FloatArray, closed: FloatArray, travel: LipTravel) -> FloatArray:
    """Shut the lips where `closed` says, whatever else the face does; they never pass through each other.

    blendshapes: (T, 52). closed: (T,) in [0, 1].
    """
    result, parting = blendshapes.copy(), travel.parting
    result[:, LIP_PARTERS] *= (1 - PARTERS_LET_GO * closed)[:, None]
    result[:, SNEERS] *= (1 - SNEERS_LET_GO * closed)[:, None]
    result[:, JAW_OPEN] *= 1 - JAW_LETS_GO * closed
    result[:, PRESSERS] = np.maximum(result[:, PRESSERS], PRESSED * closed[:, None])
    gap = result @ parting
    wanted = (1 - closed) * np.maximum(gap, -SHUT_BEYOND_REST) - closed * SHUT_BEYOND_REST
    result[:, MOUTH_CLOSE] = np.clip(result[:, MOUTH_CLOSE] + (wanted - gap) / parting[MOUTH_CLOSE], 0, 1)
    # Where mouthClose cannot reach, the jaw does.
    left_over = np.maximum(result @ parting - np.maximum(wanted, 0), 0) * closed
    result[:, JAW_OPEN] = np.clip(result[:, JAW_OPEN] - left_over / parting[JAW_OPEN], 0, 1)
    return result
