"""Pictures to tracked faces: MediaPipe's Face Landmarker run by LiteRT, and face-alignment as a second backend.

Knows pixels and points; knows nothing of head pose, blendshape fitting or people.
Source: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video", 2019; Grishchenko et al.,
"Attention Mesh", 2020; Bazarevsky et al., "BlazeFace", 2019.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np

from talkinghead import arkit
from talkinghead.errors import CheckpointError, DependencyError, install_command
from talkinghead.types import ByteArray, FloatArray, TrackedFace

NUM_POINTS: Final = 478
NUM_SKIN_POINTS: Final = 468
MIN_PRESENCE: Final = 0.5
DETECTOR_PX: Final = 128
LANDMARKER_PX: Final = 256
PATIENCE_FRAMES: Final = 25
REGION_OVER_FACE: Final = 1.5

# Detector anchors: a 16 x 16 grid with 2 anchors a cell, an 8 x 8 grid with 6.
_ANCHORS: Final = np.array(
    [((x + 0.5) / g, (y + 0.5) / g) for g, n in ((16, 2), (8, 6)) for y in range(g) for x in range(g) for _ in range(n)]
)

# The 146 points that the blendshape network reads (MediaPipe's kLandmarksSubsetIdxs).
_BLENDSHAPE_POINTS: Final = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249,
    251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314,
    317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382,
    384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473,
    474, 475, 476, 477,
]  # fmt: skip

# The blendshape network's columns in ARKit order: its first is "_neutral", the rest are ARKit's names sorted, no tongue.
_SCORE_NAMES: Final = sorted(name for name in arkit.BLENDSHAPES if name != "tongueOut")
_SCORE_TO_ARKIT: Final = np.array([arkit.INDEX[name] for name in _SCORE_NAMES])

RIGHT_EYE_OUTER: Final = 33
LEFT_EYE_OUTER: Final = 263


class FaceDetector(Protocol):
    """A landmark backend: one picture in, its faces out, largest first."""

    def detect(self, image: ByteArray) -> list[TrackedFace]: ...


class _Network:
    def __init__(self, content: bytes, num_threads: int) -> None:
        # LiteRT prints its banner to the process's standard error; a user's terminal is not the place for it.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=content, num_threads=num_threads)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, x: FloatArray) -> list[FloatArray]:
        self._interpreter.set_tensor(self._input, x.astype(np.float32))
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-np.asarray(x, np.float64)))


class _Region:
    """A turned square in the picture that the landmark network looks at."""

    def __init__(self, centre: Any, side_px: float, angle_rad: float, score: float = 1.0) -> None:
        self.centre, self.side_px, self.angle_rad = np.asarray(centre, np.float64), float(side_px), float(angle_rad)
        self.score = score

    @staticmethod
    def around(points: FloatArray) -> _Region:
        """The region for the next look, from the points of the last."""
        dx, dy = points[LEFT_EYE_OUTER, :2] - points[RIGHT_EYE_OUTER, :2]
        angle = float(np.arctan2(dy, dx))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        upright = points[:, :2] @ turn
        low, high = upright.min(0), upright.max(0)
        return _Region(turn @ ((low + high) / 2), float((high - low).max()) * REGION_OVER_FACE, angle)


class FaceTracker:
    """478 points and 52 scores of every face of a picture, or of one face through a video. Offline."""

    def __init__(self, task_file: Path, num_threads: int = 2) -> None:
        """Load the three networks out of `face_landmarker.task`.

        Raises:
            CheckpointError: the file is missing or is not that archive.
        """
        try:
            with zipfile.ZipFile(task_file) as task:
                self._detector = _Network(task.read("face_detector.tflite"), num_threads)
                self._landmarker = _Network(task.read("face_landmarks_detector.tflite"), num_threads)
                self._blendshaper = _Network(task.read("face_blendshapes.tflite"), num_threads)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise CheckpointError(
                f"{task_file}: not a face landmarker archive ({error}); reinstall talkinghead or point to a whole checkpoint."
            ) from error

    def detect(self, image: ByteArray) -> list[TrackedFace]:
        """image: (H, W, 3) uint8 RGB -> its faces, largest first.

        The detector sees 128 px, so after the whole picture come overlapping tiles of half and a quarter of its side: a
        face of a twentieth of the picture's width is then still a quarter of a tile.
        """
        faces: list[TrackedFace] = []
        for divisor in (1, 2, 4):
            for region in self._regions(image, divisor):
                # Hundreds of tiles are hundreds of chances to see a face in a collar: a tile has to be surer.
                face = self._look(image, region) if region.score > (0.4 if divisor == 1 else 0.65) else None
                if face is None or any(_same_face(face, other) for other in faces):
                    continue
                faces.append(face)
            if divisor == 2 and faces and max(_width(face) for face in faces) > min(image.shape[:2]) / 6:
                break  # a picture with a large face is of that face; passers-by a twentieth of it wide are not wanted
        return sorted(faces, key=_width, reverse=True)

    def track(self, frames: Iterable[ByteArray]) -> Iterator[TrackedFace | None]:
        """Frames of a video -> the same face in each, None where it is not seen. Starts with the largest.

        A face that is lost is waited for where it was last seen; after a second the largest face is followed.
        """
        last: TrackedFace | None = None
        missed = 0
        for image in frames:
            face = self._look(image, _Region.around(last.points), num_looks=1) if last is not None and not missed else None
            if face is None:
                found = self.detect(image)
                near = [other for other in found if last is None or missed >= PATIENCE_FRAMES or _same_face(other, last)]
                face = near[0] if near else None
            missed = 0 if face is not None else missed + 1
            last = face or last
            yield face

    def _regions(self, image: ByteArray, divisor: int) -> Iterator[_Region]:
        height, width = image.shape[:2]
        tile_px = max(height, width) / divisor
        for top in _tile_starts(height, tile_px):
            for left in _tile_starts(width, tile_px):
                yield from self._regions_in_tile(image, left, top, tile_px)

    def _regions_in_tile(self, image: ByteArray, left: float, top: float, tile_px: float) -> Iterator[_Region]:
        scale = DETECTOR_PX / tile_px
        x0, y0 = max(0, int(left)), max(0, int(top))
        part = image[y0 : int(np.ceil(top + tile_px)), x0 : int(np.ceil(left + tile_px))]
        # Shrinking by area first: a bilinear look at every thirtieth pixel of a large picture sees noise, not faces.
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        pad_x, pad_y = (DETECTOR_PX - small.shape[1]) // 2, (DETECTOR_PX - small.shape[0]) // 2
        small = small[:DETECTOR_PX, :DETECTOR_PX]
        square = np.zeros((DETECTOR_PX, DETECTOR_PX, 3), np.float32)
        pad_x, pad_y = max(0, pad_x), max(0, pad_y)
        square[pad_y : pad_y + small.shape[0], pad_x : pad_x + small.shape[1]] = small
        boxes, logits = self._detector((square / 127.5 - 1)[None])
        scores = _sigmoid(np.clip(logits[0, :, 0], -50, 50))
        kept: list[FloatArray] = []
        for i in np.argsort(-scores):
            if scores[i] < 0.4 or len(kept) >= 16:
                break
            box = boxes[0, i] / DETECTOR_PX
            centre = (box[:2] + _ANCHORS[i]) * DETECTOR_PX
            side = max(box[2:4]) * DETECTOR_PX
            if any(np.hypot(*(centre - other[:2])) < 0.5 * max(side, other[2]) for other in kept):
                continue
            kept.append(np.array([*centre, side]))
            eyes = (box[4:].reshape(-1, 2) + _ANCHORS[i])[:2]
            angle = float(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
            yield _Region((centre - (pad_x, pad_y)) / scale + (x0, y0), side / scale * REGION_OVER_FACE, angle, scores[i])

    def _look(self, image: ByteArray, region: _Region, num_looks: int = 2) -> TrackedFace | None:
        """The face in a region; a second look from the first one's points settles it on a still picture."""
        points = np.zeros((NUM_POINTS, 3), np.float32)
        presence = 0.0
        for _ in range(num_looks):
            scale = LANDMARKER_PX / region.side_px
            cos, sin = np.cos(region.angle_rad), np.sin(region.angle_rad)
            turn = np.array([[cos, sin], [-sin, cos]]) * scale
            matrix = np.c_[turn, LANDMARKER_PX / 2 - turn @ region.centre]
            view = _warp(image, matrix, scale)
            output = self._landmarker(view[None] / np.float32(255))
            presence = float(_sigmoid(np.asarray(output[1]).item()))
            if presence < MIN_PRESENCE:
                return None
            raw = output[0].reshape(NUM_POINTS, 3).astype(np.float64)
            xy = (raw[:, :2] - matrix[:, 2]) @ np.linalg.inv(turn).T
            points = np.c_[xy, raw[:, 2] / scale].astype(np.float32)
            region = _Region.around(points)
        raw_scores = self._blendshaper(points[_BLENDSHAPE_POINTS, :2][None])[0].ravel()
        scores = np.zeros(len(arkit.BLENDSHAPES), np.float32)
        scores[_SCORE_TO_ARKIT] = raw_scores[1:]
        box = np.r_[points[:, :2].min(0), points[:, :2].max(0)].astype(np.float32)
        return TrackedFace(points, scores, box, presence)


