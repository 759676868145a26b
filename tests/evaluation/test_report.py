"""The whole evaluation on three clips that it renders itself."""

import json
from dataclasses import replace

import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead.audio.waveform import load_audio
from talkinghead.errors import InputError
from talkinghead.evaluation.clips import HeldOut
from talkinghead.evaluation.report import TABLES, evaluate
from talkinghead.pipeline import TalkingHead
from talkinghead.training import save_arrays
from talkinghead.types import SAMPLE_RATE, Audio
from talkinghead.video.writer import VideoWriter

CLIPS = {"others/a": ("drawn_man", 0.0), "others/b": ("drawn_woman", 1.2), "grid_s1/c": ("drawn_woman", 2.4)}


@pytest.fixture(scope="module")
def data(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    head = TalkingHead.from_pretrained()
    speech = load_audio(root / "assets/speech.wav").samples
    rows = []
    for name, (person, start_s) in CLIPS.items():
        file = folder / "eval" / f"{name}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        audio = Audio(speech[round(start_s * SAMPLE_RATE) :][:SAMPLE_RATE])
        portrait = head.load_portrait(root / f"assets/{person}.png", size=256)
        with VideoWriter(file, audio) as video:
            for frame in head(portrait, audio, quality="draft"):
                video.write(frame)
        rows.append({"file": f"eval/{name}.mp4", "split": "eval", "identity": person, "audio": True})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "grid_align").mkdir()
    words = ["clip\tstart_s\tend_s\tword", "c.mp4\t0.3\t0.5\tbin", "c.mp4\t0.5\t0.7\tsoon"]
    (folder / "grid_align/grid_s1_words.tsv").write_text("\n".join(words) + "\n")
    return folder


def test_every_table_is_there_and_the_rendered_row_follows_the_talker(data, tmp_path):
    stages = []
    report = evaluate("eval", data, tmp_path / "report", say=stages.append)
    figures = json.loads((tmp_path / "report/report.json").read_text())
    opening = figures["lips"][0]["rows"]
    # The clips are the model's own work, so it must follow them closely, and another sentence must not.
    for counting in ("offset removed", "lag 0", "best lag"):
        ours, chance = (opening[f"{row}, {counting}"]["all"] for row in ("generated motion", "chance: another clip's sound"))
        assert ours > 0.8 > chance
    assert figures["rendered"][0]["rows"]["rendered video, tracked again"]["all"] > 0.7
    assert {row["words"] for row in figures["contacts"][0]["rows"].values()} == {1}
    assert figures["expression"][0]["rows"]["neutral"]["r"] == pytest.approx(1)
    assert all(row["smallest step"] > 0 for table in figures["intensity"] for row in table["rows"].values())
    assert figures["languages"][0]["rows"]["all"]["p, b, m"] > 400
    assert "fall, all" in figures["robustness"][0]["rows"]["telephone"]
    pictures = figures["pictures"][0]["rows"]
    assert pictures["warp alone"]["mouth PSNR"] > pictures["reference copied"]["mouth PSNR"]
    text = report.read_text()
    for heading in ("Lip opening against", "Lip width", "Closure", "Timing", "2 clips"):
        assert heading in text
    assert iio.imread(tmp_path / "report/reenactment.png").shape[1] == 6 * 256
    assert stages == list(TABLES) == list(figures)


def test_one_table_alone_is_made_from_points_that_were_tracked_before(data, tmp_path):
    never_tracked = replace(TalkingHead.from_pretrained(), tracker=None)
    for name in CLIPS:
        points = np.random.default_rng(0).normal(size=(25, 478, 3)).astype(np.float32)
        presence = np.ones(25, np.float32)
        presence[3] = 0
        save_arrays(tmp_path / "prepared/eval" / f"{name}.npz", points=points, presence=presence)
    held_out = HeldOut(never_tracked, data, "eval", tmp_path / "prepared")
    assert [np.isnan(clip.points).any((1, 2)).nonzero()[0].tolist() for clip in held_out.clips] == [[3]] * 3
    report = evaluate("eval", data, tmp_path / "report", only=["timing"], prepared=tmp_path / "prepared")
    assert report.read_text().count("\n## ") == 1
    assert not (tmp_path / "report/reenactment.png").exists()


def test_a_table_that_does_not_exist_is_answered_with_those_that_do(data, tmp_path):
    with pytest.raises(InputError, match=r"only: 'lip' is no table; choose from lips, timing, "):
        evaluate("eval", data, tmp_path / "report", only=["lip"])
    with pytest.raises(InputError, match=r"prepared: .*none is no folder"):
        evaluate("eval", data, tmp_path / "report", prepared=tmp_path / "none")
    assert not (tmp_path / "report").exists()


def test_a_split_without_clips_is_named(data, tmp_path):
    with pytest.raises(InputError, match=r"split: 'train' is not in .*choose from eval"):
        evaluate("train", data, tmp_path / "report")
    assert not (tmp_path / "report").exists()
