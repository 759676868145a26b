from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("peft")

from talkinghead.audio.adapter import ArticulationAdapter
from talkinghead.audio.adapter_training import AdapterConfig, AdapterTrainer, train_adapter
from talkinghead.audio.phones import STEPS_PER_SECOND
from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.audio.voice import speak
from talkinghead.errors import ConfigError
from talkinghead.training import save_arrays

ENCODER = Path(__file__).parents[2] / "checkpoints/default/speech_encoder"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> AdapterConfig:
    folder = tmp_path_factory.mktemp("phones")
    for number, text in enumerate(("papa fava mama", "bobby vim fob")):
        spoken = speak(text, "nl")
        symbols, starts, ends = zip(*((p.symbol, p.start_s, p.end_s) for p in spoken.phonemes), strict=True)
        whole = (spoken.audio.samples * 32767).astype(np.int16)
        save_arrays(folder / f"phones/made_up/{number}.npz", samples=whole, symbols=symbols, starts=starts, ends=ends)
    return AdapterConfig(
        phones=str(folder / "phones"), encoder=str(ENCODER), output=str(folder / "run"), sources=("made_up",), shares=(1.0,),
        rank=2, steps=6, batch_size=2, crop_s=1.0, warmup_steps=1, save_every=2,
    )  # fmt: skip


def test_training_lowers_the_loss_and_leaves_an_adapter_that_is_heard(config: AdapterConfig) -> None:
    said: list[str] = []
    file = train_adapter(replace(config, steps=12, readout_rate=5e-3, output=config.output + "_long"), said.append)
    losses = [float(line.split()[-1]) for line in said if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]
    bare = SpeechEncoder.from_pretrained(ENCODER).network
    audio = speak("papa", "nl").audio
    adapted, plain = SpeechEncoder(bare, ArticulationAdapter.load(file)).encode(audio), SpeechEncoder(bare).encode(audio)
    assert adapted.articulation is not None and np.abs(adapted.content - plain.content).max() > 1e-4


def test_killed_and_started_again_it_ends_where_it_would_have_ended(config: AdapterConfig, monkeypatch) -> None:
    whole = ArticulationAdapter.load(train_adapter(config, lambda _: None))
    cut = replace(config, output=config.output + "_cut")
    step = AdapterTrainer.train_step

    def killed(self: AdapterTrainer) -> float:
        if self.learner.step == 5:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(AdapterTrainer, "train_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train_adapter(cut, lambda _: None)
    monkeypatch.undo()
    said: list[str] = []
    resumed = ArticulationAdapter.load(train_adapter(cut, said.append))
    assert said[0] == "going on from step 4"
    assert all(torch.equal(whole.up[name], resumed.up[name]) for name in whole.up) and torch.equal(whole.weight, resumed.weight)


def test_what_a_step_learns_from_is_labelled_where_it_is_known(config: AdapterConfig) -> None:
    mels, shares, known = AdapterTrainer(config).batch(3)
    assert mels.shape == (2, 80, 100) and shares.shape[:2] == known.shape == (2, STEPS_PER_SECOND)
    assert shares.max() == 1 and known.max() == 1 and not shares[known == 0].any()


def test_a_source_without_recordings_and_another_configuration_are_refused(config: AdapterConfig) -> None:
    with pytest.raises(ConfigError, match=r"nothing in grid; run scripts/prepare_phones\.py"):
        train_adapter(
            replace(config, sources=("made_up", "grid"), shares=(1.0, 1.0), output=config.output + "_none"), lambda _: None
        )
    train_adapter(config, lambda _: None)
    with pytest.raises(ConfigError, match="rank"):
        train_adapter(replace(config, rank=3), lambda _: None)
