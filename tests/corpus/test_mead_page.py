"""docs/mead.md and configs/mead: what they name is there, and every configuration is one that its stage reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from talkinghead.audio.adapter_training import AdapterConfig
from talkinghead.cli import app
from talkinghead.corpus.splits import EAT_TEST, SPLITS
from talkinghead.emotion.emotion_training import EmotionConfig
from talkinghead.errors import ConfigError
from talkinghead.motion.gesture_trainer import GestureConfig
from talkinghead.motion.prior_trainer import PriorConfig
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.synthesis.denoiser import ResidualDenoiser
from talkinghead.synthesis.trainer import DenoiserConfig
from talkinghead.training import load_config

STAGES = {
    "articulator": ArticulatorConfig, "emotion": EmotionConfig, "gesture": GestureConfig, "prior": PriorConfig,
    "denoiser": DenoiserConfig, "mouth_expert": DenoiserConfig, "speech_encoder": AdapterConfig,
}  # fmt: skip


def test_a_section_that_is_not_there_lists_those_that_are(root: Path) -> None:
    those = "it has speech_encoder, speech_encoder_in_noise, articulator, emotion"
    with pytest.raises(ConfigError, match=rf"debug\.yaml: has nothing for articulater; {those}"):
        load_config(root / "configs/debug.yaml", ArticulatorConfig, "articulater")


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    return (root / "docs/mead.md").read_text()


def test_what_the_page_names_is_there(page: str, root: Path) -> None:
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", page, re.S)) + "\n".join(re.findall(r"`([^`\n]*)`", page))
    named = set(re.findall(r"\b(?:scripts|configs)/[\w/]+\.(?:py|yaml)", commands))
    assert len(named) > 10
    assert not [name for name in named if not (root / name).is_file()]
    prepare = typer.main.get_command(app).commands["prepare"]  # type: ignore[attr-defined]
    known = {option for parameter in prepare.params for option in parameter.opts}
    for line in re.findall(r"^talkinghead prepare .*$", commands, re.M):
        assert set(re.findall(r"(?<=\s)--?[a-z][\w-]*", line.partition("#")[0])) <= known, line
    assert {"--views", "--actors", "--transcripts", "--ray-address", "--workers"} <= known
    assert all(name in page for name in (*SPLITS, *EAT_TEST))


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_every_configuration_is_read(root: Path, stage: str, debug: bool) -> None:
    file = root / ("configs/debug.yaml" if debug else f"configs/mead/{stage}.yaml")
    config = load_config(file, STAGES[stage], stage)
    where = "runs/mini" if debug else "runs/mead"
    assert config.output == f"{where}/{'emotion_encoder' if stage == 'emotion' else stage}"
    if stage != "speech_encoder":
        assert config.split in SPLITS
    if stage in ("denoiser", "mouth_expert") and not debug:
        shipped = ResidualDenoiser.load_config(root / config.start_from)
        assert tuple(shipped["channels"]) == config.channels and shipped["residual_scale"] == config.residual_scale
