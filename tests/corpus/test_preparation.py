"""An archive with every defect becomes a set that readers take; what cannot be used is named, and nothing else suffers."""

from __future__ import annotations

import csv
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkinghead.audio.waveform import load_audio
from talkinghead.corpus.sources import Found, mead_clips, with_transcripts
from talkinghead.corpus.splits import role
from talkinghead.corpus.store import FEATURES, MOTION, TRACKED, VIDEO, open_clips
from talkinghead.errors import ConfigError, InputError, OutputError
from talkinghead.landmarks import FaceTracker
from talkinghead.motion.dataset import speech_clips
from talkinghead.motion.gesture_dataset import gesture_clips
from talkinghead.preparation import run
from talkinghead.preparation.meshes import training_meshes
from talkinghead.preparation.run import Summary
from talkinghead.types import SAMPLES_PER_FRAME
from talkinghead.video.reader import read_frames

Prepared = tuple[Path, Summary]
NUM_FRAMES = 15
SPLITS = ("eat", "emote", "official")
KEYS = [
    "M003_front_angry_1_001", "M003_front_angry_1_002", "M003_front_happy_3_004", "M003_front_sad_2_020",
    "M003_front_sad_2_021", "W011_front_neutral_1_001", "W040_front_fear_1_001",
]  # fmt: skip


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())}


def test_manifest_says_what_is_where(prepared: Prepared) -> None:
    folder, summary = prepared
    rows = rows_of(folder)
    assert list(rows) == KEYS and summary.clips == len(KEYS)
    row = rows["M003_front_sad_2_020"]
    wanted = {"identity": "M003", "view": "front", "emotion": "sad", "level": 2, "sentence": 20, "frames": NUM_FRAMES}
    assert row.items() >= (wanted | {"source": "mead", "audio": True, "file": "M003_front_sad_2_020.mp4"}).items()
    assert row["seconds"] == NUM_FRAMES / 25 and row["pairs_by_number"] is False and rows[KEYS[-1]]["pairs_by_number"] is True
    with tarfile.open(folder / "shards" / row["shard"]) as tar:
        for suffix, (offset, size) in row["members"].items():
            entry = tar.getmember(f"{row['key']}.{suffix}")
            assert (entry.offset_data, entry.size) == (offset, size)


def test_every_defect_costs_its_own_clip_and_is_told(prepared: Prepared) -> None:
    folder, summary = prepared
    with (folder / "left_out.csv").open(newline="") as file:
        reasons = {row["clip"]: row["reason"] for row in csv.DictReader(file)}
    found = {
        "happy/level_3/001.mp4": "is empty",
        "M003_front_happy_3_002": "cannot be read as a video",
        "M003_front_happy_3_003": "the face is seen in 0% of its frames",
        "other take.mp4": "its name is not understood",
        "fear/level_1/002.mp4": "the archive breaks off within it",
        "W040.tar": "breaks off",
    }
    for name, why in found.items():
        assert any(name in clip and why in reason for clip, reason in reasons.items()), name
    assert summary.left_out == len(reasons) == len(found)
    report = (folder / "report.md").read_text()
    assert "sound taken from 020.wav beside it" in report and "M003_front_sad_2_021" in report
    assert "0.88 s of picture and 0.48 s of sound: cut to the shorter" in report
    assert "M003: sentence numbers are shifted" in report and "1 clips of the view left_30 were not asked for" in report
    assert "W011: no angry 1, angry 2, angry 3 and 18 more, 21 of the 22 classes" in report
    assert "| eat | 2 | 0 | 5 | 0 |" in report and "| emote | 6 | 0 | 1 | 0 |" in report


