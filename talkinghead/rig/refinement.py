"""Tracked clips to a mean face and to better expression deltas.

Needed only to build a rig or to refine one. Knows tracked points; knows no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.procrustes import similarity
from talkinghead.rig import topology
from talkinghead.rig.face_rig import CAMERA_DISTANCE_M, FaceRig, scale_blinks
from talkinghead.rig.fitting import fit_face, fit_motion
from talkinghead.rig.pose import Array, matrix_from_axis_angle
from talkinghead.types import UPRIGHT, FloatArray, TrackedFace

MAX_CLIPS_OF_ONE_FOLDER: Final = {"grid_s1": 7}
FRAMES_PER_CLIP: Final = 30
RING_SHARES: Final = (0.6, 0.25, 0.08, 0.0)
MIN_LEFTOVER_M: Final = 0.0006
"""Drawings leave the people that the modes were learnt from further than photographs do."""


@dataclass(frozen=True, eq=False)
class Clip:
    """name: folder and stem; points: (T, 478, 3) in our axes (x right, y up, z to the viewer), px; scores: (T, 52)."""

    name: str
    points: FloatArray
    scores: FloatArray


def load_clips(folder: Path, frames_per_clip: int = FRAMES_PER_CLIP) -> list[Clip]:
    """Every prepared clip below a folder, evenly thinned; of a talker with hundreds of clips only a few."""
    clips = []
    for source in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(source.glob("*.npz"))
        most = min(len(files), MAX_CLIPS_OF_ONE_FOLDER.get(source.name, len(files)))
        for file in (files[index] for index in np.linspace(0, len(files) - 1, most).astype(int)):
            data = np.load(file, allow_pickle=False)
            seen = np.flatnonzero(data["presence"] > 0)
            chosen = seen[np.unique(np.linspace(0, len(seen) - 1, frames_per_clip).astype(int))]
            points = data["points"][chosen] * UPRIGHT
            clips.append(Clip(f"{source.name}/{file.stem}", points, data["scores"][chosen]))
    return clips


def align(points: Any, reference: Array) -> Array:
    """points: (T, 478, 3) px -> (T, 478, 3) m, each frame turned, scaled and shifted onto the reference (468 or more, 3)."""
    rigid = list(topology.RIGID)
    rotation, scale, shift = similarity(reference[rigid], points[:, rigid])
    moved: Array = (points - shift[:, None]) @ rotation / scale[:, None, None]
    return moved


def calmest(clip: Clip, share: float = 0.25) -> Any:
    """Indices of the frames with the least expression by the tracker's scores, eyes open and mouth shut."""
    weight = np.ones(len(arkit.BLENDSHAPES))
    weight[[arkit.INDEX[n] for n in ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")]] = 3
    weight[list(arkit.EYE_LOOK)] = 0.3
    lips = np.abs(clip.points[:, 13, 1] - clip.points[:, 14, 1]) / topology.interocular(clip.points)
    effort = clip.scores @ weight + 20 * lips
    return np.argsort(effort)[: max(1, round(share * len(effort)))]


def mean_face(clips: list[Clip], canonical: Array, mirror: Any) -> Array:
    """The symmetric median of the clips' calm frames, in the canonical face's size and pose (478, 3) m.

    Each folder of clips of one talker counts as loudly as its clips are many, so the caller thins them.
    """
    reference = canonical
    for _ in range(4):
        calm = np.stack([align(clip.points[calmest(clip)], reference).mean(0) for clip in clips])
        mean = np.median(calm, axis=0)
        mean = (mean + mean[mirror] * np.array([-1, 1, 1])) / 2
        rotation, scale, shift = similarity(mean[:468], canonical[:468])
        mean = scale * mean @ rotation.T + shift
        mean[:, 0] -= mean[:, 0].mean()
        reference = (mean + mean[mirror] * np.array([-1, 1, 1])) / 2
    return reference


@dataclass(frozen=True, eq=False)
class Explained:
    """How well the rig repeats clips: error as a fraction of the inter-ocular distance, and the share of motion, a region."""

    error: dict[str, float]
    share: dict[str, float]


REGIONS: Final[dict[str, tuple[int, ...]]] = {
    "whole": tuple(range(topology.NUM_SKIN)),
    "lips": (*topology.INNER_LIPS, *topology.OUTER_LIPS),
    "jaw": (*topology.CHIN, 150, 149, 136, 172, 379, 378, 365, 397, 18, 200, 83, 313),
    "eyes": (*topology.EYE_RING_RIGHT, *topology.EYE_RING_LEFT),
    "brows": (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
}


@dataclass(frozen=True, eq=False)
class FittedClip:
    """head: (T, 478, 3) m points in head space; coefficients: (T, 52) with blinks scaled to the rig's lids."""

    head: Array
    coefficients: Array


def fit_clips(clips: list[Clip], rig: FaceRig) -> list[FittedClip]:
    """Fits each clip: its points brought to head space by the fitted pose, and its coefficients."""
    fitted = []
    for clip in clips:
        motion, face = fit_motion(clip.points * UPRIGHT, clip.scores, rig)
        camera = clip.points.astype(np.float64)
        growth = CAMERA_DISTANCE_M / (CAMERA_DISTANCE_M - motion.head_translation[:, 2].astype(np.float64))
        pixels = face.translation.astype(np.float64) * (1, -1) + face.scale * motion.head_translation[:, :2]
        depth = camera[..., 2].mean(1, keepdims=True) + 0 * pixels[:, :1]
        centred = camera - np.concatenate([pixels, depth], axis=1)[:, None]
        head = (centred @ matrix_from_axis_angle(motion.head_rotation)) / (face.scale * growth)[:, None, None]
        # Only xy of the shift is kept by the motion; the depth of the head follows from the mean point.
        predicted = rig.express(motion.blendshapes, motion.gaze, face.shape, face.lid_scale)[:, : topology.NUM_POINTS]
        forward = np.array([0, 0, 1.0]) @ matrix_from_axis_angle(motion.head_rotation)
        gap = ((predicted - head)[:, : topology.NUM_SKIN] @ forward[..., None]).mean(1)
        head = head + gap[:, None] * forward[:, None]
        fitted.append(FittedClip(head, scale_blinks(motion.blendshapes, face.lid_scale).astype(np.float64)))
    return fitted


def explained(fitted: list[FittedClip], rig: FaceRig) -> Explained:
    """Error and explained share of motion in x and y, after the pose, of clips fitted with this rig."""
    deltas = rig.deltas[:, : topology.NUM_POINTS].astype(np.float64)
    squares = {region: np.zeros(2) for region in REGIONS}
    error: dict[str, list[float]] = {region: [] for region in REGIONS}
    for clip in fitted:
        moved = (clip.head - clip.head.mean(0))[..., :2]
        c = clip.coefficients - clip.coefficients.mean(0)
        left = moved - np.tensordot(c, deltas, 1)[..., :2]
        eyes = float(topology.interocular(clip.head.mean(0).astype(np.float32)))
        for region, points in REGIONS.items():
            squares[region] += [(left[:, list(points)] ** 2).sum() / eyes**2, (moved[:, list(points)] ** 2).sum() / eyes**2]
            error[region].append(float(np.linalg.norm(left[:, list(points)], axis=-1).mean()) / eyes)
    return Explained(
        {region: float(np.mean(values)) for region, values in error.items()},
        {region: float(1 - s[0] / s[1]) for region, s in squares.items()},
    )


def smile_left(clips: list[Clip], rig: FaceRig) -> tuple[float, float]:
    """Clips -> m by which lips of smiling and of calm frames differ, as seen and in the neutrals of single frames."""
    smile = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
    lips = list(REGIONS["lips"])
    seen, left = [], []
    for clip in clips:
        strength = clip.scores[:, smile].mean(1)
        most = np.argsort(-strength)[:3]
        calm = [i for i in calmest(clip, 0.15) if strength[i] < 0.1][:3]
        if strength[most].mean() < 0.45 or not calm:
            continue
        shapes, faces = [], []
        for frames in (most, calm):
            fitted = [fit_face(_tracked(clip, i), rig) for i in frames]
            shapes.append(np.mean([f.shape[lips] for f in fitted], axis=0))
            shown = [rig.express(f.resting[None], f.gaze[None], f.shape, f.lid_scale)[0, lips] for f in fitted]
            faces.append(np.mean(shown, axis=0))
        seen.append(np.linalg.norm((faces[0] - faces[1])[:, :2], axis=1).mean())
        left.append(np.linalg.norm((shapes[0] - shapes[1])[:, :2], axis=1).mean())
    return (float(np.mean(seen)), float(np.mean(left))) if seen else (0.0, 0.0)


def _tracked(clip: Clip, frame: int) -> TrackedFace:
    points = clip.points[frame] * UPRIGHT
    return TrackedFace(points, clip.scores[frame], np.zeros(4, np.float32), 1.0)


def identity_modes(
    portraits: list[TrackedFace], clips: list[Clip], rig: FaceRig, mirror: Any, num_modes: int
) -> tuple[Array, FloatArray]:
    """Principal components of fitted neutrals -> modes (K, 478, 3) m of one deviation each, (478,) m^2 that they leave.

    Each person counts a second time mirrored, so a mode is symmetric or antisymmetric. Of a talker with many clips a few
    are wanted; the caller thins them.
    """
    shapes = [fit_face(face, rig).shape[: topology.NUM_POINTS] for face in portraits]
    for clip in clips:
        shapes.append(fit_motion(clip.points * UPRIGHT, clip.scores, rig)[1].shape[: topology.NUM_POINTS])
    change = np.stack(shapes).astype(np.float64) - rig.neutral[: topology.NUM_POINTS]
    change[:, topology.NUM_SKIN :, 2] = 0
    both = np.concatenate([change, change[:, mirror] * np.array([-1, 1, 1])]).reshape(2 * len(change), -1)
    _, size, modes = np.linalg.svd(both / np.sqrt(len(both)), full_matrices=False)
    left = (both - (both @ modes[:num_modes].T) @ modes[:num_modes]).reshape(-1, topology.NUM_POINTS, 3)
    variance = np.maximum((left**2).mean((0, 2)), MIN_LEFTOVER_M**2).astype(np.float32)
    return (modes[:num_modes] * size[:num_modes, None]).reshape(num_modes, topology.NUM_POINTS, 3), variance


def ring_deltas(skin: Array) -> Array:
    """skin: (52, 478, 3) m -> (52, R, 3) m of the shell round the face, whose rows follow the face's rim less and less."""
    oval = skin[:, list(topology.FACE_OVAL)]
    ring: Array = np.concatenate([oval * share for share in RING_SHARES], axis=1)
    return ring


def refine_deltas(fitted: list[FittedClip], deltas: Array, prior: Array, mirror: Any, strength: float) -> Array:
    """One half step of the alternation: the deltas that best repeat the clips' motion with the coefficients held.

    Args:
        fitted: clips; each is centred on its own mean, so no neutral is needed.
        deltas: (52, 478, 3) m of which irises and `tongueOut` stay.
        prior: (52, 478, 3) m that the deltas are drawn to, most where it does not move.
        mirror: (478,) mirror index; every clip counts a second time mirrored.
        strength: of the prior.
    """
    count = topology.NUM_SKIN
    gram = np.zeros((52, 52))
    right = np.zeros((52, count, 3))
    for clip in fitted:
        c = clip.coefficients - clip.coefficients.mean(0)
        moved = (clip.head - clip.head.mean(0))[:, :count]
        reflected = moved[:, mirror[:count]] * np.array([-1, 1, 1])
        for coefficients, motion in ((c, moved), (c[:, list(arkit.MIRROR)], reflected)):
            gram += coefficients.T @ coefficients
            right += np.tensordot(coefficients, motion, ((0,), (0,)))
    size = np.linalg.norm(prior[:, :count], axis=-1)
    reach = np.maximum(size, 0.15 * size.max(1, keepdims=True)) + 0.0005
    new = np.array(deltas)
    for point in range(count):
        pull = np.diag(strength * (0.004 / reach[:, point]) ** 2)
        new[:, point] = np.linalg.solve(gram + pull, right[:, point] + pull @ prior[:, point])
    new[arkit.INDEX["tongueOut"]] = deltas[arkit.INDEX["tongueOut"]]
    mean: Array = (new + new[list(arkit.MIRROR)][:, mirror] * np.array([-1, 1, 1])) / 2
    return mean
