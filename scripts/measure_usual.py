"""How near a calm face is to the person's usual one: one frame of each clip is the portrait, the rest says how they look.

    python scripts/measure_usual.py ../shared/data --prepared data/prepared --split eval

Prints the mean error of the opening of the lids, the height of the brows, and the width and the corners' height of a shut
mouth, over the distance of the outer corners of the eyes, in per cent, one vote a person: of the neutral that is fitted to the
frame, of that with its usual look (`talkinghead.rig.usual`; it keeps nothing of the mouth), and of the frame itself. Needs what
`scripts/prepare_data.py` wrote.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from talkinghead.motion.lips import SHUT_BEYOND_REST
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_face
from talkinghead.rig.usual import usual_look, with_meeting_lips
from talkinghead.training import read_manifest
from talkinghead.types import FloatArray, TrackedFace

CHECKPOINT = Path(__file__).parents[1] / "checkpoints/default"
WHO = ("neutral as fitted", "with the usual look", "the frame itself")
MIN_FRAMES, SHUT = 50, 0.02
SHUTS = 0.015
"""Who comes so near, of the eyes' distance, in one frame of twenty, shuts the lips."""
PORTRAITS_A_CLIP = 4
UP = np.array([1, -1, 1], np.float32)


def shapes(points: FloatArray) -> FloatArray:
    """points: (..., 478, 3), y up -> (..., 5): the lids' opening, the brows' height, the mouth's width, its corners' height,
    the lips' gap.

    All over the distance of the outer corners of the eyes; heights are over the middle of the eyes and of the lips.
    """

    def distance(a: int, b: int) -> FloatArray:
        between: FloatArray = np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1)
        return between

    lids = (distance(159, 145) + distance(386, 374)) / 2
    brows = (distance(105, 159) + distance(334, 386)) / 2 + lids / 2
    across = points[..., 263, :2] - points[..., 33, :2]
    up = np.stack([-across[..., 1], across[..., 0]], -1) / np.linalg.norm(across, axis=-1, keepdims=True)
    corners = ((points[..., [61, 291], :2].mean(-2) - points[..., [0, 17], :2].mean(-2)) * up).sum(-1)
    values = np.stack([lids, brows, distance(61, 291), corners, distance(13, 14)], -1)
    return np.asarray(values / distance(33, 263)[..., None], np.float32)


def errors(clip: Path, rig: FaceRig) -> FloatArray | None:
    """(3 of WHO, 5 of `shapes`) of a clip, NaN for mouths where it shows none shut; None where it is too short.

    The lips' gap is that of shut ones: the narrowest of the clip against what `motion.lips` makes of the neutral one.
    """
    with np.load(clip) as file:
        points, scores = file["points"], file["scores"]
    seen = np.isfinite(points).all((1, 2))
    points, scores = points[seen], scores[seen]
    if len(points) < MIN_FRAMES:
        return None
    shown = shapes(points * UP)
    gap = shown[:, 4]
    awake, shut = shown[:, 0] > 0.6 * np.median(shown[:, 0]), gap < SHUT
    usual = np.median(shown[awake], 0)
    usual[2:] = np.median(shown[shut, 2:], 0) if shut.sum() > 3 else np.nan
    narrowest = float(np.percentile(gap, 5))
    usual[4] = narrowest + SHUT_BEYOND_REST if narrowest < SHUTS else np.nan
    rows = []
    for frame in np.flatnonzero(awake)[:: max(1, awake.sum() // PORTRAITS_A_CLIP)]:
        face = fit_face(TrackedFace(points[frame], scores[frame], np.zeros(4, np.float32), 1.0), rig)
        look = with_meeting_lips(usual_look(face.resting)[None], face.shape)
        calm = rig.express(look, np.zeros((1, 2), np.float32), face.shape, face.lid_scale)[0]
        here = np.stack([shapes(face.shape[:478]), shapes(calm[:478]), shown[frame]])
        here[2, 2:4] = here[2, 2:4] if shut[frame] else np.nan
        here[2, 4] = np.nan
        rows.append(np.abs(here - usual))
    return np.nanmean(rows, 0) if rows else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="holds manifest.jsonl, which says who is who")
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("--split", choices=("train", "eval"), default="eval")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # who shuts no lips has no mean of them
    rows = [row for row in read_manifest(arguments.source) if row["split"] == arguments.split]
    clips = [(row["identity"], (arguments.prepared / row["file"]).with_suffix(".npz")) for row in rows]
    if not any(clip.exists() for _, clip in clips):
        raise SystemExit(f"{arguments.prepared}: holds no tracked clips of {arguments.split}; run scripts/prepare_data.py.")
    rig = FaceRig.from_pretrained(CHECKPOINT / "rig")
    talkers: dict[str, list[FloatArray]] = defaultdict(list)
    for talker, clip in progress(clips, description="clips"):
        found = errors(clip, rig) if clip.exists() else None
        if found is not None:
            talkers[talker].append(found)
    mean = 100 * np.nanmean([np.nanmean(rows, 0) for rows in talkers.values()], 0)
    who = f"{len(talkers)} people of {arguments.split}"
    table = Table(
        "error, % of the eyes' distance",
        "lids",
        "brows",
        "mouth's width",
        "corners",
        "shut lips",
        title=who,
    )
    for name, row in zip(WHO, mean, strict=True):
        table.add_row(name, *(f"{value:.2f}" if np.isfinite(value) else "" for value in row))
    Console().print(table)


if __name__ == "__main__":
    main()
