"""The table of papers on two clips that it renders itself, with tiny networks in place of the real ones."""

import csv
import json
import math
import re

import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead import cli
from talkinghead.audio.voice import Phoneme
from talkinghead.audio.waveform import load_audio
from talkinghead.checkpoints import default_folder
from talkinghead.corpus.shards import write_tar
from talkinghead.corpus.splits import TrainedOn, record
from talkinghead.errors import FaceError, InputError, OutputError
from talkinghead.evaluation.clip_scores import ClipScores
from talkinghead.evaluation.networks import Networks
from talkinghead.evaluation.paper_clips import SCORED_PX, PaperClips, scored_size
from talkinghead.evaluation.paper_metrics import METRICS, OF_CLIPS, OURS, REAL, REENCODED, STILL, SYSTEMS, WARP
from talkinghead.evaluation.paper_scores import (
    EVERY,
    arcface_chip,
    closures,
    features,
    likeness,
    quality_scores,
    recognised,
    square,
)
from talkinghead.evaluation.paper_table import fingerprint, paper_evaluation
from talkinghead.evaluation.paper_videos import reencoded
from talkinghead.pipeline import TalkingHead
from talkinghead.training import save_arrays
from talkinghead.types import EMOTIONS, SAMPLE_RATE, Audio
from talkinghead.video.writer import VideoWriter

CLIPS = {"M003_happy": ("drawn_man", "M003", "happy", 3), "W009_sad": ("drawn_woman", "W009", "sad", 1)}
SECONDS = 0.64


@pytest.fixture(scope="module")
def data(root, tmp_path_factory):
    """A loose folder of two clips of 16 frames, whose identities are test actors of `eat`."""
    folder = tmp_path_factory.mktemp("data")
    head = TalkingHead.from_pretrained()
    speech = load_audio(root / "assets/speech.wav").samples
    rows = []
    for number, (name, (person, identity, emotion, level)) in enumerate(CLIPS.items()):
        start = round((0.3 + number) * SAMPLE_RATE)
        audio = Audio(speech[start : start + round(SECONDS * SAMPLE_RATE)])
        portrait = head.load_portrait(root / f"assets/{person}.png", size=256)
        with VideoWriter(folder / f"{name}.mp4", audio) as video:
            for frame in head(portrait, audio, emotion, level / 3, seed=7, quality="draft"):
                video.write(frame)
        rows.append({"file": f"{name}.mp4", "split": "eval", "identity": identity, "audio": True, "emotion": emotion})
        rows[-1] |= {"level": level, "transcript": "maybe" if number else ""}
    rows.append({"file": "mute.mp4", "split": "eval", "identity": "M030", "audio": False})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


@pytest.fixture
def networks(networks_of):
    """All of them but FVD's."""
    networks_of.mean("inception", ["N", 3, 16, 16])
    networks_of.distance("lpips", ["N", 3, 64, 64])
    networks_of.mean("syncnet_picture", ["N", 3, 5, 32, 32])
    networks_of.linear("syncnet_sound", ["N", 1, 13, 20], np.ones((1, 3)))
    networks_of.mean("arcface", ["N", 3, 112, 112])
    always_sad = np.zeros((3, 8))
    always_sad[:, EMOTIONS.index("sad")] = 9
    networks_of.linear("emotion", ["N", 3, 48, 48], always_sad)
    return networks_of.folder


