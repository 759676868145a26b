"""Rows of portrait, warp, guide, output and real frame, whole and near: what the renderer makes of clips, laid side by side.

    python scripts/lay_out_rows.py a.mp4 b.mp4 -o rows.png
    python scripts/lay_out_rows.py clips/ --near mouth --frames 2 -o mouths.png
    python scripts/lay_out_rows.py portrait.jpg --audio speech.wav --emotion happy -o rows.png

A video's portrait is its first frame, the motion its own. A picture is driven by speech; there is no real frame then. Each row
is another moment: the widest mouth, the most closed eyes, others between. Needs the extra `evaluate`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
from rich.progress import track as progress

from talkinghead.errors import TalkingHeadError
from talkinghead.evaluation.picture import Pair, boxes_of, pictures_of, reenact, targets
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.placement import meshes_of, portrait_mesh
from talkinghead.rig.shell import with_rim
from talkinghead.rigged_portrait import fit_portrait, mesh_topology
from talkinghead.synthesis.pipeline import PortraitCrop

VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
SPEECH = Path(__file__).parents[1] / "assets/speech.wav"
COLUMNS = {
    "portrait": "reference copied",
    "warp": "warp alone",
    "guide": "guide",
    "output": "rendered, 1 step (standard)",
}
"""And the real frame, where there is one."""


def speaking(
    head: TalkingHead, picture: Path, speech: Path, emotion: str, num_targets: int, size: int | None
) -> Iterator[Pair]:
    """The pairs of a picture that is made to speak; the real frame is empty."""
    portrait = head.load_portrait(picture, size=size)
    face, rig = fit_portrait(portrait.face, portrait.image, head.rig), with_rim(head.rig)
    worn, mesh, topology = portrait.wears_glasses, portrait_mesh(rig, face), mesh_topology(head.rig)
    crop = PortraitCrop.of(portrait.image, mesh, topology, matte=portrait.matte, wears_glasses=worn)
    meshes = np.stack(list(meshes_of(rig, head.on_face(head.animate(speech, emotion), face), face)))
    nothing = portrait.image[:0]
    for t in targets(meshes[:, :478], num_targets):
        points = meshes[t, :478]
        yield Pair(picture.name, t, pictures_of(head, crop, meshes[t]), nothing, boxes_of(points, portrait.image), points)


def row_of(pair: Pair, near: str, height: int) -> np.ndarray:
    """One pair -> (height + 4, W, 3): each column's picture, cut to a region and scaled to the same height."""
    boxes = np.array(pair.boxes[near])
    (left, top), (right, bottom) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    size = (max(1, round(height * (right - left) / (bottom - top))), height)
    pictures = [pair.pictures[row] for row in COLUMNS.values()] + ([pair.real] if len(pair.real) else [])
    cells = [cv2.resize(x[top:bottom, left:right], size, interpolation=cv2.INTER_CUBIC) for x in pictures]
    return np.hstack([np.pad(cell, ((2, 2), (2, 2), (0, 0))) for cell in cells])


def sheet_of(rows: list[np.ndarray]) -> np.ndarray:
    """Rows one below the other, black where they are narrower than the widest."""
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", help="videos and pictures, or folders of them")
    parser.add_argument("--near", choices=("whole", "mouth", "eyes"), default="whole")
    parser.add_argument("--frames", type=int, default=1, help="rows a file")
    parser.add_argument("--height", type=int, default=224, help="px of a row")
    parser.add_argument("--audio", type=Path, default=SPEECH, help="what pictures say; left out: the built-in sentence")
    parser.add_argument("--emotion", default="neutral", help="of pictures that speak")
    parser.add_argument("--size", type=int, help="longest side at which pictures are rendered, px; left out: their own")
    parser.add_argument("--checkpoint", type=Path, help="folder of models; left out: the one that comes with the package")
    parser.add_argument("-o", "--output", type=Path, default=Path("rows.png"))
    options = parser.parse_args()
    files = [f for path in options.files for f in (sorted(path.iterdir()) if path.is_dir() else [path])]
    files = [f for f in files if f.suffix.lower() in VIDEOS | PICTURES]
    rows = []
    try:
        head = TalkingHead.from_pretrained(options.checkpoint)
        for file in progress(files, description="files"):
            if file.suffix.lower() in VIDEOS:
                pairs = reenact(head, file, options.frames)
            else:
                pairs = speaking(head, file, options.audio, options.emotion, options.frames, options.size)
            rows += [row_of(pair, options.near, options.height) for pair in pairs]
    except TalkingHeadError as error:
        raise SystemExit(f"error: {error}") from error
    if not rows:
        raise SystemExit(f"error: no face is seen from the first frame on in any of {len(files)} files; give others.")
    iio.imwrite(options.output, sheet_of(rows))
    print(f"{', '.join(COLUMNS)}, real where there is one: {options.output}")


if __name__ == "__main__":
    main()
