"""A table of jobs -> a video each, on one machine or on a Ray cluster: resumable, and a job that fails costs itself.

A row names a picture, and a recording or a text; further columns are options of `generate`. What has been made is known by a
digest of the row and of its files, kept in the output folder. Knows tables and workers; a video is `pipeline`'s. A worker loads
its models once.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import logging
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from talkinghead.errors import DependencyError, InputError, OutputError, TalkingHeadError
from talkinghead.jobs import Job

STATE: Final = "batch.json"
SUMMARY: Final = "summary.csv"
CONNECT_S: Final = 5.0
_FILES: Final[tuple[str, ...]] = ("image", "audio", "style", "scene")
_NUMBERS: Final = {"fit": float, "intensity": float, "seed": int, "size": int, "face": int}


Loading = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: state is "done", "kept" or "failed"; message says why."""

    row: int
    output: str
    state: str
    message: str = ""
    seconds: float = 0.0


def run_jobs(
    jobs: Sequence[Job],
    folder: Path,
    beside: Path,
    workers: int = 1,
    tell: Callable[[Outcome], None] | None = None,
    checkpoint: Path | None = None,
    device: str | None = None,
    ray_address: str | None = None,
    loading: Loading = contextlib.nullcontext,
) -> list[Outcome]:
    """Make every video that is not there as it is asked for, and write a summary; what fails is told and costs itself.

    Args:
        jobs: of `jobs.read_jobs`.
        folder: of the videos, of `batch.json` (what has been made) and of `summary.csv`.
        beside: folder from which the files in the table are named.
        workers: how many jobs at a time.
        tell: called with each outcome as it comes.
        checkpoint, device: as `TalkingHead.from_pretrained`.
        ray_address: of a Ray cluster that sees the same files; "local" for one of this machine.
        loading: entered by a worker while its models load.

    Raises:
        OutputError: the folder cannot be written.
        DependencyError: Ray is asked for and not installed.
    """
    tell = tell or (lambda _: None)
    state = _State.load(folder)
    outcomes: list[Outcome] = []
    waiting: list[Job] = []
    for job in jobs:
        if state.is_made(job, beside, checkpoint):
            outcomes.append(Outcome(job.row, job.output, "kept"))
            tell(outcomes[-1])
        else:
            waiting.append(job)
    arguments = [(job, folder, beside, checkpoint, device, loading) for job in waiting]
    run = _on_ray(ray_address, workers) if ray_address is not None else _here(workers)
    by_row = {job.row: job for job in waiting}
    for outcome in run(arguments):
        if outcome.state == "done":
            state.remember(by_row[outcome.row], beside, checkpoint)
        outcomes.append(outcome)
        tell(outcome)
    outcomes.sort(key=lambda outcome: outcome.row)
    _write_summary(folder, outcomes)
    return outcomes


Runner = Callable[[list[Any]], Iterator[Outcome]]


def _here(workers: int) -> Runner:
    def run(arguments: list[Any]) -> Iterator[Outcome]:
        if workers == 1 or len(arguments) < 2:
            yield from (_outcome(*each) for each in arguments)
            return
        threads = max(1, (os.cpu_count() or 1) // workers)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(arguments)), context, _limit_threads, (threads,)) as pool:
            futures: dict[Future[Outcome], Any] = {pool.submit(_outcome, *each): each[0] for each in arguments}
            for future in as_completed(futures):
                job = futures[future]
                try:
                    yield future.result()
                except BrokenProcessPool:
                    why = "its worker ended, perhaps for want of memory; try fewer --workers."
                    yield Outcome(job.row, job.output, "failed", why)

    return run


def _limit_threads(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


def _on_ray(address: str, workers: int) -> Runner:
    try:
        import ray
    except ImportError as error:
        raise DependencyError("ray is not installed, which a cluster needs; run: pip install 'talkinghead[ray]'.") from error

    is_local = address == "local"
    if not is_local:
        _check_cluster(address)

    def run(arguments: list[Any]) -> Iterator[Outcome]:
        try:
            options = {"num_cpus": workers} if is_local else {"address": address}
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())[:120]
            raise InputError(f"--ray-address {address}: cannot be reached ({why}); start it.") from error
        try:
            task = ray.remote(num_cpus=1, max_retries=1)(_outcome)
            jobs = {task.remote(*each): each[0] for each in arguments}
            while jobs:
                (ready, *_), _ = ray.wait(list(jobs), num_returns=1)
                job = jobs.pop(ready)
                try:
                    yield ray.get(ready)
                except ray.exceptions.RayError as error:
                    why = " ".join(str(error).split())[:120]
                    yield Outcome(job.row, job.output, "failed", f"its worker ended ({why}); try again.")
        finally:
            ray.shutdown()

    return run


def _check_cluster(address: str) -> None:
    """Ray itself tries for minutes."""
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=CONNECT_S):
            return
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "no host:port"
        raise InputError(
            f"--ray-address {address}: cannot be reached ({said}); give host:port of its head, or local."
        ) from error


