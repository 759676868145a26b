"""The rig learns how people's skin moves from their tracked points, and from theirs alone."""

import json

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.checkpoints import default_folder
from talkinghead.corpus.splits import read
from talkinghead.errors import CheckpointError, ConfigError
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.refinement import RING_SHARES
from talkinghead.rig.topology import FACE_OVAL
from talkinghead.rig.training import RigConfig, train_rig, with_skin_deltas

SMILE = arkit.INDEX["mouthSmileLeft"]


@pytest.fixture(scope="module")
def rig():
    return FaceRig.from_pretrained(default_folder() / "rig")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, rig):
    """Four people whose smiles go higher than the rig's."""
    folder = tmp_path_factory.mktemp("tracked")
    moved = with_skin_deltas(rig, _other_smile(rig))
    rng, rows = np.random.default_rng(0), []
    for person in ("ana", "ben", "cleo", "dan"):
        for index in range(2):
            scores = np.zeros((24, 52), np.float32)
            for name in ("mouthSmileLeft", "mouthSmileRight", "jawOpen", "browInnerUp"):
                scores[:, arkit.INDEX[name]] = rng.uniform(0, 0.9, 24)
            head = moved.express(scores, np.zeros((24, 2), np.float32), moved.neutral)[:, :478]
            points = 128 + 900 * head * np.array([1, -1, -1]) + rng.normal(0, 0.02, (24, 478, 3))
            file = folder / f"prepared/train/{person}_{index}.npz"
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, points=points.astype(np.float32), scores=scores, presence=np.ones(24, np.float32))
            rows.append({"file": f"train/{person}_{index}.mp4", "split": "train", "identity": person, "audio": False})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _other_smile(rig):
    """One whose corners go 5 mm higher."""
    deltas = rig.deltas[:, :478].astype(np.float64)
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        column = deltas[arkit.INDEX[name]]
        size = np.linalg.norm(column, axis=-1, keepdims=True)
        column += 0.005 * (size / size.max()) ** 2 * [0, 1, 0]
    return deltas


def config_of(folder, output, **changes):
    known = {
        "data": str(folder),
        "prepared": str(folder),
        "split": "",
        "rig": str(default_folder() / "rig"),
        "rounds": 2,
        "prior_strength": 1.0,
    }
    return RigConfig(output=str(output), held_out=0.25, **(known | changes))


def test_a_smile_that_goes_higher_in_the_clips_goes_higher_in_the_rig(prepared, rig, tmp_path):
    said, reports = [], []
    finished = train_rig(config_of(prepared, tmp_path / "run"), said.append, lambda step, values: reports.append(values))
    learnt = FaceRig.from_pretrained(finished)
    corner = np.linalg.norm(rig.deltas[SMILE, :468], axis=-1).argmax()
    higher = learnt.deltas[SMILE, corner] - rig.deltas[SMILE, corner]
    assert 0.001 < higher[1] < 0.007
    assert reports[-1]["explained_lips"] > reports[0]["explained_lips"]  # of who was kept out
    blink = arkit.INDEX["eyeBlinkLeft"]
    np.testing.assert_allclose(learnt.deltas[blink], rig.deltas[blink], atol=1e-7)
    assert read(finished)[0].identities == ("ana", "ben", "cleo", "dan") and (finished / "LICENSE").is_file()
    assert train_rig(config_of(prepared, tmp_path / "run"), said.append) == finished
    np.testing.assert_array_equal(FaceRig.from_pretrained(finished).deltas, learnt.deltas)


def test_the_shell_round_the_face_moves_with_its_rim(rig):
    deltas = rig.deltas[:, :478].astype(np.float64)
    deltas[SMILE, list(FACE_OVAL)] += [0.001, 0, 0]
    change = with_skin_deltas(rig, deltas).deltas[SMILE] - rig.deltas[SMILE]
    shell = change[rig.part("ring")].reshape(len(RING_SHARES), -1, 3)
    np.testing.assert_allclose(shell[..., 0].mean(1), 0.001 * np.array(RING_SHARES), atol=1e-6)


def test_nobody_to_learn_from_and_another_run_are_told(prepared, tmp_path):
    with pytest.raises(ConfigError, match="no tracked clip"):
        train_rig(config_of(prepared, tmp_path / "a", prepared=str(tmp_path)), print)
    with pytest.raises(CheckpointError):
        train_rig(config_of(prepared, tmp_path / "a", rig=str(tmp_path)), print)
    assert not (tmp_path / "a").exists()  # so that the same output takes the mended configuration
    train_rig(config_of(prepared, tmp_path / "b", rounds=0), print)
    with pytest.raises(ConfigError, match="rounds"):
        train_rig(config_of(prepared, tmp_path / "b", rounds=1), print)
