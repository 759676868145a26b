"""The whole evaluation on three clips that it renders itself."""

import json

import imageio.v3 as iio
import pytest

from talkinghead.audio.waveform import load_audio
from talkinghead.errors import InputError
from talkinghead.evaluation.report import evaluate
from talkinghead.pipeline import TalkingHead
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
    lips = figures["lip opening, Pearson r"]
    # The clips are the model's own work, so it must follow them closely, and another sentence must not.
    assert lips["generated motion"]["mean"] > 0.8 > lips["chance: another clip's sound"]["mean"]
    assert lips["rendered video, tracked again (first 75 frames)"]["mean"] > 0.7
    assert {row["count"] for row in figures["closures"].values()} == {1}
    assert all(values == sorted(values) and values[-1] > values[0] for values in figures["emotion"].values())
    pictures = figures["re-enactment"]
    assert pictures["warp alone"]["mouth"]["psnr_db"] > pictures["reference copied"]["mouth"]["psnr_db"]
    text = report.read_text()
    for heading in ("Lip opening", "Lips closed", "own columns", "2 clips"):
        assert heading in text
    assert iio.imread(tmp_path / "report/reenactment.png").shape[1] == 6 * 256
    assert stages == ["tracking the talkers", "lips", "closures", "emotions", "pictures"]


def test_a_split_without_clips_is_named(data, tmp_path):
    with pytest.raises(InputError, match=r"split: 'train' is not in .*choose from eval"):
        evaluate("train", data, tmp_path / "report")
    assert not (tmp_path / "report").exists()
