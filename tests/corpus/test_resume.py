"""A preparation killed with SIGKILL goes on where it was and ends with the same bytes; a worker's death costs its job."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from talkinghead.corpus.sources import Found, mead_clips
from talkinghead.errors import InputError, OutputError, WorkerError
from talkinghead.preparation.run import Summary, prepare
from talkinghead.preparation.state import State, write_left_out, write_part
from talkinghead.preparation.workers import run_here, run_on_ray

SPLITS = ("eat", "emote", "official")


def launch(archive: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "talkinghead", "prepare", "mead", str(archive), "-o", str(output)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


def contents(folder: Path) -> dict[str, bytes]:
    """Everything that does not say when or how fast it was made."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("lock", "dataset.json")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_killed_and_started_again_gives_the_same_bytes(archive: Path, prepared: tuple[Path, Summary], tmp_path: Path) -> None:
    output = tmp_path / "mead"
    process = launch(archive, output)
    deadline = time.monotonic() + 600
    while len(list((output / "parts").glob("*.tar"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)
    # The whole group: the parent has no time to stop its workers.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    made = {path: path.stat().st_mtime_ns for path in (output / "parts").glob("*.tar")}
    assert 2 <= len(made) < 7 and not (output / "manifest.jsonl").exists()
    # What it left half-written, wherever it was: no part of anything.
    (output / "parts/M003_front_angry_1_001.tar.part").write_bytes(b"half")
    (output / "shards/mead-000000.tar.part").write_bytes(b"half")
    (output / "shards/.mead-000000.tar.part").write_bytes(b"half")
    again = launch(archive, output)
    while len(list((output / "parts").glob("*.tar"))) <= len(made) and again.poll() is None:
        assert all(path.stat().st_mtime_ns == when for path, when in made.items() if path.exists()), "made twice"
        time.sleep(0.02)
    said, errors = again.communicate(timeout=600)
    assert again.returncode == 0, errors.decode()
    assert b"7 clips, 6 left out" in said
    assert contents(output) == contents(prepared[0])


def test_a_finished_set_has_nothing_to_do_and_new_clips_get_new_shards(
    archive: Path, prepared: tuple[Path, Summary], tmp_path: Path
) -> None:
    subset = Found(clips={key: clip for key, clip in mead_clips(archive).clips.items() if key.startswith("W")})
    first = prepare(subset, tmp_path / "set", "mead", SPLITS)
    shard = (tmp_path / "set/shards/mead-000000.tar").read_bytes()
    found = mead_clips(archive, actors=("W011", "W040", "M003"))
    found.clips = {key: clip for key, clip in found.clips.items() if not key.startswith("M003_front_happy")}
    second = prepare(found, tmp_path / "set", "mead", SPLITS)
    assert (first.made, second.made) == (2, 4) and second.clips == 6
    assert (tmp_path / "set/shards/mead-000000.tar").read_bytes() == shard
    assert prepare(found, tmp_path / "set", "mead", SPLITS).made == 0
    keys = [json.loads(line)["key"] for line in (tmp_path / "set/manifest.jsonl").read_text().splitlines()]
    assert sorted(keys) == sorted(found.clips) and len(set(keys)) == 6


@pytest.mark.parametrize("lost", ["record", "shard"])
def test_a_run_killed_between_shard_and_record_loses_nothing(tmp_path: Path, lost: str) -> None:
    def state() -> State:
        new = State(tmp_path, "mead")
        with new.alone():
            new.make_plan(["a", "b", "c"])
        return new

    first = state()
    for key in "ac":
        write_part(first.parts, key, {"json": json.dumps({"key": key}).encode(), "mp4": key.encode() * 600}, ["odd"])
    write_left_out(first.parts, "b", "is grey")
    parts = contents(tmp_path / "parts")
    first.assemble(0)
    whole, rows = contents(tmp_path / "shards"), first.records_of_shards()
    assert not list(first.parts.iterdir()) and first.is_whole(0)
    assert [row["key"] for row in rows[0]] == ["a", "c"] and rows[1:] == ([("b", "is grey")], [("a", "odd"), ("c", "odd")])
    # As a run leaves it that was killed before the record, or before the shard, had its name.
    (tmp_path / "state/mead-000000.json").unlink()
    if lost == "shard":
        first.shard_file(0).unlink()
    for name, content in parts.items():
        (tmp_path / "parts" / name).write_bytes(content)
    second = state()
    assert not second.is_whole(0) and second.waiting() == []
    second.assemble(0)
    assert contents(tmp_path / "shards") == whole and second.records_of_shards() == rows


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    other = State(tmp_path, "mead").alone()
    with State(tmp_path, "mead").alone(), pytest.raises(OutputError, match="another run prepares it now; wait for it"):
        other.__enter__()


DIES = """
import os, pathlib, signal

def dies(job):
    'Job 3 kills its worker the first time, job 5 each time.'
    number, folder = job
    with pathlib.Path(folder, str(number)).open("a") as file:
        file.write("x")
    if number == 5 or (number == 3 and pathlib.Path(folder, "3").read_text() == "x"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * number
"""


@pytest.fixture
def dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[tuple[int, str]], int]]:
    """A function that a process can import."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/mortal_jobs.py").write_text(DIES)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    function: Callable[[tuple[int, str]], int] = importlib.import_module("mortal_jobs").dies
    yield function
    sys.modules.pop("mortal_jobs")


def test_a_worker_that_is_killed_costs_its_job_s_time_only(tmp_path: Path, dies: Callable[[tuple[int, str]], int]) -> None:
    outcomes = list(run_here(dies, [(number, str(tmp_path)) for number in range(8)], workers=2))
    results = {outcome.job[0]: outcome.result for outcome in outcomes}
    assert results == {number: None if number == 5 else 10 * number for number in range(8)} and len(outcomes) == 8
    assert next(o.why for o in outcomes if o.result is None) == "its worker ended 2 times (signal SIGKILL)"
    tries = {number: len((tmp_path / f"{number}").read_text()) for number in range(8)}
    assert tries == {number: 2 if number in (3, 5) else 1 for number in range(8)}


def test_workers_that_all_end_stop_the_run(tmp_path: Path, dies: Callable[[tuple[int, str]], int]) -> None:
    """The fault is then not the clips', and they are not left out one by one."""
    with pytest.raises(WorkerError, match=r"--workers 1: 3 workers ended \(signal SIGKILL\) and none has made anything"):
        list(run_here(dies, [(5, str(tmp_path))] * 9, workers=1))


def test_workers_end_with_the_one_who_asked(tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import sleepers;"
        "from talkinghead.preparation.workers import run_here;"
        "list(run_here(sleepers.sleep, [sys.argv[1]] * 2, 2))"
    )
    (tmp_path / "sleepers.py").write_text(
        "import os, time, pathlib\ndef sleep(folder):\n    pathlib.Path(folder, str(os.getpid())).touch()\n    time.sleep(1)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environment)
    while len(workers := [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)


def test_nobody_answers_at_a_cluster_s_address(dies: Callable[[tuple[int, str]], int]) -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=r"--ray-address 127\.0\.0\.1:1: cannot be reached \(Connection refused\)"):
        list(run_on_ray(dies, [(1, "")], 1, "127.0.0.1:1"))
