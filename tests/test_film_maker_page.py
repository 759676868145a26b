"""The film maker's page: its scene and its table can be read, its commands are those that there are, in an order that works."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from talkinghead.cli import app
from talkinghead.jobs import read_jobs
from talkinghead.screenplay.reading import read_scene

PROGRAM = typer.main.get_command(app)


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/film_maker.md").read_text()


def test_its_scene_and_its_table_can_be_read(page: str, tmp_path: Path, root: Path) -> None:
    for name in ("drawn_woman.png", "drawn_man.png"):
        (tmp_path / name).symlink_to(root / "assets" / name)
    (play,) = re.findall(r"```markdown\n(.*?)```", page, re.S)
    (jobs,) = re.findall(r"```csv\n(.*?)```", page, re.S)
    (tmp_path / "letter.md").write_text(play)
    (tmp_path / "jobs.csv").write_text(jobs)
    scene = read_scene(tmp_path / "letter.md").scene
    assert [line.speaker for line in scene.lines] == list(scene.cast) == ["Mara", "Tom"]
    assert scene.cast["Tom"].prosody.pitch == -2 and scene.lines[1].pause == 0.6
    assert [job.output for job in read_jobs(tmp_path / "jobs.csv")] == ["one.mp4", "two.mp4"]


def test_its_commands_parse(page: str) -> None:
    commands = [line for block in re.findall(r"```bash\n(.*?)```", page, re.S) for line in block.splitlines() if line.strip()]
    assert len(commands) == 5
    for line in commands:
        program, name, *arguments = shlex.split(line.split("  #")[0])
        assert program == "talkinghead"
        PROGRAM.commands[name].make_context(name, arguments)


def test_the_readme_of_screenplays_is_linked(page: str, root: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page + (root / "docs/screenplay.md").read_text()):
        assert (root / "docs" / target).is_file(), target