def test_sound_is_the_video_s_or_the_one_beside_it_in_step(prepared: Prepared, root: Path) -> None:
    clips = open_clips(prepared[0])
    rows = {row["key"]: row for row in clips.rows}
    assert rows["M003_front_sad_2_021"]["audio"] is False and not clips.has(rows["M003_front_sad_2_021"], FEATURES)
    speech = load_audio(root / "assets/speech.wav").samples
    for key, start_s in (("M003_front_angry_1_002", 2), ("M003_front_sad_2_020", 1), ("W040_front_fear_1_001", 1)):
        with clips.open(rows[key], VIDEO) as file:
            heard = load_audio(file).samples
        wanted = speech[start_s * 16000 : start_s * 16000 + NUM_FRAMES * SAMPLES_PER_FRAME]
        lags = range(-320, 321, 16)
        rs = [np.corrcoef(wanted[400:-400], heard[400 + lag : len(wanted) - 400 + lag])[0, 1] for lag in lags]
        assert max(rs) > 0.97 and lags[int(np.argmax(rs))] == 0


def test_crop_is_square_about_the_face_and_the_points_lie_on_it(prepared: Prepared, tracker: FaceTracker) -> None:
    clips = open_clips(prepared[0])
    row = next(row for row in clips.rows if row["key"] == "W011_front_neutral_1_001")
    with clips.open(row, VIDEO) as file:
        frames = list(read_frames(file))
    assert len(frames) == row["frames"] and frames[0].shape == (256, 256, 3)
    with clips.open(row, TRACKED) as file, np.load(file) as archive:
        points, presence = archive["points"], archive["presence"]
    assert points.shape == (NUM_FRAMES, 478, 3) and (presence > 0).all()
    width = np.ptp(points[0, :468, 0])
    # The face moves half a crop a second and the square stands still.
    for number in (0, NUM_FRAMES - 1):
        (face, *_) = tracker.detect(frames[number])
        assert np.linalg.norm(face.points[:, :2] - points[number, :, :2], axis=1).mean() < 0.02 * width
    moved = points[-1, :468, :2].mean(0) - points[0, :468, :2].mean(0)
    assert moved[0] > 5 * abs(moved[1]) and moved[0] > 5


