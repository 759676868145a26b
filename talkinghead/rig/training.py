"""Tracked clips of a prepared set -> the rig's skin moved as these people's is; `scripts/train.py rig`.

The alternation that the shipped rig was refined by (`rig.refinement`), from a rig that is there: coefficients with the deltas
held, deltas with the coefficients held, drawn to what they were. A matter of minutes and without chance: killed, it begins anew
and ends the same. Motion that was prepared with another rig is not this one's: prepare again with the new checkpoint.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from talkinghead import arkit
from talkinghead.corpus.splits import record
from talkinghead.corpus.store import TRACKED, ClipStore, open_clips, trained_on
from talkinghead.errors import ConfigError
from talkinghead.files import whole_folder
from talkinghead.rig import topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.pose import Array
from talkinghead.rig.refinement import Clip, explained, fit_clips, refine_deltas, ring_deltas
from talkinghead.training import check_resumable, save_config
from talkinghead.training_log import Report, unheard
from talkinghead.types import UPRIGHT

RIG: Final = "rig"
"""Folder of the finished rig, below the run's."""
FREE_KEYS: Final = ("output",)
_KEPT: Final = [arkit.INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight", "mouthClose", "tongueOut")]
"""Lids that meet and lips that meet are made so, not learnt: a tracker leaves them apart."""
_MIN_FRAMES: Final = 2


@dataclass(frozen=True)
class RigConfig:
    """One run. Flat, so that a YAML file is one of these.

    data, prepared, split: as the other stages have them. rig: folder of the one that is refined.
    max_clips, frames_per_clip: of each person, and of each clip, evenly spread.
    held_out: share of the people who are kept out; how much of their motion the rig explains is reported.
    rounds: of the alternation. prior_strength: how strongly the deltas are drawn to the first rig's.
    """

    data: str = "data/mead"
    prepared: str = "data/mead"
    split: str = "eat"
    rig: str = "checkpoints/default/rig"
    output: str = "runs/rig"
    max_clips: int = 40
    frames_per_clip: int = 20
    held_out: float = 0.1
    rounds: int = 3
    prior_strength: float = 30.0


def train_rig(config: RigConfig, say: Callable[[str], None], report: Report = unheard) -> Path:
    """Returns the folder of the refined rig.

    Raises:
        ConfigError: nobody to learn from, or the output folder holds a run of another configuration.
        InputError: no manifest. CheckpointError: no rig to begin with.
    """
    output = Path(config.output)
    rig = FaceRig.from_pretrained(config.rig)
    clips, others = _clips(config)
    # Only now: a folder that was named wrongly leaves no run behind that the right one would not fit.
    if not (output / "config.json").is_file():
        save_config(output / "config.json", config)
    check_resumable(output / "config.json", config, FREE_KEYS)
    prior = rig.deltas[:, : topology.NUM_POINTS].astype(np.float64)
    mirror = topology.mirror_index(rig.neutral[: topology.NUM_POINTS])
    for step in range(config.rounds + 1):
        if step:
            before = rig.deltas[:, : topology.NUM_POINTS].astype(np.float64)
            rig = with_skin_deltas(rig, refine_deltas(fit_clips(clips, rig), before, prior, mirror, config.prior_strength))
        if others:
            found = explained(fit_clips(others, rig), rig)
            say(f"round {step}, people kept out: " + ", ".join(f"{name} {share:.1%}" for name, share in found.share.items()))
            report(step, {f"explained_{name}": share for name, share in found.share.items()})
    with whole_folder(output / RIG) as part:
        rig.save_pretrained(part)
        for notice in Path(config.rig).glob("LICENSE*"):
            shutil.copy(notice, part)
        record(part, [trained_on(Path(config.data), config.split)])
    return output / RIG


def with_skin_deltas(rig: FaceRig, deltas: Array) -> FaceRig:
    """deltas: (52, 478, 3) m -> the rig with these on its skin, and the shell round the face moved with its rim."""
    change = deltas - rig.deltas[:, : topology.NUM_POINTS]
    change[_KEPT] = 0
    new = rig.deltas.astype(np.float64)
    new[:, : topology.NUM_POINTS] += change
    new[:, rig.part("ring")] += ring_deltas(change)
    return replace(rig, deltas=new.astype(np.float32))


def _clips(config: RigConfig) -> tuple[list[Clip], list[Clip]]:
    """Those that are learnt from, and those of people who are kept out, the last of the set by name."""
    store = open_clips(Path(config.data), Path(config.prepared))
    of_person: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in store.rows_of("train", config.split):
        if store.has(row, TRACKED):
            of_person[row["identity"]].append(row)
    people = sorted(of_person)
    num_out = min(len(people) - 1, round(config.held_out * len(people))) if people else 0
    read: dict[bool, list[Clip]] = {True: [], False: []}
    for index, person in enumerate(people):
        rows = of_person[person]
        for row in (rows[k] for k in np.unique(np.linspace(0, len(rows) - 1, config.max_clips).astype(int))):
            clip = _clip(store, row, config.frames_per_clip)
            if len(clip.points) >= _MIN_FRAMES:
                read[index >= len(people) - num_out].append(clip)
    if not read[False]:
        raise ConfigError(f"data {config.data}: no tracked clip of split '{config.split}'; prepare the set first.")
    return read[False], read[True]


def _clip(store: ClipStore, row: dict[str, Any], num_frames: int) -> Clip:
    with store.open(row, TRACKED) as file:
        data = np.load(file, allow_pickle=False)
        points, scores, presence = data["points"], data["scores"], data["presence"]
    seen = np.flatnonzero(presence > 0)
    chosen = seen[np.unique(np.linspace(0, len(seen) - 1, num_frames).astype(int))] if len(seen) else seen
    return Clip(str(row["file"]), points[chosen] * UPRIGHT, scores[chosen])
