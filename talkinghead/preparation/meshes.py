"""Clips of a prepared set -> what the renderer learns from: frames out of the video, meshes out of motion and person.

Nothing is fitted again and nothing is stored: a mesh is the rig in the motion that was fitted, and a shard would be twenty
times as large with meshes and frames in it. Knows shards and the rig; trains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead.corpus.splits import OWN, TrainedOn
from talkinghead.corpus.store import DATASET, MOTION, PERSON, TRACKED, VIDEO, ShardClips, trained_on
from talkinghead.errors import ConfigError, VideoError
from talkinghead.motion.io import load_motion
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace, project
from talkinghead.rigged_portrait import mesh_topology
from talkinghead.synthesis.dataset import ClipSource, MeshFile, PreparedClip
from talkinghead.synthesis.teeth_placement import with_teeth_as_seen
from talkinghead.synthesis.topology import MeshTopology
from talkinghead.video.reader import read_frames

EVERY: Final = 2
"""Of the frames, as `scripts/prepare_meshes.py` keeps them."""


@dataclass(frozen=True)
class ShardMesh:
    """One clip of a prepared set; read when it is wanted, by whichever process wants it."""

    data: Path
    key: str
    identity: str
    rig: Path
    every: int = EVERY

    def load(self) -> PreparedClip:
        """Decode, and put the rig into the motion; the tracked points stand where the tracker saw them."""
        clips, row = _clips(self.data)[0], _clips(self.data)[1][self.key]
        with clips.open(row, MOTION) as stream:
            motion = load_motion(stream)
        with clips.open(row, PERSON) as stream, np.load(stream) as archive:
            values: dict[str, Any] = dict(archive)
        face = FittedFace(**values | {"scale": float(values["scale"])})
        with clips.open(row, TRACKED) as stream, np.load(stream) as archive:
            points, presence = archive["points"], archive["presence"]
        with clips.open(row, VIDEO) as stream:
            frames = list(read_frames(stream))
        seen = np.flatnonzero(presence[: len(frames)] > 0.5)[:: self.every]
        if not len(seen):
            raise VideoError(f"{self.key}: the face is seen in none of its frames.")
        meshes = project(_rig(self.rig)(motion, face).vertices, face)[seen]
        meshes[:, : points.shape[1]] = points[seen]
        pictures, meshes = np.stack([frames[i] for i in seen]), meshes.astype(np.float32)
        return PreparedClip.of(pictures, with_teeth_as_seen(pictures, meshes, _topology(self.rig)), self.identity)


@cache
def _clips(data: Path) -> tuple[ShardClips, dict[str, dict[str, Any]]]:
    clips = ShardClips(data)
    return clips, {row["key"]: row for row in clips.rows}


@cache
def _rig(folder: Path) -> FaceRig:
    return FaceRig.from_pretrained(folder)


@cache
def _topology(folder: Path) -> MeshTopology:
    return mesh_topology(_rig(folder))


def training_meshes(meshes: Path, split: str, rig: Path, every: int = EVERY) -> tuple[list[ClipSource], list[TrainedOn]]:
    """Folder of a prepared set, or of `scripts/prepare_meshes.py` -> its training clips, and what they are.

    every: of a set's frames one in so many is learnt from; the other folder has what it has.

    Raises:
        ConfigError: a set without a split, a split without a set, or nobody to train on.
    """
    if (meshes / DATASET).is_file():
        rows = ShardClips(meshes).rows_of("train", split)
        found: list[ClipSource] = [ShardMesh(meshes, row["key"], row["identity"], rig, every) for row in rows]
        if not found:
            raise ConfigError(f"meshes {meshes}: nobody is trained on in the split {split}; give another.")
        return found, [trained_on(meshes, split)]
    if split:
        raise ConfigError(f"split {split}: {meshes} is no set of talkinghead prepare; leave split out, or give such a folder.")
    files = [MeshFile.of(file) for file in sorted(meshes.rglob("*.npz"))]
    people = tuple(sorted({file.identity for file in files}))
    return list(files), [TrainedOn(meshes.resolve().name, OWN, people, len(files))] if files else []
