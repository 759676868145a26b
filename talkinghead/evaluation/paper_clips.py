"""A prepared corpus or a folder of clips -> the real clips of a split that are scored, one at a time, and why others are not.

Knows manifests, videos and sounds; knows nothing of models or metrics.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.splits import SPLITS
from talkinghead.corpus.store import TRACKED, VIDEO, ClipStore, open_clips
from talkinghead.errors import FaceError, InputError
from talkinghead.landmarks import FaceTracker
from talkinghead.types import EMOTIONS, Audio, ByteArray, FloatArray, TrackedFace
from talkinghead.video.reader import read_frames

SCORED_PX: Final = 256
"""Of a picture's longest side: what published figures are of. A larger one is made smaller before anything else."""
MAX_FRAMES: Final = 1500
"""Of a clip, a minute: a longer one is scored so far."""
FRONT: Final = "front"
_MIN_FRAMES: Final = 10


@dataclass(frozen=True, eq=False)
class PaperClip:
    """A real clip. frames: (H, W, 3) uint8 RGB, 25 a second. faces: the tracked face of each frame, None where none is seen.

    emotion: one of `EMOTIONS`, "" where the manifest names none. intensity: level / 3, None where it gives no level.
    """

    name: str
    identity: str
    emotion: str
    intensity: float | None
    transcript: str
    audio: Audio
    frames: list[ByteArray]
    faces: list[TrackedFace | None]


class PaperClips:
    """The clips of a split: of MEAD's splits the front views of its test people, of any other name the manifest's own.

    rows: the manifest's lines that are scored. left_out: name -> why a clip of the split is not.
    """

    def __init__(self, data: Path, split: str, prepared: Path | None = None, pattern: str = "") -> None:
        """pattern: as fnmatch takes it, of clips' names; "" is all. prepared: what `scripts/prepare_data.py` tracked.

        Raises:
            InputError: no manifest, no such split, or no clip in it that can be scored.
        """
        self.prepared = prepared
        self.left_out: dict[str, str] = {}
        self.store: ClipStore = open_clips(data)
        if split in SPLITS:
            rows = self.store.rows_of("test", split)
        else:
            rows = [row for row in self.store.rows if row["split"] == split]
            if not rows:
                own = sorted({str(row["split"]) for row in self.store.rows})
                raise InputError(
                    f"split: '{split}' is neither one of MEAD ({', '.join(SPLITS)}) nor in {data / 'manifest.jsonl'} "
                    f"({', '.join(own)}); choose one of them."
                )
        self.rows = [row for row in rows if fnmatch(name_of(row), pattern or "*") and self._counts(row)]
        if not self.rows:
            which = f" that match '{pattern}'" if pattern else ""
            raise InputError(
                f"split: '{split}' of {data} has {len(rows)} clips, and none{which} with the sound of somebody who is not in "
                "train; name another split, or other clips."
            )

    def _counts(self, row: dict[str, Any]) -> bool:
        if row.get("view", FRONT) not in (FRONT, "", None):
            return False
        why = "no sound" if not row["audio"] else "its person is in training clips" if row.get("identity_in_train") else ""
        if why:
            self.left_out[name_of(row)] = why
        return not why

    @contextlib.contextmanager
    def video(self, row: dict[str, Any]) -> Iterator[Path]:
        """A clip's video as a file, while the block lasts."""
        with tempfile.TemporaryDirectory() as folder, self.store.open(row, VIDEO) as member:
            file = Path(folder) / "clip.mp4"
            file.write_bytes(member.read())
            yield file

    def load(self, row: dict[str, Any], tracker: FaceTracker) -> PaperClip:
        """A clip's pictures, sound and tracked faces; what is tracked already is not tracked again.

        Raises:
            VideoError, AudioError: it cannot be read.
            FaceError: its first frame, which is the portrait, shows no face.
            InputError: it is too short.
        """
        name = name_of(row)
        with self.video(row) as file:
            audio = load_audio(file)
            frames = [scored_size(frame) for frame in islice(read_frames(file), MAX_FRAMES)][: audio.num_frames]
        if len(frames) < _MIN_FRAMES:
            raise InputError(f"{name}: {len(frames)} frames with sound; {_MIN_FRAMES} are needed.")
        faces = self._tracked(row, len(frames), frames[0].shape[:2]) or list(tracker.track(frames))
        if faces[0] is None:
            raise FaceError(f"{name}: no face in its first frame, which is the portrait.")
        emotion, level = str(row.get("emotion") or ""), row.get("level")
        return PaperClip(
            name,
            str(row["identity"]),
            emotion if emotion in EMOTIONS else "",
            float(np.clip(level / 3, 0, 1)) if isinstance(level, int | float) else None,
            str(row.get("transcript") or ""),
            audio,
            frames,
            faces,
        )

    def _tracked(self, row: dict[str, Any], num_frames: int, size: tuple[int, ...]) -> list[TrackedFace | None] | None:
        """What the corpus holds of this very picture, None where it holds nothing that fits."""
        if self.store.has(row, TRACKED):
            with self.store.open(row, TRACKED) as member, np.load(member, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in ("points", "scores", "presence")}
        else:
            file = None if self.prepared is None else (self.prepared / str(row["file"])).with_suffix(".npz")
            if file is None or not file.is_file():
                return None
            with np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in ("points", "scores", "presence")}
        if len(arrays["points"]) < num_frames or max(size) != SCORED_PX:
            return None
        return [
            _face(points.astype(np.float32), scores.astype(np.float32), float(presence))
            for points, scores, presence in zip(*(arrays[key][:num_frames] for key in arrays), strict=True)
        ]


def name_of(row: dict[str, Any]) -> str:
    """What a clip is called: its key, or its file without the ending."""
    return str(row.get("key") or Path(str(row["file"])).with_suffix(""))


def scored_size(frame: ByteArray) -> ByteArray:
    """(H, W, 3) -> the same, its longest side at most `SCORED_PX`, its sides even."""
    height, width = frame.shape[:2]
    scale = min(1.0, SCORED_PX / max(height, width))
    size = (max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    if size == (width, height):
        return frame
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _face(points: FloatArray, scores: FloatArray, presence: float) -> TrackedFace | None:
    if presence <= 0:
        return None
    return TrackedFace(points, scores, np.r_[points[:, :2].min(0), points[:, :2].max(0)].astype(np.float32), presence)
