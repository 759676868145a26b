"""Where the camera stands, and how far a portrait's head may turn.

Knows angles alone. A picture shows one side of a head: it can be turned by some degrees before what it does not show is
stretched into sight, so the camera's view and the head's own turn are held to that together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from talkinghead.errors import MotionError
from talkinghead.rig.pose import Array, axis_angle_from_matrix, matrix_from_axis_angle
from talkinghead.types import FPS, FloatArray

MAX_VIEW_DEG: Final = 20.0
FREE_TURN_DEG: Final = 20.0
"""Up to here a head turns from the portrait's pose as it is asked to."""
MAX_TURN_DEG: Final = 27.0
"""A turn that is asked to be larger comes as near to this as it is large."""
TURNED_DEG: Final = (8.0, 20.0, 26.0)
"""A portrait that is turned by the first hides nothing of its far cheek, one that is by the second a good part, by the third
all that lies behind its corner of the mouth."""
_FREE_BACK_DEG: Final = (FREE_TURN_DEG, 3.0, 1.0)
"""How far their heads turn back to the front as they are asked to; by eye."""
_ROOM_BACK_DEG: Final = (MAX_TURN_DEG - FREE_TURN_DEG, 2.0, 1.0)
"""And how much further at most."""
VIEW_EXAMPLES: Final = 'yaw,pitch such as 15,-5, or a path such as "0,0 2s:15,5 4s:0,0"'


@dataclass(frozen=True)
class CameraPath:
    """Where the camera goes round the head.

    views: (time s, yaw, pitch) in order of time, degrees to the picture's right and up from where the picture was taken. The
        camera rests at each and eases from one to the next; it stays at the first before it and at the last after it.
    """

    views: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0),)

    def __post_init__(self) -> None:
        if not self.views or not all(math.isfinite(number) for view in self.views for number in view):
            raise MotionError(f"camera is {self.views}: not understood; give at least one (time s, yaw, pitch) of numbers.")
        for _, yaw, pitch in self.views:
            if max(abs(yaw), abs(pitch)) > MAX_VIEW_DEG:
                raise MotionError(
                    f"camera is {yaw:g},{pitch:g}: out of range; give at most {MAX_VIEW_DEG:g} degrees to a side, up or down."
                )
        if self.views[0][0] < 0 or any(later[0] <= earlier[0] for earlier, later in pairwise(self.views)):
            times = ", ".join(f"{time:g}s" for time, _, _ in self.views)
            raise MotionError(f"camera has times {times}: out of order; give each later than the one before, from 0s on.")

    @staticmethod
    def of(camera: CameraPath | str | None) -> CameraPath | None:
        """A path, or its text.

        Raises:
            MotionError: of another kind, or what `parse` raises.
        """
        if camera is not None and not isinstance(camera, CameraPath | str):
            raise MotionError(f"camera is {type(camera).__name__}; give a CameraPath or a text of {VIEW_EXAMPLES}.")
        return CameraPath.parse(camera) if isinstance(camera, str) else camera

    @staticmethod
    def parse(text: str) -> CameraPath:
        """ "15,-5", or "0,0 2s:15,5 4s:0,0" -> the path; the first view needs no time.

        Raises:
            MotionError: not of this form, beyond `MAX_VIEW_DEG`, or times out of order.
        """
        views = []
        for index, word in enumerate(text.split()):
            time, colon, angles = word.rpartition(":")
            if not colon:
                time = "0s" if index == 0 else ""
            numbers = [_number(part) for part in (time.removesuffix("s"), *angles.split(","))]
            if not time.endswith("s") or len(numbers) != 3 or None in numbers:
                raise MotionError(f"camera is {text}: not understood; give {VIEW_EXAMPLES}.")
            views.append((numbers[0] or 0.0, numbers[1] or 0.0, numbers[2] or 0.0))
        if not views:
            raise MotionError(f"camera is empty; give {VIEW_EXAMPLES}.")
        return CameraPath(tuple(views))

    def check_length(self, num_frames: int) -> None:
        """Raise MotionError for a view that a video of so many frames does not come to."""
        last, end = self.views[-1][0], num_frames / FPS
        if last > end:
            raise MotionError(f"camera has a view at {last:g}s: the video ends at {end:g} s; give an earlier time.")

    def degrees(self, num_frames: int) -> FloatArray:
        """(T, 2) yaw and pitch of the camera in each frame."""
        time, table = np.arange(num_frames) / FPS, np.array(self.views)
        place = np.interp(time, table[:, 0], np.arange(len(table)))
        whole = np.floor(place)
        share = place - whole
        eased = whole + share * share * (3 - 2 * share)
        columns = [np.interp(eased, np.arange(len(table)), table[:, k]) for k in (1, 2)]
        return np.stack(columns, -1).astype(np.float32)


