"""Clips of known emotions give them back; few clips move what was believed a little; an adaptation changes its own."""

import json
from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.corpus.splits import read
from talkinghead.errors import CheckpointError, ConfigError, InputError
from talkinghead.motion.expression import PROTOTYPE_MATRIX, expression
from talkinghead.motion.expression_fitting import (
    ExpressionConfig,
    explained_away,
    labelled_clips,
    load_prototypes,
    train_expression,
)
from talkinghead.motion.io import save_motion
from talkinghead.motion.pipeline import MotionPipeline
from talkinghead.types import EMOTIONS, EmotionTrack, FaceMotion

FRAMES = 30
HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")
OTHER_FACES = np.roll(PROTOTYPE_MATRIX, 3, axis=1) * 0.8
OTHER_FACES[:, [*arkit.EYE_LOOK, arkit.INDEX["tongueOut"]]] = 0
OTHER_FACES[EMOTIONS.index("neutral")] = 0
"""People who show everything with other muscles."""


def a_set(folder: Path, clips: int = 3, people=("ana", "bob", "eva"), emotions=EMOTIONS) -> Path:
    """Talkers with a resting face of their own, who show `OTHER_FACES` at MEAD's levels while the jaw goes up and down."""
    rows = []
    for number, person in enumerate(people):
        random = np.random.default_rng(number)
        resting = 0.1 * random.uniform(size=52).astype(np.float32)
        for emotion in emotions:
            for clip in range(clips):
                level = 1 + clip % 3
                strength = 0 if emotion == "neutral" else level / 3
                motion = FaceMotion.neutral(FRAMES)
                motion.blendshapes[:] = 0.6 * (resting + strength * OTHER_FACES[EMOTIONS.index(emotion)])
                motion.blendshapes[:, arkit.INDEX["jawOpen"]] += 0.2 + 0.2 * np.sin(np.arange(FRAMES) * 2 * np.pi / 10)
                file = f"train/{person}_{emotion}_{clip}.mp4"
                (folder / "motion" / file).parent.mkdir(parents=True, exist_ok=True)
                save_motion((folder / "motion" / file).with_suffix(".npz"), motion)
                rows.append({"file": file, "split": "train", "identity": person, "emotion": emotion, "level": level})
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return folder


def config(folder: Path, **changes) -> ExpressionConfig:
    own = {"data": str(folder), "prepared": str(folder), "split": "", "output": str(folder / "run")}
    return ExpressionConfig(**own | changes)


def test_many_clips_give_back_what_people_show(tmp_path):
    said, seen = [], {}
    folder = train_expression(config(a_set(tmp_path), belief=1e-6), said.append, lambda step, values: seen.update(values))
    np.testing.assert_allclose(load_prototypes(folder), 0.6 * OTHER_FACES, atol=1e-5)
    assert seen["left over"] < 1e-6 and seen["left over, people not seen"] < 1e-6 and seen["left over, before"] > 0.5
    assert "72 clips of 3 people" in said[0] and "364 numbers" in said[0]
    (trained,) = read(folder)
    assert trained.identities == ("ana", "bob", "eva") and trained.num_clips == 72


def test_a_belief_holds_few_clips_back(tmp_path):
    a_set(tmp_path)
    shown = 0.6 * OTHER_FACES[HAPPY]
    distances = []
    for belief in (0.1, 2.0, 1000.0):
        prototypes = load_prototypes(train_expression(config(tmp_path, belief=belief), lambda _: None))
        distances.append(np.abs(prototypes[HAPPY] - shown).sum())
    assert distances == sorted(distances) and distances[0] < 0.2 * distances[2]
    np.testing.assert_allclose(prototypes[HAPPY], PROTOTYPE_MATRIX[HAPPY], atol=0.01)


def test_an_adaptation_changes_its_own_emotion_alone(tmp_path):
    a_set(tmp_path)
    whole = train_expression(config(tmp_path), lambda _: None)
    own = {"start_from": str(whole), "emotions": ("sad",), "identities": ("bob",), "max_clips": 1, "belief": 0.1}
    adapted = train_expression(config(tmp_path, output=str(tmp_path / "adapted"), **own), lambda _: None)
    before, after = load_prototypes(whole), load_prototypes(adapted)
    changed = np.flatnonzero((before != after).any(1))
    np.testing.assert_array_equal(changed, [SAD])
    shown = 0.6 * OTHER_FACES[SAD]
    assert np.abs(after[SAD] - shown).sum() < 0.7 * np.abs(before[SAD] - shown).sum()
    assert [trained.num_clips for trained in read(adapted)] == [72, 2]


def test_level_is_strength_and_neutral_is_each_persons_own(tmp_path):
    _, clips = labelled_clips(_store(a_set(tmp_path)), config(tmp_path))
    happy = [clip for clip in clips if clip.emotion == HAPPY and clip.identity == "ana"]
    assert [clip.strength for clip in happy] == pytest.approx([1 / 3, 2 / 3, 1])
    assert explained_away(clips, 0.6 * OTHER_FACES) < 1e-6 < explained_away(clips, 0.3 * OTHER_FACES)


def _store(folder: Path):
    from talkinghead.corpus.store import open_clips

    return open_clips(folder, folder)


def test_a_checkpoint_shows_what_was_learnt_and_none_shows_the_action_units(tmp_path, root):
    track = EmotionTrack.from_activation(np.tile(np.eye(8, dtype=np.float32)[HAPPY], (20, 3, 1)))
    folder = train_expression(config(a_set(tmp_path), belief=1e-6), lambda _: None)
    for name in ("articulator", "gesture"):
        (tmp_path / name).symlink_to(root / "checkpoints/default" / name)
    own, default = (
        MotionPipeline.from_pretrained(folder.parent.parent),
        MotionPipeline.from_pretrained(root / "checkpoints/default"),
    )
    np.testing.assert_array_equal(default.prototypes, PROTOTYPE_MATRIX)
    np.testing.assert_array_equal(own.prototypes, PROTOTYPE_MATRIX)  # no folder `expression` there
    (tmp_path / "expression").symlink_to(folder)
    own = MotionPipeline.from_pretrained(tmp_path)
    shown = [expression(track, 3, pipeline.prototypes).mean(0) for pipeline in (own, default)]
    assert np.corrcoef(shown[0], 0.6 * OTHER_FACES[HAPPY])[0, 1] > 0.95 > np.corrcoef(shown[1], OTHER_FACES[HAPPY])[0, 1]


def test_what_cannot_be_learnt_is_said(tmp_path):
    with pytest.raises(ConfigError, match="emotions: hapy unknown; choose from angry"):
        train_expression(config(tmp_path, emotions=("hapy",)), lambda _: None)
    a_set(tmp_path, 1, emotions=("happy", "sad"))
    with pytest.raises(InputError, match="no training clip of an emotion by somebody whose neutral face is there too"):
        train_expression(config(tmp_path), lambda _: None)
    with pytest.raises(CheckpointError, match="no such folder"):
        train_expression(config(tmp_path, start_from=str(tmp_path / "none")), lambda _: None)
    (tmp_path / "bad").mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_prototypes(tmp_path / "bad")