class FaceAlignmentDetector:
    """68 points by the `face-alignment` package, for those who have installed it and its weights.

    The iBUG 68 points stand at their places among the 478; the rest are NaN.
    Source: Bulat, Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?", ICCV 2017.
    """

    def __init__(self, device: str = "cpu") -> None:
        """Raises DependencyError when the package or its weights are not there; nothing is downloaded."""
        try:
            import face_alignment
            import torch.hub
        except ImportError as error:
            raise DependencyError(
                f"The face-alignment backend is not installed; run: {install_command('face-alignment')}."
            ) from error
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        if not (list(cache.glob("2DFAN4*")) and list(cache.glob("s3fd*"))):
            raise DependencyError(
                f"face-alignment's weights are not in {cache}; put 2DFAN4 and s3fd there, or use the default tracker."
            )
        self._aligner = face_alignment.FaceAlignment(face_alignment.LandmarksType.TWO_D, device=device)

    def detect(self, image: ByteArray) -> list[TrackedFace]:
        """image: (H, W, 3) uint8 RGB -> its faces, largest first."""
        found = self._aligner.get_landmarks_from_image(image) or []
        return sorted((_from_68(points) for points in found), key=_width, reverse=True)


IBUG_TO_MESH: Final = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Which of the 478 points stands nearest to each of the iBUG 68."""


def _from_68(points: Any) -> TrackedFace:
    full = np.full((NUM_POINTS, 3), np.nan, np.float32)
    full[list(IBUG_TO_MESH), :2] = points
    full[list(IBUG_TO_MESH), 2] = 0
    box = np.r_[points.min(0), points.max(0)].astype(np.float32)
    return TrackedFace(full, np.zeros(len(arkit.BLENDSHAPES), np.float32), box, 1.0)


def _tile_starts(length_px: int, tile_px: float) -> list[float]:
    """Tiles with half overlap; a side shorter than a tile has one, centred."""
    if length_px <= tile_px + 1e-6:
        return [(length_px - tile_px) / 2]
    count = int(np.ceil((length_px - tile_px) / (tile_px / 2))) + 1
    return [float(x) for x in np.linspace(0, length_px - tile_px, count)]


def _warp(image: ByteArray, matrix: Any, scale: float) -> FloatArray:
    """The affine view of a picture; a large one is shrunk by area first so that the view does not alias."""
    step = int(1 / scale) if scale < 0.5 else 1
    if step > 1:
        inverse = cv2.invertAffineTransform(matrix)
        px = LANDMARKER_PX
        corners = np.array([[0, 0, 1], [px, 0, 1], [0, px, 1], [px, px, 1]]) @ inverse.T
        x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        x1, y1 = np.ceil(corners.max(0)).astype(int)
        part = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        if part.size:
            size = (max(1, part.shape[1] // step), max(1, part.shape[0] // step))
            small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            sx, sy = part.shape[1] / small.shape[1], part.shape[0] / small.shape[0]
            # The middle of the small picture's first pixel is the middle of a block of sx x sy, not of its first pixel.
            origin = (x0 + (sx - 1) / 2, y0 + (sy - 1) / 2)
            matrix = np.c_[matrix[:, 0] * sx, matrix[:, 1] * sy, matrix[:, :2] @ origin + matrix[:, 2]]
            image = np.asarray(small, np.uint8)
    view: FloatArray = cv2.warpAffine(image, matrix, (LANDMARKER_PX, LANDMARKER_PX)).astype(np.float32)
    return view


def _width(face: TrackedFace) -> float:
    return float(face.box[2] - face.box[0])


def _same_face(a: TrackedFace, b: TrackedFace) -> bool:
    low, high = np.maximum(a.box[:2], b.box[:2]), np.minimum(a.box[2:], b.box[2:])
    overlap = float(np.prod(np.maximum(high - low, 0)))
    smaller = min(float(np.prod(face.box[2:] - face.box[:2])) for face in (a, b))
    return overlap > 0.4 * smaller
