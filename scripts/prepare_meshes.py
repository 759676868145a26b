"""Tracked clips -> fitted meshes and frames for the renderer, a .npz a clip, in `data/meshes`.

    python scripts/prepare_meshes.py ../shared/data --prepared data/prepared -o data/meshes --split train

Photographs give pairs too: each is driven away from itself by a random expression (`--photographs`), and the way back is learnt:
that shows the renderer teeth that its reference does not. Resumable: a clip that is there is skipped.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from rich.progress import track as progress

from talkinghead import arkit
from talkinghead.landmarks import FaceTracker
from talkinghead.pipeline import mesh_topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_face, fit_motion, project
from talkinghead.synthesis.proxies import ReferenceFace, compose_guide
from talkinghead.types import FaceMotion
from talkinghead.video.reader import read_frames

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"
MAX_GRID_S1 = 40
NUM_VARIANTS = 4


def clip_meshes(video: Path, tracked: Path, rig: FaceRig, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, H, W, 3) and meshes (T, V, 3) px; the tracked points stand where the tracker saw them."""
    with np.load(tracked) as archive:
        points, scores, presence = archive["points"], archive["scores"], archive["presence"]
    motion, face = fit_motion(points, scores, rig, presence)
    meshes = project(rig(motion, face).vertices, face)
    meshes[:, : points.shape[1]] = points
    seen = np.flatnonzero(presence > 0.5)[::every]
    frames = np.stack([frame for i, frame in enumerate(read_frames(video)) if i < len(points)])
    seen = seen[seen < len(frames)]
    return frames[seen], meshes[seen].astype(np.float32)


def photograph_pairs(file: Path, tracker: FaceTracker, rig: FaceRig, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The photograph and variants of it with other expressions, and their meshes."""
    image = np.ascontiguousarray(iio.imread(file)[..., :3])
    faces = tracker.detect(image)
    if not faces:
        return None
    face = fit_face(faces[0], rig)
    rng = np.random.default_rng(seed)
    own = FaceMotion.neutral(1 + NUM_VARIANTS)
    own.blendshapes[:] = face.resting
    own.gaze[:] = face.gaze
    for k in range(1, 1 + NUM_VARIANTS):
        own.blendshapes[k] *= rng.choice([0.0, 0.3, 1.0], p=[0.6, 0.2, 0.2])
        own.blendshapes[k, arkit.INDEX["jawOpen"]] = max(0.0, rng.normal(0, 0.15))
        own.blendshapes[k, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = rng.choice([0, 0.3, 0.7])
        own.head_rotation[k] = rng.normal(0, 0.05, 3)
    moved = replace(own, head_rotation=np.stack([compose(r, face.rotation) for r in own.head_rotation]).astype(np.float32))
    meshes = project(rig(moved, face).vertices, face).astype(np.float32)
    reference = ReferenceFace(image, meshes[0], mesh_topology(rig))
    frames = [image] + [np.clip(compose_guide(reference, mesh), 0, 255).astype(np.uint8) for mesh in meshes[1:]]
    return np.stack(frames), meshes


def compose(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return (Rotation.from_rotvec(a) * Rotation.from_rotvec(b)).as_rotvec()


def save(target: Path, frames: np.ndarray, meshes: np.ndarray, identity: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part.npz")
    np.savez(part, frames=frames, meshes=meshes, identity=identity)
    os.replace(part, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl")
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("-o", "--output", type=Path, default=Path("data/meshes"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--every", type=int, default=2, help="keep every n-th frame")
    parser.add_argument("--photographs", type=int, default=0, help="how many of train/portraits_us_congress")
    options = parser.parse_args()
    rig = FaceRig.from_pretrained(CHECKPOINT / "rig")
    rows = [json.loads(line) for line in (options.source / "manifest.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["split"] == options.split]
    one_talker = [row for row in rows if "train/grid_s1" in row["file"]]
    rows = [row for row in rows if "train/grid_s1" not in row["file"]] + one_talker[:MAX_GRID_S1]
    for row in progress(rows, description="clips"):
        target = (options.output / row["file"]).with_suffix(".npz")
        tracked = (options.prepared / row["file"]).with_suffix(".npz")
        if tracked.exists() and not target.exists():
            save(target, *clip_meshes(options.source / row["file"], tracked, rig, options.every), row["identity"])
    if options.photographs:
        tracker = FaceTracker(CHECKPOINT / "tracker/face_landmarker.task", num_threads=1)
        files = sorted((options.source / "train/portraits_us_congress").glob("*.jpg"))[: options.photographs]
        for seed, file in enumerate(progress(files, description="photographs")):
            target = options.output / "train/photographs" / f"{file.stem}.npz"
            if not target.exists():
                pair = photograph_pairs(file, tracker, rig, seed)
                if pair is not None:
                    save(target, *pair, f"photograph_{file.stem}")


if __name__ == "__main__":
    main()
