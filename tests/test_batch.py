"""A table of jobs: each made once, what fails told and left alone, the rest made; again after a change."""

import csv
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from talkinghead import batch, cli
from talkinghead.batch import Outcome, run_jobs
from talkinghead.errors import InputError
from talkinghead.jobs import COLUMNS, EXAMPLE, Job, Record, job_digest, models_digest, read_jobs
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

    assert states(job) == ["failed"]  # that is no picture
    (out / "a.mp4").write_bytes(b"video")
    Record.load(out).remember(job.output, job_digest(job, tmp_path, models_digest(None)))
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
        (["output,image", "a.mp4,b.png", "./a.mp4,c.png"], r"jobs.csv:3: output a.mp4 is that of row 2 as well"),
        (["text,image", '"two', 'lines",b.png', "a,b,c"], r"jobs.csv:4: 3 cells below 2 columns"),
        (["image,text", "b.png," + 200_000 * "a"], r"jobs.csv:2: is no row of a table"),
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
        ({"image": "b.png", "text": "a", "seed": "-1"}, "seed -1: out of range; give 0 to"),
        ({"image": "b.png", "text": "a", "size": "9"}, "size 9: out of range; give 64 to"),
        ({"image": "b.png", "text": "a", "face": "0"}, "face 0: faces are counted from 1"),
        ({"image": "b.png", "text": "a", "quality": "fine"}, "quality fine: unknown; choose from draft"),
        ({"image": "b.png", "text": "a", "intensity": "nan"}, "intensity is nan"),
        ({"image": "b.png", "text": "a", "emotion": "happy", "prompt": "sadly"}, "prompt and emotion 'happy' both say"),
        ({"image": "b.png", "text": "a", "style": "none"}, "style /"),
        ({"scene": "s.yaml", "quality": "fine"}, "quality fine: unknown; choose from draft"),
    ],
)
def test_rows_that_cannot_be_made(tmp_path: Path, values: dict[str, str], message: str) -> None:
    (outcome,) = run_jobs([Job(2, "a.mp4", values)], tmp_path / "out", tmp_path)
    assert outcome.state == "failed" and outcome.message.startswith(message)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"audio": "speech.wav", "fit": "0.1"}, "fit 0.1: is no such time; give 0.6s to 600s"),
        ({"audio": "speech.wav", "fit": "500s"}, "fit is 500 s for "),
        ({"text": "a", "voice": "piper:voices/ana.onnx"}, "voice: "),
    ],
)
def test_speech_that_cannot_be_had(tmp_path: Path, portrait: str, root: Path, values: dict[str, str], message: str) -> None:
    (tmp_path / "speech.wav").symlink_to(root / "assets/speech.wav")
    (outcome,) = run_jobs([Job(2, "a.mp4", values | {"image": portrait})], tmp_path / "out", tmp_path)
    assert outcome.state == "failed" and outcome.message.startswith(message)
    if "voice" in values:  # beside the table, not beside the picture
        assert str(tmp_path / "voices/ana.onnx") in outcome.message


def test_an_error_of_no_known_kind_costs_its_job_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(job: Job, *_: object) -> list[str]:
        if job.row == 2:
            raise ZeroDivisionError("half")
        return []

    monkeypatch.setattr(batch, "_make", broken)
    outcomes = run_jobs([Job(row, f"{row}.mp4", {"image": "b.png"}) for row in (2, 3)], tmp_path / "out", tmp_path)
    assert [(o.state, o.message) for o in outcomes] == [("failed", "ZeroDivisionError: half"), ("done", "")]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_batch_that_is_stopped_begins_no_more_and_leaves_a_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    begun: list[int] = []

    def slow(job: Job, *_: object) -> Outcome:
        begun.append(job.row)
        time.sleep(0.02)
        return Outcome(job.row, job.output, "done")

    def stop(_: Outcome) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "_outcome", slow)
    monkeypatch.setattr(batch, "ProcessPoolExecutor", lambda count, *_: ThreadPoolExecutor(count))
    jobs = [Job(row, f"{row}.mp4", {"image": "b.png"}) for row in range(2, 52)]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, tmp_path / "out", tmp_path, workers, stop)
    assert len(begun) < 25
    assert len((tmp_path / "out/summary.csv").read_text().splitlines()) == 2


