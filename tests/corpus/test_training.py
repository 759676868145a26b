"""Trainers on a prepared set: they learn from the split's training people alone, and what they leave says so."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from talkinghead.corpus.splits import TrainedOn, check_overlap, read
from talkinghead.emotion.emotion_training import EmotionConfig, train_emotion_encoder
from talkinghead.emotion.voices import joined, load_clips
from talkinghead.errors import ConfigError, InputError
from talkinghead.motion.prior_trainer import PriorConfig, train_prior
from talkinghead.preparation.run import Summary
from talkinghead.training_log import RunLog
from talkinghead.types import EMOTIONS

Prepared = tuple[Path, Summary]
EAT_TRAIN = TrainedOn("mead", "eat", ("W011", "W040"), 2)


def test_a_trainer_learns_from_the_split_and_records_it(prepared: Prepared, tmp_path: Path) -> None:
    data = str(prepared[0])
    config = PriorConfig(
        data, data, split="eat", output=str(tmp_path / "prior"), held_out_share=0, width=8, latent=2, window_frames=8,
        batch_size=2, steps=2, save_every=1,
    )  # fmt: skip
    log = RunLog(tmp_path / "prior", Path("prior.yaml"))
    folder = train_prior(config, report=log)
    assert read(folder) == [EAT_TRAIN]
    lines = [json.loads(line) for line in (tmp_path / "prior/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2] and all(line["value"] > 0 for line in lines)
    assert json.loads((tmp_path / "prior/versions.json").read_text())["packages"]["torch"]
    check_overlap(folder, "eat")
    with pytest.raises(InputError, match=r"was trained \(split eat\) on W040, whom this split tests"):
        check_overlap(folder, "emote")


def test_the_newest_picture_of_a_run_is_kept(tmp_path: Path) -> None:
    log = RunLog(tmp_path, Path("denoiser.yaml"))
    for step in (1, 2):
        log.show(step, np.full((8, 12, 3), 90 * step, np.uint8))
    np.testing.assert_array_equal(iio.imread(tmp_path / "samples.png"), np.full((8, 12, 3), 180, np.uint8))
    assert not list(tmp_path.glob(".samples*"))


def test_without_a_split_nothing_is_trained(prepared: Prepared, tmp_path: Path) -> None:
    data = str(prepared[0])
    with pytest.raises(ConfigError, match="has the splits eat, emote, official; write `split: eat`"):
        train_prior(PriorConfig(data, data, output=str(tmp_path)))


def test_emotion_is_learnt_from_the_set_s_labels(prepared: Prepared, tmp_path: Path) -> None:
    voices = load_clips(prepared[0], "emote", crops=1, seed=0)
    # emote trains on M003 and W011; one of M003's clips has no sound.
    whole = voices.whole
    said = {(voices.speaker[i], EMOTIONS[voices.label[i]], round(float(voices.strength[i]), 3)) for i in np.flatnonzero(whole)}
    assert said == {
        ("mead M003", "angry", 0.333), ("mead M003", "happy", 1.0), ("mead M003", "sad", 0.667), ("mead W011", "neutral", 0.0)
    }  # fmt: skip
    assert whole.sum() == 5 and len(whole) == 10
    twice = joined([voices, voices])
    assert len(np.unique(twice.recording)) == 2 * len(np.unique(voices.recording)) and len(twice.label) == 20
    config = EmotionConfig(
        "", "", str(tmp_path / "emotion"), str(prepared[0]), "emote", hidden=4, members=1, epochs=1, folds=2, batch_size=4
    )
    folder = train_emotion_encoder(config, lambda _: None)
    assert read(folder) == [TrainedOn("mead", "emote", ("M003", "W011"), 6)]
    assert "mead" in json.loads((tmp_path / "emotion/held_out.json").read_text())
    with pytest.raises(ConfigError, match="voices, data: are both empty"):
        train_emotion_encoder(EmotionConfig("", ""), lambda _: None)
