"""The articulator with every loss on its face: what the pictures show, and train, save, resume at tiny width."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from safetensors.torch import load_file, save_file
from transformers import ResNetConfig, ResNetModel

from talkinghead import arkit
from talkinghead.errors import CheckpointError, ConfigError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.expression import PROTOTYPE_MATRIX
from talkinghead.motion.expression_fitting import save_prototypes
from talkinghead.motion.face_losses import FaceSurface
from talkinghead.motion.head_trainer import HeadTrainer
from talkinghead.motion.io import save_motion
from talkinghead.motion.lips import LipTravel
from talkinghead.motion.trainer import train_articulator
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.perception import face_losses, face_picture, mouth_picture
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis.lip_reading import FrontEndConfig, VisualFrontEnd
from talkinghead.types import FaceMotion

WIDTH, NUM_FRAMES = 6, 60
FELT = ("neutral", "angry", "disgusted", "surprised")


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


def write_clip(folder, name, seed, lost, nonsense):
    """A mouth that opens by the first feature of the sound, is shut where the second is high, and is as wide as the third."""
    random = np.random.default_rng(seed)
    content = random.standard_normal((NUM_FRAMES, WIDTH)).astype(np.float16)
    opening = np.clip(0.5 + 0.2 * content[:, 0].astype(np.float32), 0, 1) * (content[:, 1] < 0.8)
    points = np.tile(random.uniform(0, 1, (478, 3)).astype(np.float32), (NUM_FRAMES, 1, 1))
    points[:, [33, 263, 61, 291]] = np.float32([[0, 0, 0], [1, 0, 0], [0.2, 1, 0], [0.8, 1, 0]])
    points[:, 13], points[:, 14] = np.float32([0.5, 1, 0]), np.float32([0.5, 1, 0])
    points[:, 14, 1] += 0.3 * opening
    points[:, 291, 0] += 0.05 * np.tanh(content[:, 2].astype(np.float32))
    blendshapes = np.zeros((NUM_FRAMES, 52), np.float32)
    blendshapes[:, arkit.INDEX["jawOpen"]] = opening
    presence = np.ones(NUM_FRAMES)
    presence[lost], blendshapes[lost] = 0, nonsense
    points[lost, 14, 1] += nonsense
    for kind in ("features", "prepared", "motion"):
        (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "features" / name, content=content, loudness=np.full(NUM_FRAMES, -20, np.float32))
    np.savez(folder / "prepared" / name, points=points, presence=presence)
    zeros = np.zeros((NUM_FRAMES, 3), np.float32)
    save_motion(folder / "motion" / name, FaceMotion(blendshapes, zeros, zeros, zeros[:, :2]))


def write_data(folder, felt=FELT, lost=slice(0), nonsense=0.0):
    rows = []
    for index, emotion in enumerate(felt):
        write_clip(folder, f"train/acted/clip{index}.npz", index, lost, nonsense)
        row = {"file": f"train/acted/clip{index}.mp4", "split": "train", "identity": f"p{index}", "audio": True}
        rows.append(json.dumps(row | ({"emotion": emotion, "level": 3} if emotion else {})))
    (folder / "manifest.jsonl").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Folders of a lip reader's front end and of an image network, tiny, with weights of chance."""
    folder = tmp_path_factory.mktemp("networks")
    torch.manual_seed(0)
    (folder / "lips").mkdir()
    (folder / "lips/config.json").write_text('{"width": 2}')
    save_file(VisualFrontEnd(FrontEndConfig(width=2)).state_dict(), folder / "lips/model.safetensors")
    ResNetModel(ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1])).save_pretrained(folder / "emotion")
    (folder / "emotion/preprocessor_config.json").write_text('{"size": {"height": 32, "width": 32}}')
    return folder


def config(data, output, **changes):
    settings = {
        "data": str(data), "prepared": str(data), "output": str(output), "ridge_penalty": 0.01, "head_width": 4,
        "head_dilations": (1,), "common_source": "none", "common_share": 0.0, "steps": 4, "batch_size": 2, "crop_frames": 12,
        "picture_frames": 6, "warmup_steps": 1, "save_every": 1,
    }  # fmt: skip
    return ArticulatorConfig(**settings | changes)


def everything(networks):
    return {
        "vertex_weight": 0.1, "lip_reading": str(networks / "lips"), "lip_reading_weight": 1.0, "exchange_weight": 0.5,
        "video_emotion": str(networks / "emotion"), "video_emotion_weight": 1.0,
    }  # fmt: skip


