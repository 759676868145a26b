"""Make a labelled sheet of pictures: portraits x intensities x emotions at one moment of a recording, or videos x moments.

    python scripts/contact_sheet.py --portraits assets --audio assets/speech.wav --emotions neutral,happy,angry,sad -o sheet.jpg
    python scripts/contact_sheet.py --videos a.mp4 b.mp4 --times 0.5,1.0,1.5 -o sheet.jpg

Only the frames that are shown are rendered. A cell that fails is grey and says why; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

FPS = 25
LABEL_PX = 26
GAP_PX = 4
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}

Cell = np.ndarray | str
"""A picture (H, W, 3) uint8, or the reason why there is none."""


def listed(paths: list[Path], endings: set[str]) -> list[Path]:
    """Files as they are, folders as what they hold, by name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix.lower() in endings)
        else:
            found.append(path)
    return found


def fitted(picture: np.ndarray, side_px: int) -> Image.Image:
    """The whole picture inside a square, on black."""
    image = Image.fromarray(picture)
    image.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    if max(image.size) < side_px:
        scale = side_px / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side_px, side_px))
    square.paste(image, ((side_px - image.width) // 2, (side_px - image.height) // 2))
    return square


def failed(reason: str, side_px: int) -> Image.Image:
    """A grey square that says why."""
    square = Image.new("RGB", (side_px, side_px), (112, 112, 112))
    text = "\n".join(textwrap.wrap(reason, max(12, side_px // 8)))
    ImageDraw.Draw(square).multiline_text((8, 8), text, fill=(255, 255, 255), font=ImageFont.load_default(13))
    return square


def draw(rows: list[str], columns: list[str], cells: list[list[Cell]], side_px: int) -> Image.Image:
    """Row and column labels and a cell for each pair -> one picture."""
    width = len(columns) * (side_px + GAP_PX) + GAP_PX
    height = LABEL_PX + len(rows) * (side_px + LABEL_PX) + GAP_PX
    sheet = Image.new("RGB", (width, height), (24, 24, 26))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for j, column in enumerate(columns):
        middle = GAP_PX + j * (side_px + GAP_PX) + side_px // 2
        pen.text((middle, LABEL_PX // 2), column, fill=(255, 255, 255), font=font, anchor="mm")
    for i, row in enumerate(rows):
        top = LABEL_PX + i * (side_px + LABEL_PX)
        for j, cell in enumerate(cells[i]):
            square = failed(cell, side_px) if isinstance(cell, str) else fitted(cell, side_px)
            sheet.paste(square, (GAP_PX + j * (side_px + GAP_PX), top))
        pen.text((GAP_PX + 2, top + side_px + LABEL_PX // 2), row, fill=(190, 190, 190), font=font, anchor="lm")
    return sheet


def frame_at(frames: Iterator[np.ndarray], index: int) -> np.ndarray:
    """The frame with that number; the iterator is read no further.

    Raises:
        ValueError: there are fewer frames.
    """
    frame = next(islice(frames, index, None), None)
    if frame is None:
        raise ValueError(f"there is no frame {index} ({index / FPS:.2f} s); choose an earlier time")
    return frame


def around_face(picture: np.ndarray, box: np.ndarray, zoom: float) -> np.ndarray:
    """A square of the picture, `zoom` faces wide, moved inside it where it would stick out."""
    height, width = picture.shape[:2]
    side = int(min(zoom * max(box[2:] - box[:2]), height, width))
    left, top = ((box[:2] + box[2:]) / 2 - side / 2).clip(0, (width - side, height - side)).astype(int)
    return picture[top : top + side, left : left + side]


def attempt(frames: Callable[[], Iterator[np.ndarray]], index: int) -> Cell:
    """The frame, or why there is none: a sheet shows every failure instead of stopping at the first."""
    try:
        return frame_at(frames(), index)
    except Exception as error:  # noqa: BLE001
        return str(error) or type(error).__name__


def portrait_rows(arguments: argparse.Namespace, portraits: list[Path], emotions: list[str]) -> Iterator[list[Cell]]:
    """One row of cells a portrait and intensity, one cell an emotion, all at the same moment."""
    from talkinghead.audio.waveform import load_audio
    from talkinghead.pipeline import TalkingHead

    head = TalkingHead.from_pretrained(arguments.checkpoint, arguments.device)
    audio = load_audio(arguments.audio)
    index = round(arguments.time * FPS)
    motions = {}
    for intensity, emotion in product(arguments.intensities, emotions):
        motion = head.animate(audio, emotion, intensity, arguments.seed)
        if index >= len(motion):
            raise SystemExit(f"--time {arguments.time} is past the end of {arguments.audio} ({len(motion) / FPS:.2f} s)")
        # The head turns against the first frame: keep that one too.
        motions[intensity, emotion] = motion[0 : index + 1 : max(index, 1)]
    for path, intensity in product(portraits, arguments.intensities):
        try:
            portrait = head.load_portrait(path, face=arguments.face, size=arguments.size)
        except Exception as error:  # noqa: BLE001
            yield [str(error)] * len(emotions)
            continue
        row = [
            attempt(partial(head.render, portrait, motion, arguments.quality), len(motion) - 1)
            for motion in (motions[intensity, emotion] for emotion in emotions)
        ]
        if arguments.zoom:
            row = [cell if isinstance(cell, str) else around_face(cell, portrait.face.box, arguments.zoom) for cell in row]
        yield row


def video_rows(videos: list[Path], times: list[float]) -> Iterator[list[Cell]]:
    """One row of cells a video, one cell a time."""
    from talkinghead.video.reader import read_frames

    for path in videos:
        yield [attempt(partial(read_frames, path), round(time * FPS)) for time in times]


def parse(command: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--portraits", nargs="+", type=Path, help="pictures, or folders of pictures: a row each")
    what.add_argument("--videos", nargs="+", type=Path, help="videos, or folders of videos: a row each")
    parser.add_argument("--audio", type=Path, help="what the portraits say")
    parser.add_argument("--emotions", default="neutral,happy,angry,sad", help="columns, comma-separated")
    parser.add_argument("--intensity", default="0.8", help="of the emotions; a row each of several, comma-separated")
    parser.add_argument("--jpeg-quality", type=int, default=90, help="of the sheet")
    parser.add_argument("--time", type=float, default=1.8, help="the moment that is shown of every portrait, s")
    parser.add_argument("--times", default="0.5,1.0,1.5,2.0", help="the moments that are shown of every video, s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--face", type=int, default=None, help="which face, in pictures with several")
    parser.add_argument("--size", type=int, default=None, help="longest side at which portraits are rendered, px")
    parser.add_argument(
        "--zoom", type=float, default=2.4, help="show this many faces' width around the face; 0: the whole picture"
    )
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--checkpoint", type=Path, default=None)
    parser.add_argument("--device", default=None)
    parser.add_argument("--cell", type=int, default=256, help="side of a cell, px")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".jpg or .png")
    arguments = parser.parse_args(command)
    arguments.intensities = [float(intensity) for intensity in arguments.intensity.split(",")]
    if arguments.portraits and arguments.audio is None:
        parser.error("--portraits needs --audio: what they say")
    return arguments


def main(command: list[str] | None = None) -> int:
    """Make the sheet; 0 when every cell is a picture, 1 when one is not, 2 when there is nothing to show."""
    arguments = parse(command)
    if arguments.portraits:
        paths = listed(arguments.portraits, PICTURES)
        columns = [emotion.strip() for emotion in arguments.emotions.split(",")]
        rows = portrait_rows(arguments, paths, columns)
        several = len(arguments.intensities) > 1
        names = [f"{p.stem} {k:g}" if several else p.stem for p, k in product(paths, arguments.intensities)]
    else:
        paths = listed(arguments.videos, VIDEOS)
        times = [float(time) for time in arguments.times.split(",")]
        columns = [f"{time:g} s" for time in times]
        rows = video_rows(paths, times)
        names = [path.stem for path in paths]
    if not paths:
        sys.stderr.write("nothing to show: no picture or video in what was given\n")
        return 2
    cells = []
    for name, row in zip(names, rows, strict=True):
        cells.append(row)
        failures = [f"{column}: {cell}" for column, cell in zip(columns, row, strict=True) if isinstance(cell, str)]
        sys.stderr.write(f"{name}: {'; '.join(failures) if failures else 'done'}\n")
    draw(names, columns, cells, arguments.cell).save(arguments.output, quality=arguments.jpeg_quality)
    sys.stdout.write(f"{arguments.output}\n")
    return 1 if any(isinstance(cell, str) for row in cells for cell in row) else 0


if __name__ == "__main__":
    raise SystemExit(main())
