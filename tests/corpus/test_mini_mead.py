"""The archive that stands for MEAD has MEAD's shapes and every defect of MEAD's, and people on both sides of both splits."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from talkinghead.corpus.names import VIEWS
from talkinghead.corpus.sources import Found, mead_clips, with_transcripts
from talkinghead.corpus.splits import role


@pytest.fixture(scope="module")
def found(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is in it, made of grey pictures: shapes and names are the same."""
    spec = importlib.util.spec_from_file_location("make_mini_mead", root / "scripts/make_mini_mead.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = script  # its dataclasses look there
    spec.loader.exec_module(script)
    frames, samples = np.full((16, 256, 256, 3), 90, np.uint8), np.zeros(16 * 640, np.float32)
    takes = {actor: [script.Take(frames, samples, "we move")] for actor in script.ACTORS}
    folder = tmp_path_factory.mktemp("archive") / "mini"
    folder.mkdir()
    script.Archive(folder, takes, least=True).write()
    found = mead_clips(folder, VIEWS)
    with (folder / "transcripts.csv").open(newline="") as file:
        with_transcripts(found, {row["key"]: row["transcript"] for row in csv.DictReader(file)})
    return found


def test_both_splits_have_people_to_train_and_to_test(found: Found) -> None:
    people = {clip.identity for clip in found.clips.values()}
    assert len(people) == 6
    for split in ("eat", "emote"):
        roles = [role({"identity": name}, split) for name in people]
        assert roles.count("train") >= 2 and roles.count("test") >= 2, split
    assert all(clip.transcript == "we move" for clip in found.clips.values() if "happy_3_00" not in clip.key)


def test_every_defect_is_in_it(found: Found) -> None:
    told = {what.rpartition("mini/")[2]: why for what, why in found.left_out}
    assert told["M003/video.tar/video/front/happy/level_3/002.mp4"] == "is empty"
    assert "breaks off" in told["W040.tar"]
    assert any(name.startswith("W040.tar/") and "breaks off within it" in why for name, why in told.items())
    assert [name.rpartition("/")[2] for name in found.unknown] == ["second take.mp4"]
    silent = found.clips["M041_front_sad_2_020"]
    assert silent.sound is not None and silent.sound.name.endswith("audio/sad/level_2/020.m4a")
    assert {clip.view for clip in found.clips.values() if clip.identity == "W017"} == {"down"}
    assert found.clips["W015_front_neutral_1_101"].video.name.endswith("W015_62_1_output_01.mp4")
    assert {"M019_front_happy_2_003", "M019_front_sad_1_004", "M019_front_angry_3_005"} <= found.clips.keys()
    squeezed = [clip.video.squeezed > 0 for clip in found.clips.values() if clip.identity == "M041"]
    assert any(squeezed) and not all(squeezed), "one zip stores, one squeezes"
    assert any(remark.startswith("M019: no ") and "22 classes" in remark for remark in found.remarks)
    assert not [key for key in found.clips if key.startswith("M003_front_sad_1_001")], "the lost sentence"
