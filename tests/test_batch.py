"""A table of jobs: each made once, what fails told and left alone, the rest made; again after a change."""

import csv
from pathlib import Path

import pytest

from talkinghead import cli
from talkinghead.batch import Outcome, run_jobs
from talkinghead.errors import InputError
from talkinghead.jobs import COLUMNS, Job, read_jobs
from talkinghead.video.reader import read_frames


def table(folder: Path, *rows: str) -> Path:
    path = folder / "jobs.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def portrait(tmp_path: Path, root: Path) -> str:
    (tmp_path / "face.jpg").symlink_to(root / "assets/astronaut.jpg")
    return "face.jpg"


def test_jobs_are_made_kept_and_a_failed_one_costs_itself(
    tmp_path: Path, portrait: str, capsys: pytest.CaptureFixture[str]
) -> None:
    heading = "output,image,text,emotion,quality,size"
    good = f"a/one.mp4,{portrait},Oh.,happy,draft,256"
    path = table(tmp_path, heading, good, "two.mp4,none.jpg,Oh.,,draft,256", f"three.mp4,{portrait},Oh.,hapy,draft,256")
    out = tmp_path / "out"
    assert cli.main(["batch", str(path), "-o", str(out)]) == 1
    shown, told = capsys.readouterr()
    assert shown == f"1 made, 0 kept, 2 failed; see {out / 'summary.csv'}\n"
    assert f"{path}:3: " in told and "none.jpg: no such file" in told and f"{path}:4: emotion 'hapy' is not known" in told
    assert len(list(read_frames(out / "a/one.mp4"))) > 10
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == ["a/one.mp4", "batch.json", "summary.csv"]
    with (out / "summary.csv").open() as file:
        assert [(row["row"], row["state"]) for row in csv.DictReader(file)] == [("2", "done"), ("3", "failed"), ("4", "failed")]

    made = (out / "a/one.mp4").stat().st_mtime_ns
    table(tmp_path, heading, good)
    assert cli.main(["batch", str(path), "-o", str(out)]) == 0
    assert capsys.readouterr().out.startswith("0 made, 1 kept, 0 failed")
    assert (out / "a/one.mp4").stat().st_mtime_ns == made


def test_a_changed_row_or_file_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(b"one")
    job = Job(2, "a.mp4", {"image": "face.jpg", "text": "Hi"})
    out = tmp_path / "out"

    def states(job: Job) -> list[str]:
        return [outcome.state for outcome in run_jobs([job], out, tmp_path)]

    from talkinghead.batch import _State

    assert states(job) == ["failed"]  # that is no picture
    (out / "a.mp4").write_bytes(b"video")
    _State.load(out).remember(job, tmp_path, None)
    assert states(job) == ["kept"]
    assert states(Job(2, "a.mp4", job.values | {"text": "Ho"})) == ["failed"]
    (tmp_path / "face.jpg").write_bytes(b"two")
    assert states(job) == ["failed"]


def test_two_workers_tell_the_same_as_one(tmp_path: Path) -> None:
    jobs = [Job(row, f"{row}.mp4", {"image": "none.jpg", "text": "Hi"}) for row in (2, 3, 4)]
    one, two = run_jobs(jobs, tmp_path / "a", tmp_path), run_jobs(jobs, tmp_path / "b", tmp_path, workers=2)
    assert [(o.row, o.state, o.message) for o in one] == [(o.row, o.state, o.message) for o in two]
    assert all(isinstance(outcome, Outcome) and outcome.state == "failed" for outcome in two)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["output,picture", "a.mp4,b.png"], r"jobs.csv:1: column 'picture' is unknown; choose from output, image"),
        (["image,image", "a,b"], r"jobs.csv:1: a column is given twice"),
        (["output,image"], r"jobs.csv: holds 0 jobs; give 1 to"),
        (["output,image", "../a.mp4,b.png"], r"jobs.csv:2: output '../a.mp4'; give a name such as clip.mp4"),
        (["output,image", "a.mp4,b.png", "", "a.mp4,c.png"], r"jobs.csv:4: output a.mp4 is that of row 2 as well"),
        (["image,text", "b.png,Hello, you"], r"jobs.csv:2: 3 cells below 2 columns; put a text with a comma in quotes"),
    ],
)
def test_tables_that_are_none(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_jobs(table(tmp_path, *rows))


def test_a_table_of_semicolons_and_one_without_names_of_outputs(tmp_path: Path) -> None:
    jobs = read_jobs(table(tmp_path, "Image;Text", 'b.png;"Hello; you"', "c.png;Hi, all"))
    assert [(job.output, job.values["text"]) for job in jobs] == [("0001.mp4", "Hello; you"), ("0002.mp4", "Hi, all")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"image": "b.png"}, "image and either audio or text are wanted"),
        ({"image": "b.png", "text": "a", "audio": "b.wav"}, "image and either audio or text are wanted"),
        ({"image": "b.png", "text": "a", "seed": "x"}, "seed is 'x'; give a number"),
        ({"scene": "s.yaml", "text": "a"}, "text: a scene says that itself"),
    ],
)
def test_rows_that_cannot_be_made(tmp_path: Path, values: dict[str, str], message: str) -> None:
    (outcome,) = run_jobs([Job(2, "a.mp4", values)], tmp_path / "out", tmp_path)
    assert outcome.state == "failed" and message in outcome.message


def test_wrong_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, "image", "a.png")
    assert cli.main(["batch", str(path), "-o", str(path)]) == 2
    assert cli.main(["batch", str(path), "-o", str(tmp_path / "out"), "--workers", "0"]) == 2
    assert cli.main(["batch", str(tmp_path / "none.csv"), "-o", str(tmp_path / "out")]) == 2
    cluster = ["--ray-address", "127.0.0.1:9"]
    pytest.importorskip("ray")
    assert cli.main(["batch", str(path), "-o", str(tmp_path / "cluster"), *cluster]) == 2
    told = capsys.readouterr().err.splitlines()
    assert "--ray-address 127.0.0.1:9: cannot be reached" in told.pop()
    assert [line.split("; ")[-1] for line in told] == ["give a folder.", "give 1 to 256.", "give a table such as jobs.csv."]
    assert not (tmp_path / "out").exists() and "fit" in COLUMNS
