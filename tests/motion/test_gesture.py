from pathlib import Path

import numpy as np
import pytest
import torch

from talkinghead.emotion.track import emotion_track
from talkinghead.errors import CheckpointError
from talkinghead.motion import gesture
from talkinghead.motion.gesture import CHAIN_WINDOWS, KNOWN_TOKENS, GestureModel, accents
from talkinghead.motion.gesture_dataset import CHANNELS, HEAD, voice_curves
from talkinghead.motion.gesture_denoiser import FoldedDenoiser, GestureDenoiser
from talkinghead.motion.smoothing import binomial, moving_average, slow_noise
from talkinghead.types import SpeechFeatures

ROOT = Path(__file__).parents[2]
SPEECH_DBFS = np.float32([-22, -18, -20, -24, -30, -46, -24, -19, -21, -26, -38, -60])


@pytest.fixture(scope="module")
def model() -> GestureModel:
    return GestureModel.from_pretrained(ROOT / "checkpoints/default/gesture")


@pytest.fixture(scope="module")
def tiny() -> GestureModel:
    torch.manual_seed(0)
    denoiser = GestureDenoiser(width=8, dilations=(1, 2))
    for layer in (denoiser.leave, *(block.across for block in denoiser.blocks)):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return GestureModel(denoiser.eval(), steps=2)


def talking(num_frames: int) -> np.ndarray:
    return np.resize(SPEECH_DBFS, num_frames)


def sampled(model: GestureModel, num_frames: int, seed: int = 0, emotion: str = "neutral") -> np.ndarray:
    loudness = talking(num_frames)
    features = SpeechFeatures(np.zeros((num_frames, 1), np.float32), loudness)
    return model(features, emotion_track(emotion, 1.0, num_frames), seed)


@pytest.mark.parametrize("num_frames", [1, 3, 71, 72, 73, 120, 121, 500])
def test_any_length_comes_out_as_long(tiny: GestureModel, num_frames: int) -> None:
    curves = sampled(tiny, num_frames)
    assert curves.shape == (num_frames, len(CHANNELS)) and np.isfinite(curves).all()


def test_the_seed_decides(tiny: GestureModel) -> None:
    assert sampled(tiny, 200, 4).tobytes() == sampled(tiny, 200, 4).tobytes()
    assert not np.allclose(sampled(tiny, 200, 4), sampled(tiny, 200, 5))


def test_what_is_made_does_not_hang_on_what_comes_later(tiny: GestureModel) -> None:
    """A window is done when it is done: the beginning of a long performance is that of a short one."""
    voice, lively = voice_curves(talking(600)), np.zeros((600, 3), np.float32)
    window, known = tiny.denoiser.config.window_frames, KNOWN_TOKENS * tiny.denoiser.token_frames
    whole = tiny.sample(voice, lively, 0)
    for stop in (window, 2 * window - known, 3 * window - 2 * known):
        assert np.allclose(tiny.sample(voice[:stop], lively[:stop], 0), whole[:stop], atol=1e-5)


def test_the_folded_network_is_the_one_that_was_trained(model: GestureModel) -> None:
    generator = torch.Generator().manual_seed(3)
    sample, before = torch.randn((2, 3, 72, len(CHANNELS)), generator=generator)
    voice, lively, known = (torch.randn((3, n, k), generator=generator) for n, k in ((72, 3), (18, 3), (18, 1)))
    sigmas = torch.tensor([1.0, 0.6, 0.1])
    folded = FoldedDenoiser(model.denoiser, sigmas)
    context = folded.context(before, known[..., 0], voice, lively)
    for step, sigma in enumerate(sigmas):
        with torch.inference_mode():
            wanted = model.denoiser(sample, sigma.expand(3), before, known[..., 0], voice, lively)
        assert torch.allclose(folded(sample, step, context), wanted, atol=1e-5) and wanted.std() > 0.1


