"""What is installed: the models in the wheel, the versions, the layers, the licences."""

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata

import pytest

import talkinghead
from talkinghead.checkpoints import EYEWEAR, FILES, OPTIONAL_FILES, checkpoint_folder, default_folder, missing_files
from talkinghead.doctor import EXTRAS, PACKAGES
from talkinghead.errors import CheckpointError


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def lock(root):
    lines = (root / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_the_version_is_the_same_everywhere(project):
    assert talkinghead.__version__ == project["project"]["version"] == metadata.version("talkinghead")


def test_every_dependency_is_bounded_and_locked(project, lock):
    groups = [project["project"]["dependencies"]]
    groups += [project["project"]["optional-dependencies"][name] for name in ("dev", "train", "preview", "evaluate", "rig")]
    for requirement in (r for group in groups for r in group):
        name = re.match(r"[\w-]+", requirement).group()
        assert "==" in requirement or (">=" in requirement and "<" in requirement), requirement
        assert name.lower() in lock, requirement


def test_doctor_knows_every_package_and_extra(project):
    extras = project["project"]["optional-dependencies"]
    named = {name: tuple(re.match(r"[\w-]+", r).group() for r in extras[name]) for name in extras if name != "dev"}
    assert named == EXTRAS
    assert {re.match(r"[\w-]+", requirement).group() for requirement in project["project"]["dependencies"]} == set(PACKAGES)


def test_the_lock_names_no_place_and_no_gpu(root, lock):
    text = (root / "requirements.lock").read_text()
    assert not re.search(r"https?:|file:|/|@|\+", re.sub(r"^#.*$", "", text, flags=re.M))
    assert lock["torch"] == "2.13.0"
    assert not [name for name in lock if name.startswith(("nvidia", "cuda", "triton"))]


def test_the_wheel_carries_the_models_and_works_without_the_source_tree(root, tmp_path):
    build = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("talkinghead-*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        file.extractall(tmp_path / "site")
    assert {f"talkinghead/checkpoints/default/{name}" for name in FILES} <= names
    assert "talkinghead/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "data", "scripts", "assets"))]
    code = (
        "import talkinghead, sys; from talkinghead.checkpoints import checkpoint_folder;"
        "assert talkinghead.__file__.startswith(sys.argv[1]), talkinghead.__file__; print(checkpoint_folder())"
    )
    site = tmp_path / "site"
    command = [sys.executable, "-c", code, str(site)]
    shown = subprocess.run(
        command,
        cwd=site,
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(site)},
    )
    assert shown.stdout.strip() == str(site / "talkinghead/checkpoints/default")


def test_the_default_models_are_whole_and_nothing_else_is_shipped():
    folder = default_folder()
    assert missing_files(folder) == [] and checkpoint_folder() == folder
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    others = {
        name for name in there - {*FILES, *OPTIONAL_FILES, EYEWEAR} if not name.endswith(("LICENSE", "NOTICE", "README.md"))
    }
    assert not others


def test_what_others_made_keeps_its_licence(root):
    for name in ("tracker", "matte", "speech_encoder"):
        assert (root / "checkpoints/default" / name / "LICENSE").stat().st_size > 500
    assert (root / "LICENSE").read_text().startswith("MIT License")
    for name in ("tracker", "matte"):
        folder = root / "checkpoints/default" / name
        (model,) = [p for p in folder.iterdir() if p.suffix in (".task", ".tflite")]
        assert hashlib.sha256(model.read_bytes()).hexdigest() in (folder / "NOTICE").read_text()


def test_checkpoint_folders_that_are_none(tmp_path):
    with pytest.raises(CheckpointError, match=r"none: no such folder; reinstall talkinghead, or give --checkpoint"):
        checkpoint_folder(tmp_path / "none")
    (tmp_path / "rig").mkdir()
    (tmp_path / "rig/config.json").touch()
    with pytest.raises(CheckpointError, match=r"articulator/config.json, .*rig/config.json.* missing or empty"):
        checkpoint_folder(tmp_path)


def test_the_library_neither_prints_nor_pickles_nor_calls_out(root):
    for file in (root / "talkinghead").rglob("*.py"):
        text = file.read_text()
        assert not re.search(r"^\s*print\(|\bpickle\b(?! either)|urllib|requests\.|allow_pickle=True", text, re.M), file


def test_the_ci_runs_the_tests_script(root):
    assert "scripts/test" in (root / ".ci/run").read_text()
    for name in ("scripts/test", "scripts/demo", ".ci/run"):
        assert (root / name).stat().st_mode & 0o111, name
        subprocess.run(["bash", "-n", str(root / name)], check=True)
