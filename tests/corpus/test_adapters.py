"""Other sets: what their names say, and what is passed over, by names alone and on one clip of each through the command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from talkinghead.cli import main
from talkinghead.corpus.adapters import ADAPTERS
from talkinghead.corpus.sources import Found
from talkinghead.errors import InputError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"clip")
    return root


def about(found: Found) -> dict[str, tuple[str, str | None, int | None]]:
    return {key: (clip.identity, clip.emotion, clip.level) for key, clip in found.clips.items()}


def test_cremad(tmp_path: Path) -> None:
    names = ("VideoFlash/1001_IEO_ANG_HI.flv", "VideoFlash/1002_DFA_NEU_XX.flv", "VideoFlash/1002_DFA_SAD_XX.flv", "notes.mp4")
    found = ADAPTERS["cremad"](tree(tmp_path, *names, "AudioWAV/1001_IEO_ANG_HI.wav"))
    assert about(found) == {
        "cremad_1001_IEO_ANG_HI": ("cremad_1001", "angry", 3),
        "cremad_1002_DFA_NEU_XX": ("cremad_1002", "neutral", 1),
        "cremad_1002_DFA_SAD_XX": ("cremad_1002", "sad", None),
    }
    clip = found.clips["cremad_1001_IEO_ANG_HI"]
    assert clip.transcript == "it's eleven o'clock"
    assert clip.sound is not None and clip.sound.name.endswith("AudioWAV/1001_IEO_ANG_HI.wav")
    assert [Path(name).name for name in found.unknown] == ["notes.mp4"]


def test_ravdess(tmp_path: Path) -> None:
    names = ("01-01-03-02-01-01-12.mp4", "02-01-03-02-01-01-12.mp4", "02-01-08-01-02-01-12.mp4", "01-02-04-01-01-01-12.mp4",
             "01-01-02-01-02-02-12.mp4", "03-01-08-01-02-01-12.wav")  # fmt: skip
    found = ADAPTERS["ravdess"](tree(tmp_path, *(f"Actor_12/{name}" for name in names)))
    assert about(found) == {
        "ravdess_01-01-02-01-02-02-12": ("ravdess_12", "neutral", 1),
        "ravdess_01-01-03-02-01-01-12": ("ravdess_12", "happy", 3),
        "ravdess_02-01-08-01-02-01-12": ("ravdess_12", "surprised", 2),
    }
    assert found.clips["ravdess_02-01-08-01-02-01-12"].sound is not None
    reasons = {Path(what).name: why for what, why in found.left_out}
    assert reasons["01-02-04-01-01-01-12.mp4"] == "is sung, not spoken"
    assert reasons["02-01-03-02-01-01-12.mp4"].endswith("without its sound")


def test_folders_of_people(tmp_path: Path) -> None:
    found = ADAPTERS["hdtf"](tree(tmp_path, "ana/one.mp4", "ana/two.mp4", "WDA_BarackObama_000.mp4", "WDA_BarackObama_001.mp4"))
    assert {clip.identity for clip in found.clips.values()} == {"hdtf_ana", "hdtf_WDA_BarackObama"} and len(found.clips) == 4
    assert all("." not in key for key in found.clips)


def test_grid(tmp_path: Path) -> None:
    found = ADAPTERS["grid"](
        tree(tmp_path, "s1/video/bbaf2n.mpg", "s1.zip.d/x.txt", "s20/lwbz9s.mpg", "s1/audio/bbaf2n.wav", "a.mpg")
    )
    assert about(found) == {"grid_s1_bbaf2n": ("grid_s1", "neutral", 1), "grid_s20_lwbz9s": ("grid_s20", "neutral", 1)}
    assert found.clips["grid_s1_bbaf2n"].sound is not None and len(found.unknown) == 1


@pytest.mark.parametrize(("line", "said"), [
    ("a.mp4,ana,bored,1,train", r"line 2 has emotion 'bored'; choose from angry, contempt"),
    ("a.mp4,ana,sad,4,train", r"line 2 has level '4'; give 1, 2 or 3"),
    ("a.mp4,ana,sad,1,all", r"line 2 has split 'all'; give train, val or test"),
    ("a.mp4,,sad,1,test", r"line 2 has no identity"),
    ("gone.mp4,ana,sad,1,test", r"gone\.mp4 no such file"),
])  # fmt: skip
def test_a_table_says_what_is_wrong(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"clip")
    (tmp_path / "clips.csv").write_text(f"video,identity,emotion,level,split\n{line}\n")
    with pytest.raises(InputError, match=said):
        ADAPTERS["csv"](tmp_path / "clips.csv")


def test_a_table_needs_its_columns(tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text("file,who\na.mp4,ana\n")
    with pytest.raises(InputError, match="has no column video, identity; its first line is video,identity,emotion,level,split"):
        ADAPTERS["csv"](tmp_path / "clips.csv")


@pytest.mark.parametrize("kind", sorted(ADAPTERS))
def test_a_folder_without_such_clips_is_one_line(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "clips.csv" if kind == "csv" else tree(tmp_path, "readme.txt")
    if kind == "csv":
        root.write_text("video,identity\n")
    with pytest.raises(InputError, match="holds no video; give the folder that holds"):
        ADAPTERS[kind](root)


def test_the_command_prepares_a_table(
    clip_bytes: Callable[..., bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my clip.mp4").write_bytes(clip_bytes(frames=12))
    (tmp_path / "clips.csv").write_text("video,identity,emotion,level,split\nmy clip.mp4,ana,happy,2,test\n")
    assert main(["prepare", "csv", str(tmp_path / "clips.csv"), "-o", str(tmp_path / "set")]) == 0
    said = capsys.readouterr().out
    assert "1 clips, 0 left out" in said and "a minute" in said
    row = json.loads((tmp_path / "set/manifest.jsonl").read_text())
    wanted = {
        "key": "my_clip",
        "identity": "ana",
        "emotion": "happy",
        "level": 2,
        "split": "test",
        "source": "csv",
        "frames": 12,
    }
    assert row.items() >= wanted.items()


@pytest.mark.parametrize(("arguments", "said"), [
    (["mead", "gone"], "root gone: no such folder"),
    (["imagenet", "."], "SET imagenet: is none of those known; choose from mead, cremad, ravdess, hdtf, grid, csv"),
    (["mead", ".", "--views", "back"], "--views back: MEAD has front, left_30"),
    (["mead", ".", "--workers", "0"], "--workers 0: out of range"),
    (["grid", ".", "--actors", "s1"], "--actors, --views: are MEAD's alone"),
])  # fmt: skip
def test_a_wrong_option_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["prepare", *arguments, "-o", "set"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("talkinghead: ") and said in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()
