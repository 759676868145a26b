"""What a writer is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.gaze import with_eye_look
from talkinghead.types import FaceMotion, FloatArray


@dataclass(frozen=True, eq=False)
class Take:
    """A performance at the rate of the file it goes to.

    motion: T frames, `fps` a second.
    rig: the mesh, for formats that carry one; called when it is needed.
    """

    motion: FaceMotion
    fps: float
    rig: Callable[[], FaceRig]

    @property
    def blendshapes(self) -> FloatArray:
        """(T, 52) with the eight `eyeLook*` filled from the gaze, as every tool but this project expects them."""
        return with_eye_look(self.motion.blendshapes, self.motion.gaze)
