"""FaceMotion <-> the `.csv` of the phone app Live Link Face, column for column as the app writes it.

Two leading columns and 61 values a row, ten decimals; the timecode counts sixtieths of a second with thousandths after the
point, whatever the rate of the rows. The app has no place for the head's position: it is lost. Angles: see `angles`.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export.angles import eye_angles, gaze_of_eye, head_angles, rotation_of_head
from talkinghead.export.take import Take
from talkinghead.files import whole
from talkinghead.motion.io import begins_turned
from talkinghead.motion.resampling import at_times
from talkinghead.rig.gaze import gaze_from_eye_look
from talkinghead.types import FPS, FaceMotion

ANGLES: Final = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
VALUES: Final = (*(name[0].upper() + name[1:] for name in arkit.BLENDSHAPES), *ANGLES)
HEADER: Final = ("Timecode", "BlendShapeCount", *VALUES)
TICKS_HZ: Final = 60
"""What the last field of a timecode counts."""

_TIMECODE: Final = re.compile(r"(\d+)[:;](\d+)[:;](\d+)[:;](\d+(?:\.\d+)?)")
_OTHER_TICKS_HZ: Final = (60, 30, 25, 24)
_DAY_S: Final = 86_400

Array = npt.NDArray[np.float64]


def write(path: Path, take: Take) -> None:
    """Write a take; its first row is at 00:00:00:00.000."""
    eyes, head = eye_angles(take.motion.gaze), head_angles(take.motion.head_rotation)
    values = np.concatenate([take.blendshapes, head, eyes, eyes], axis=1)
    with whole(path) as part, part.open("w", newline="", encoding="ascii") as file:
        file.write(",".join(HEADER) + "\n")
        for frame, row in enumerate(values):
            numbers = ",".join(f"{value + 0.0:.10f}" for value in row)
            file.write(f"{timecode(frame / take.fps)},{len(VALUES)},{numbers}\n")


def timecode(time_s: float) -> str:
    """Seconds -> HH:MM:SS:FF.fff."""
    thousandths = round(time_s * TICKS_HZ * 1000)
    seconds, rest = divmod(thousandths, TICKS_HZ * 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def read(path: Path) -> FaceMotion:
    """Read what the app, or another tool that follows it, wrote -> the motion at 25 frames a second, from its first row on.

    Names count, not their order or capitals; columns of angles may be absent. Rows without a face are bridged. The app itself
    goes a little over 1: that is cut.

    Raises:
        MotionError: not such a file; a column is absent; a row that cannot be read, by its line.
    """
    rows = _rows(path)
    names = {name.strip().lower(): column for column, name in enumerate(rows[0][1])}
    missing = [name for name in HEADER[: 2 + len(arkit.BLENDSHAPES)] if name.lower() not in names]
    if missing:
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        wanted = "a CSV of Live Link Face, whose first line begins Timecode,BlendShapeCount,EyeBlinkLeft"
        raise MotionError(f"motion {path}: has no column {', '.join(missing[:4])}{more}; give {wanted}.")
    lines, codes, table = [], [], []
    for line, row in rows[1:]:
        if not row or _is_empty(row, names):
            continue
        codes.append(_fields(path, line, row[names["timecode"]] if len(row) > names["timecode"] else ""))
        table.append(_numbers(path, line, row, names))
        lines.append(line)
    if not table:
        raise MotionError(f"motion {path}: holds no row with a face; record it again.")
    return _motion(np.array(table), _seconds(path, np.array(codes), lines))


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MotionError(f"motion {path}: is not a CSV file; give a recording of Live Link Face.") from error
    if not rows:
        raise MotionError(f"motion {path}: is empty; give a recording of Live Link Face.")
    return rows


def _is_empty(row: list[str], names: dict[str, int]) -> bool:
    """A row that the app writes while it sees no face."""
    first = names[VALUES[0].lower()]
    return len(row) <= first or not row[first].strip()


def _fields(path: Path, line: int, text: str) -> list[float]:
    found = _TIMECODE.fullmatch(text.strip())
    if not found:
        raise MotionError(f"motion {path}, line {line}: timecode '{text[:20]}' is not HH:MM:SS:FF.fff; write it so.")
    return [float(group) for group in found.groups()]


def _numbers(path: Path, line: int, row: list[str], names: dict[str, int]) -> list[float]:
    numbers = []
    for name in VALUES:
        column = names.get(name.lower())
        text = "0" if column is None else row[column] if column < len(row) else ""
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not np.isfinite(number):
            raise MotionError(f"motion {path}, line {line}: {name} is '{text[:20]}'; give a number.")
        numbers.append(number)
    return numbers


def _seconds(path: Path, codes: Array, lines: list[int]) -> Array:
    """(T, 4) hours, minutes, seconds, ticks -> (T,) s from the first. Of the rates a tick may have the steadiest is taken."""
    whole_s = codes[:, :3] @ np.array([3600, 60, 1])
    whole_s += _DAY_S * np.cumsum(np.r_[0, np.diff(whole_s) < -_DAY_S / 2])
    fits = [hz for hz in _OTHER_TICKS_HZ if codes[:, 3].max() < hz] or [TICKS_HZ]
    seconds: Array = min(
        (whole_s + codes[:, 3] / hz for hz in fits), key=lambda s: float(np.ptp(np.diff(s))) if len(s) > 2 else 0.0
    )
    back = np.flatnonzero(np.diff(seconds) <= 0)
    if len(back):
        raise MotionError(f"motion {path}, line {lines[back[0] + 1]}: its time is not after the row before; sort the rows.")
    since_first: Array = seconds - seconds[0]
    return since_first


def _motion(values: Array, seconds: Array) -> FaceMotion:
    blendshapes = np.clip(values[:, : len(arkit.BLENDSHAPES)], 0, 1).astype(np.float32)
    head, left, right = np.split(values[:, len(arkit.BLENDSHAPES) :], 3, axis=1)
    gaze = ((gaze_of_eye(left) + gaze_of_eye(right)) / 2).astype(np.float32)
    if not (left.any() or right.any()):  # a writer that leaves the angles at 0
        gaze = gaze_from_eye_look(blendshapes)
    rotation = rotation_of_head(head)
    motion = FaceMotion(blendshapes, rotation, np.zeros((len(values), 3), np.float32), gaze, begins_turned(rotation))
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1 / FPS
    num_frames = max(1, round((seconds[-1] + step) * FPS))
    return at_times(motion, seconds, np.arange(num_frames) / FPS)