def test_every_metric_has_its_row_and_a_killed_run_goes_on_where_it_was(data, networks, tmp_path):
    report, said = tmp_path / "report", []
    table = paper_evaluation("eval", data, report, say=said.append, networks=networks)
    assert said == ["1 of 2: M003_happy", "2 of 2: W009_sad"]
    text = table.read_text()
    assert all(metric.heading in text for metric in METRICS.values()) and "i3d.onnx missing in" in text
    scores = ClipScores(report, OF_CLIPS)
    clips = scores.clips(REAL)
    assert clips == list(CLIPS) and len(scores.values) == 2 * len(SYSTEMS)

    def mean(metric, system):
        return np.mean(scores.column(metric, system, clips))

    assert mean("psnr", REAL) == math.inf and mean("ssim", REAL) == pytest.approx(1)
    # The clips are the model's own, of another seed: a file loses less than the model, and the model less than doing nothing.
    assert mean("psnr", REENCODED) > mean("psnr", OURS)
    for less in ("m_lmd", "f_lmd", "lmd", "m_lvd", "f_lvd", "lpips"):
        assert mean(less, REAL) == 0 < mean(less, REENCODED) < mean(less, OURS), less
    assert mean("m_lmd", OURS) < mean("m_lmd", STILL) and mean("lve", OURS) < mean("lve", STILL)
    assert mean("aperture", REAL) == pytest.approx(1) and mean("aperture", OURS) > 0.8 > mean("aperture", STILL)
    assert mean("lve", REAL) == mean("fdd", REAL) == 0 and mean("ce", OURS) <= mean("lve", OURS)
    assert 0 < mean("diversity", OURS) < mean("mve", OURS) * 10 and math.isnan(mean("diversity", STILL))
    assert mean("psnr", WARP) != mean("psnr", OURS)
    assert [scores.column("accuracy", system, clips) for system in SYSTEMS] == [[0.0, 1.0]] * len(SYSTEMS)
    assert mean("csim", REAL) > 0.9 and mean("lse_c", REAL) != mean("lse_c", OURS) and mean("lse_d", REAL) > 0
    transcribed = scores.column("closures", REAL, clips)
    assert math.isnan(transcribed[0]) and 0 <= transcribed[1] <= 1
    fid = {row["system"]: float(row["mean"]) for row in csv.DictReader((report / "table.csv").open()) if row["metric"] == "fid"}
    assert fid[REAL] == pytest.approx(0, abs=1e-9) and min(fid[system] for system in SYSTEMS[1:]) > 1e-7
    assert "mute,no sound" in (report / "left_out.csv").read_text()
    assert (report / "table.tex").read_text().startswith(r"\begin{tabular}")
    check_by_hand(data, scores)

    # Killed in the middle of a line: what was whole stays, the rest is made again, to the same last bit.
    lines, whole = report / "clips.csv", (report / "clips.csv").read_text()
    lines.write_text(whole[:-30])
    said.clear()
    again = paper_evaluation("eval", data, report, say=said.append, networks=networks)
    assert said == ["2 of 2: W009_sad"] and lines.read_text() == whole and again.read_text() == text
    said.clear()
    paper_evaluation("eval", data, report, say=said.append, networks=networks, against=report)
    assert said == [] and "| SSIM ↑ |" in (report / "comparison.md").read_text()
    (networks / "lpips.onnx").unlink()
    with pytest.raises(OutputError, match="holds scores of another networks; give another folder"):
        paper_evaluation("eval", data, report, networks=networks)


def check_by_hand(data, scores):
    """The tiny LPIPS is a mean squared difference: of the re-encoded clip it is known without any of the code that counts."""
    clips = PaperClips(data, "eval")
    clip = clips.load(clips.rows[0], TalkingHead.from_pretrained().tracker)
    assert len(clip.frames) == 16 and clip.intensity == 1 and clip.emotion == "happy"
    pairs = zip(reencoded(clip.frames)[::EVERY], clip.frames[::EVERY], strict=True)
    small = [[x.reshape(64, 4, 64, 4, 3).mean((1, 3)) / 255 for x in pair] for pair in pairs]
    # The networks are given bytes: a quarter of the size by area, rounded.
    wanted = np.mean([np.mean((a - b) ** 2) for a, b in small])
    assert scores.values[clip.name, REENCODED]["lpips"] == pytest.approx(wanted, rel=0.15)


@pytest.fixture(scope="module")
def shards(data, tmp_path_factory):
    """The same clips as `talkinghead prepare` packs them, beside one of a training actor and one of another view."""
    folder = tmp_path_factory.mktemp("prepared")
    seen = np.random.default_rng(0).uniform(40, 200, (16, 478, 3)).astype(np.float32)
    save_arrays(folder / "tracked.npz", points=seen, scores=np.zeros((16, 52), np.float32), presence=np.ones(16, np.float32))
    members = {"mp4": (data / "M003_happy.mp4").read_bytes(), "tracked.npz": (folder / "tracked.npz").read_bytes()}
    keys = {"M003_front_happy_1_001": ("M003", "front"), "M003_top_happy_1_001": ("M003", "top")}
    keys |= {"M005_front_happy_1_001": ("M005", "front"), "W009_front_happy_1_001": ("W009", "front")}
    offsets = write_tar(folder / "shards/00000.tar", [(key, members) for key in keys])
    rows = [
        {"key": key, "file": f"{key}.mp4", "split": "x", "identity": identity, "view": view, "emotion": "happy", "level": 1,
         "audio": True, "shard": "00000.tar", "members": of, "transcript": ""}
        for (key, (identity, view)), of in zip(keys.items(), offsets, strict=True)
    ]  # fmt: skip
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "dataset.json").write_text(json.dumps({"name": "mead", "splits": ["eat", "emote"]}))
    return folder, seen


