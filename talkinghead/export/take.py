"""What a writer is given, and how a file is written: whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from talkinghead.errors import OutputError
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


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends without an error, and is gone otherwise.

    Raises:
        OutputError: the place cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise OutputError(f"output {path}: cannot be written ({error.strerror}); choose another place.") from error
    finally:
        part.unlink(missing_ok=True)
