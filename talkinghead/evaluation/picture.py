"""Self re-enactment: a clip's first frame, driven by its own tracked motion, against its real frames.

Rows: the reference copied; the warp alone; the guide (warp with eyes and mouth laid in); the rendered frame; and, as the
real-video row, the real frame two frames later, which says what a difference of a twelfth of a second costs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch

from talkinghead.errors import InputError
from talkinghead.evaluation.driven import drive
from talkinghead.evaluation.table import Table
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.face_network import CHIP_PX, REMEDY, FaceNetwork, chip_matrix, feature_distances
from talkinghead.synthesis.geometry import area_crop, polygon_mask
from talkinghead.synthesis.metrics import region_box, score_region
from talkinghead.synthesis.pipeline import PortraitCrop
from talkinghead.synthesis.proxies import compose_guide, warp_picture
from talkinghead.synthesis.regions import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from talkinghead.types import ByteArray, FloatArray

REGIONS = ("whole", "mouth", "eyes")
MAX_FRAMES = 150
DEEP: Final = "deep"
LAYERS: Final = (0, 3, 7, 10)
"""Of `FaceNetwork`: the stem, and what each width of blocks ends with while the map has a mouth's and an eye's size."""
MIN_BOX_PX: Final = 8
MEASURES: Final = {
    "PSNR": ("psnr_db", ".2f"), "SSIM": ("ssim", ".3f"), "FLIP": ("perceptual", ".3f"), "sharpness": ("sharpness", ".2f"),
}  # fmt: skip
DISTANCES: Final = {
    "FLIP": ("perceptual", ".3g"), "GMSD": ("gmsd", ".3g"), "1 - HaarPSI": ("haarpsi", ".3g"), "deep": (DEEP, ".3g"),
}  # fmt: skip
CLOSE_UP: Final = ("mouth", "eyes")
WARP: Final = "warp alone"
STANDARD: Final = "rendered, 1 step (standard)"
WANTED_LESS: Final = 25.0
"""Per cent."""
RENDERED: Final = {"1 step (standard)": (1, False), "both ways (best)": (1, True), "2 steps": (2, False), "4 steps": (4, False)}


@dataclass(frozen=True, eq=False)
class Pair:
    """One target frame of one clip: each row's picture, the real one, the regions' boxes, the real face's points (478, 3)."""

    clip: str
    frame: int
    pictures: dict[str, ByteArray]
    real: ByteArray
    boxes: dict[str, list[tuple[int, int, int, int]]]
    points: FloatArray


def reenact(head: TalkingHead, video: Path, num_targets: int = 3) -> Iterator[Pair]:
    """The pairs of one clip: its widest mouth, its most closed eyes, and evenly spaced others."""
    clip = drive(head, video, MAX_FRAMES)
    if clip is None:
        return
    for t in targets(clip.points, num_targets):
        mesh, frame = clip.meshes([t])[0], clip.frames[t]
        later = {"real, two frames on": clip.frames[min(t + 2, len(clip.frames) - 1)]}
        pictures = pictures_of(head, clip.crop, mesh) | later
        yield Pair(clip.name, t, pictures, frame, boxes_of(clip.points[t], frame), clip.points[t])


def pictures_of(head: TalkingHead, crop: PortraitCrop, mesh: FloatArray) -> dict[str, ByteArray]:
    """A portrait and where its mesh goes, (V, 3) px -> row of the table -> the whole picture, as each way makes it."""

    def whole(part: FloatArray) -> ByteArray:
        picture = crop.whole.copy()
        height, width = part.shape[:2]
        picture[crop.top : crop.top + height, crop.left : crop.left + width] = np.clip(part + 0.5, 0, 255).astype(np.uint8)
        return picture

    local = mesh - np.array([crop.left, crop.top, 0], np.float32)
    return {
        "reference copied": crop.whole,
        WARP: whole(warp_picture(crop.reference, local)),
        "guide": whole(compose_guide(crop.reference, local)),
        **{
            f"rendered, {name}": next(iter(head.renderer(crop, [mesh], steps, both_ways=both_ways)))
            for name, (steps, both_ways) in RENDERED.items()
        },
    }


def targets(points: FloatArray, count: int) -> list[int]:
    """points: (T, 478, 3) px, NaN where no face was seen -> frames with a face, two and more from either end."""
    usable = np.flatnonzero(np.isfinite(points[:-2]).all((1, 2)))
    usable = usable[usable > 2]
    if len(usable) == 0:
        return []
    gap = np.linalg.norm(points[:, 13] - points[:, 14], axis=1)
    lid = np.linalg.norm(points[:, 159] - points[:, 145], axis=1) + np.linalg.norm(points[:, 386] - points[:, 374], axis=1)
    chosen = [int(usable[gap[usable].argmax()]), int(usable[lid[usable].argmin()])]
    chosen += [int(usable[round(k)]) for k in np.linspace(0, len(usable) - 1, max(0, count - 2) + 2)[1:-1]]
    return list(dict.fromkeys(chosen))[:count]


def boxes_of(points: FloatArray, frame: ByteArray) -> dict[str, list[tuple[int, int, int, int]]]:
    """points: (478, 3) px of a face -> region -> left, top, right, bottom px."""
    height, width = frame.shape[:2]
    eyes = [region_box(points[loop, :2], 0.25, height, width) for loop in (RIGHT_EYE, LEFT_EYE)]
    mouth = region_box(points[OUTER_LIPS, :2], 0.15, height, width)
    return {"whole": [region_box(points[FACE_OVAL, :2], 0.3, height, width)], "mouth": [mouth], "eyes": eyes}


