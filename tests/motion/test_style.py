"""A style on disk, on an articulator, and beside the user's knobs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from talkinghead import arkit
from talkinghead.emotion.track import emotion_track
from talkinghead.errors import OutputError, StyleError
from talkinghead.motion.articulator import COLUMNS, Articulator
from talkinghead.motion.knobs import MotionKnobs
from talkinghead.motion.pipeline import MotionPipeline
from talkinghead.motion.style import FILES, Habits, SpeakingStyle, check_style_output, fingerprint
from talkinghead.types import SpeechFeatures

OUTPUTS = len(COLUMNS) + 2


def articulator(seed: int = 0) -> Articulator:
    torch.manual_seed(seed)
    return Articulator(content_width=8).eval()


def style_for(model: Articulator, **habits) -> SpeakingStyle:
    random = np.random.default_rng(0)
    change = random.normal(0, 0.01, (OUTPUTS, 8, 3)).astype(np.float32)
    return SpeakingStyle.of(
        change, random.uniform(0, 0.1, OUTPUTS), np.full(OUTPUTS, 1.25), Habits(fingerprint(model), 30.0, **habits)
    )


@pytest.fixture
def folder(tmp_path):
    """A style of `articulator()` on disk."""
    style_for(articulator(), blinks_per_minute=21.0).save(tmp_path / "styles/ana")
    return tmp_path / "styles/ana"


def test_saved_then_loaded_is_the_same_and_small(folder):
    style, loaded = style_for(articulator(), blinks_per_minute=21.0), SpeakingStyle.load(folder)
    assert loaded.habits == style.habits
    for name in ("weights", "scale", "centre", "gain"):
        assert np.array_equal(getattr(loaded, name), getattr(style, name))
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_of_the_shipped_articulator_it_is_under_a_megabyte(root, tmp_path):
    model = Articulator.load(root / "checkpoints/default/articulator")
    shape = (model.readout.weight.shape[0] - 1, *model.readout.weight.shape[1:])
    change = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    SpeakingStyle.of(change, np.zeros(shape[0]), np.ones(shape[0]), Habits(fingerprint(model), 30.0)).save(tmp_path / "s")
    assert sum(path.stat().st_size for path in (tmp_path / "s").iterdir()) < 1e6


def test_applied_it_adds_its_change_and_leaves_closures_and_the_given_articulator_alone():
    model = articulator()
    before, style = {name: value.clone() for name, value in model.state_dict().items()}, style_for(model)
    own = style.applied_to(model)
    content = torch.randn(1, 20, 8)
    change = torch.from_numpy(style.weights.astype(np.float32) * style.scale[:, None, None])
    padded = torch.nn.functional.pad(content.transpose(1, 2), (1, 1), mode="replicate")
    wanted = torch.nn.functional.conv1d(padded, change).transpose(1, 2) + torch.from_numpy(style.centre) - model.centre
    with torch.no_grad():
        difference = own(content) - model(content)
    assert torch.allclose(difference[..., :-1], wanted, atol=1e-5) and wanted.abs().max() > 0.01
    assert not difference[..., -1].any()
    assert own.config.gain == pytest.approx([1.25] * OUTPUTS) and model.config.gain is None
    assert torch.equal(own.centre, torch.from_numpy(style.centre))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_style_without_change_speaks_as_everybody():
    model = articulator()
    nothing = SpeakingStyle.of(
        np.zeros((OUTPUTS, 8, 3), np.float32), model.centre.numpy(), np.ones(OUTPUTS), Habits(fingerprint(model), 10.0)
    )
    features = SpeechFeatures(np.random.default_rng(1).normal(size=(30, 8)).astype(np.float32), np.full(30, -20, np.float32))
    assert np.array_equal(nothing.applied_to(model).articulate(features)[0], model.articulate(features)[0])


def test_of_another_articulator_it_is_refused(folder):
    style = SpeakingStyle.load(folder)
    with pytest.raises(StyleError, match=r"belongs to articulator .* another checkpoint; learn it again"):
        style.applied_to(articulator(seed=1))


def test_of_another_format_it_is_refused(folder):
    settings = json.loads((folder / "style.json").read_text())
    (folder / "style.json").write_text(json.dumps(settings | {"format": 7}))
    with pytest.raises(StyleError, match="is of format 7, and this version of talkinghead reads 1; learn it again"):
        SpeakingStyle.load(folder)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"head_motion": 9.0}, "head_motion is 9"),
        ({"head_motion": "much"}, "could not convert"),
        ({"blinks_per_minute": -1.0}, "blinks_per_minute is -1"),
        ({"walk": 1}, "walk: unknown"),
        ({"articulator": None}, "no fingerprint"),
        ({"seconds": float("nan")}, "not finite"),
        ({"held_out": 3}, "values"),
    ],
)
def test_damaged_settings_are_named(folder, settings, wanted):
    before = json.loads((folder / "style.json").read_text())
    (folder / "style.json").write_text(json.dumps(before | settings))
    with pytest.raises(StyleError, match=f"damaged .*{wanted}.*learn it again"):
        SpeakingStyle.load(folder)


@pytest.mark.parametrize("damage", ["cut", "nan", "missing", "shape", "json"])
def test_damaged_files_are_refused(folder, damage):
    path = folder / "style.safetensors"
    tensors = load_file(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "nan":
        save_file(tensors | {"gain": np.full(OUTPUTS, np.nan, np.float32)}, path)
    elif damage == "missing":
        save_file({name: value for name, value in tensors.items() if name != "centre"}, path)
    elif damage == "shape":
        save_file(tensors | {"scale": tensors["scale"][:-1].copy()}, path)
    else:
        (folder / "style.json").write_text("[]")
    with pytest.raises(StyleError, match="damaged"):
        SpeakingStyle.load(folder)


def test_weights_of_another_width_are_refused_when_applied():
    model, style = articulator(), style_for(articulator())
    with pytest.raises(StyleError, match="damaged"):
        replace(style, weights=style.weights[:, :5]).applied_to(model)


def test_what_is_no_folder_of_a_style_says_so(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, what in (("empty", "holds no style"), ("file", "is a file"), ("absent", "no such folder")):
        with pytest.raises(StyleError, match=f"{name}: {what}; give a folder that `talkinghead adapt"):
            SpeakingStyle.load(tmp_path / name)


def test_output_keeps_what_is_no_style(tmp_path, folder):
    (tmp_path / "notes.txt").write_text("mine")
    check_style_output(folder)
    check_style_output(tmp_path / "new")
    with pytest.raises(OutputError, match="holds something else"):
        check_style_output(tmp_path)
    with pytest.raises(OutputError, match="is a file"):
        check_style_output(tmp_path / "notes.txt")
    with pytest.raises(OutputError, match="cannot be written"):
        style_for(articulator()).save(tmp_path / "notes.txt" / "below")


@pytest.mark.parametrize(
    ("asked", "own", "wanted"),
    [
        (None, 30.0, 30.0),
        (None, None, None),
        ("12", 30.0, 12.0),
        ("off", 30.0, 0.0),
        ("0.5x", 30.0, 15.0),
        ("1s,2s", 30.0, None),
    ],
)
def test_the_persons_blinks_give_way_to_a_number_and_are_multiplied_by_a_factor(asked, own, wanted):
    rate = MotionKnobs(blink_rate=asked).blinks
    own_rate = style_for(articulator(), blinks_per_minute=own).blink_rate(rate)
    assert own_rate.per_minute == wanted
    assert own_rate.times_s == rate.times_s


@pytest.fixture(scope="module")
def shipped(root):
    return MotionPipeline.from_pretrained(root / "checkpoints/default")


def test_the_pipeline_takes_lips_head_and_blinks_of_a_style(shipped, tmp_path):
    model = shipped.articulator
    shape = (model.readout.weight.shape[0] - 1, *model.readout.weight.shape[1:])
    habits = Habits(fingerprint(model), 30.0, head_motion=0.5, blinks_per_minute=40.0)
    centre = model.centre.numpy()
    wide = np.array(model.config.gain) * 1.5
    SpeakingStyle.of(np.zeros(shape, np.float32), centre, wide, habits).save(tmp_path / "ana")
    random = np.random.default_rng(0)
    features = SpeechFeatures(random.normal(0, 1, (500, shape[1])).astype(np.float32), np.full(500, -20, np.float32))
    calm = emotion_track("neutral", 0.0, 500)
    plain, own = shipped(features, calm), shipped.with_style(tmp_path / "ana")(features, calm)
    assert np.allclose(own.head_rotation, 0.5 * plain.head_rotation, atol=1e-6) and plain.head_rotation.std() > 1e-3
    lids = [(motion.blendshapes[:, arkit.INDEX["eyeBlinkLeft"]] > 0.5).astype(int) for motion in (plain, own)]
    assert (np.diff(lids[1]) > 0).sum() > (np.diff(lids[0]) > 0).sum()
    assert not np.array_equal(own.blendshapes, plain.blendshapes)
    assert shipped.with_style(None) is shipped
