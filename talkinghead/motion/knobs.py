"""The user's knobs of a performance, checked, in one place: the command line and the Python API take the same.

Knows numbers and words; knows no model, so that the command line can check before it loads one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final

from talkinghead.errors import MotionError

MAX_STRENGTH: Final = 2.0
MAX_BLINKS_PER_MINUTE: Final = 60.0
MAX_GAZE_DEG: Final = (30.0, 20.0)
STRENGTHS: Final = ("head_motion", "lip_strength", "articulation", "expression_strength")
BLINK_EXAMPLES: Final = "20 (a minute), 1.5x (times as often), 0.8s,2.4s (at these times) or off"
GAZE_EXAMPLES: Final = "camera, natural, or degrees to the picture's right and up such as 10,-5"


@dataclass(frozen=True)
class BlinkRate:
    """One of three is given, or none for blinks as they come.

    per_minute: blinks a minute, 0 for none. factor: as often as they come, times this. times_s: when the lids are to begin.
    """

    per_minute: float | None = None
    factor: float | None = None
    times_s: tuple[float, ...] | None = None


@dataclass(frozen=True)
class MotionKnobs:
    """Each moves its own channels and no other; 1, or the default, is exactly as without it.

    head_motion: of head rotation and translation, 0 still to 2 twice as much.
    blink_rate: of the lids: blinks a minute, 0 to 60; or text: "20", "1.5x", "0.8s,2.4s", "off".
    gaze: of the eyes, from where the portrait looks: "natural" stays there and leaves it as people do, "camera" holds it,
        "10,-5" looks so many degrees to the picture's right and up.
    lip_strength: of the mouth's talking, 0 at rest to 2 twice as far.
    articulation: how distinctly: 0 leaves the smooth course of talking, 2 doubles what each sound departs from it.
    expression_strength: of what the emotion does to the face, 0 nothing to 2 twice as much, as far as a face goes.
    """

    head_motion: float = 1.0
    blink_rate: float | str | None = None
    gaze: str = "natural"
    lip_strength: float = 1.0
    articulation: float = 1.0
    expression_strength: float = 1.0

    def __post_init__(self) -> None:
        for name in STRENGTHS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= MAX_STRENGTH:
                raise MotionError(f"{name} is {_shown(value)}: out of range; give 0 to {MAX_STRENGTH:g}, 1 is natural.")
        self.blinks  # noqa: B018 - checks it
        self.look_deg  # noqa: B018

    @staticmethod
    def of(**knobs: Any) -> MotionKnobs:
        """Knobs by name; raises MotionError for an unknown one, listing those there are."""
        names = [field.name for field in fields(MotionKnobs)]
        if unknown := sorted(set(knobs) - set(names)):
            raise MotionError(f"{', '.join(unknown)}: no such knob; choose from {', '.join(names)}.")
        return MotionKnobs(**knobs)

    @property
    def blinks(self) -> BlinkRate:
        """What `blink_rate` says."""
        given = self.blink_rate
        if given is None:
            return BlinkRate()
        text = str(given).strip().lower()
        if text == "off":
            return BlinkRate(per_minute=0.0)
        parts = text.split(",")
        if all(part.strip().endswith("s") for part in parts):
            times = [_number(part.strip()[:-1]) for part in parts]
            if all(time is not None and time >= 0 for time in times):
                return BlinkRate(times_s=tuple(sorted(time for time in times if time is not None)))
        elif text.endswith("x"):
            factor = _number(text[:-1])
            if factor is not None and 0 <= factor <= MAX_STRENGTH:
                return BlinkRate(factor=factor)
            if factor is not None:
                raise MotionError(f"blink_rate is {given}: out of range; give 0x to {MAX_STRENGTH:g}x.")
        elif (rate := _number(text)) is not None:
            if 0 <= rate <= MAX_BLINKS_PER_MINUTE:
                return BlinkRate(per_minute=rate)
            raise MotionError(f"blink_rate is {given}: out of range; give 0 to {MAX_BLINKS_PER_MINUTE:g} blinks a minute.")
        raise MotionError(f"blink_rate is {given}: not understood; give {BLINK_EXAMPLES}.")

    @property
    def look_deg(self) -> tuple[float, float] | None:
        """Where the eyes stay, degrees to the picture's right and up from where the portrait looks; None as people do."""
        text = str(self.gaze).strip().lower()
        if text == "natural":
            return None
        if text == "camera":
            return 0.0, 0.0
        numbers = [_number(part) for part in text.split(",")]
        if len(numbers) != 2 or None in numbers:
            raise MotionError(f"gaze is {self.gaze}: not understood; give {GAZE_EXAMPLES}.")
        right, up = (number or 0.0 for number in numbers)
        if abs(right) > MAX_GAZE_DEG[0] or abs(up) > MAX_GAZE_DEG[1]:
            raise MotionError(
                f"gaze is {self.gaze}: out of range; give at most {MAX_GAZE_DEG[0]:g} degrees to a side and "
                f"{MAX_GAZE_DEG[1]:g} up or down."
            )
        return right, up


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