@dataclass(frozen=True, eq=False)
class PictureTable:
    """scores: row -> region -> measure -> mean over clips, a vote a clip; the measures are `PictureScore`'s, and `DEEP` where
    the network is installed. num_clips: how many gave pairs. sheet: some of the pairs.
    """

    scores: dict[str, dict[str, dict[str, float]]]
    num_clips: int
    sheet: list[Pair]


def picture_table(head: TalkingHead, videos: list[Path], num_in_sheet: int = 12) -> PictureTable:
    """Re-enact each clip and score it; of each kept pair's pictures only those of the sheet stay in memory.

    Raises:
        InputError: no clip gave a pair to score.
    """
    network = FaceNetwork.load()
    votes: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    sheet: list[Pair] = []
    num_clips = 0
    for index, video in enumerate(videos):
        of_clip = list(reenact(head, video))
        num_clips += bool(of_clip)
        if of_clip and index % max(1, len(videos) // num_in_sheet) == 0:
            sheet.append(of_clip[0])
        found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        for pair in of_clip:
            for key, value in _scored(pair, network):
                found[key].append(value)
        for key, values in found.items():
            votes[key].append(float(np.mean(values)))
    if not num_clips:
        raise InputError(f"data: in none of {len(videos)} clips is a face seen from the first frame on; nothing to score.")
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for (row, region, measure), values in votes.items():
        scores[row][region][measure] = float(np.mean(values))
    return PictureTable(scores, num_clips, sheet)


def _scored(pair: Pair, network: FaceNetwork | None) -> Iterator[tuple[tuple[str, str, str], float]]:
    """(row, region, measure) and its value, one a box."""
    for region, boxes in pair.boxes.items():
        for box in boxes:
            if min(box[2] - box[0], box[3] - box[1]) < MIN_BOX_PX:
                continue  # a region at the picture's border: too little of it to compare
            for row, picture in pair.pictures.items():
                for measure, value in asdict(score_region(picture, pair.real, box)).items():
                    yield (row, region, measure), value
    if network is not None:
        matrix = chip_matrix(pair.points)
        real, *others = (area_crop(p, matrix, CHIP_PX, CHIP_PX) for p in (pair.real, *pair.pictures.values()))
        for row, maps in zip(pair.pictures, deep_differences(network, real, others), strict=True):
            for region, boxes in pair.boxes.items():
                for box in boxes:
                    yield (row, region, DEEP), inside(maps, matrix, box)


def deep_differences(network: FaceNetwork, real: FloatArray, others: list[FloatArray]) -> list[list[FloatArray]]:
    """Chips, (150, 150, 3) -> for each of the others the maps (h, w) of its `feature_distances`, one a layer of `LAYERS`."""
    with torch.inference_mode():
        layers = network.layers(np.stack([real, *others]).astype(np.float32))
        chosen = [layers[k] for k in LAYERS]
        maps = [x[:, 0].numpy() for x in feature_distances([x[1:] for x in chosen], [x[:1] for x in chosen])]
    return [[layer[k] for layer in maps] for k in range(len(others))]


def inside(maps: list[FloatArray], matrix: FloatArray, box: tuple[int, int, int, int]) -> float:
    """Maps of a chip, its (2, 3) matrix and a box of the picture, px -> the mean over the box, then over the maps."""
    corners = np.array([[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]], np.float32)
    mask = polygon_mask([corners @ matrix[:, :2].T + matrix[:, 2]], CHIP_PX, CHIP_PX)
    means = []
    for values in maps:
        weight = cv2.resize(mask, (values.shape[1], values.shape[0]), interpolation=cv2.INTER_AREA)
        means.append(float((values * weight).sum() / max(float(weight.sum()), 1e-6)))
    return float(np.mean(means))


def reenactment_tables(table: PictureTable) -> list[Table]:
    """The usual scores of every region; and the perceptual distances of mouth and eyes, against the warp's."""
    clips = f"Self re-enactment from the first frame, {table.num_clips} clips, a person each, up to three frames of each."
    note = f"{clips} PSNR in dB and SSIM: higher is better; FLIP: lower is better; sharpness: 1 is the real video's."
    rows = {row: _columns(scores, REGIONS, MEASURES) for row, scores in table.scores.items()}
    forms = {f"{region} {name}": form for region in REGIONS for name, (_, form) in MEASURES.items()}
    distances = {row: _columns(scores, CLOSE_UP, DISTANCES) for row, scores in table.scores.items()}
    warp = distances[WARP]
    for row in (row for row in list(distances) if row.startswith("rendered")):
        distances[f"{row}: less than the warp's, by"] = {
            name: 100 * (1 - value / warp[name]) for name, value in distances[row].items()
        }
    distances[f"wanted of {STANDARD}: less by"] = dict.fromkeys(warp, WANTED_LESS)
    deep = "deep: of dlib's face network, as LPIPS is of its own" if DEEP in table.scores[WARP]["mouth"] else f"deep: {REMEDY}"
    close = f"{clips} Distances, lower is better; {deep}. Less than the warp's, by: %."
    return [Table("Pictures", note, rows, forms=forms), Table("Perceptual distance of mouth and eyes", close, distances, ".3g")]


def _columns(
    scores: dict[str, dict[str, float]], regions: Sequence[str], measures: Mapping[str, tuple[str, str]]
) -> dict[str, float]:
    return {
        f"{region} {name}": scores[region][measure]
        for region in regions
        for name, (measure, _) in measures.items()
        if measure in scores[region]
    }
