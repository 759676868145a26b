"""Where in a picture the person is: a small network's opinion, brought to the picture's own edges."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from talkinghead.errors import CheckpointError, reason_of
from talkinghead.types import ByteArray, FloatArray

MATTE_PX: Final = 256
"""The side of what the network sees."""
MATTE_FILE: Final = "selfie_segmentation.tflite"
MATTE_MARGIN: Final = 0.06
"""How far beyond the matte the picture still moves with the person, of the face's width; by eye, for loose hair."""
MATTE_SEES_FACE: Final = 0.9
"""A matte that leaves out more of the face's points than this is no matte."""
UNSURE: Final = 0.08
"""What is nearer than this to nought or to one is made that."""


class PersonMatte:
    """Picture -> where the person is."""

    def __init__(self, file: Path, num_threads: int = 2) -> None:
        """Raises CheckpointError when the file is missing or is not a network."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from ai_edge_litert.interpreter import Interpreter

        try:
            self._interpreter = Interpreter(model_content=file.read_bytes(), num_threads=num_threads)
            self._interpreter.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{file}: not a person segmentation network ({reason_of(error)}); "
                "reinstall talkinghead or point to a whole checkpoint."
            ) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, image: ByteArray, face_box: FloatArray) -> FloatArray:
        """image: (H, W, 3) uint8 RGB; face_box: (4,) px left, top, right, bottom -> (H, W) float32 in [0, 1].

        The network knows people who fill the picture, so a small one is looked at in a square around head and shoulders.
        """
        height, width = image.shape[:2]
        matte = self._look(image)
        side = 6 * float(max(face_box[2:] - face_box[:2]))
        if side < 0.75 * max(height, width):
            centre_x, top = float(face_box[0] + face_box[2]) / 2, float(face_box[1]) - side / 3
            x0, y0 = max(0, int(centre_x - side / 2)), max(0, int(top))
            x1, y1 = min(width, int(centre_x + side / 2)), min(height, int(top + side))
            near = self._look(image[y0:y1, x0:x1])
            weight = _feather(near.shape[0], near.shape[1], x0 > 0, y0 > 0, x1 < width, y1 < height)
            matte[y0:y1, x0:x1] += weight * (near - matte[y0:y1, x0:x1])
        return matte

    def _look(self, image: ByteArray) -> FloatArray:
        small: Any = cv2.resize(image, (MATTE_PX, MATTE_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        self._interpreter.set_tensor(self._input, small[None])
        self._interpreter.invoke()
        coarse = self._interpreter.get_tensor(self._output)[0, ..., 0]
        return _guided_upsample(coarse, small, image)


def _guided_upsample(coarse: Any, small: Any, image: ByteArray) -> FloatArray:
    """coarse (S, S) at the edges of a picture: locally linear in its brightness, the slopes found at the small size."""
    window, regulariser = (9, 9), 1e-3
    guide = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    mean, mean_matte = cv2.blur(guide, window), cv2.blur(coarse, window)
    slope = (cv2.blur(guide * coarse, window) - mean * mean_matte) / (cv2.blur(guide * guide, window) - mean**2 + regulariser)
    offset = cv2.blur(mean_matte - slope * mean, window)
    size = (image.shape[1], image.shape[0])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey /= 255
    grey *= cv2.resize(cv2.blur(slope, window), size)
    grey += cv2.resize(offset, size)
    # The filter lets a little of what is bright or dark inside through; what is nearly sure is made sure.
    grey -= UNSURE
    grey /= 1 - 2 * UNSURE
    matte: FloatArray = np.clip(grey, 0, 1, out=grey)
    return matte


def _feather(height: int, width: int, left: bool, top: bool, right: bool, bottom: bool) -> FloatArray:
    """(height, width) float32: 1 inside, falling to 0 over a tenth of the side at each edge that is inside the picture."""

    def ramp(length: int, start: bool, end: bool) -> Any:
        x, fall = np.arange(length) + 0.5, max(1.0, length / 10)
        return np.minimum(np.minimum(x / fall, 1) if start else 1.0, np.minimum((length - x) / fall, 1) if end else 1.0)

    rows = np.broadcast_to(ramp(height, top, bottom), (height,))
    columns = np.broadcast_to(ramp(width, left, right), (width,))
    return np.outer(rows, columns).astype(np.float32)


def trusted(matte: FloatArray, mesh_px: FloatArray) -> FloatArray | None:
    """The matte a little wider, so that no hair stays behind; None when it misses the face (drawings, statues)."""
    height, width = matte.shape
    face = np.clip(mesh_px[:468, :2].round().astype(int), 0, (width - 1, height - 1))
    if float((matte[face[:, 1], face[:, 0]] > 0.5).mean()) < MATTE_SEES_FACE:
        return None
    reach = 2 * max(1, round(MATTE_MARGIN * float(np.ptp(mesh_px[:468, 0])))) + 1
    wide = cv2.dilate(matte, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    soft: FloatArray = np.asarray(cv2.GaussianBlur(wide, (0, 0), reach / 4), np.float32)
    return soft
