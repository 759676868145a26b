"""Make a small looping picture of a video for a page: animated WebP or GIF, under a size limit.

    python scripts/make_gif.py out.mp4 -o docs/talking.webp --size 320 --seconds 3

The side is made smaller until the file is under the limit. Several videos stand side by side.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

FPS = 25
SHRINK = 0.85
SMALLEST_PX = 96


def stills(video: Path, start_s: float, seconds: float, every: int) -> list[np.ndarray]:
    """Every n-th frame of a part of a video, (H, W, 3) uint8."""
    from talkinghead.video.reader import read_frames

    first = round(start_s * FPS)
    return list(islice(read_frames(video), first, first + round(seconds * FPS), every))


def side_by_side(columns: list[list[np.ndarray]], height_px: int) -> list[Image.Image]:
    """Videos of any size -> frames of one height, as long as the shortest."""
    frames = []
    for pictures in zip(*columns, strict=False):
        images = [Image.fromarray(picture) for picture in pictures]
        images = [i.resize((round(i.width * height_px / i.height), height_px), Image.Resampling.LANCZOS) for i in images]
        frame = Image.new("RGB", (sum(image.width for image in images), height_px))
        left = 0
        for image in images:
            frame.paste(image, (left, 0))
            left += image.width
        frames.append(frame)
    return frames


def save(frames: list[Image.Image], path: Path, every: int, quality: int) -> int:
    """Write the loop; returns its size in bytes."""
    milliseconds = round(1000 * every / FPS)
    if path.suffix.lower() == ".gif":
        shared = frames[len(frames) // 2].quantize(160)
        frames = [frame.quantize(palette=shared, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=True)
    else:
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, quality=quality, method=4)
    return path.stat().st_size


def main(command: list[str] | None = None) -> int:
    """Make the loop; 1 when it cannot be made small enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--start", type=float, default=0.0, help="s")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--size", type=int, default=320, help="height at most, px")
    parser.add_argument("--every", type=int, default=2, help="keep every n-th frame of 25 a second")
    parser.add_argument("--quality", type=int, default=70, help="of WebP, 0 to 100")
    parser.add_argument("--limit-mb", type=float, default=3.0)
    parser.add_argument("-o", "--output", type=Path, required=True, help=".webp or .gif")
    arguments = parser.parse_args(command)
    if arguments.output.suffix.lower() not in (".webp", ".gif"):
        parser.error(f"--output {arguments.output}: end it in .webp or .gif")
    columns = [stills(video, arguments.start, arguments.seconds, arguments.every) for video in arguments.videos]
    if not all(columns):
        parser.error(f"--start {arguments.start}: past the end of a video")
    height = arguments.size
    while True:
        size = save(side_by_side(columns, height), arguments.output, arguments.every, arguments.quality)
        if size <= arguments.limit_mb * 1e6:
            break
        height = round(height * SHRINK)
        if height < SMALLEST_PX:
            sys.stderr.write(f"{arguments.output}: {size / 1e6:.1f} MB even at {height} px; show fewer seconds\n")
            return 1
    sys.stdout.write(f"{arguments.output}: {size / 1e6:.2f} MB, {height} px\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