def test_no_input_of_the_table_or_of_its_scenes_is_overwritten(tmp_path: Path, root: Path) -> None:
    (tmp_path / "face.png").symlink_to(root / "assets/drawn_man.png")
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes((root / "assets/speech.wav").read_bytes())
    scene = "cast: {Bob: {portrait: face.png}}\nlines: [{speaker: Bob, text: Hi, recording: b.mp4}]\n"
    (tmp_path / "scene.yaml").write_text(scene)
    (tmp_path / "linked.mp4").hardlink_to(tmp_path / "b.mp4")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.mp4")}
    jobs = [
        Job(2, "a.mp4", {"image": "none.png", "text": "a"}),
        Job(3, "c.mp4", {"image": "none.png", "audio": "a.mp4"}),
        Job(4, "linked.mp4", {"scene": "scene.yaml", "quality": "none"}),
    ]
    found = run_jobs(jobs, tmp_path, tmp_path)
    assert ["is an input of the table" in outcome.message for outcome in found] == [True, False, True]
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("*.mp4")}


def test_what_a_job_depends_on(tmp_path: Path) -> None:
    for name in ("face.png", "voice.onnx", "voice.onnx.json"):
        (tmp_path / name).write_text("one")
    (tmp_path / "style").mkdir()
    (tmp_path / "style/a").write_text("one")
    job = Job(2, "a.mp4", {"image": "face.png", "style": "style", "voice": "piper:voice.onnx"})
    found = [job_digest(job, tmp_path, "models"), job_digest(job, tmp_path, "others")]
    for name in ("face.png", "style/a", "voice.onnx"):
        (tmp_path / name).write_text("two and more")
        found.append(job_digest(job, tmp_path, "models"))
    assert len(set(found)) == 5 and None not in found
    assert job_digest(Job(2, "a.mp4", {"scene": "s.yaml"}), tmp_path, "models") is None


def test_a_cell_of_several_lines_stays_one(tmp_path: Path) -> None:
    jobs = read_jobs(table(tmp_path, "image,text", 'b.png,"one', 'two"', "c.png,three"))
    assert [(job.row, job.output, job.values["text"].split()) for job in jobs] == [
        (2, "0001.mp4", ["one", "two"]),
        (4, "0002.mp4", ["three"]),
    ]


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
    table_wanted = (
        "give a table: a heading such as output,image,text,emotion, and rows such as one.mp4,ana.jpg,Hello,happy (columns: "
        f"{', '.join(COLUMNS)})."
    )
    assert [line.split("; ")[-1] for line in told] == ["give a folder.", "give 1 to 256.", table_wanted]
    assert not (tmp_path / "out").exists() and "fit" in COLUMNS


def test_the_table_that_the_message_shows_is_one(tmp_path: Path) -> None:
    (job,) = read_jobs(table(tmp_path, *EXAMPLE))
    assert job.output == "one.mp4" and job.values == {"image": "ana.jpg", "text": "Hello", "emotion": "happy"}


def test_a_table_is_not_overwritten_by_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path, "image", "a.png").rename(tmp_path / "summary.csv")
    assert cli.main(["batch", str(path), "-o", str(tmp_path)]) == 2
    assert "summary.csv: is where the summary goes and would be overwritten; give" in capsys.readouterr().err
    assert path.read_text() == "image\na.png\n"


def test_scenes_share_the_models_of_their_worker(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "face.png").symlink_to(root / "assets/drawn_man.png")
    (tmp_path / "scene.yaml").write_text("cast: {Bob: {portrait: face.png}}\nlines: [{Bob: Hi}]\n")
    given: list[object] = []
    loaded: list[object] = []

    def produce(play: object, output: Path, begin: object, *rest: Any, note: object) -> None:
        given.append(rest[-1]())

    def load(*_: object) -> object:
        loaded.append(object())
        return loaded[-1]

    monkeypatch.setattr("talkinghead.screenplay.production.perform", produce)
    monkeypatch.setattr("talkinghead.pipeline.TalkingHead.from_pretrained", load)
    batch._head.cache_clear()
    jobs = [Job(row, f"{row}.mp4", {"scene": "scene.yaml"}) for row in (2, 3)]
    try:
        assert [outcome.state for outcome in run_jobs(jobs, tmp_path / "out", tmp_path)] == ["done", "done"]
        assert [outcome.state for outcome in run_jobs(jobs, tmp_path / "out", tmp_path)] == ["done", "done"]
    finally:
        batch._head.cache_clear()
    assert len(loaded) == 1 and given == 4 * loaded
