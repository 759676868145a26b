"""Re-enactment: what a motion asks of a portrait against what is seen when the rendered video is tracked again.

    python scripts/measure_reenactment.py ../shared/data --prepared data/prepared

Drives the repository's own portraits with clips (people of whom nothing is kept), then with one-sided expressions that none of
these people makes; last, each of them as every other one, for whether lips shut. Needs what scripts/prepare_data.py wrote.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from talkinghead import arkit
from talkinghead.errors import InputError
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.fitting import FittedFace, fit_face, fit_motion
from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.rig.retargeting import Reenactment, retarget
from talkinghead.rig.topology import NUM_SKIN, interocular, lid_gap
from talkinghead.synthesis.portrait import load_image
from talkinghead.tracking import performance
from talkinghead.types import UPRIGHT, FaceMotion, FloatArray, Portrait

ASSETS = Path(__file__).parents[1] / "assets"
PORTRAITS = ("astronaut.jpg", "drawn_man.png", "drawn_woman.png")
SIZE_PX = 384
NUM_FRAMES = 20
ONE_SIDED = ("eyeBlink", "mouthSmile", "mouthFrown", "browOuterUp", "browDown", "noseSneer", "mouthDimple", "cheekSquint")
ASKED = 0.8
SHUT = 0.02
BLINKS = 0.3
STRENGTHS = (0.5, 1.0, 1.5)
CURVES = ("lip opening", "smile, left less right", "lid gap", "gaze yaw", "yaw", "pitch")


def curves_of(points: FloatArray, motion: FaceMotion) -> FloatArray:
    """points: (T, 478, 3) px, and the motion fitted to them -> (T, 6) as `CURVES`."""
    upright = points * UPRIGHT
    straight = upright @ matrix_from_axis_angle(motion.head_rotation).astype(np.float32)
    eyes = interocular(straight)
    opening = np.linalg.norm(straight[:, 13] - straight[:, 14], axis=-1) / eyes
    smile = motion.blendshapes[:, arkit.INDEX["mouthSmileLeft"]] - motion.blendshapes[:, arkit.INDEX["mouthSmileRight"]]
    turn = motion.head_rotation
    return np.stack([opening, smile, lid_gap(straight).mean(1) / eyes, motion.gaze[:, 0], turn[:, 1], turn[:, 0]], -1)


def drivers(
    data: Path, prepared: Path, split: str, num_clips: int, num_frames: int | None = NUM_FRAMES
) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """Name, points (T, 478, 3) px and scores (T, 52) of the first clips of different people, evenly chosen frames or all."""
    rows = [json.loads(line) for line in (data / "manifest.jsonl").read_text().splitlines()]
    people = {row["identity"]: row for row in rows if row["split"] == split and row["source"] not in ("grid_s1", "grid_new")}
    chosen = list(people.values())[:: max(1, len(people) // num_clips)][:num_clips]
    for row in chosen:
        file = prepared / Path(row["file"]).with_suffix(".npz")
        if not file.is_file():
            raise InputError(f"--prepared {file}: no such file; write it with scripts/prepare_data.py.")
        with np.load(file, allow_pickle=False) as tracked:
            points, scores = tracked["points"].astype(np.float32), tracked["scores"].astype(np.float32)
        frames = np.linspace(0, len(points) - 1, min(num_frames or len(points), len(points))).round().astype(int)
        yield row["file"], points[frames], scores[frames]


def seen_again(head: TalkingHead, portrait: Portrait, motion: FaceMotion, wanted: Reenactment) -> tuple[FloatArray, FaceMotion]:
    """Points (T, 478, 3) px of the rendered video, and the motion fitted to them."""
    faces = list(head.tracker.track(head.render(portrait, motion, quality="draft", reenactment=wanted)))
    points, scores = np.stack([face.points for face in faces]), np.stack([face.scores for face in faces])
    return points, fit_motion(points, scores, head.rig)[0]


def follow(head: TalkingHead, portraits: list[Portrait], clips: Iterable[tuple[str, FloatArray, FloatArray]]) -> Iterator[str]:
    """Pearson r of each curve of the driver with that of the rendered video tracked again, the mean over all pairs."""
    found = []
    for _, points, scores in clips:
        asked = curves_of(points, fit_motion(points, scores, head.rig)[0])
        motion = performance(points, scores, head.rig, head.motion.travel)
        for portrait in portraits:
            again = curves_of(*seen_again(head, portrait, motion, Reenactment()))
            found.append([np.corrcoef(a, b)[0, 1] if a.std() > 1e-4 else np.nan for a, b in zip(asked.T, again.T, strict=True)])
    yield f"driver against the rendered video tracked again, r, mean of {len(found)} pairs (lowest)"
    for name, values in zip(CURVES, np.array(found).T, strict=True):
        yield f"  {name:<24}{np.nanmean(values):6.2f} ({np.nanmin(values):.2f})"


def one_sided(head: TalkingHead, portraits: list[Portrait]) -> Iterator[str]:
    """Each one-sided expression at `ASKED`, left and right in turn: what of the tracked points' motion is on each side.

    A coefficient says little by itself where several do the same; the motion of the points is what is seen.
    """
    yield f"\nasked of one side at {ASKED}: coefficient found there, on the other side; points' motion there, on the other side"
    half = head.rig.neutral[:NUM_SKIN, 0]
    for name in ONE_SIDED:
        rows = []
        for portrait in portraits:
            for side, sign in (("Left", 1), ("Right", -1)):
                column, other = (arkit.INDEX[f"{name}{s}"] for s in (side, "Right" if side == "Left" else "Left"))
                motion = FaceMotion.neutral(2)
                motion.blendshapes[1, column] = ASKED
                points, found = seen_again(head, portrait, motion, Reenactment())
                face = fit_face(portrait.face, head.rig)
                asked = head.rig(retarget(motion, face), face).vertices[:, :NUM_SKIN] * face.scale
                wanted = (asked[1] - asked[0])[:, :2] * np.array([1, -1], np.float32)
                moved = (points[1] - points[0])[:NUM_SKIN, :2]
                strong = np.linalg.norm(wanted, axis=1) > 0.4 * np.linalg.norm(wanted, axis=1).max()
                mirror = strong_mirror(head, strong)
                unit = (wanted[strong] ** 2).sum()
                share = float((moved[strong] * wanted[strong]).sum() / unit)
                leak = np.linalg.norm(moved[mirror & (sign * half < -0.005)]) / np.sqrt(unit)
                change = found.blendshapes[1] - found.blendshapes[0]
                rows.append((change[column], change[other], share, leak))
        values = np.mean(rows, axis=0)
        yield f"  {name:<14}{values[0]:7.2f} {values[1]:6.2f}   {values[2]:6.2f} {values[3]:6.2f}"


def strong_mirror(head: TalkingHead, strong: np.ndarray) -> np.ndarray:
    """(468,) of which vertices the mirror images are marked."""
    neutral = head.rig.neutral[:NUM_SKIN]
    mirrored = neutral * np.array([-1, 1, 1], np.float32)
    nearest = np.array([((neutral - vertex) ** 2).sum(1).argmin() for vertex in mirrored])
    return strong[nearest]


def closures(head: TalkingHead, clips: list[tuple[str, FloatArray, FloatArray]]) -> Iterator[str]:
    """Frames in which a driver's lips, or lids, are shut, on every other driver's face: the gap of the lips, and how open the
    lids stay, as the blendshapes alone leave them, and as they are rendered.
    """
    fitted = [fit_motion(points, scores, head.rig) for _, points, scores in clips]
    lips: dict[str, list[float]] = defaultdict(list)
    lids: dict[str, list[float]] = defaultdict(list)
    for (_, points, scores), (motion, driver) in zip(clips, fitted, strict=True):
        eyes = interocular(points)
        shut = np.linalg.norm(points[:, 13] - points[:, 14], axis=-1) / eyes < SHUT
        upright = head.rig.express(motion.blendshapes, motion.gaze, driver.shape, driver.lid_scale)
        open_lids = lid_gap(upright).mean(1)
        blinking = open_lids < BLINKS * np.percentile(open_lids, 75)
        whole = performance(points, scores, head.rig, head.motion.travel)
        for _, other in fitted:
            if other is driver:
                continue
            if shut.any():
                lips["the driver's own"].append(_lips(head, motion[shut], driver))
                lips["blendshapes alone"].append(_lips(head, motion[shut], other))
            for strength in STRENGTHS if shut.any() else ():
                rendered = retarget(whole, other, Reenactment(strength=strength))[shut]
                lips[f"as rendered, strength {strength:g}"].append(_lips(head, rendered, other))
            if blinking.any():
                lids["the driver's own"].append(_lids(head, motion, blinking, driver))
                lids["blendshapes alone"].append(_lids(head, motion, blinking, other))
                lids["as rendered"].append(_lids(head, retarget(whole, other), blinking, other))
    yield "\nlips that drivers shut: their gap, % of the distance of the eyes"
    for name, values in lips.items():
        most = 100 * np.percentile(values, 90)
        yield f"  {name:<26}{100 * np.mean(values):6.2f}, in one of ten of {len(values)} pairs {most:.2f} and more"
    yield "\nlids that drivers shut: how open they are, of as open as they usually are"
    for name, values in lids.items():
        most = np.percentile(values, 90)
        yield f"  {name:<26}{np.mean(values):6.0%}, in one of ten of {len(values)} pairs {most:.0%} and more"


def _lips(head: TalkingHead, motion: FaceMotion, face: FittedFace) -> float:
    points = head.rig.express(motion.blendshapes, motion.gaze, face.shape)
    return float(((points[:, 13, 1] - points[:, 14, 1]) / interocular(points)).mean())


def _lids(head: TalkingHead, motion: FaceMotion, blinking: np.ndarray, face: FittedFace) -> float:
    gaps = lid_gap(head.rig.express(motion.blendshapes, motion.gaze, face.shape, face.lid_scale)).mean(1)
    return float(gaps[blinking].mean() / np.percentile(gaps, 75))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the clips, with manifest.jsonl")
    parser.add_argument("--prepared", type=Path, default=Path("data/prepared"))
    parser.add_argument("--clips", type=int, default=6, help="people who drive")
    parser.add_argument("--split", default="train", help="of the people who drive")
    options = parser.parse_args()
    head = TalkingHead.from_pretrained()
    portraits = [head.load_portrait(ASSETS / name, size=_size(ASSETS / name)) for name in PORTRAITS]
    clips = list(drivers(options.data, options.prepared, options.split, options.clips))
    every_frame = list(drivers(options.data, options.prepared, options.split, options.clips, None))
    for line in chain(follow(head, portraits, clips), one_sided(head, portraits), closures(head, every_frame)):
        print(line, flush=True)


def _size(picture: Path) -> int:
    return min(SIZE_PX, max(load_image(picture)[0].shape[:2]))


if __name__ == "__main__":
    main()
