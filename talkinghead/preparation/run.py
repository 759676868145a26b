"""An archive's clips -> a prepared set, clip by clip, by workers; killed and started again it ends where it would have ended.

found = mead_clips(Path("/data/MEAD"))
prepare(found, Path("data/mead"), "mead", ("eat", "emote", "official"), workers=2)
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import av

import talkinghead
from talkinghead.checkpoints import checkpoint_folder
from talkinghead.corpus.sources import Found, SourceClip
from talkinghead.corpus.store import DATASET
from talkinghead.errors import InputError, OutputError, TalkingHeadError
from talkinghead.preparation.clip import UNUSABLE, Tools, prepare_clip
from talkinghead.preparation.report import write_reports
from talkinghead.preparation.state import State, write_left_out, write_part, write_text
from talkinghead.preparation.workers import Outcome, run_here, run_on_ray

BYTES_A_SECOND: Final = 420_000
"""Of a prepared clip, at 25 frames a second: points, features and motion in full, little of it picture."""
_PROBED: Final = 12
_USUAL_S: Final = 4.0
_MODELS: Final = ("rig", "speech_encoder", "tracker")
_NOT_MODELS: Final = ("LICENSE", "NOTICE", "README.md", "trained_on.json")


Loading = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Job:
    """A clip to be made, and where to."""

    clip: SourceClip
    parts: Path
    checkpoint: Path
    source: str
    loading: Loading


@dataclass(frozen=True)
class Result:
    """why: it was left out, or ""; stop: what ends the whole run, or ""; times: seconds a stage."""

    why: str
    stop: str
    times: dict[str, float]


@dataclass(frozen=True)
class Summary:
    """clips: in the set; left_out: of the archive's files; made: in this run, in `seconds`; times: of processors, s a stage."""

    clips: int
    left_out: int
    made: int
    seconds: float
    times: dict[str, float]


Tell = Callable[[int, int, str], None]
"""Called with how many clips are done, of how many, and what was left out and why, or ""."""


def prepare(
    found: Found,
    output: Path,
    name: str,
    splits: Sequence[str],
    workers: int = 1,
    ray_address: str | None = None,
    checkpoint: Path | None = None,
    options: dict[str, Any] | None = None,
    tell: Tell = lambda _done, _all, _why: None,
    loading: Loading = nullcontext,
) -> Summary:
    """Make what is not made yet, and the set's manifest and report.

    Args:
        found: the clips.
        output: folder of the set; made when it is not there.
        name: of the set, and of its shards.
        splits: which of `corpus.splits` it has.
        workers: processes of this machine; with `ray_address`, of a cluster whose machines see the same files.
        checkpoint: whose tracker, rig and speech encoder are used; the one that came with the package when None.
        options: to be kept in `dataset.json`.
        tell: see `Tell`.
        loading: entered by a worker while its models load.

    Raises:
        OutputError: no space, or the folder cannot be written. InputError: it holds a set of another name or of other models.
    """
    folder = checkpoint_folder(checkpoint).resolve()
    state = State(output, name)
    with state.alone():
        state.tidy()
        about = _about(output, name, splits, options or {}, folder)
        state.make_plan(found.clips)
        waiting = state.waiting()
        gone = [key for key in waiting if key not in found.clips]
        for key in gone:
            write_left_out(state.parts, key, "was in the archive when the preparation began, and is not any more")
        jobs = [Job(found.clips[key], state.parts.absolute(), folder, name, loading) for key in waiting if key in found.clips]
        _check_space(output, jobs)
        began = time.monotonic()
        times = _run(state, jobs, workers, ray_address, tell)
        for number in range(len(state.plan)):
            state.assemble(number)
        seconds = time.monotonic() - began
        rows, left_out, notes = state.records_of_shards()
        write_reports(output, found, rows, left_out, notes, about)
    return Summary(len(rows), len(left_out) + len(found.left_out) + len(found.unknown), len(jobs), seconds, times)


