"""A portrait -> what draws it in any motion, a frame at a time, as `TalkingHead.render` does. Knows no clock and no thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from talkinghead.errors import InputError
from talkinghead.rig.placement import meshes_of
from talkinghead.rig.retargeting import Reenactment
from talkinghead.streaming import joined
from talkinghead.types import ByteArray, FaceMotion, Portrait

if TYPE_CHECKING:
    from talkinghead.pipeline import TalkingHead
    from talkinghead.synthesis.pipeline import Quality

Draw = Callable[[FaceMotion, FaceMotion], ByteArray]
"""(the first frame's motion, from which head and look count, a frame's) -> its picture, (H, W, 3) uint8."""


def drawing(
    head: TalkingHead, portrait: Portrait | Path | str, quality: Quality, seed: int, still_body: bool, keep_smile: float
) -> tuple[Draw, int]:
    """What draws the portrait, or its file, and how many of its frames may wait in memory.

    Raises:
        InputError, ImageError, FaceError: the portrait cannot be used.
    """
    if not isinstance(portrait, Portrait | Path | str):
        raise InputError(f"portrait is {type(portrait).__name__}; give a file, or what TalkingHead.load_portrait gives.")
    portrait = portrait if isinstance(portrait, Portrait) else head.load_portrait(portrait)
    face, rig, crop = head.placed(portrait, quality, still_body)
    wanted = Reenactment(keep_smile=keep_smile)
    noises = head.renderer.noises(seed)

    def draw(first: FaceMotion, motion: FaceMotion) -> ByteArray:
        shown = head.on_face(joined([first, motion]), face, wanted)[1:]
        return head.renderer.draw(crop, list(meshes_of(rig, shown, face)), noises, quality)[0]

    return draw, crop.num_waiting