def seen_from(rotation: Array, degrees: FloatArray) -> Array:
    """rotation: (T, 3, 3) of a head; degrees: (T, 2) as `CameraPath.degrees` -> (T, 3, 3) before that camera."""
    angles = np.radians(np.asarray(degrees, np.float64))
    zero = np.zeros(len(angles))
    pitch = matrix_from_axis_angle(np.stack([angles[:, 1], zero, zero], -1))
    yaw = matrix_from_axis_angle(np.stack([zero, -angles[:, 0], zero], -1))
    turned: Array = pitch @ yaw @ rotation
    return turned


def aside(resting: Array) -> tuple[float, Array]:
    """resting: (3, 3) of a head -> by how many degrees it is turned aside, and (2,) the way in the picture that is up for it.

    Turned is what its nose shows across its own height, however far the head is tilted in the picture.
    """
    height = resting[:2, 1] / max(1e-9, float(np.linalg.norm(resting[:2, 1])))
    nose = resting[:, 2]
    return float(np.degrees(np.arctan2(nose[:2] @ (height[1], -height[0]), nose[2]))), height


def supported(rotation: Array, resting: Array) -> Array:
    """rotation: (T, 3, 3), resting: (3, 3) of the portrait -> (T, 3, 3) held to what the portrait shows.

    What turns the head out of the picture's plane is held softly under `MAX_TURN_DEG`; a tilt within it is free. A head that is
    turned in the portrait turns back less far: what that would uncover of its cheek the picture hides.
    """
    turn = axis_angle_from_matrix(rotation @ resting.T)
    own, height = aside(resting)
    angle = np.linalg.norm(turn[..., :2], axis=-1)
    # Of each turn how much goes back: from all of it to none the limits go from the one to the other along an ellipse.
    back = np.maximum(0, -np.sign(own) * (turn[..., :2] @ height)) / np.maximum(angle, 1e-9)
    across = np.sqrt(np.maximum(0, 1 - back**2))
    least, most = np.radians(_back_deg(abs(own)))
    free, end = (
        1 / np.hypot(back / limit, across / np.radians(other))
        for limit, other in ((least, FREE_TURN_DEG), (least + most, MAX_TURN_DEG))
    )
    room = np.maximum(end - free, 1e-6)
    held = np.where(angle > free, free + room * np.tanh((angle - free) / room), angle)
    turn[..., :2] *= (held / np.maximum(angle, 1e-9))[..., None]
    result: Array = np.where((angle > free)[..., None, None], matrix_from_axis_angle(turn) @ resting, rotation)
    return result


def most_back_deg(turned_deg: float) -> float:
    """How far a head that is turned by so much in the portrait turns back to the front at most."""
    return sum(_back_deg(abs(turned_deg)))


def _back_deg(turned_deg: float) -> tuple[float, float]:
    """How far as it is asked to, and how much further at most."""
    return float(np.interp(turned_deg, TURNED_DEG, _FREE_BACK_DEG)), float(np.interp(turned_deg, TURNED_DEG, _ROOM_BACK_DEG))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
