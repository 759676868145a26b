"""Self re-enactment: a clip's first frame, driven by its own tracked motion, against its real frames.

Rows: the reference copied; the warp alone; the guide (warp with eyes and mouth laid in); the rendered frame; and, as the
real-video row, the real frame two frames later, which says what a difference of a twelfth of a second costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from talkinghead.errors import InputError
from talkinghead.pipeline import TalkingHead, mesh_topology, portrait_mesh
from talkinghead.rig.fitting import fit_face, fit_motion, project, relative_motion
from talkinghead.synthesis.metrics import PictureScore, region_box, score_region
from talkinghead.synthesis.pipeline import PortraitCrop
from talkinghead.synthesis.proxies import compose_guide, warp_picture
from talkinghead.synthesis.regions import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from talkinghead.types import ByteArray, FloatArray
from talkinghead.video.reader import read_frames

REGIONS = ("whole", "mouth", "eyes")
MAX_FRAMES = 150
RENDERED: Final = {"1 step (standard)": (1, False), "both ways (best)": (1, True), "2 steps": (2, False), "4 steps": (4, False)}


@dataclass(frozen=True, eq=False)
class Pair:
    """One target frame of one clip: each row's picture, the real one, and the regions' boxes."""

    clip: str
    frame: int
    pictures: dict[str, ByteArray]
    real: ByteArray
    boxes: dict[str, list[tuple[int, int, int, int]]]


def reenact(head: TalkingHead, video: Path, num_targets: int = 3) -> Iterator[Pair]:
    """The pairs of one clip: its widest mouth, its most closed eyes, and evenly spaced others."""
    frames = list(islice(read_frames(video), MAX_FRAMES))
    tracked = list(head.tracker.track(frames))
    if tracked[0] is None:
        return
    seen = np.array([face is not None for face in tracked])
    first = tracked[0]
    points = np.stack([(face or first).points for face in tracked])
    scores = np.stack([(face or first).scores for face in tracked])
    motion, _ = fit_motion(points, scores, head.rig, seen.astype(np.float32))
    face = fit_face(first, head.rig)
    placed = relative_motion(motion, face)
    crop = PortraitCrop.of(frames[0], portrait_mesh(head.rig, face), mesh_topology(head.rig))
    for t in _targets(points, seen, num_targets):
        mesh = project(head.rig(placed[t : t + 1], face).vertices, face)[0]
        yield Pair(str(video.name), t, _pictures(head, crop, frames, mesh, t), frames[t], _boxes(points[t], frames[t]))


def _pictures(head: TalkingHead, crop: PortraitCrop, frames: list[ByteArray], mesh: FloatArray, t: int) -> dict[str, ByteArray]:
    def whole(part: FloatArray) -> ByteArray:
        picture = frames[0].copy()
        height, width = part.shape[:2]
        picture[crop.top : crop.top + height, crop.left : crop.left + width] = np.clip(part + 0.5, 0, 255).astype(np.uint8)
        return picture

    local = mesh - np.array([crop.left, crop.top, 0], np.float32)
    return {
        "reference copied": frames[0],
        "warp alone": whole(warp_picture(crop.reference, local)),
        "guide": whole(compose_guide(crop.reference, local)),
        **{
            f"rendered, {name}": next(iter(head.renderer(crop, [mesh], steps, both_ways=both_ways)))
            for name, (steps, both_ways) in RENDERED.items()
        },
        "real, two frames on": frames[min(t + 2, len(frames) - 1)],
    }


def _targets(points: FloatArray, seen: np.ndarray[tuple[int], np.dtype[np.bool_]], count: int) -> list[int]:
    usable = np.flatnonzero(seen[:-2])
    usable = usable[usable > 2]
    if len(usable) == 0:
        return []
    gap = np.linalg.norm(points[:, 13] - points[:, 14], axis=1)
    lid = np.linalg.norm(points[:, 159] - points[:, 145], axis=1) + np.linalg.norm(points[:, 386] - points[:, 374], axis=1)
    chosen = [int(usable[gap[usable].argmax()]), int(usable[lid[usable].argmin()])]
    chosen += [int(usable[round(k)]) for k in np.linspace(0, len(usable) - 1, max(0, count - 2) + 2)[1:-1]]
    return list(dict.fromkeys(chosen))[:count]


def _boxes(points: FloatArray, frame: ByteArray) -> dict[str, list[tuple[int, int, int, int]]]:
    height, width = frame.shape[:2]
    eyes = [region_box(points[loop, :2], 0.25, height, width) for loop in (RIGHT_EYE, LEFT_EYE)]
    mouth = region_box(points[OUTER_LIPS, :2], 0.15, height, width)
    return {"whole": [region_box(points[FACE_OVAL, :2], 0.3, height, width)], "mouth": [mouth], "eyes": eyes}


@dataclass(frozen=True, eq=False)
class PictureTable:
    """scores: row -> region -> mean over clips, a vote a clip. num_clips: how many gave pairs. sheet: some of the pairs."""

    scores: dict[str, dict[str, PictureScore]]
    num_clips: int
    sheet: list[Pair]


def picture_table(head: TalkingHead, videos: list[Path], num_in_sheet: int = 12) -> PictureTable:
    """Re-enact each clip and score it; of each kept pair's pictures only those of the sheet stay in memory.

    Raises:
        InputError: no clip gave a pair to score.
    """
    scores: dict[tuple[str, str], list[list[PictureScore]]] = defaultdict(list)
    sheet: list[Pair] = []
    num_clips = 0
    for index, video in enumerate(videos):
        of_clip = list(reenact(head, video))
        num_clips += bool(of_clip)
        if of_clip and index % max(1, len(videos) // num_in_sheet) == 0:
            sheet.append(of_clip[0])
        for row in of_clip[0].pictures if of_clip else ():
            for region in REGIONS:
                found = [score_region(p.pictures[row], p.real, box) for p in of_clip for box in p.boxes[region]]
                if found:
                    scores[row, region].append(found)
    if not num_clips:
        raise InputError(f"data: in none of {len(videos)} clips is a face seen from the first frame on; nothing to score.")
    rows = dict.fromkeys(row for row, _ in scores)
    return PictureTable({r: {region: _mean(scores[r, region]) for region in REGIONS} for r in rows}, num_clips, sheet)


def _mean(clips: list[list[PictureScore]]) -> PictureScore:
    def of(name: str) -> float:
        return float(np.mean([np.mean([getattr(score, name) for score in clip]) for clip in clips]))

    return PictureScore(of("psnr_db"), of("ssim"), of("perceptual"), of("sharpness"))