def train(options, rig, say=lambda _: None, report=lambda step, values: None):
    travel = LipTravel.of_rig(rig.neutral, rig.deltas)
    return train_articulator(options, travel, say, report, face_losses(options, rig))


def test_the_pictures_show_the_mouth_and_the_face(rig):
    surface = FaceSurface.of(lambda columns: rig.express(columns, np.zeros((len(columns), 2), np.float32), rig.neutral))
    columns = torch.zeros(3, 52)
    columns[1, arkit.INDEX["jawOpen"]] = 0.5
    columns[2, [arkit.INDEX["browInnerUp"], arkit.INDEX["eyeBlinkLeft"]]] = 1
    vertices = torch.from_numpy(surface.neutral) + torch.einsum("nk,kvc->nvc", columns, torch.from_numpy(surface.deltas))
    mouth, face = mouth_picture(rig, 44)(vertices), face_picture(rig, 64)(vertices)
    assert mouth.shape == (3, 44, 44) and face.shape == (3, 64, 64) and 0 <= float(mouth.min()) < float(mouth.max()) <= 1
    opened, brows = ((mouth - mouth[0]).abs().mean((1, 2))[k] for k in (1, 2))
    assert opened > 0.05 and brows < 0.01, "the mouth's picture is of the mouth"
    change = (face - face[0]).abs()
    assert change[1, 38:].mean() > 5 * change[1, :26].mean() and change[2, :32].mean() > 5 * change[2, 38:].mean()
    lips, cheek = mouth[0, 23:26, 18:26].mean(), mouth[0, 30:34, 4:10].mean()
    assert lips < 0.8 * cheek, "lips are darker than skin"


def test_opening_the_mouth_is_felt_in_the_picture(rig):
    losses = face_losses(config("", "", vertex_weight=1.0), rig)
    columns = torch.zeros(1, 52, requires_grad=True)
    picture = mouth_picture(rig, 88)
    with torch.no_grad():
        opened = columns.clone()
        opened[0, arkit.INDEX["jawOpen"]] = 0.1
        wanted = picture(losses.vertices(opened))
    apart = ((picture(losses.vertices(columns)) - wanted) ** 2).mean()
    apart.backward()
    assert columns.grad[0, arkit.INDEX["jawOpen"]] < 0, "to be like it, the jaw must open"


def test_with_every_loss_killed_and_started_again_it_ends_the_same(data, networks, rig, tmp_path):
    class Killed(Exception):
        pass

    def killer(line):
        if line.startswith("step 2"):
            raise Killed

    heard = []
    whole = train(config(data, tmp_path / "a", **everything(networks)), rig, report=lambda step, values: heard.append(values))
    assert set(heard[-1]) == {"loss", "vertex", "lip_reading", "video_emotion", "exchange"}
    assert all(value > 0 and np.isfinite(value) for value in heard[-1].values())
    with pytest.raises(Killed):
        train(config(data, tmp_path / "b", **everything(networks)), rig, killer)
    lines = []
    resumed = train(config(data, tmp_path / "b", **everything(networks)), rig, lines.append)
    assert lines[0] == "going on from step 2"
    states = [load_file(tmp_path / name / "state/state.safetensors") for name in "ab"]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert {name.split(".")[0] for name in states[0]} == {"head", "average", "optimiser", "step"}, "no network is saved"
    ours, theirs = Articulator.load(whole).state_dict(), Articulator.load(resumed).state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(ConfigError, match=r"was trained with exchange_weight 0\.5 \(now 0\.0\)"):
        train(config(data, tmp_path / "b", **everything(networks) | {"exchange_weight": 0.0}), rig)


def test_each_loss_teaches_something_and_none_is_none(data, networks, rig, tmp_path):
    wanted = everything(networks)
    asked = (
        (), ("vertex_weight",), ("lip_reading", "lip_reading_weight"), ("video_emotion", "video_emotion_weight"),
        ("exchange_weight",),
    )  # fmt: skip
    weights = []
    for index, names in enumerate(asked):
        options = config(data, tmp_path / str(index), steps=2, **{name: wanted[name] for name in names})
        assert (face_losses(options, rig) is None) == (not names)
        weights.append(Articulator.load(train(options, rig)).state_dict()["head.leave.weight"])
    for first in range(len(asked)):
        for second in range(first):
            assert not torch.equal(weights[first], weights[second]), (asked[first], asked[second])