def _run(state: State, jobs: list[Job], workers: int, ray_address: str | None, tell: Tell) -> dict[str, float]:
    """Every job; each shard is assembled when its last part is there. Returns the seconds that each stage took."""
    total = sum(map(len, state.plan))
    shard_of = {key: number for number, keys in enumerate(state.plan) for key in keys}
    missing = Counter(shard_of[job.clip.key] for job in jobs)
    times: Counter[str] = Counter()
    done = total - len(jobs)
    tell(done, total, "")
    here = ray_address is None
    outcomes: Generator[Outcome[Job, Result]]
    outcomes = run_here(make_part, jobs, workers) if here else run_on_ray(make_part, jobs, workers, str(ray_address))
    with closing(outcomes):
        for outcome in outcomes:
            key = outcome.job.clip.key
            why = outcome.why
            if outcome.result is None:
                write_left_out(state.parts, key, why)
            elif outcome.result.stop:
                raise OutputError(outcome.result.stop)
            else:
                why = outcome.result.why
                times.update(outcome.result.times)
            done += 1
            tell(done, total, f"{key}: {why}" if why else "")
            missing[shard_of[key]] -= 1
            if not missing[shard_of[key]]:
                state.assemble(shard_of[key])
    return dict(times)


def make_part(job: Job) -> Result:
    """Make one clip, or write down why not; what it raises is its own and nobody else's."""
    key = job.clip.key
    try:
        made = prepare_clip(job.clip, _tools(job.checkpoint, job.loading), job.source)
    except UNUSABLE as error:
        why = " ".join(str(error).split()) or type(error).__name__
        return _written(job, lambda: write_left_out(job.parts, key, why), why)
    except Exception as error:  # noqa: BLE001 - what nobody thought of costs its own clip, and the report names it
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return _written(job, lambda: write_left_out(job.parts, key, why), why)
    return _written(job, lambda: write_part(job.parts, key, made.members, made.notes), "", made.times)


def _written(job: Job, write: Callable[[], None], why: str, times: dict[str, float] | None = None) -> Result:
    began = time.process_time()
    try:
        write()
    except OSError as error:
        remedy = "free some space and run it again" if error.errno == errno.ENOSPC else "mend that and run it again"
        return Result(why, f"{job.parts}: cannot be written ({error.strerror}); {remedy}, it goes on where it stopped.", {})
    return Result(why, "", {**(times or {}), "write": time.process_time() - began})


@cache
def _tools(checkpoint: Path, loading: Loading) -> Tools:
    import torch

    torch.set_num_threads(1)
    with loading():
        return Tools.load(checkpoint)


def _about(output: Path, name: str, splits: Sequence[str], options: dict[str, Any], checkpoint: Path) -> dict[str, Any]:
    """`dataset.json`, written before the first clip: a folder is of one set and of one version of the models."""
    models = hashlib.sha256()
    for file in (path for name in _MODELS for path in sorted((checkpoint / name).rglob("*")) if path.is_file()):
        models.update(b"" if file.name in _NOT_MODELS else file.read_bytes())
    about = {
        "name": name,
        "talkinghead": talkinghead.__version__,
        "models": models.hexdigest()[:16],
        "splits": list(splits),
        "options": options,
    }
    about_file = output / DATASET
    if about_file.is_file():
        try:
            before = dict(json.loads(about_file.read_text()))
        except (ValueError, TypeError) as error:
            raise InputError(f"{about_file}: is damaged; delete {output} and prepare again.") from error
        other = [key for key in ("name", "models", "splits") if before.get(key) != about[key]]
        if other:
            said = ", ".join(f"{key} {before.get(key)} (now {about[key]})" for key in other)
            raise InputError(f"output {output}: was prepared with {said}; give another folder.")
    write_text(about_file, json.dumps(about, indent=1) + "\n")
    return about


def _check_space(output: Path, jobs: list[Job]) -> None:
    """Raise OutputError where what is to be made will not fit: some clips are looked at for how long they are."""
    some = jobs[:: max(1, len(jobs) // _PROBED)]
    lengths = [length for length in (_seconds(job.clip) for job in some) if length is not None]
    seconds = sum(lengths) / len(lengths) if lengths else _USUAL_S
    wanted, free = len(jobs) * seconds * BYTES_A_SECOND, shutil.disk_usage(output).free
    if wanted > free:
        raise OutputError(
            f"output {output}: {len(jobs)} clips want about {wanted / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; free some "
            "space, give another folder, or fewer --views or --actors."
        )


def _seconds(clip: SourceClip) -> float | None:
    """As the container says; nothing is decoded."""
    try:
        with clip.video.open() as file, av.open(file, "r") as container:
            return None if container.duration is None else container.duration / av.time_base
    except (OSError, ValueError, TalkingHeadError, av.FFmpegError):
        return None
