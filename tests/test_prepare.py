"""The scripts that prepare clips: what can be used is made, what cannot is named in a report, and no bad clip stops them."""

import json
import subprocess
import sys

import cv2
import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead.audio.waveform import load_audio
from talkinghead.motion.dataset import speech_clips
from talkinghead.types import SAMPLES_PER_FRAME, Audio
from talkinghead.video.writer import VideoWriter

NUM_FRAMES = 6


def write_video(path, picture, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, Audio(samples) if samples is not None else None) as video:
        for shift in range(NUM_FRAMES):
            video.write(np.ascontiguousarray(np.roll(picture, shift, axis=1)))


@pytest.fixture(scope="module")
def clips(root, astronaut, tmp_path_factory):
    """A folder as the scripts want it: a face that speaks, two of the common talker, and four clips that are none."""
    folder = tmp_path_factory.mktemp("clips")
    picture = cv2.resize(iio.imread(astronaut)[:384, 64:448], (256, 256), interpolation=cv2.INTER_AREA)
    samples = load_audio(root / "assets/speech.wav").samples[16_000 : 16_000 + NUM_FRAMES * SAMPLES_PER_FRAME]
    for name in ("face", "many/a", "many/b"):
        write_video(folder / f"train/{name}.mp4", picture, samples)
    write_video(folder / "train/mute.mp4", picture, None)
    write_video(folder / "train/wall.mp4", np.full_like(picture, 128), samples)
    (folder / "train/broken.mp4").write_bytes(b"no video")
    files = ["many/a", "many/b", "face", "mute", "wall", "broken", "gone"]
    rows = [{"file": f"train/{name}.mp4", "split": "train", "identity": name, "audio": True} for name in files]
    del rows[3]["audio"]
    rows[3]["file"] = "train/mute.mp4"
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def run(root, script, *arguments):
    command = [sys.executable, str(root / "scripts" / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=300, check=False)


@pytest.fixture(scope="module")
def prepared(root, clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    # Where this clip's points should go there is a file: nothing that prepare_data knows of.
    (folder / "prepared/train").mkdir(parents=True)
    (folder / "prepared/train/many").write_text("in the way")
    arguments = (clips, "-o", folder / "prepared", "--workers", 1, "--common-source", "many")
    failed = run(root, "prepare_data.py", *arguments)
    failures = json.loads((folder / "prepared/report.json").read_text())
    (folder / "prepared/train/many").unlink()
    return folder, failed, failures, run(root, "prepare_data.py", *arguments)


def test_tracking_goes_on_after_clips_that_are_none_and_says_which(prepared):
    folder, _, _, done = prepared
    assert done.returncode == 0, done.stderr
    assert "2 clips tracked, 2 were there, 3 left out" in done.stdout
    left_out = json.loads((folder / "prepared/report.json").read_text())
    assert set(left_out) == {"train/wall.mp4", "train/broken.mp4", "train/gone.mp4"}
    assert "the face is seen in 0% of its frames" in left_out["train/wall.mp4"] and "no such file" in left_out["train/gone.mp4"]
    with np.load(folder / "prepared/train/many/a.npz") as file:
        assert file["points"].shape == (NUM_FRAMES, 478, 3) and (file["presence"] > 0).all()


def test_what_nobody_thought_of_is_in_the_report_too_and_is_a_failure(prepared):
    _, failed, failures, _ = prepared
    assert failed.returncode == 1 and "2 clips failed in a way that is no fault of theirs" in failed.stderr
    assert "2 clips tracked" in failed.stdout
    assert failures["train/many/a.mp4"].startswith(("FileExistsError", "NotADirectoryError"))


def test_speech_and_motion_of_what_was_tracked(root, clips, prepared):
    folder = prepared[0]
    damaged = folder / "prepared/train/wall.npz"
    damaged.write_bytes(b"no arrays")
    paths = [word for name in ("prepared", "features", "motion") for word in (f"--{name}", folder / name)]
    done = run(root, "prepare_speech.py", clips, *paths, "--common-source", "many")
    damaged.unlink()
    assert done.returncode == 0, done.stderr
    assert "8 clips and voices are ready, 5 left out" in done.stdout
    left_out = json.loads((folder / "features/report.json").read_text())
    unheard = {"voices/plain/train_broken", "voices/plain/train_gone"}
    assert set(left_out) == {"train/wall.mp4", "train/broken.mp4", "train/gone.mp4"} | unheard
    with np.load(folder / "features/voices/plain/train_face.npz") as file:
        assert file["voice"].shape[1] == 3 * 384 and len(file["voice"]) >= NUM_FRAMES
    with np.load(folder / "features/voices_varied/2/plain/train_face.npz") as file:
        assert file["voice"].shape[1] > 0 and len(file["voice"]) > 0.8 * NUM_FRAMES
    assert (folder / "motion/train/mute.npz").is_file() and not (folder / "features/train/mute.npz").exists()
    names = [clip.name for clip in speech_clips(clips, folder, "train", aligned=True)]
    assert sorted(names) == ["train/face", "train/many/a", "train/many/b"]


def test_meshes_of_what_was_tracked(root, clips, prepared):
    folder = prepared[0]
    (folder / "prepared/train/broken.npz").write_bytes((folder / "prepared/train/face.npz").read_bytes())
    arguments = ("--prepared", folder / "prepared", "-o", folder / "meshes", "--common-source", "many", "--max-common", 1)
    done = run(root, "prepare_meshes.py", clips, *arguments)
    (folder / "prepared/train/broken.npz").unlink()
    assert done.returncode == 0, done.stderr
    assert "3 clips and photographs are ready, 1 left out" in done.stdout
    assert set(json.loads((folder / "meshes/report.json").read_text())) == {"train/broken.mp4"}
    assert not (folder / "meshes/train/many/b.npz").exists()
    with np.load(folder / "meshes/train/face.npz") as file:
        assert file["frames"].shape == (NUM_FRAMES // 2, 256, 256, 3) and len(file["meshes"]) == NUM_FRAMES // 2


@pytest.mark.parametrize("script", ["prepare_data.py", "prepare_speech.py", "prepare_meshes.py"])
def test_a_folder_that_is_none_is_an_error(root, tmp_path, script):
    done = run(root, script, tmp_path / "none")
    assert done.returncode == 1 and "no such file; give the folder that holds manifest.jsonl" in done.stderr
