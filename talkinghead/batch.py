"""A table of jobs -> a video each, on one machine or on a Ray cluster: resumable, and a job that fails costs itself.

A row names a picture, and a recording or a text; further columns are options of `generate`. What has been made is known by a
digest of the row and of its files, kept in the output folder; a scene keeps its own parts. Knows jobs and workers; a video is
`pipeline`'s. A worker loads its models once.
"""

from __future__ import annotations

import contextlib
import csv
import multiprocessing
import os
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from talkinghead.cli_values import check_emotion, check_seed, check_style, check_video_options, checked_fit, emotion_request
from talkinghead.cluster import cluster
from talkinghead.errors import InputError, TalkingHeadError
from talkinghead.files import whole
from talkinghead.jobs import Job, Record, identity, inputs, job_digest, models_digest
from talkinghead.types import FPS

SUMMARY: Final = "summary.csv"
_NUMBERS: Final = {"intensity": float, "seed": int, "size": int, "face": int}

Loading = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Outcome:
    """What became of a job: state is "done", "kept" or "failed"; message says why, or what of its portrait went less well."""

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
    record, models = Record.load(folder), models_digest(checkpoint)
    # Before anything is made: a file that changes meanwhile is noticed the next time.
    digests = {job.row: job_digest(job, beside, models) for job in jobs}
    taken = inputs(jobs, beside)
    outcomes: list[Outcome] = []
    waiting: list[Job] = []
    try:
        for job in jobs:
            if record.is_made(job.output, digests[job.row]):
                outcomes.append(Outcome(job.row, job.output, "kept"))
            elif identity(folder / job.output) in taken:
                why = f"output {job.output}: is an input of the table and would be overwritten; give another name."
                outcomes.append(Outcome(job.row, job.output, "failed", why))
            else:
                waiting.append(job)
                continue
            tell(outcomes[-1])
        arguments = [(job, folder, beside, checkpoint, device, loading) for job in waiting]
        run = _on_ray(ray_address, workers) if ray_address is not None else _here(workers)
        with contextlib.closing(run(arguments)) as coming:
            for outcome in coming:
                if outcome.state == "done":
                    record.remember(outcome.output, digests[outcome.row])
                outcomes.append(outcome)
                tell(outcome)
    finally:
        outcomes.sort(key=lambda outcome: outcome.row)
        if outcomes:
            _write_summary(folder, outcomes)
    return outcomes


Runner = Callable[[list[Any]], Generator[Outcome]]


