"""Tracked clips -> fitted meshes and frames for the renderer, a .npz a clip, in `data/meshes`.

    python scripts/prepare_meshes.py ../shared/data --prepared data/prepared -o data/meshes --split train

Photographs give pairs too (`--photographs`): each is warped to a more closed mouth, and the way back is learnt: that shows the
renderer teeth that its reference does not. Resumable: a clip that is there is skipped. What was left out and why is in
`report.json`. Needs no extra.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile

import cv2
import imageio.v3 as iio
import numpy as np
from rich.progress import track as progress

from talkinghead.errors import FaceError, TalkingHeadError, VideoError
from talkinghead.landmarks import FaceTracker
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_face, fit_motion, project
from talkinghead.rig.placement import portrait_mesh
from talkinghead.rigged_portrait import mesh_topology
from talkinghead.synthesis.mouth import build_mouth, lay_in_mouth
from talkinghead.synthesis.proxies import ReferenceFace, lay_in_eyes, warp_picture
from talkinghead.synthesis.regions import INNER_LIPS, JAW, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from talkinghead.synthesis.teeth_placement import teeth_shift, with_teeth_as_seen, with_teeth_shifted
from talkinghead.training import read_manifest, save_arrays
from talkinghead.video.reader import read_frames

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"
UNUSABLE = (TalkingHeadError, OSError, EOFError, KeyError, ValueError, BadZipFile)
"""What a video, a picture or a file of points that is damaged raises: it costs its own clip only."""
NUM_VARIANTS = 3
PHOTOGRAPH_PX = 384


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
    if not len(seen):
        raise VideoError(f"{video}: the face is seen in none of its frames.")
    return frames[seen], with_teeth_as_seen(frames[seen], meshes[seen].astype(np.float32), mesh_topology(rig))


def photograph_pairs(file: Path, tracker: FaceTracker, rig: FaceRig, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The photograph and variants of it with a more closed mouth (and eyes), and their meshes."""
    image = np.ascontiguousarray(iio.imread(file)[..., :3])
    faces = tracker.detect(image)
    if not faces:
        raise FaceError(f"no face found in {file.name}; use photographs of one person each.")
    scale = PHOTOGRAPH_PX / max(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    own = replace(faces[0], points=faces[0].points * np.float32(scale))
    rng = np.random.default_rng(seed)
    topology = mesh_topology(rig)
    variants = [own] + [replace(own, points=closed(own.points, rng)) for _ in range(NUM_VARIANTS)]
    meshes = np.stack([portrait_mesh(rig, fit_face(variant, rig)) for variant in variants])
    shift = teeth_shift([image], meshes[:1], topology)
    meshes = with_teeth_shifted(meshes, shift, topology)
    reference = ReferenceFace(image, meshes[0], topology)
    return np.stack([image, *(with_own_teeth(reference, mesh) for mesh in meshes[1:])]), meshes


def with_own_teeth(reference: ReferenceFace, mesh: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the photograph warped, between its lips what they show of it, upper teeth with the skull."""
    picture = warp_picture(reference, mesh)
    lay_in_eyes(picture, reference, mesh)
    mouth = build_mouth(reference.mouth, mesh)
    shown = mouth.skull_shown[..., None]
    own = shown * mouth.skull_reference + (1 - shown) * mouth.jaw_reference
    lay_in_mouth(picture, replace(mouth, interior=own), mesh[INNER_LIPS, :2])
    return np.clip(picture, 0, 255).astype(np.uint8)


def closed(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Points (478, 3) px with the lips brought together by a random part, now and then the lids too."""
    moved = points.copy()
    part = rng.choice([1.0, 0.6, 0.2], p=[0.6, 0.2, 0.2])
    gap = moved[INNER_LIPS[:10:-1]] - moved[INNER_LIPS[1:10]]
    for upper, lower in ((INNER_LIPS[1:10], INNER_LIPS[:10:-1]), (OUTER_LIPS[1:10], OUTER_LIPS[:10:-1])):
        moved[upper] += part * 0.35 * gap
        moved[lower] -= part * 0.65 * gap
    moved[JAW] -= part * 0.5 * gap.mean(0)
    if rng.random() < 0.3:
        part = rng.choice([0.5, 0.9])
        for eye in (RIGHT_EYE, LEFT_EYE):
            gap = moved[eye[:8:-1]] - moved[eye[1:8]]
            moved[eye[1:8]] += part * 0.8 * gap
            moved[eye[:8:-1]] -= part * 0.2 * gap
    return moved


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder that holds manifest.jsonl")
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("-o", "--output", type=Path, default=Path("data/meshes"))
    parser.add_argument("--split", default="train")
    parser.add_argument("--every", type=int, default=2, help="keep every n-th frame")
    parser.add_argument("--common-source", default="grid_s1", help="folder of the one talker with most clips")
    parser.add_argument("--max-common", type=int, default=30, help="how many clips of that talker")
    parser.add_argument("--photographs", type=int, default=0, help="how many of train/portraits_us_congress")
    options = parser.parse_args()
    rig = FaceRig.from_pretrained(CHECKPOINT / "rig")
    try:
        rows = [row for row in read_manifest(options.source) if row["split"] == options.split]
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    common = [row for row in rows if options.common_source in Path(row["file"]).parts]
    rows = [row for row in rows if options.common_source not in Path(row["file"]).parts] + common[: options.max_common]
    left_out: dict[str, str] = {}
    num_there = 0
    for row in progress(rows, description="clips"):
        target = (options.output / row["file"]).with_suffix(".npz")
        tracked = (options.prepared / row["file"]).with_suffix(".npz")
        try:
            if tracked.exists() and not target.exists():
                frames, meshes = clip_meshes(options.source / row["file"], tracked, rig, options.every)
                save_arrays(target, frames=frames, meshes=meshes, identity=row["identity"])
            num_there += target.exists()
        except UNUSABLE as error:
            left_out[row["file"]] = str(error) or type(error).__name__
    if options.photographs:
        tracker = FaceTracker(CHECKPOINT / "tracker/face_landmarker.task", num_threads=1)
        files = sorted((options.source / "train/portraits_us_congress").glob("*.jpg"))[: options.photographs]
        for seed, file in enumerate(progress(files, description="photographs")):
            target = options.output / "train/photographs" / f"{file.stem}.npz"
            try:
                if not target.exists():
                    frames, meshes = photograph_pairs(file, tracker, rig, seed)
                    save_arrays(target, frames=frames, meshes=meshes, identity=f"photograph_{file.stem}")
                num_there += 1
            except UNUSABLE as error:
                left_out[str(file.relative_to(options.source))] = str(error) or type(error).__name__
    options.output.mkdir(parents=True, exist_ok=True)
    report = options.output / "report.json"
    report.write_text(json.dumps(left_out, indent=1, sort_keys=True))
    print(f"{num_there} clips and photographs are ready, {len(left_out)} left out: {report}")


if __name__ == "__main__":
    main()