def loose(folder: Path, output: Path, part: str) -> Path:
    """The same set as loose files, in the folders that scripts/prepare_*.py make."""
    clips, rows = open_clips(folder), []
    for row in clips.rows:
        rows.append({key: row[key] for key in ("file", "identity", "audio")} | {"split": role(row, "eat") == part and part})
        for suffix, place in ((VIDEO, ""), (TRACKED, "prepared"), (MOTION, "motion"), (FEATURES, "features")):
            if clips.has(row, suffix):
                path = output / place / (row["key"] + (".mp4" if suffix == VIDEO else ".npz"))
                path.parent.mkdir(parents=True, exist_ok=True)
                with clips.open(row, suffix) as file:
                    path.write_bytes(file.read())
    for row in rows:
        row["split"] = row["split"] or "none"
    (output / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return output


@pytest.mark.parametrize("part", ["train", "test"])
def test_readers_read_shards_as_they_read_loose_files(prepared: Prepared, tmp_path: Path, part: str) -> None:
    folder, files = prepared[0], loose(prepared[0], tmp_path, part)
    ours = list(speech_clips(folder, folder, part, aligned=True, split="eat"))
    theirs = list(speech_clips(files, files, part, aligned=True))
    assert [clip.name for clip in ours] == [clip.name for clip in theirs] and len(ours) == {"train": 2, "test": 4}[part]
    for one, other in zip(ours, theirs, strict=True):
        assert (one.talker, one.known_talker) == (other.talker, other.known_talker)
        assert np.array_equal(one.features.content, other.features.content) and np.array_equal(one.points, other.points)
        assert np.array_equal(one.motion.blendshapes, other.motion.blendshapes) and np.array_equal(one.seen, other.seen)
    gestures = [list(gesture_clips(f, f, part, 10, 9, split)) for f, split in ((folder, "eat"), (files, ""))]
    assert len(gestures[0]) == len(gestures[1]) == {"train": 2, "test": 5}[part]
    for one, other in zip(*gestures, strict=True):
        assert np.array_equal(one.curves, other.curves) and np.array_equal(one.voice, other.voice)


def test_meshes_are_read_without_a_fit(prepared: Prepared, root: Path) -> None:
    clips, (trained,) = training_meshes(prepared[0], "eat", root / "checkpoints/default/rig")
    assert trained.identities == ("W011", "W040") and trained.num_clips == 2
    clip = clips[0].load()
    assert clip.frames.shape == ((NUM_FRAMES + 1) // 2, 256, 256, 3) and clip.identity == "W011"
    store = open_clips(prepared[0])
    with store.open(store.rows_of("train", "eat")[0], TRACKED) as file, np.load(file) as archive:
        points = archive["points"][::2]
    assert np.array_equal(clip.meshes[:, :478], points) and clip.meshes.shape[1] > 478
    # The ring around the face is no tracked point: it must lie about it all the same.
    ring = clip.meshes[0, 478:, :2]
    assert np.abs(ring.mean(0) - points[0, :, :2].mean(0)).max() < 0.4 * np.ptp(points[0, :, 0])


def test_a_set_asks_for_its_split_and_lists_them(prepared: Prepared) -> None:
    clips = open_clips(prepared[0])
    with pytest.raises(ConfigError, match="has the splits eat, emote, official; write `split: eat`"):
        clips.rows_of("train")
    with pytest.raises(ConfigError, match="split own: is none of"):
        clips.rows_of("train", "own")
    # Fewer than seven sentences of a kind: all are among the last six, and of neutral among the last ten.
    assert not clips.rows_of("train", "official") and len(clips.rows_of("test", "official")) == len(KEYS)
    with pytest.raises(InputError, match=r"has no wav; its members are json, mp4, tracked\.npz, motion\.npz, person\.npz"):
        clips.open(clips.rows[0], "wav")


def test_what_is_left_follows_from_all_views(archive: Path) -> None:
    """A sentence is of one part of `official` whichever views are prepared."""
    one, all_views = mead_clips(archive), mead_clips(archive, ("front", "left_30"))
    key = "M003_front_angry_1_001"
    assert one.clips[key].from_last == all_views.clips[key].from_last == 1
    assert all_views.clips["M003_left_30_angry_1_001"].from_last == 1


def test_transcripts_by_key_or_by_number(archive: Path) -> None:
    found = mead_clips(archive)
    with_transcripts(found, {"W040_front_fear_1_001": "one", "angry_1_001": "two", "neutral_1_001": "three"})
    assert found.clips["W040_front_fear_1_001"].transcript == "one"
    assert found.clips["W011_front_neutral_1_001"].transcript == "three"
    assert found.clips["M003_front_angry_1_001"].transcript == "", "M003's numbers say other words"


def test_wrong_roots_are_one_line(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/holiday.mp4").write_bytes(b"film")
    with pytest.raises(InputError, match=r"holds 1 others, as other/holiday\.mp4; give the folder that holds MEAD's clips"):
        mead_clips(tmp_path / "other")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn/M003.tar").write_bytes(b"torn" * 300)
    with pytest.raises(InputError, match=r"torn/M003\.tar is no readable archive .*copy or download it again"):
        mead_clips(tmp_path / "torn")
    with pytest.raises(InputError, match=r"--views top: .* has no such view; it has front \(10\), left_30 \(1\)"):
        mead_clips(archive, ("top",))
    with pytest.raises(InputError, match=r"--actors M042: .* it has M003, W011, W040"):
        mead_clips(archive, ("front",), ("M042",))


def test_space_is_estimated_before_anything_is_made(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk:
        free = 1_000_000

    monkeypatch.setattr(run.shutil, "disk_usage", lambda _: Disk)
    with pytest.raises(OutputError, match=r"9 clips want about 0\.0 GB and 0\.0 GB are free; free some space"):
        run.prepare(mead_clips(archive), tmp_path / "set", "mead", SPLITS)
    assert not list((tmp_path / "set/parts").iterdir())


def test_a_folder_is_of_one_set(prepared: Prepared, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"was prepared with name mead \(now grid\), splits .*; give another folder"):
        run.prepare(Found(), prepared[0], "grid", ("own",))
