"""Kill -9 at random moments, start again, compare: nothing may be lost or twice, and every weight must be equal bit for bit.

    python scripts/make_mini_mead.py -o data/mini_mead
    talkinghead prepare mead data/mini_mead -o data/mini --workers 2
    python scripts/kill_and_resume.py data/mini_mead --times 20

Each of `prepare` and the stages' debug configurations runs once in peace and then again, killed with all its processes at a
moment drawn from the length of the peaceful run, until all have been killed --times times together. Needs the extra `train`.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
STAGES = ("articulator", "gesture", "prior", "speech_encoder", "denoiser", "mouth_expert", "emotion", "rig")
UNTIMED = ("lock", "config.json", "run.json", "versions.json", "metrics.jsonl", "dataset.json", "held_out.json")
"""What says where, when or how often something was made."""


@dataclass(frozen=True)
class Target:
    """name; command: output folder -> the command that fills it."""

    name: str
    command: Callable[[Path], list[str]]


def preparation(archive: Path, few: list[str]) -> Target:
    """Of the whole archive, or of some actors."""
    return Target(
        "prepare",
        lambda output: [sys.executable, "-m", "talkinghead", "prepare", "mead", str(archive), "-o", str(output), *few],
    )


def stage(name: str, config: Path, work: Path) -> Target:
    """The stage by its debug configuration, with another output."""

    def command(output: Path) -> list[str]:
        content = yaml.safe_load(config.read_text())[name] | {"output": str(output)}
        file = work / f"{output.name}.yaml"
        file.write_text(yaml.safe_dump(content))
        return [sys.executable, str(ROOT / "scripts/train.py"), name, "--config", str(file)]

    return Target(name, command)


def run(command: list[str], log: Path, limit_s: float | None) -> bool:
    """Whether the command ended by itself; after `limit_s` it is killed with all that it started."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True, cwd=ROOT)
        try:
            if process.wait(limit_s) != 0:
                raise SystemExit(f"error: {' '.join(command)} failed by itself; see {log}")
            return True
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that must come out the same."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in UNTIMED and "tensorboard" not in path.parts
    }


def differences(one: Path, other: Path) -> list[str]:
    """Names of files that are in one folder alone, or have other bytes."""
    ours, theirs = contents(one), contents(other)
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path, help="of scripts/make_mini_mead.py")
    parser.add_argument("--times", type=int, default=20, help="kills, of all targets together")
    parser.add_argument("--only", default="prepare," + ",".join(STAGES), help="targets, as in prepare,gesture")
    parser.add_argument("--config", type=Path, default=ROOT / "configs/debug.yaml", help="file with a section a stage")
    parser.add_argument("--work", type=Path, default=Path("runs/kill_and_resume"), help="folder that is emptied and filled")
    parser.add_argument("--actors", default="", help="of the archive: fewer clips for prepare, as in M019,W017")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    few = ["--views", "all", *(["--actors", options.actors] if options.actors else [])]
    work, chance = options.work.resolve(), random.Random(options.seed)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names = [name.strip() for name in options.only.split(",")]
    if unknown := set(names) - {"prepare", *STAGES}:
        raise SystemExit(f"error: --only {', '.join(sorted(unknown))}: choose from prepare, {', '.join(STAGES)}.")
    archive = options.archive.resolve()
    targets = [preparation(archive, few) if name == "prepare" else stage(name, options.config, work) for name in names]
    failed = False
    for index, target in enumerate(targets):
        peaceful, log = work / f"{target.name}_peaceful", work / f"{target.name}.log"
        began = time.monotonic()
        run(target.command(peaceful), log, None)
        length_s = peaceful_s = time.monotonic() - began
        wanted = options.times // len(targets) + (index < options.times % len(targets))
        kills = ends = 0
        other: list[str] = []
        while kills < wanted or not ends:
            killed, ended = work / f"{target.name}_killed", False
            shutil.rmtree(killed, ignore_errors=True)
            while not ended:
                began = time.monotonic()
                ended = run(target.command(killed), log, chance.uniform(0.05, 1) * length_s if kills < wanted else None)
                kills += not ended
                # What is left of a killed run is shorter, and a machine has quiet hours: a moment beyond the end kills nobody.
                length_s = min(length_s, time.monotonic() - began) if ended else length_s
            ends += 1
            other += differences(peaceful, killed)
        failed = failed or bool(other)
        files = len(contents(peaceful))
        verdict = f"{len(other)} DIFFER: {', '.join(other[:4])}" if other else "all equal"
        print(f"{target.name}: {peaceful_s:.0f} s in peace, killed {kills} times, {files} files, {verdict}", flush=True)
    if failed:
        raise SystemExit("error: a killed run did not end where it would have ended")


if __name__ == "__main__":
    main()
