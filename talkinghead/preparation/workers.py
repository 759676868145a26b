"""Jobs -> their outcomes, by processes of this machine or by a Ray cluster; a worker that is killed costs its job's time only.

A job whose worker ended is given to another, and given up when that one ends too. Knows processes; knows nothing of clips.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, Generic, TypeVar

from talkinghead.cluster import cluster
from talkinghead.errors import WorkerError

MAX_TRIES: Final = 2

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Outcome(Generic[Job, Result]):
    """job, and its result; None, and why, where its worker ended each time."""

    job: Job
    result: Result | None
    why: str = ""


def run_here(make: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Generator[Outcome[Job, Result]]:
    """Outcomes as they come. make: a function of a module, for each process imports it; it raises nothing.

    A process begins with one thread, and ends when this one does, however this one ends.

    Raises:
        WorkerError: the workers end one after the other and none has finished a job: that is nothing of the jobs'.
    """
    waiting, tries, any_result = deque(enumerate(jobs)), [0] * len(jobs), False
    context = multiprocessing.get_context("spawn")
    crew: list[_Worker[Job, Result]] = []
    try:
        while waiting or any(worker.number is not None for worker in crew):
            while len(crew) < min(workers, len(waiting) + sum(worker.number is not None for worker in crew)):
                crew.append(_Worker(context, make))
            for worker in crew:
                if worker.number is None and waiting:
                    worker.begin(*waiting.popleft())
            for worker in _ready(crew):
                number, result = worker.end()
                if not worker.is_gone:
                    any_result = True
                    yield Outcome(jobs[number], result)
                    continue
                crew.remove(worker)
                tries[number] += 1
                if not any_result and sum(tries) > MAX_TRIES * workers:
                    raise WorkerError(
                        f"--workers {workers}: {sum(tries)} workers ended ({worker.ending()}) and none has made anything; "
                        "give fewer, for want of memory, and see talkinghead doctor."
                    )
                if tries[number] < MAX_TRIES:
                    waiting.appendleft((number, jobs[number]))
                else:
                    yield Outcome(jobs[number], None, f"its worker ended {MAX_TRIES} times ({worker.ending()})")
    finally:
        for worker in crew:
            worker.stop()


class _Worker(Generic[Job, Result]):
    """A process, the pipe to it, and the number of the job it is at."""

    def __init__(self, context: Any, make: Callable[[Job], Result]) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs, make), daemon=True)
        with _one_thread():
            self.process.start()
        theirs.close()
        self.number: int | None = None
        self.is_gone = False

    def begin(self, number: int, job: Job) -> None:
        self.number = number
        with contextlib.suppress(OSError):  # it is gone, and `end` will say so
            self.pipe.send(job)

    def end(self) -> tuple[int, Result | None]:
        """The job's number and its result; None, and `is_gone`, where the process ended instead."""
        assert self.number is not None
        number, self.number = self.number, None
        try:
            return number, self.pipe.recv()
        except (EOFError, OSError):
            self.is_gone = True
            self.process.join()
            self.pipe.close()
            return number, None

    def ending(self) -> str:
        """How it ended."""
        code = self.process.exitcode or 0
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _ready(crew: list[_Worker[Job, Result]]) -> list[_Worker[Job, Result]]:
    busy: dict[Connection, _Worker[Job, Result]] = {worker.pipe: worker for worker in crew if worker.number is not None}
    return [busy[pipe] for pipe in wait(list(busy)) if isinstance(pipe, Connection)]


@contextlib.contextmanager
def _one_thread() -> Generator[None]:
    """What a process started meanwhile inherits: libraries read it once, when they load."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection, make: Callable[[Any], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who is asked to stop is the parent
    while True:
        try:
            job = pipe.recv()
        except EOFError:  # nobody is there any more
            return
        pipe.send(make(job))


def run_on_ray(
    make: Callable[[Job], Result], jobs: Sequence[Job], workers: int, address: str
) -> Generator[Outcome[Job, Result]]:
    """As `run_here`, on a cluster whose machines see the same files. address: host:port, auto, or local for this machine alone.

    Raises:
        DependencyError: Ray is not installed. InputError: nobody answers there.
    """
    with cluster(address, workers) as ray:
        task = ray.remote(num_cpus=1, max_retries=MAX_TRIES - 1)(make)
        waiting, running = deque(jobs), dict[Any, Job]()
        # Not all at once: a queue of a hundred thousand is a burden, and what is killed with it is not lost but asked again.
        most = max(workers, 2 * int(ray.cluster_resources().get("CPU", 1)))
        while waiting or running:
            while waiting and len(running) < most:
                job = waiting.popleft()
                running[task.remote(job)] = job
            (ready, *_), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(ready)
            try:
                outcome: Outcome[Job, Result] = Outcome(job, ray.get(ready))
            except ray.exceptions.RayError as error:
                outcome = Outcome(job, None, f"its worker ended {MAX_TRIES} times ({' '.join(str(error).split())[:80]})")
            yield outcome