def test_the_exchange_teaches_lips_that_hold_under_an_expression(data, rig, tmp_path):
    """Of the same steps on the same crops; measured on crops that are drawn later, each under the next one's emotion."""
    errors = []
    for weight in (0.0, 2.0):
        options = config(
            data, tmp_path / str(weight), ridge_penalty=3e3, head_width=16, dropout=0.0, steps=400, batch_size=4,
            learning_rate=3e-3, exchange_weight=weight, save_every=400,
        )  # fmt: skip
        train(options, rig)
        readout = Articulator.load(tmp_path / str(weight) / "readout")
        measure = face_losses(replace(options, exchange_weight=1.0), rig)
        trainer = HeadTrainer(readout, replace(options, exchange_weight=1.0), Accelerator(), measure)
        trainer.load(tmp_path / str(weight) / "state")
        head = trainer.model.head.eval()
        found = []
        with torch.no_grad():
            for step in range(1000, 1020):
                content, _, said, _ = trainer.batch(step)
                said = said + head(content.transpose(1, 2)).transpose(1, 2)
                found.append(float(measure(said, trainer.face_batch(step))["exchange"]))
        errors.append(np.mean(found))
    assert errors[1] < 0.8 * errors[0], errors


def test_what_is_not_seen_teaches_nothing(networks, rig, tmp_path):
    weights = []
    for nonsense in (0.3, 0.9):
        data = write_data(tmp_path / str(nonsense), lost=slice(20, 29), nonsense=nonsense)
        folder = train(config(data, tmp_path / f"out {nonsense}", **everything(networks)), rig)
        weights.append(Articulator.load(folder).state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_clip_without_an_emotion_is_neutral_and_a_set_without_any_is_refused(rig, tmp_path):
    mixed = write_data(tmp_path / "mixed", ("", "angry"))
    train(config(mixed, tmp_path / "a", exchange_weight=1.0, steps=1), rig)
    for name, felt in (("unknown", ("", "")), ("calm", ("neutral", "neutral"))):
        data = write_data(tmp_path / name, felt)
        with pytest.raises(ConfigError, match=r"exchange_weight: no training clip of .* has an emotion other than neutral"):
            train(config(data, tmp_path / f"out {name}", exchange_weight=1.0), rig)
        train(config(data, tmp_path / f"vertices {name}", vertex_weight=1.0, steps=1), rig)


def test_what_an_emotion_looks_like_comes_from_its_folder(rig, tmp_path):
    save_prototypes(tmp_path / "expression", 0.5 * PROTOTYPE_MATRIX, {})
    options = config("", "", exchange_weight=1.0)
    losses = face_losses(replace(options, expression=str(tmp_path / "expression")), rig)
    assert torch.allclose(losses.prototypes, 0.5 * face_losses(options, rig).prototypes)
    with pytest.raises(ConfigError, match=r"expression .*none: no such folder; give one of train\.py expression, or leave it"):
        face_losses(replace(options, expression=str(tmp_path / "none")), rig)


def test_folders_of_something_else_are_refused_in_one_line(networks, rig, tmp_path):
    options = config("", "", **everything(networks))
    for name, folder, message in (
        ("lip_reading", tmp_path / "none", r"lip_reading .*none: no such folder"),
        ("lip_reading", networks / "emotion", r"is of another network; the keys are width, activation, mean, deviation"),
        ("video_emotion", tmp_path / "none", r"video_emotion .*none: no such folder"),
        ("video_emotion", networks / "lips", r"video_emotion .*lips: no image network \("),
    ):
        with pytest.raises(CheckpointError, match=message) as raised:
            face_losses(replace(options, **{name: str(folder)}), rig)
        assert "\n" not in str(raised.value)
    with pytest.raises(ConfigError, match=r"losses: the configuration has weights for them; give those of talkinghead\.perce"):
        train_articulator(config("", tmp_path, vertex_weight=1.0), None, lambda _: None)


def test_in_mixed_precision_the_losses_stay_in_full(data, networks, rig, tmp_path):
    options = config(data, tmp_path, **everything(networks))
    train(replace(options, steps=1), rig)
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        losses = face_losses(options, rig)
        accelerator = Accelerator(mixed_precision="bf16", cpu=True)
        trainer = HeadTrainer(Articulator.load(tmp_path / "readout"), options, accelerator, losses)
        assert np.isfinite(trainer.train_step()) and trainer.terms["exchange"] > 0
        assert all(value.dtype == torch.float32 for value in losses.parameters())
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
