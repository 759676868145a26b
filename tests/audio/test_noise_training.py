"""An adapter that learns to hear in noise what it hears without."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("peft")

from talkinghead.audio.adapter import ArticulationAdapter
from talkinghead.audio.noise_training import NoiseConfig, NoiseStudent, train_in_noise
from talkinghead.audio.speech_encoder import upper_blocks
from talkinghead.audio.voice import speak
from talkinghead.errors import CheckpointError, ConfigError
from talkinghead.motion.articulator import Articulator
from talkinghead.training import load_config, save_arrays

DEFAULT = Path(__file__).parents[2] / "checkpoints/default"


@pytest.fixture(scope="module")
def kernel() -> torch.Tensor:
    return Articulator.load(DEFAULT / "articulator").kernel


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> NoiseConfig:
    folder = tmp_path_factory.mktemp("noise")
    for number, text in enumerate(("papa fava mama", "bobby vim fob")):
        samples = (speak(text, "nl").audio.samples * 32767).astype(np.int16)
        save_arrays(folder / f"made_up/{number}.npz", samples=samples)
    return NoiseConfig(
        recordings=(str(folder / "made_up"),), encoder=str(DEFAULT / "speech_encoder"), output=str(folder / "run"), steps=6,
        batch_size=2, crop_s=1.0, warmup_steps=1, save_every=2,
    )  # fmt: skip


def test_what_the_articulator_reads_is_its_kernel(kernel: torch.Tensor) -> None:
    articulator = Articulator.load(DEFAULT / "articulator")
    content = torch.randn(1, 9, kernel.shape[1])
    said = articulator.components(articulator.readout(content.transpose(1, 2)).transpose(1, 2))
    read = torch.nn.functional.conv1d(content.transpose(1, 2), kernel).transpose(1, 2)
    constant = said - read
    assert torch.allclose(constant, constant[:, :1].expand_as(constant), atol=1e-3) and said.std() > 0.1


def test_the_teacher_hears_what_the_student_hears_but_for_the_noise(config: NoiseConfig, kernel: torch.Tensor) -> None:
    clean, heard = NoiseStudent(replace(config, clean_share=1.0), kernel).batch(0)
    assert torch.equal(clean, heard) and clean.shape == (2, 80, 100)
    same, noisy = NoiseStudent(replace(config, clean_share=0.0), kernel).batch(0)
    assert all(not torch.allclose(a, b, atol=0.05) for a, b in zip(same, noisy, strict=True))


def test_the_student_comes_to_say_in_noise_what_the_teacher_says_without(config: NoiseConfig, kernel: torch.Tensor) -> None:
    taught = NoiseStudent(replace(config, clean_share=0.0, steps=40, learning_rate=1e-3), kernel)
    clean, heard = taught.batch(0)
    with torch.no_grad():
        wanted = upper_blocks(taught._teacher, clean)
        before = (taught.learner.hear(heard) - wanted).square().mean()
        assert (taught.learner.hear(clean) - wanted).square().mean() < 1e-6, "it begins as the teacher"
    taught.batch = lambda step: (clean, heard)  # type: ignore[method-assign]
    for _ in range(12):
        taught.train_step()
    with torch.no_grad():
        assert (taught.learner.hear(heard) - wanted).square().mean() < 0.8 * before


def test_killed_and_started_again_it_ends_where_it_would_have_ended(
    config: NoiseConfig, kernel: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ArticulationAdapter.load(train_in_noise(config, kernel, lambda _: None))
    cut, step = replace(config, output=config.output + "_cut"), NoiseStudent.train_step

    def killed(self: NoiseStudent) -> float:
        if self.learner.step == 5:
            raise KeyboardInterrupt
        return step(self)

    monkeypatch.setattr(NoiseStudent, "train_step", killed)
    with pytest.raises(KeyboardInterrupt):
        train_in_noise(cut, kernel, lambda _: None)
    monkeypatch.undo()
    said: list[str] = []
    resumed = ArticulationAdapter.load(train_in_noise(cut, kernel, said.append))
    assert said[0] == "going on from step 4"
    assert all(torch.equal(whole.up[name], resumed.up[name]) for name in whole.up) and torch.equal(whole.weight, resumed.weight)


def test_a_folder_without_speech_and_an_encoder_that_knows_no_phones_are_refused(
    config: NoiseConfig, kernel: torch.Tensor, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no speech there"):
        NoiseStudent(replace(config, recordings=(str(tmp_path),)), kernel)
    with pytest.raises(ConfigError, match="give one share a folder"):
        NoiseStudent(replace(config, shares=(0.5, 0.5)), kernel)
    with pytest.raises(CheckpointError, match=r"train\.py speech_encoder"):
        NoiseStudent(replace(config, encoder=str(tmp_path)), kernel)


@pytest.mark.parametrize("name", ["speech_encoder_in_noise", "debug"])
def test_its_configurations_are_read(name: str) -> None:
    config = load_config(DEFAULT.parents[1] / f"configs/{name}.yaml", NoiseConfig, "speech_encoder_in_noise")
    assert config.output.endswith("speech_encoder_in_noise") and len(config.recordings) == len(config.shares)


def test_shares_that_are_no_odds_and_files_without_sound_are_refused(
    config: NoiseConfig, kernel: torch.Tensor, tmp_path: Path
) -> None:
    for shares in ((0.0,), (-1.0,)):
        with pytest.raises(ConfigError, match="are no odds"):
            NoiseStudent(replace(config, shares=shares), kernel)
    save_arrays(tmp_path / "tracked.npz", points=np.zeros(3))
    with pytest.raises(ConfigError, match="holds no samples"):
        NoiseStudent(replace(config, recordings=(str(tmp_path),)), kernel)
