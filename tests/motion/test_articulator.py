from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.motion.articulator import (
    COLUMNS,
    WINDOW_FRAMES,
    Articulator,
    recording_mean,
    speech_presence,
)
from talkinghead.motion.lips import JAW_OPEN, MOUTH_CLOSE, NARROWERS, WIDENERS
from talkinghead.types import ARTICULATIONS, SpeechFeatures


def model() -> Articulator:
    torch.manual_seed(0)
    parting, widening = np.zeros(52), np.zeros(52)
    parting[[JAW_OPEN, MOUTH_CLOSE]], widening[WIDENERS], widening[NARROWERS] = (0.4, -0.4), 0.1, -0.15
    travel = {"lip_parting": tuple(parting.tolist()), "lip_widening": tuple(widening.tolist())}
    return Articulator(content_width=8, head_width=4, head_dilations=(1, 2), **travel).eval()


def features(num_frames: int, dbfs: float = -20.0) -> SpeechFeatures:
    content = np.random.default_rng(0).standard_normal((num_frames, 8)).astype(np.float32)
    return SpeechFeatures(content, np.full(num_frames, dbfs, np.float32))


@pytest.mark.parametrize("num_frames", [1, 2, 30])
def test_blendshapes_stay_in_their_columns_and_range(num_frames: int) -> None:
    blendshapes, contacts = model().articulate(features(num_frames))
    others = [i for i, name in enumerate(arkit.BLENDSHAPES) if name not in COLUMNS]
    assert blendshapes.shape == (num_frames, 52) and contacts.closed.shape == contacts.tucked.shape == (num_frames,)
    assert blendshapes.min() >= 0 and blendshapes.max() <= 1 and not blendshapes[:, others].any()
    assert contacts.closed.min() >= 0 and contacts.closed.max() <= 1 and not contacts.tucked.any()


@pytest.mark.parametrize("head_width", [0, 4])
def test_windowed_equals_whole_and_no_window_is_long(head_width: int) -> None:
    torch.manual_seed(1)
    model = Articulator(content_width=8, head_width=head_width, head_dilations=(1, 4)).eval()
    if model.head is not None:
        torch.nn.init.normal_(model.head.leave.weight)
    content = torch.randn(2 * WINDOW_FRAMES + 37, 8)
    mean = torch.from_numpy(recording_mean(content.numpy(), np.zeros(8, np.float32)))
    with torch.no_grad():
        whole = model(content[None] - mean)[0]
    lengths: list[int] = []
    model.register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].shape[1]))
    features = SpeechFeatures(content.numpy(), np.full(len(content), -20, np.float32))
    blendshapes, _ = model.articulate(features)
    assert len(lengths) == 3 and max(lengths) <= WINDOW_FRAMES + 2 * 5
    assert torch.allclose(model.windowed(features.content), whole, atol=1e-5)
    columns = [arkit.INDEX[name] for name in COLUMNS]
    assert np.allclose(blendshapes[:, columns], np.clip(whole[:, :-3].numpy(), 0, 1), atol=1e-5)


def test_a_voice_or_a_room_that_shifts_the_content_moves_no_lips() -> None:
    torch.manual_seed(1)
    model = Articulator(content_width=8).eval()
    content = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
    room = np.linspace(-3, 3, 8, dtype=np.float32)
    here, there = model.windowed(content), model.windowed(content + room)
    whole = (model(torch.from_numpy(content)[None]) - model(torch.from_numpy(content + room)[None])).abs().max()
    assert (here - there).abs().max() < 0.03 * whole
    # Five frames say less about the room than what is usual.
    assert np.allclose(recording_mean(content[:5] + room, room), room, atol=0.7)


def test_silence_and_strength_zero_leave_the_mouth_at_rest() -> None:
    assert not model().articulate(features(20, dbfs=-100.0))[0].any()
    assert not model().articulate(features(20), strength=0.0)[0].any()


def test_an_articulation_that_is_heard_is_made_unless_nobody_speaks() -> None:
    heard = np.zeros((30, len(ARTICULATIONS)), np.float32)
    heard[10:13, ARTICULATIONS.index("bilabial")] = 0.99
    heard[12:16, ARTICULATIONS.index("labiodental")] = 0.99
    loud, silent = (replace(features(30, dbfs), articulation=heard) for dbfs in (-20.0, -100.0))
    _, contacts = model().articulate(loud)
    assert (contacts.closed[10:13] == 1).all() and (contacts.tucked[13:16] > 0.5).all()
    assert contacts.tucked[12] == 0, "lips that are shut touch no teeth"
    assert not contacts.tucked[:12].any() and not model().articulate(silent)[1].closed.any()


def test_saved_then_loaded_is_equal(tmp_path) -> None:
    saved = model()
    saved.save_pretrained(tmp_path)
    content = torch.randn(1, 12, 8)
    assert torch.equal(saved(content), Articulator.load(tmp_path)(content))


def test_a_broken_checkpoint_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match="not an articulator"):
        Articulator.load(tmp_path)
    for values in ((0.0,) * 52, (0.1, -0.1)):
        Articulator(content_width=8, lip_parting=values, lip_widening=values).save_pretrained(tmp_path / "closed")
        with pytest.raises(CheckpointError, match="the jaw does not open the lips"):
            Articulator.load(tmp_path / "closed")
    model().save_pretrained(tmp_path)
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="reinstall"):
        Articulator.load(tmp_path)


def test_speech_presence_opens_early_and_ignores_the_noise_floor() -> None:
    loudness = np.full(50, -90.0, np.float32)
    loudness[20:30] = -20
    presence = speech_presence(loudness)
    assert presence[20:30].min() == 1 and presence[18] > 0.5 and presence[:12].max() == 0 and presence[40:].max() == 0


def test_an_articulator_that_lacks_a_tensor_is_refused(tmp_path) -> None:
    saved = model()
    saved.save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["content_mean"]
    save_file(tensors, file)
    with pytest.raises(CheckpointError, match="content_mean missing: made by an earlier version, train it again"):
        Articulator.load(tmp_path)