def test_it_goes_on_from_what_it_did_before(model: GestureModel) -> None:
    """No seam: where a window ends the head jumps no further than elsewhere, in value or in pace."""
    curves = binomial(sampled(model, 25 * 240)[:, HEAD])
    window, known = model.denoiser.config.window_frames, KNOWN_TOKENS * model.denoiser.token_frames
    chain = window + (CHAIN_WINDOWS - 1) * (window - known)
    within = (np.arange(window, chain, window - known) + start for start in range(0, len(curves) - chain, chain - known))
    seams = {
        "windows": np.concatenate(list(within)),
        "chains": np.arange(chain - known, len(curves) - known - 3, chain - known),
    }
    for order in (1, 2):
        size = np.abs(np.diff(curves, order, axis=0)) / curves.std(0)
        for frames in (seams["windows"], seams["chains"], seams["chains"] + known):
            assert np.mean([size[frames + i].mean() for i in range(-order, 1)]) < 1.5 * size.mean()


@pytest.mark.parametrize("num_frames", [430, 432, 440, 456, 457, 900, 1300])
def test_chains_leave_no_frame_out(tiny: GestureModel, num_frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    voice, lively = voice_curves(talking(num_frames)), np.zeros((num_frames, 3), np.float32)
    monkeypatch.setattr(np, "empty", lambda shape, kind: np.full(shape, np.nan, kind))
    curves = tiny.sample(voice, lively, 0)
    assert np.isfinite(curves).all()
    monkeypatch.setattr(gesture, "MAX_CHAINS", 1)
    assert np.allclose(tiny.sample(voice, lively, 0), curves, atol=1e-5)


def test_it_does_not_drift(model: GestureModel) -> None:
    curves = sampled(model, 25 * 600) / model.scale
    first, last = curves[: 25 * 200], curves[-25 * 200 :]
    assert np.abs(first.mean(0) - last.mean(0))[HEAD].max() < 0.5
    assert np.abs(np.log(first.std(0) / last.std(0))).max() < np.log(1.4)
    assert curves.std(0)[HEAD].min() > 0.4 and curves.std(0)[HEAD].max() < 2.5


def test_a_silent_head_idles_and_anger_moves_it_more(model: GestureModel) -> None:
    num_frames = 25 * 60
    silent = SpeechFeatures(np.zeros((num_frames, 1), np.float32), np.full(num_frames, -100, np.float32))
    pace = [
        np.abs(np.diff(curves[:, :3], axis=0)).mean()
        for curves in (
            model(silent, emotion_track("neutral", 0.0, num_frames), 1),
            sampled(model, num_frames, 1),
            sampled(model, num_frames, 1, "angry"),
        )
    ]
    assert 0 < pace[0] < pace[1] < pace[2]


def test_brows_rise_on_accents() -> None:
    voice = voice_curves(np.where(np.arange(200) % 50 < 8, -18.0, -30.0).astype(np.float32))
    accent = accents(voice)
    assert accent.min() >= 0 and accent[50:58].mean() > 3 * accent[65:95].mean()
    assert not accents(voice_curves(np.full(100, -100, np.float32))).any()


def test_a_model_round_trips_and_a_broken_one_is_named(tiny: GestureModel, tmp_path: Path) -> None:
    tiny.denoiser.save_pretrained(tmp_path / "gesture")
    loaded = GestureDenoiser.load(tmp_path / "gesture")
    assert all(torch.equal(a, b) for a, b in zip(loaded.parameters(), tiny.denoiser.parameters(), strict=True))
    with pytest.raises(CheckpointError, match="none: not a gesture model"):
        GestureDenoiser.load(tmp_path / "none")
    GestureDenoiser(width=8, dilations=(1,), scale=(1.0, 2.0)).save_pretrained(tmp_path / "short")
    with pytest.raises(CheckpointError, match="scale: not 12 positive numbers"):
        GestureDenoiser.load(tmp_path / "short")


def test_slow_noise_is_stationary_from_its_first_frame() -> None:
    noise = slow_noise(200, 4000, 1.0, np.random.default_rng(0))
    assert np.allclose(noise.std(1), 1, atol=0.06) and np.abs(noise.mean(1)).max() < 0.08


def test_smoothing_keeps_what_is_slow_and_takes_what_trembles() -> None:
    frames = np.arange(200)
    slow, fast = np.sin(2 * np.pi * 0.5 * frames / 25), np.sin(2 * np.pi * 10 * frames / 25)
    both = np.stack([slow, fast], 1).astype(np.float32)
    assert np.abs(binomial(both)[:, 0] - slow)[5:-5].max() < 0.02 and np.abs(binomial(both)[5:-5, 1]).max() < 0.05
    assert moving_average(np.ones(30, np.float32), 0.4) == pytest.approx(np.ones(30))
