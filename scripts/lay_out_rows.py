"""Rows of portrait, warp, guide, output and real frame, whole and near: what the renderer makes of clips, laid side by side.

    python scripts/lay_out_rows.py a.mp4 b.mp4 -o rows.png
    python scripts/lay_out_rows.py clips/ --near mouth --frames 2 -o mouths.png

The portrait is a clip's first frame, the motion its own: the widest mouth, the most closed eyes, and others between.
Needs the extra `evaluate`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
from rich.progress import track as progress

from talkinghead.errors import TalkingHeadError
from talkinghead.evaluation.picture import Pair, reenact
from talkinghead.pipeline import TalkingHead

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
COLUMNS = {
    "portrait": "reference copied",
    "warp": "warp alone",
    "guide": "guide",
    "output": "rendered, 1 step (standard)",
    "real": "",
}


def row_of(pair: Pair, near: str, height: int) -> np.ndarray:
    """One pair -> (height, W, 3): each column's picture, cut to a region and scaled to the same height."""
    left, top, right, bottom = pair.boxes[near][0]
    if near == "eyes":
        boxes = np.array(pair.boxes[near])
        (left, top), (right, bottom) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    size = (round(height * (right - left) / (bottom - top)), height)
    cells = []
    for row in COLUMNS.values():
        picture = pair.pictures[row] if row else pair.real
        cells.append(cv2.resize(picture[top:bottom, left:right], size, interpolation=cv2.INTER_CUBIC))
    return np.hstack([np.pad(cell, ((2, 2), (2, 2), (0, 0))) for cell in cells])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", help="videos, or folders of them")
    parser.add_argument("--near", choices=("whole", "mouth", "eyes"), default="whole")
    parser.add_argument("--frames", type=int, default=1, help="rows a clip")
    parser.add_argument("--height", type=int, default=224, help="px of a row")
    parser.add_argument("--checkpoint", type=Path, help="folder of models; left out: the one that comes with the package")
    parser.add_argument("-o", "--output", type=Path, default=Path("rows.png"))
    options = parser.parse_args()
    files = [f for path in options.clips for f in (sorted(path.iterdir()) if path.is_dir() else [path])]
    files = [f for f in files if f.suffix.lower() in VIDEOS]
    rows = []
    try:
        head = TalkingHead.from_pretrained(options.checkpoint)
        for file in progress(files, description="clips"):
            rows += [row_of(pair, options.near, options.height) for pair in reenact(head, file, options.frames)]
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    if not rows:
        raise SystemExit(f"error: no face is seen from the first frame on in any of {len(files)} clips; give other videos.")
    width = max(row.shape[1] for row in rows)
    sheet = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])
    iio.imwrite(options.output, sheet)
    print(f"{', '.join(COLUMNS)}: {options.output}")


if __name__ == "__main__":
    main()