def _here(workers: int) -> Runner:
    def run(arguments: list[Any]) -> Generator[Outcome]:
        if workers == 1 or len(arguments) < 2:
            yield from (_outcome(*each) for each in arguments)
            return
        threads = max(1, (os.cpu_count() or 1) // workers)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(arguments)), context, _limit_threads, (threads,)) as pool:
            futures: dict[Future[Outcome], Any] = {pool.submit(_outcome, *each): each[0] for each in arguments}
            try:
                for future in as_completed(futures):
                    yield _result(future, futures[future])
            except BaseException:
                pool.shutdown(cancel_futures=True)  # stopped: what waits is not begun
                raise

    return run


def _result(future: Future[Outcome], job: Job) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        why = "its worker ended, perhaps for want of memory; try fewer --workers."
    except Exception as error:  # noqa: BLE001 - what cannot travel between processes
        why = _said(error)
    return Outcome(job.row, job.output, "failed", why)


def _limit_threads(threads: int) -> None:
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


def _on_ray(address: str, workers: int) -> Runner:
    def run(arguments: list[Any]) -> Generator[Outcome]:
        with cluster(address, workers) as ray:
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

    return run


def _outcome(job: Job, folder: Path, beside: Path, checkpoint: Path | None, device: str | None, loading: Loading) -> Outcome:
    """Make one video; whatever it raises is its outcome, and the others' jobs go on."""
    began = time.monotonic()
    try:
        notes = _make(job, folder / job.output, beside, (checkpoint, device), loading)
    except Exception as error:  # noqa: BLE001 - one job costs itself, whatever it raises
        return Outcome(job.row, job.output, "failed", _said(error), round(time.monotonic() - began, 1))
    return Outcome(job.row, job.output, "done", "; ".join(notes), round(time.monotonic() - began, 1))


def _said(error: Exception) -> str:
    """In one line; of what this package does not know of, its kind as well. A column is no option with dashes."""
    message = " ".join(str(error).split()).removeprefix("--")
    if isinstance(error, TalkingHeadError | OSError):
        return message or type(error).__name__
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _make(job: Job, output: Path, beside: Path, models: tuple[Path | None, str | None], loading: Loading) -> list[str]:
    """-> what should be known of its portraits."""
    output.parent.mkdir(parents=True, exist_ok=True)
    if "scene" not in job.values:
        return _generate(job, output, beside, models, loading)
    from talkinghead.screenplay.production import perform
    from talkinghead.screenplay.reading import read_scene

    others = sorted(set(job.values) - {"scene", "quality"})
    if others:
        raise InputError(f"{others[0]}: a scene says that itself; leave it empty.")
    quality = job.values.get("quality")
    check_video_options(output, [], FPS, None, quality or "standard", None, None)
    play = read_scene(job.files(beside)["scene"])
    notes: list[str] = []
    perform(play, output, lambda _: None, quality, models[0], models[1], loading, partial(_head, *models), note=notes.append)
    return notes


def _generate(job: Job, output: Path, beside: Path, models: tuple[Path | None, str | None], loading: Loading) -> list[str]:
    from talkinghead.audio.delivery import speech_of
    from talkinghead.portrait_notes import portrait_notes
    from talkinghead.rig.fitting import fit_face
    from talkinghead.synthesis.portrait import check_image_file, for_players
    from talkinghead.video.writer import VideoWriter

    values, files = {name: _read(name, value) for name, value in job.values.items()}, job.files(beside)
    if "image" not in values or ("audio" in values) == ("text" in values):
        raise InputError("image and either audio or text are wanted; fill those columns, or scene.")
    seed, quality = values.get("seed", 0), values.get("quality", "standard")
    check_video_options(output, list(files.values()), FPS, values.get("size"), quality, None, values.get("face"))
    check_seed(seed)
    emotion = [values["emotion"]] if "emotion" in values else None
    request = emotion_request(emotion, values.get("intensity"), None, values.get("prompt"), None, None, None, models[0])
    check_style(files.get("style"))
    check_image_file(files["image"])
    fit_s, voice = checked_fit(values.get("fit")), values.get("voice", "en-us")
    speech = speech_of(files.get("audio"), values.get("text", ""), voice, fit_s, beside)
    check_emotion(request, speech.num_frames)
    with loading():
        head = _head(*models)
        portrait = head.load_portrait(files["image"], values.get("face"), values.get("size"))
        if "size" not in values:
            portrait = for_players(portrait)
    frames = head(portrait, speech, request, seed=seed, quality=quality, style=files.get("style"))
    with VideoWriter(output, speech if "fit" in values else files.get("audio", speech)) as video:
        for frame in frames:
            video.write(frame)
    return portrait_notes(portrait, fit_face(portrait.face, head.rig), size_option="size")


def _read(name: str, value: str) -> Any:
    if name not in _NUMBERS:
        return value
    try:
        return _NUMBERS[name](value)
    except ValueError as error:
        raise InputError(f"{name} is {value[:40]!r}; give a number.") from error


@cache
def _head(checkpoint: Path | None, device: str | None) -> Any:
    from talkinghead.pipeline import TalkingHead

    return TalkingHead.from_pretrained(checkpoint, device)


def _write_summary(folder: Path, outcomes: Sequence[Outcome]) -> None:
    with whole(folder / SUMMARY) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Outcome)])
        writer.writeheader()
        writer.writerows(asdict(outcome) for outcome in outcomes)
