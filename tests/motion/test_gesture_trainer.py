import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from talkinghead.errors import ConfigError
from talkinghead.motion.gesture import GestureModel
from talkinghead.motion.gesture_dataset import gesture_clips, usual_deviations
from talkinghead.motion.gesture_trainer import GestureConfig, GestureTrainer, train_gesture
from talkinghead.motion.io import save_motion
from talkinghead.types import FaceMotion


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Six talkers of train and one of eval who sway, one with two clips, one clip too short; half of them are heard."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    rows = []
    for number, (talker, split, num_frames) in enumerate(
        [(f"t{i}", "train", 90) for i in range(6)] + [("t0", "train", 80), ("t1", "train", 20), ("e0", "eval", 90)]
    ):
        name = f"{split}/clips/{number}"
        motion = FaceMotion.neutral(num_frames)
        sway = np.cumsum(random.standard_normal((num_frames, 8)), 0).astype(np.float32)
        motion.head_rotation[:], motion.head_translation[:] = 0.01 * sway[:, :3], 0.001 * sway[:, 3:6]
        motion.gaze[:] = 0.01 * sway[:, 6:]
        motion.blendshapes[40:44, [0, 7]] = 0.9
        for stage in ("motion", "features"):
            (folder / stage / name).parent.mkdir(parents=True, exist_ok=True)
        save_motion(folder / "motion" / f"{name}.npz", motion)
        audio = number % 2 == 0
        if audio:
            np.savez(folder / "features" / f"{name}.npz", loudness=random.uniform(-40, -20, num_frames).astype(np.float32))
        rows.append({"file": f"{name}.mp4", "split": split, "identity": talker, "audio": audio})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def config(data: Path, tmp_path: Path) -> GestureConfig:
    return GestureConfig(
        data=str(data), prepared=str(data), output=str(tmp_path / "run"), width=8, dilations=(1,), steps=6, batch_size=2,
        save_every=3, held_out_every=3,
    )  # fmt: skip


def test_only_long_enough_clips_of_the_split_are_read(data: Path) -> None:
    clips = list(gesture_clips(data, data, "train", 72, 10))
    assert sorted(clip.talker for clip in clips) == ["t0", "t0", "t1", "t2", "t3", "t4", "t5"]
    assert len(list(gesture_clips(data, data, "train", 72, 1))) == 6
    assert [clip.talker for clip in gesture_clips(data, data, "eval", 72, 10)] == ["e0"]
    assert [bool(clip.voice.any()) for clip in clips] == [True, False, True, False, True, False, True]
    assert usual_deviations(clips)[:2] == pytest.approx(np.median([c.curves[:, :2].std(0) for c in clips], 0), rel=0.5)


def test_killed_and_started_again_it_ends_where_it_would_have_ended(config: GestureConfig, tmp_path: Path) -> None:
    said: list[str] = []
    whole = train_gesture(config, said.append)
    assert "held-out talkers" in said[-2] and "6 steps in" in said[-1]
    again = replace(config, output=str(tmp_path / "again"))

    class Killed(Exception):
        pass

    def killed(message: str) -> None:
        if "step 3" in message:
            raise Killed

    with pytest.raises(Killed):
        train_gesture(again, killed)
    assert not (tmp_path / "again/gesture").exists()
    resumed = train_gesture(again, said.append)
    assert "going on from step 3" in said
    one, two = (GestureModel.from_pretrained(folder).denoiser for folder in (whole, resumed))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    with pytest.raises(ConfigError, match="was trained with width 8"):
        train_gesture(replace(again, width=16), said.append)


def test_it_learns(config: GestureConfig) -> None:
    trainer = GestureTrainer(replace(config, width=32, steps=80, batch_size=8, learning_rate=3e-3, warmup_steps=5))
    assert {clip.talker for clip in trainer.held_out} == {"t0", "t3"}
    losses = [trainer.train_step() for _ in range(80)]
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:10])


def test_an_adaptation_learns_little_beside_a_frozen_model(config: GestureConfig, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    base = train_gesture(replace(config, output=str(tmp_path / "base"), steps=30, learning_rate=0.03), lambda _: None)
    of_one = {"start_from": str(base), "lora_rank": 2, "identities": ("t0",), "held_out_every": 0, "learning_rate": 0.03}
    adapting = replace(config, **of_one)
    trainer = GestureTrainer(adapting)
    assert {clip.talker for clip in trainer.clips} == {"t0"}
    assert trainer.num_learnt < 0.2 * sum(value.numel() for value in GestureTrainer(config).model.parameters())
    inputs = [x[:2] for x in trainer.batch(trainer.clips, np.random.default_rng(0))]

    def velocity(model: torch.nn.Module) -> torch.Tensor:
        gestures, known, voice, lively = inputs
        with torch.no_grad():
            return model.eval()(gestures, torch.full((2,), 0.5), gestures, known, voice, lively)

    before = velocity(GestureModel.from_pretrained(base).denoiser)
    torch.testing.assert_close(velocity(trainer.finished()), before)
    frozen = {name: value.clone() for name, value in trainer.model.named_parameters() if not value.requires_grad}
    for _ in range(6):
        trainer.train_step()
    after = dict(trainer.model.named_parameters())
    assert frozen and all(torch.equal(value, after[name]) for name, value in frozen.items())
    torch.testing.assert_close(velocity(trainer.finished()), velocity(trainer.model))  # merged is what was beside
    moved = (velocity(trainer.finished()) - before).abs().max()
    assert moved > 1e-4 * before.abs().max()
    said: list[str] = []
    whole = train_gesture(adapting, said.append)
    assert GestureModel.from_pretrained(whole).scale == pytest.approx(GestureModel.from_pretrained(base).scale)
    assert f"{trainer.num_learnt:,} of " in said[-1]
    with pytest.raises(ConfigError, match="lora_rank 2: adapts a model; give start_from"):
        GestureTrainer(replace(adapting, start_from=""))


def test_without_clips_it_says_what_to_do(config: GestureConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no tracked training clip of 72 frames; run scripts/prepare_speech\.py"):
        GestureTrainer(replace(config, prepared=str(tmp_path)))
    with pytest.raises(ConfigError, match="window_frames 70: give a multiple of token_frames 4"):
        GestureTrainer(replace(config, window_frames=70))
    with pytest.raises(ConfigError, match="window_frames 24: a window goes on from the 24 frames before; give 28 or more"):
        GestureTrainer(replace(config, window_frames=24))
