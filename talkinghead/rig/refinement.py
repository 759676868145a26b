"""Tracked clips to a mean face and to better expression deltas.

Needed only to rebuild the rig. Knows the prepared `.npz` files; knows no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.rig import topology
from talkinghead.rig.pose import Array, similarity
from talkinghead.types import FloatArray

MAX_CLIPS_OF_ONE_FOLDER: Final = {"grid_s1": 6}
FRAMES_PER_CLIP: Final = 40


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
        most = MAX_CLIPS_OF_ONE_FOLDER.get(source.name, len(files))
        for file in files[:: max(1, len(files) // max(most, 1))]:
            data = np.load(file, allow_pickle=False)
            seen = np.flatnonzero(data["presence"] > 0)
            chosen = seen[np.unique(np.linspace(0, len(seen) - 1, frames_per_clip).astype(int))]
            points = data["points"][chosen] * np.array([1, -1, -1], np.float32)
            clips.append(Clip(f"{source.name}/{file.stem}", points, data["scores"][chosen]))
    return clips


def align(points: Any, reference: Array, rounds: int = 1) -> Array:
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


def mean_face(clips: list[Clip], canonical: Array, mirror: Any) -> tuple[Array, Array]:
    """The symmetric mean of calm frames, canonical size and pose (478, 3) m, and each clip's own calm face (C, 478, 3) m.

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
    return reference, calm
