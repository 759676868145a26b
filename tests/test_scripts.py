"""Scripts that a user starts: what they install and when, and that a command which fails is not measured."""

import importlib.util
import os
import shutil
import subprocess

import pytest

STUB = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CALLS"
if [[ "$*" == "-m venv .venv" ]]; then mkdir -p .venv/bin && cp "$0" .venv/bin/python; fi
if [[ "$*" == "-m pip"* ]]; then cp "$0" .venv/bin/talkinghead; fi
"""


@pytest.fixture
def demo(root, tmp_path):
    """Calls scripts/demo in a folder of its own, where python and what it installs only write down how they are called."""
    for name in ("pyproject.toml", "requirements.lock", "scripts/demo"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
        os.utime(tmp_path / name, (1e9, 1e9))
    python, calls = tmp_path / "a_python", tmp_path / "calls"
    python.write_text(STUB)
    python.chmod(0o755)

    def call():
        calls.write_text("")
        environment = os.environ | {"PYTHON": str(python), "CALLS": str(calls)}
        subprocess.run(["bash", "scripts/demo", "--seed", "1"], cwd=tmp_path, env=environment, check=True, capture_output=True)
        return calls.read_text().splitlines()

    return call


def test_the_demo_installs_once_and_again_when_what_it_needs_has_changed(demo, tmp_path):
    first = demo()
    assert first[0] == "a_python -m venv .venv" and first[1].endswith("-c requirements.lock -e .")
    assert first[2].startswith("talkinghead generate") and first[2].endswith("--seed 1")
    assert len(demo()) == 1
    os.utime(tmp_path / "pyproject.toml")
    os.utime(tmp_path / ".venv/.installed_base", (1e9, 1e9))
    again = demo()
    assert [line.split()[0] for line in again] == ["python", "talkinghead"]
    assert len(demo()) == 1


def test_the_demo_takes_what_the_tests_installed(demo, tmp_path):
    demo()
    (tmp_path / ".venv/.installed_base").rename(tmp_path / ".venv/.installed")
    assert len(demo()) == 1


def test_the_memory_of_a_command_that_fails_is_not_measured(root, tmp_path):
    spec = importlib.util.spec_from_file_location("bench", root / "scripts/bench.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    assert bench.peak_memory_mb("--version") > 1
    with pytest.raises(subprocess.CalledProcessError):
        bench.peak_memory_mb("generate", "--image", "none.jpg", "--audio", "none.wav", "-o", str(tmp_path / "a.mp4"))