def test_of_a_prepared_set_the_front_views_of_the_test_people_are_scored_with_the_points_it_holds(shards, tracker):
    folder, seen = shards
    clips = PaperClips(folder, "eat")
    assert [row["key"] for row in clips.rows] == ["M003_front_happy_1_001", "W009_front_happy_1_001"]
    clip = clips.load(clips.rows[0], None)  # no tracker is asked
    assert np.array_equal(np.stack([face.points for face in clip.faces]), seen)
    assert len(clip.frames) == 16 and clip.intensity == pytest.approx(1 / 3)
    assert clip.audio.duration_s == pytest.approx(SECONDS, abs=0.05)
    assert [row["key"] for row in PaperClips(folder, "eat", pattern="W*").rows] == ["W009_front_happy_1_001"]
    with pytest.raises(InputError, match=r"has 3 clips, and none that match 'M1\*' with the sound of somebody"):
        PaperClips(folder, "eat", pattern="M1*")


def checkpoint_trained_on(folder, *people):
    folder.mkdir()
    for part in default_folder().iterdir():
        (folder / part.name).symlink_to(part)
    record(folder / "trained", [TrainedOn("mead", "emote", people, 9)])
    return folder


def test_people_who_were_trained_on_are_not_scored(shards, tmp_path, capfd):
    checkpoint = checkpoint_trained_on(tmp_path / "emote", "M003", "M005", "W011")
    output = tmp_path / "report"
    options = ["--data", str(shards[0]), "--split", "eat", "-o", str(output), "--checkpoint", str(checkpoint)]
    assert cli.main(["evaluate", *options]) == 2
    line = capfd.readouterr().err
    assert line.count("\n") == 1 and "was trained (split emote) on M003, whom this split tests" in line and not output.exists()
    assert fingerprint(checkpoint) != fingerprint(checkpoint_trained_on(tmp_path / "other", "M042"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "emote"], "split: 'emote' of .* has 0 clips, and none with the sound of somebody who is not in train"),
        (["--split", "test"], r"split: 'test' is neither one of MEAD \(eat, emote, official, own\) nor in .* \(eval\)"),
        (["--networks", "nets"], "--networks is for the table of papers; add --only paper"),
        (["--clips", "M*"], "--clips is for the table of papers; add --only paper"),
        (["--only", "paper,lips"], "--only paper,lips: paper goes alone; ask for lips in another run"),
        (["--only", "paper", "--networks", "nets"], "networks nets: no such folder"),
        (["--only", "paper", "--against", "nets"], "clips.csv: no such file; give the report folder"),
    ],
)
def test_what_cannot_be_evaluated_is_said_at_once(data, options, message, tmp_path, capfd):
    if "test" in options:
        options = [*options, "--only", "paper"]
    assert cli.main(["evaluate", "--data", str(data), "-o", str(tmp_path / "report"), *options]) == 2
    line = capfd.readouterr().err
    assert re.search(message, line) and line.count("\n") == 1 and not (tmp_path / "report").exists()


def test_a_clip_without_a_face_in_its_first_frame_is_named(talking_video, tmp_path, tracker):
    talking_video(tmp_path / "grey.mp4", 0.6)
    row = {"file": "grey.mp4", "split": "eval", "identity": "a", "audio": True}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row) + "\n")
    clips = PaperClips(tmp_path, "eval")
    with pytest.raises(FaceError, match="grey: no face in its first frame, which is the portrait"):
        clips.load(clips.rows[0], tracker)
    with pytest.raises(InputError, match=r"none of 1 clips of split 'eval' can be scored; the first: grey: no face"):
        paper_evaluation("eval", tmp_path, tmp_path / "report")


