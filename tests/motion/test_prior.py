import dataclasses
import json

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.errors import CheckpointError, ConfigError, InputError
from talkinghead.motion.io import save_motion
from talkinghead.motion.prior import COLUMNS, INDICES, MotionPrior
from talkinghead.motion.prior_trainer import MIRROR, PriorConfig, batch, rest_and_rise, talkers_of, train_prior
from talkinghead.types import FaceMotion

PAIR = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
JAW = arkit.INDEX["jawOpen"]


def talking(num_frames: int, seed: int) -> np.ndarray:
    """A mouth that only knows two things: a slow jaw, and smiles of both sides alike."""
    random, time = np.random.default_rng(seed), np.arange(num_frames) / 25
    blendshapes = np.zeros((num_frames, 52), np.float32)
    blendshapes[:, JAW] = 0.2 + 0.2 * np.sin(2 * np.pi * random.uniform(1, 2) * time + random.uniform(0, 6))
    blendshapes[:, PAIR] = 0.3 + 0.3 * np.sin(2 * np.pi * random.uniform(0.2, 0.6) * time + random.uniform(0, 6))[:, None]
    return blendshapes


def motion_of(blendshapes: np.ndarray) -> FaceMotion:
    still = FaceMotion.neutral(len(blendshapes))
    return FaceMotion(blendshapes, still.head_rotation, still.head_translation, still.gaze)


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> PriorConfig:
    root = tmp_path_factory.mktemp("prior")
    rows = []
    for index in range(10):
        file = f"train/made/{index}.mp4"
        rows.append({"file": file, "split": "train", "identity": f"p{index}", "audio": False})
        path = (root / "motion" / file).with_suffix(".npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_motion(path, motion_of(talking(120, index)))
    (root / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return PriorConfig(
        data=str(root),
        prepared=str(root),
        output=str(root / "run"),
        width=32,
        latent=4,
        steps=300,
        batch_size=16,
        save_every=100,
    )


@pytest.fixture(scope="module")
def prior(config) -> MotionPrior:
    return MotionPrior.load(train_prior(config))


def test_it_keeps_what_people_do_and_not_what_they_do_not(config, prior) -> None:
    (_, held_out), *_ = next(iter(talkers_of(config, held_out=True).values()))
    random = np.random.default_rng(0)
    one_sided, trembling = held_out.copy(), held_out.copy()
    one_sided[:, PAIR[0]] = np.clip(0.9 - held_out[:, PAIR[0]], 0, 1)
    trembling[:, INDICES] = np.clip(trembling[:, INDICES] + random.normal(0, 0.1, (len(held_out), len(INDICES))), 0, 1)
    real = prior.distance(held_out).mean()
    assert prior.distance(one_sided).mean() > 1.5 * real and prior.distance(trembling).mean() > 1.5 * real
    nearest = prior.nearest(trembling)
    assert (
        np.abs(np.diff(nearest[:, INDICES], 2, axis=0)).mean() < 0.5 * np.abs(np.diff(trembling[:, INDICES], 2, axis=0)).mean()
    )
    assert np.corrcoef(prior.nearest(held_out)[:, JAW], held_out[:, JAW])[0, 1] > 0.9


def test_the_rest_of_the_face_is_left_alone_and_any_length_will_do(prior) -> None:
    for num_frames in (1, 3, 50):
        blendshapes = np.random.default_rng(num_frames).uniform(0, 1, (num_frames, 52)).astype(np.float32)
        nearest = prior.nearest(blendshapes)
        others = np.setdiff1d(np.arange(52), INDICES)
        np.testing.assert_array_equal(nearest[:, others], blendshapes[:, others])
        assert nearest.shape == blendshapes.shape and 0 <= nearest.min() <= nearest.max() <= 1
        assert prior.distance(blendshapes).shape == (num_frames,)


def test_held_out_talkers_teach_nothing(config) -> None:
    teach, others = talkers_of(config, held_out=False), talkers_of(config, held_out=True)
    assert len(teach) == 8 and len(others) == 2 and not set(teach) & set(others)
    with pytest.raises(InputError, match="no tracked clip"):
        talkers_of(dataclasses.replace(config, window_frames=400), held_out=False)


def test_a_mirrored_window_is_the_other_side(config) -> None:
    left, right = COLUMNS.index("jawLeft"), COLUMNS.index("jawRight")
    assert MIRROR[left] == right and [MIRROR[index] for index in MIRROR] == list(range(len(COLUMNS)))
    rest, rise = rest_and_rise(talking(100, 0) + np.float32(0.3))
    windows = batch([[(rest, rise)]], config, np.random.default_rng(0))
    assert windows.shape == (16, 48, len(COLUMNS)) and windows.min() >= 0
    lowest = windows[:, :, COLUMNS.index("jawOpen")].min(1)
    assert lowest.min() < 0.1 and lowest.max() > 0.2


def test_a_run_that_was_stopped_ends_where_it_would_have_ended(config, tmp_path, monkeypatch) -> None:
    from talkinghead.motion import prior_trainer

    short = dataclasses.replace(config, steps=20, save_every=5)
    whole = MotionPrior.load(train_prior(dataclasses.replace(short, output=str(tmp_path / "whole"))))
    stopped = dataclasses.replace(short, output=str(tmp_path / "stopped"))
    save = prior_trainer._save

    def stop(folder, run, model, optimiser, step):
        save(folder, run, model, optimiser, step)
        if step == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(prior_trainer, "_save", stop)
    with pytest.raises(KeyboardInterrupt):
        train_prior(stopped)
    monkeypatch.setattr(prior_trainer, "_save", save)
    steps = []
    again = MotionPrior.load(train_prior(stopped, steps.append))
    assert [line.split()[1] for line in steps] == ["15", "20"]
    for ours, theirs in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(ConfigError):
        train_prior(dataclasses.replace(stopped, latent=5))


def test_what_is_no_prior_says_so(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="not a motion prior"):
        MotionPrior.load(tmp_path)
    MotionPrior(16, 2, COLUMNS[:3], (1.0,) * 3).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="another version"):
        MotionPrior.load(tmp_path)
