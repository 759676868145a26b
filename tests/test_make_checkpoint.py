"""What training leaves becomes a folder that `--checkpoint` takes."""

import importlib.util
import json
import shutil
import sys

import numpy as np
import pytest
import torch

from talkinghead.checkpoints import checkpoint_folder, missing_files
from talkinghead.corpus.splits import TrainedOn, read, record
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.expression import PROTOTYPE_MATRIX
from talkinghead.motion.expression_fitting import save_prototypes
from talkinghead.motion.gesture_denoiser import GestureDenoiser
from talkinghead.motion.pipeline import MotionPipeline
from talkinghead.pipeline import TalkingHead
from talkinghead.synthesis.denoiser import ResidualDenoiser


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The three stages as their trainers leave them, tiny."""
    folder = tmp_path_factory.mktemp("runs")
    torch.manual_seed(0)
    Articulator(content_width=1536).save_pretrained(folder / "articulator/articulator")
    (folder / "articulator/config.json").write_text("{}")
    GestureDenoiser(width=8, dilations=(1,), blinks_per_minute=11.0).save_pretrained(folder / "gesture/gesture")
    record(folder / "gesture/gesture", [TrainedOn("mead", "eat", ("W011",), 3)])
    ResidualDenoiser(channels=(4, 8)).half().save_pretrained(folder / "denoiser/denoiser")
    return folder


@pytest.fixture(scope="module")
def script(root):
    spec = importlib.util.spec_from_file_location("make_checkpoint", root / "scripts/make_checkpoint.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make(script, monkeypatch):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["make_checkpoint.py", *map(str, arguments)])
        script.main()

    return call


def test_what_was_trained_is_in_its_place_and_all_else_as_it_was(make, runs, root, tmp_path, capsys):
    output = tmp_path / "mine"
    make(runs, "-o", output)
    assert not missing_files(output) and [path.name for path in tmp_path.iterdir()] == ["mine"]
    head = TalkingHead.from_pretrained(output, device="cpu")
    trained = Articulator.load(runs / "articulator/articulator")
    assert torch.equal(head.motion.articulator.readout.weight, trained.readout.weight)
    assert head.motion.gestures.habits.per_minute == 11.0
    # Whom each was trained on goes with it.
    assert [each.identities for each in read(output / "gesture")] == [("W011",)] and read(output) == read(output / "gesture")
    assert tuple(head.renderer.denoiser.config.channels) == (4, 8)
    default = root / "checkpoints/default"
    for name in ("rig/rig.safetensors", "speech_encoder/model.safetensors", "renderer/scheduler/scheduler_config.json"):
        assert (output / name).read_bytes() == (default / name).read_bytes()
    assert json.loads((output / "renderer/model_index.json").read_text()) == json.loads(
        (default / "renderer/model_index.json").read_text()
    )
    assert not any(str(runs) in file.read_text() for file in output.rglob("*.json"))
    assert "articulator, gesture, denoiser trained anew" in (output / "README.md").read_text()
    assert "gesture of" in capsys.readouterr().out


def test_a_folder_of_runs_stands_for_the_checkpoint_made_in_it(make, runs, tmp_path):
    shutil.copytree(runs / "gesture", tmp_path / "runs/gesture")
    make(tmp_path / "runs")
    assert checkpoint_folder(tmp_path / "runs") == tmp_path / "runs/checkpoint"
    head = TalkingHead.from_pretrained(tmp_path / "runs", device="cpu")
    assert head.motion.gestures.habits.per_minute == 11.0


def test_one_stage_from_another_folder_is_enough(make, runs, root, tmp_path):
    make(tmp_path, "-o", tmp_path / "mine", "--gesture", runs / "gesture")
    assert GestureDenoiser.load(tmp_path / "mine/gesture").config.blinks_per_minute == 11.0
    for name in ("articulator", "renderer/denoiser"):
        weights = "diffusion_pytorch_model.safetensors"
        expected = (root / "checkpoints/default" / name / weights).read_bytes()
        assert (tmp_path / "mine" / name / weights).read_bytes() == expected


def test_the_encoders_adapter_is_taken_too_and_must_be_whole(make, root, tmp_path):
    adapter = root / "checkpoints/default/speech_encoder/adapter.safetensors"
    trained = tmp_path / "runs/speech_encoder"
    trained.mkdir(parents=True)
    (trained / "config.json").write_text("{}")
    with pytest.raises(SystemExit, match="holds no finished speech_encoder; train it to its end"):
        make(tmp_path / "runs", "-o", tmp_path / "mine")
    (trained / "adapter.safetensors").write_bytes(adapter.read_bytes()[:1000])
    with pytest.raises(SystemExit, match=r"adapter\.safetensors"):
        make(tmp_path / "runs", "-o", tmp_path / "mine")
    assert not (tmp_path / "mine").exists()
    (trained / "adapter.safetensors").write_bytes(adapter.read_bytes())
    make(tmp_path / "runs", "-o", tmp_path / "mine")
    assert (tmp_path / "mine/speech_encoder/adapter.safetensors").read_bytes() == adapter.read_bytes()


def test_a_learnt_expression_goes_into_the_checkpoint(make, tmp_path):
    prototypes = PROTOTYPE_MATRIX[:, ::-1].copy()
    save_prototypes(tmp_path / "runs/expression/expression", prototypes, {})
    make(tmp_path / "runs", "-o", tmp_path / "mine")
    np.testing.assert_array_equal(MotionPipeline.from_pretrained(tmp_path / "mine").prototypes, prototypes)


def test_nothing_is_written_over_and_nothing_half_is_left(make, runs, tmp_path):
    stages = "speech_encoder, rig, articulator, expression, gesture, emotion_encoder, .*denoiser, mouth_expert"
    with pytest.raises(SystemExit, match=rf"none of {stages}.*; train one with scripts/train"):
        make(tmp_path, "-o", tmp_path / "mine")
    (tmp_path / "there").mkdir()
    with pytest.raises(SystemExit, match="there: is there already; give a new name"):
        make(runs, "-o", tmp_path / "there")
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs / "articulator", unfinished / "articulator")
    shutil.rmtree(unfinished / "articulator/articulator")
    with pytest.raises(
        SystemExit, match=r"holds no finished articulator; train it to its end with scripts/train.py articulator"
    ):
        make(unfinished, "-o", tmp_path / "mine")
    Articulator(content_width=8).save_pretrained(unfinished / "articulator/articulator")
    with pytest.raises(SystemExit, match="articulator hears 8 features a frame, the speech encoder gives 1536"):
        make(unfinished, "-o", tmp_path / "mine")
    broken = unfinished / "denoiser/denoiser"
    shutil.copytree(runs / "denoiser/denoiser", broken)
    (broken / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    with pytest.raises(SystemExit, match=r"not a denoiser \(.*; train it again"):
        make(unfinished, "-o", tmp_path / "mine")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "unfinished"]