def test_pictures_are_scored_at_256(tmp_path):
    assert scored_size(np.zeros((1080, 1920, 3), np.uint8)).shape == (144, 256, 3)
    small = np.zeros((100, 90, 3), np.uint8)
    assert scored_size(small) is small and SCORED_PX == 256


def test_the_portrait_itself_is_no_frame_to_score():
    assert quality_scores([(math.inf, 1.0), (30.0, 0.5), (40.0, 0.7), (math.inf, 0.9)]) == pytest.approx(
        {"psnr": 35, "ssim": 0.7}
    )
    assert quality_scores([(math.inf, 1.0)] * 3)["psnr"] == math.inf


def test_likeness_is_the_cosine_with_the_portrait():
    assert likeness(np.float32([[2, 0], [3, 0], [0, 5]])) == pytest.approx(0.5)
    assert likeness(np.float32([[1, 1], [-4, -4]])) == pytest.approx(-1)


def test_a_clip_has_one_vote_by_the_mean_of_its_probabilities():
    logits = np.zeros((3, 8), np.float32)
    logits[:2, EMOTIONS.index("happy")] = 1  # two frames lean to happy, one is sure of sad
    logits[2, EMOTIONS.index("sad")] = 50
    assert recognised(logits) == "sad"
    logits[2] = 0
    logits[2, EMOTIONS.index("angry")] = 0.5
    assert recognised(logits) == "happy"
    assert recognised(logits, tuple(reversed(EMOTIONS))) == EMOTIONS[7 - EMOTIONS.index("happy")]


def test_a_face_stands_in_arcfaces_chip_as_its_template_has_it(tracker, astronaut):
    image = iio.imread(astronaut)
    turned = np.ascontiguousarray(np.rot90(image))  # the chip is upright whatever the picture is
    for picture in (image, turned):
        points = tracker.detect(image)[0].points.copy()
        if picture is turned:
            points[:, :2] = np.stack([points[:, 1], image.shape[1] - 1 - points[:, 0]], 1)
        chip = arcface_chip(picture, points)
        assert chip.shape == (112, 112, 3)
        (face, *_) = tracker.detect(np.repeat(np.repeat(chip, 4, 0), 4, 1))
        eyes, nose, mouth = face.points[[468, 473], :2] / 4, face.points[4, :2] / 4, face.points[[61, 291], :2] / 4
        assert np.abs(eyes - [(38.3, 51.7), (73.5, 51.5)]).max() < 5 and np.abs(mouth - [(41.5, 92.4), (70.7, 92.2)]).max() < 7
        assert np.abs(nose - (56.0, 71.7)).max() < 7


def test_lips_that_meet_at_a_p_are_seen_and_those_that_meet_elsewhere_are_not():
    points = np.zeros((50, 478, 3), np.float32)
    points[:, 61, 0], points[:, 291, 0] = 100, 140
    points[:, [178, 87, 14, 317, 402], 1] = 8  # a fifth of the mouth's width
    points[10, [178, 87, 14, 317, 402], 1] = 1  # closed at 0.4 s
    spoken = [Phoneme("p", 0.36, 0.44), Phoneme("a", 0.44, 1.4), Phoneme("m", 1.4, 1.5)]
    assert closures(spoken, points) == 0.5
    assert closures(spoken[:1], points) == 1 and closures(spoken[2:], points) == 0
    assert math.isnan(closures(spoken[1:2], points))


def test_a_square_is_cut_where_it_is_said():
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)[..., None].repeat(3, 2)
    assert np.array_equal(square(picture, 2, 1, 4, 4), picture[1:5, 2:6])
    assert np.array_equal(square(picture, -2, 6, 4, 4)[:2, 2:], picture[6:8, :2])


def test_frames_for_sets_are_evenly_spaced_and_windows_do_not_overlap(networks_of):
    networks_of.mean("inception", ["N", 3, 8, 8])
    networks_of.mean("i3d", ["N", 3, 16, 8, 8])
    frames = [np.full((8, 8, 3), index, np.uint8) for index in range(40)]
    found = features(frames, Networks(networks_of.folder))
    assert found["fid"][:, 0] * 255 == pytest.approx([0, 8, 16, 24, 32])
    assert found["fvd"][:, 0] * 255 == pytest.approx([7.5, 23.5])
    assert "fvd" not in features(frames[:15], Networks(networks_of.folder))
