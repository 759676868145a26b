"""A FLAME model -> the map from ARKit's 52 to it: its neutral head is drawn, the tracker looks, `rig.arkit_to_flame` fits.

Knows how a head without hair and colours must look for the tracker to know it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from talkinghead.errors import FaceError
from talkinghead.landmarks import FaceDetector
from talkinghead.rig.arkit_to_flame import fit
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.flame import JOINTS, Flame
from talkinghead.rig.surface_points import SurfacePoints, eye_vertices, points_from_embedding, points_from_picture
from talkinghead.synthesis.rasteriser import rasterise, vertex_normals
from talkinghead.types import ByteArray, FloatArray

SIZE_PX: Final = 640
_MARGIN: Final = 1.25
_LIGHTS: Final = ((0.0, 0.35, 1.0), (0.5, 0.4, 0.9), (-0.5, 0.4, 0.9))
SKIN, WHITE, IRIS, BACKGROUND = (0.72, 0.58, 0.5), (0.92, 0.91, 0.9), (0.12, 0.09, 0.08), (0.35, 0.37, 0.4)
_IRIS_RAD: Final = 0.45


def fit_map(folder: Path, flame: Flame, rig: FaceRig, tracker: FaceDetector, embedding: Path | None = None) -> dict[str, Any]:
    """Fit and save beside the model -> what the map leaves, as `arkit_to_flame.fit`.

    Raises:
        FaceError: the tracker does not know the head for one. InputError: the embedding is none.
    """
    surface = points_from_embedding(embedding, flame) if embedding is not None else tracked_points(flame, tracker)
    maps, report = fit(rig, flame, surface)
    maps.save(folder, report)
    return report


def tracked_points(flame: Flame, tracker: FaceDetector) -> SurfacePoints:
    """Where the tracker sees the 468 on the neutral head: the mean of three looks, each in another light."""
    looks = []
    for light in _LIGHTS:
        picture, scale, corner = drawn(flame, light)
        faces = tracker.detect(picture)
        if not faces:
            raise FaceError("no face found on the drawn FLAME head; give --points mediapipe_landmark_embedding.npz.")
        looks.append(faces[0].points[:, :2])
    seen = np.mean(looks, axis=0) / scale
    return points_from_picture(flame, (seen * [1, -1] + corner).astype(np.float32))


def drawn(flame: Flame, light: tuple[float, float, float] = _LIGHTS[0]) -> tuple[ByteArray, float, FloatArray]:
    """The neutral head from straight ahead.

    Returns:
        (H, W, 3) uint8, px per m, and (2,) m where the picture's upper left corner is.
    """
    vertices = flame.template.cpu().numpy()
    faces = flame.faces.cpu().numpy()
    low, high = vertices[:, :2].min(0), vertices[:, :2].max(0)
    side = _MARGIN * float((high - low).max())
    scale = SIZE_PX / side
    corner = ((low + high) / 2 + np.array([-side, side]) / 2).astype(np.float32)
    points = np.c_[(vertices[:, :2] - corner) * [scale, -scale], -vertices[:, 2] * scale].astype(np.float32)
    normals = vertex_normals(vertices, faces)
    shade = 0.3 + 0.75 * np.clip(normals @ (np.array(light, np.float32) / np.linalg.norm(light)), 0, None)
    colours = np.tile(np.array(SKIN, np.float32), (len(vertices), 1))
    colours[eye_vertices(flame)] = WHITE
    colours[irises(flame)] = IRIS
    image, depth = rasterise(points, faces, (colours * shade[:, None]).astype(np.float32), SIZE_PX, SIZE_PX)
    image[np.isinf(depth)] = BACKGROUND
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), scale, corner


def irises(flame: Flame) -> npt.NDArray[np.bool_]:
    """(V,) which vertices of the eyeballs are about the line of sight, straight ahead."""
    vertices = flame.template.cpu().numpy()
    weights = flame.weights.cpu().numpy()
    iris = np.zeros(len(vertices), bool)
    for joint in (JOINTS.index("left_eye"), JOINTS.index("right_eye")):
        ball = weights[:, joint] > 0.5
        if ball.any():
            centre = (vertices[ball].min(0) + vertices[ball].max(0)) / 2
            arm = vertices - centre
            angle = np.arctan2(np.linalg.norm(arm[:, :2], axis=1), arm[:, 2])
            iris |= ball & (angle < _IRIS_RAD)
    return iris