def _outcome(job: Job, folder: Path, beside: Path, checkpoint: Path | None, device: str | None, loading: Loading) -> Outcome:
    """Make one video; whatever it raises that this package knows of is its outcome."""
    began = time.monotonic()
    try:
        _make(job, folder / job.output, beside, checkpoint, device, loading)
    except (TalkingHeadError, OSError, MemoryError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        return Outcome(job.row, job.output, "failed", message, round(time.monotonic() - began, 1))
    return Outcome(job.row, job.output, "done", "", round(time.monotonic() - began, 1))


def _make(job: Job, output: Path, beside: Path, checkpoint: Path | None, device: str | None, loading: Loading) -> None:
    values: dict[str, Any] = {name: _read(name, value) for name, value in job.values.items()}
    files: dict[str, Path] = {name: beside / Path(values[name]).expanduser() for name in _FILES if name in values}
    output.parent.mkdir(parents=True, exist_ok=True)
    if "scene" not in values:
        _generate(values, files, output, (checkpoint, device), loading)
        return
    from talkinghead.screenplay.production import perform
    from talkinghead.screenplay.reading import read_scene

    others = sorted(set(values) - {"scene", "quality"})
    if others:
        raise InputError(f"{others[0]}: a scene says that itself; leave it empty.")
    perform(read_scene(files["scene"]), output, lambda _: None, values.get("quality"), checkpoint, device, loading)


def _generate(
    values: dict[str, Any], files: dict[str, Path], output: Path, models: tuple[Path | None, str | None], loading: Loading
) -> None:
    from talkinghead.audio.delivery import spoken_line
    from talkinghead.audio.waveform import load_audio
    from talkinghead.emotion.track import EmotionRequest
    from talkinghead.synthesis.portrait import check_image_file
    from talkinghead.video.writer import VideoWriter

    if "image" not in values or ("audio" in values) == ("text" in values):
        raise InputError("image and either audio or text are wanted; fill those columns, or scene.")
    check_image_file(files["image"])
    if "audio" in values:
        speech = load_audio(files["audio"])
    else:
        speech = spoken_line(values["text"], values.get("voice", "en-us"), values.get("fit"), files["image"].parent).audio
    emotion = values.get("emotion")
    request = EmotionRequest((emotion,) if emotion else (), values.get("intensity"), prompt=values.get("prompt"))
    with loading():
        head = _head(*models)
        portrait = head.load_portrait(files["image"], values.get("face"), values.get("size"))
    seed, quality = values.get("seed", 0), values.get("quality", "standard")
    asked = "neutral" if request.is_open else request
    frames = head(portrait, speech, asked, seed=seed, quality=quality, style=files.get("style"))
    with VideoWriter(output, files.get("audio", speech)) as video:
        for frame in frames:
            video.write(frame)


def _read(name: str, value: str) -> Any:
    if name not in _NUMBERS:
        return value
    try:
        return _NUMBERS[name](value.removesuffix("s") if name == "fit" else value)
    except ValueError as error:
        raise InputError(f"{name} is {value[:40]!r}; give a number.") from error


@cache
def _head(checkpoint: Path | None, device: str | None) -> Any:
    from talkinghead.pipeline import TalkingHead

    return TalkingHead.from_pretrained(checkpoint, device)


@dataclass
class _State:
    """Output's name -> digest of what it was made from."""

    path: Path
    digests: dict[str, str]

    @staticmethod
    def load(folder: Path) -> _State:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / STATE
            digests = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except OSError as error:
            raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another folder.") from error
        except ValueError as error:
            raise InputError(f"{folder / STATE}: is damaged; remove it, and all jobs are made again.") from error
        return _State(path, digests)

    def is_made(self, job: Job, beside: Path, checkpoint: Path | None) -> bool:
        made = (self.path.parent / job.output).is_file()
        return made and self.digests.get(job.output) == _digest(job, beside, checkpoint)

    def remember(self, job: Job, beside: Path, checkpoint: Path | None) -> None:
        self.digests[job.output] = _digest(job, beside, checkpoint)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.digests, indent=1), encoding="utf-8")
        part.replace(self.path)


def _digest(job: Job, beside: Path, checkpoint: Path | None) -> str:
    """Sixteen letters that change when the row does, or a file that it names."""
    files = []
    for name in _FILES:
        path = beside / Path(job.values.get(name, "")).expanduser()
        if name in job.values and path.is_file():
            with path.open("rb") as file:
                files.append(hashlib.file_digest(file, "sha256").hexdigest())
    return hashlib.sha256(json.dumps([job.values, files, str(checkpoint)], sort_keys=True).encode()).hexdigest()[:16]


def _write_summary(folder: Path, outcomes: Sequence[Outcome]) -> None:
    path = folder / SUMMARY
    part = path.with_suffix(".part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(asdict(outcomes[0])))
            writer.writeheader()
            writer.writerows(asdict(outcome) for outcome in outcomes)
        part.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free some space.") from error
