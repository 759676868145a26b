from __future__ import annotations

import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from talkinghead.errors import OutputError
from talkinghead.files import beside, take_back, whole, whole_folder


def names(folder: Path) -> set[str]:
    """Of all that is in it, hidden or not."""
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A finished folder of an earlier time."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_text("old")
    (tmp_path / "model/notice").write_text("old")
    return tmp_path / "model"


@pytest.mark.parametrize("writing", [beside, whole])
def test_a_file_takes_its_place_when_it_is_whole(writing: Any, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with writing(path) as part:
        part.write_text("ne")
        assert path.read_text() == "old" and part.parent == tmp_path
        part.write_text("new")
    assert path.read_text() == "new" and names(tmp_path) == {"table.csv"}


@pytest.mark.parametrize("writing", [beside, whole])
@pytest.mark.parametrize("error", [ValueError("no such column"), KeyboardInterrupt(), MemoryError()])
def test_a_file_that_fails_leaves_the_earlier_one(writing: Any, error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(type(error)), writing(path) as part:
        part.write_text("half")
        raise error
    assert path.read_text() == "old" and names(tmp_path) == {"table.csv"}


def test_what_the_disk_refuses_is_one_line_or_as_it_was(tmp_path: Path) -> None:
    def write(writing: AbstractContextManager[Path]) -> None:
        with writing as part:
            part.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"table.csv: cannot be written \(No space left on device\); choose another place"):
        write(whole(tmp_path / "table.csv"))
    with pytest.raises(OSError, match="No space left"):
        write(beside(tmp_path / "table.csv"))
    assert not names(tmp_path)


def test_a_folder_takes_its_place_when_it_is_whole(there: Path) -> None:
    with whole_folder(there) as part:
        assert part.is_dir() and not names(part)
        (part / "weights").write_text("new")
        assert names(there) == {"weights", "notice"} and (there / "weights").read_text() == "old"
    assert names(there) == {"weights"} and (there / "weights").read_text() == "new"
    assert names(there.parent) == {"model"}


def test_a_new_folder_and_those_above_it_are_made(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "runs/first/model") as part:
        (part / "weights").write_text("new")
        assert not (tmp_path / "runs/first/model").exists()
    assert names(tmp_path / "runs/first") == {"model"}


@pytest.mark.parametrize("error", [ValueError("no such weight"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_folder_that_fails_leaves_the_earlier_one(error: BaseException, there: Path) -> None:
    with pytest.raises(type(error)), whole_folder(there) as part:
        (part / "weights").write_text("half")
        raise error
    assert (there / "weights").read_text() == "old" and names(there.parent) == {"model"}


def test_a_folder_that_cannot_take_its_place_leaves_the_earlier_one(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OSError, match="Input/output"), whole_folder(there) as part:
        (part / "weights").write_text("new")
    assert (there / "weights").read_text() == "old" and names(there.parent) == {"model"}


KILLED = """
import os, sys
from pathlib import Path
from talkinghead.files import whole_folder

rename = Path.replace

def replace(path, target):
    if path.name.endswith(".part"):
        os._exit(9)
    return rename(path, target)

Path.replace = replace
with whole_folder(Path(sys.argv[1])) as part:
    (part / "weights").write_text("new")
    if sys.argv[2] == "writing":
        os._exit(9)
"""


@pytest.mark.parametrize("when", ["writing", "renaming"])
@pytest.mark.parametrize("again", [True, False])
def test_a_folder_of_a_killed_run_is_taken_back(when: str, again: bool, there: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(there), when], check=False).returncode == 9
    assert there.is_dir() == (when == "writing") and len(names(there.parent)) == 2
    if again:
        with whole_folder(there) as part:
            assert not names(part) and (there / "weights").read_text() == "old"
            (part / "weights").write_text("newer")
    else:
        take_back(there)
    assert (there / "weights").read_text() == ("newer" if again else "old") and names(there.parent) == {"model"}


def test_a_folder_that_somebody_keeps_beside_is_theirs(there: Path) -> None:
    kept = [there.with_name("model.old"), there.with_name("model.part")]
    for folder in kept:
        folder.mkdir()
    with whole_folder(there) as part:
        (part / "weights").write_text("new")
    assert names(there.parent) == {"model", *(folder.name for folder in kept)}


def test_a_folder_behind_a_link_is_filled_where_it_is_each_time(tmp_path):
    disk, link = tmp_path / "large/run", tmp_path / "run"
    disk.mkdir(parents=True)
    link.symlink_to(disk)
    for text in ("first", "second"):
        with whole_folder(link) as part:
            (part / "weights").write_text(text)
        assert link.is_symlink() and (disk / "weights").read_text() == text
    assert names(tmp_path) == {"large", "run"} and names(tmp_path / "large") == {"run"}


def test_a_file_where_the_folder_should_be_is_met_before_the_work(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(NotADirectoryError), whole_folder(tmp_path / "model"):
        raise AssertionError("the work has begun")
    assert (tmp_path / "model").read_text() == "mine" and names(tmp_path) == {"model"}
