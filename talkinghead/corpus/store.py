"""Where a clip's files are, in folders or inside shards: readers ask for a row of the manifest and a suffix.

    clips = open_clips(Path("data/mead"))
    for row in clips.rows_of("train", "eat"):
        with clips.open(row, "motion.npz") as file: ...

Of shards (`talkinghead prepare`) a clip is read alone, for the manifest says where its members lie. Of loose files the videos
are below the data folder, and `prepared/`, `features/`, `motion/` below another, as `scripts/prepare_*.py` write them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, cast

from talkinghead.corpus.archives import Member
from talkinghead.corpus.splits import SPLITS, Role, TrainedOn, check_split, role
from talkinghead.errors import ConfigError, InputError
from talkinghead.training import read_manifest

Row = Mapping[str, Any]

DATASET: Final = "dataset.json"
VIDEO: Final = "mp4"
TRACKED: Final = "tracked.npz"
MOTION: Final = "motion.npz"
FEATURES: Final = "features.npz"
PERSON: Final = "person.npz"
"""Suffixes of a clip's members; the last is in shards alone."""
_FOLDERS: Final = {TRACKED: "prepared", MOTION: "motion", FEATURES: "features"}


class ClipStore(Protocol):
    """A set of clips.

    name: of the set; rows: of its manifest.
    """

    name: str
    rows: list[dict[str, Any]]

    def has(self, row: Row, suffix: str) -> bool:
        """Whether a clip has such a member."""

    def open(self, row: Row, suffix: str) -> BinaryIO:
        """A member's bytes; to be closed by who asked. Raises InputError where there is none."""

    def rows_of(self, part: str, split: str = "") -> list[dict[str, Any]]:
        """The clips of a part ("train", "val", "test" or "eval") in a split of `splits`; of "" in the manifest's own."""


class LooseClips:
    """Files beside one another: videos below `data`, what was prepared of them below `prepared`."""

    def __init__(self, data: Path, prepared: Path) -> None:
        self.data, self.prepared, self.rows = data, prepared, read_manifest(data)
        self.name = data.resolve().name

    def path(self, row: Row, suffix: str) -> Path:
        """Where that file is, or would be."""
        file = str(row["file"])
        return self.data / file if suffix == VIDEO else (self.prepared / _FOLDERS[suffix] / file).with_suffix(".npz")

    def has(self, row: Row, suffix: str) -> bool:
        return (suffix == VIDEO or suffix in _FOLDERS) and self.path(row, suffix).is_file()

    def open(self, row: Row, suffix: str) -> BinaryIO:
        path = self.path(row, suffix)
        try:
            return path.open("rb")
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); prepare the data again.") from error

    def rows_of(self, part: str, split: str = "") -> list[dict[str, Any]]:
        return [row for row in self.rows if (row["split"] if not split else role(row, split)) == part]


class ShardClips:
    """What `talkinghead prepare` wrote: each row says in which shard its members are, and where."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rows = folder, read_manifest(folder)
        about = read_dataset(folder)
        self.name, self.splits = str(about["name"]), tuple(about["splits"])

    def has(self, row: Row, suffix: str) -> bool:
        return suffix in row["members"]

    def open(self, row: Row, suffix: str) -> BinaryIO:
        shard = self.folder / "shards" / row["shard"]
        if suffix not in row["members"]:
            raise InputError(f"{self.folder}: {row['key']} has no {suffix}; its members are {', '.join(row['members'])}.")
        offset, size = row["members"][suffix]
        try:
            return Member(row["key"], str(shard), offset, size).open()
        except OSError as error:
            raise InputError(f"{shard}: cannot be read ({error.strerror}); run talkinghead prepare again.") from error

    def rows_of(self, part: str, split: str = "") -> list[dict[str, Any]]:
        if not split:
            raise ConfigError(f"data {self.folder}: has the splits {', '.join(self.splits)}; write `split: {self.splits[0]}`.")
        check_split(split)
        if split not in self.splits:
            raise ConfigError(f"split {split}: is none of {self.folder}, which has {', '.join(self.splits)}.")
        wanted = "test" if part == "eval" else part
        return [row for row in self.rows if role(row, split) == wanted]


def open_clips(data: Path, prepared: Path | None = None) -> ClipStore:
    """data: folder of `manifest.jsonl`; prepared: of loose `prepared/`, `features/`, `motion/`, where they are no shards.

    Raises:
        InputError: no manifest, or a damaged one.
    """
    return ShardClips(data) if (data / DATASET).is_file() else LooseClips(data, data if prepared is None else prepared)


def read_dataset(folder: Path) -> dict[str, Any]:
    """What `dataset.json` says. Raises InputError where it is not whole."""
    try:
        about = dict(json.loads((folder / DATASET).read_text()))
        if not {"name", "splits"} <= about.keys() or not set(about["splits"]) <= set(SPLITS):
            raise ValueError("no name or no splits")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{folder / DATASET}: is not what talkinghead prepare writes ({error}); prepare again.") from error
    return about


def trained_on(data: Path, split: str = "", part: Role = "train") -> TrainedOn:
    """What a training run on this folder's part learns from, for the checkpoint to say."""
    clips = open_clips(data)
    return TrainedOn.of(clips.name, split or "own", cast("list[Row]", clips.rows_of(part, split)))
