from pathlib import Path

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.audio.adapter import ArticulationAdapter
from talkinghead.audio.speech_encoder import SpeechEncoder
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.track import emotion_track
from talkinghead.errors import MotionError
from talkinghead.motion.articulator import Articulator
from talkinghead.motion.gesture_dataset import camera_gaze
from talkinghead.motion.pipeline import MotionPipeline
from talkinghead.types import EMOTIONS, MOTION_ARRAYS, FaceMotion, SpeechFeatures

ROOT = Path(__file__).parents[2]
MOUTH = [arkit.INDEX[name] for name in arkit.BLENDSHAPES if name.startswith(("jaw", "mouth", "cheekPuff"))]
CHEEKS_AND_NOSE = [arkit.INDEX[name] for name in arkit.BLENDSHAPES if name.startswith(("cheekSquint", "noseSneer"))]
LIDS = [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]


@pytest.fixture(scope="module")
def pipeline() -> MotionPipeline:
    return MotionPipeline.from_pretrained(ROOT / "checkpoints/default")


@pytest.fixture(scope="module")
def speech() -> SpeechFeatures:
    return SpeechEncoder.from_pretrained(ROOT / "checkpoints/default/speech_encoder").encode(
        load_audio(ROOT / "assets/speech.wav")
    )


def test_lips_are_the_same_in_half_the_digits(pipeline: MotionPipeline) -> None:
    """bfloat16 in the speech encoder against float32: opening and width at r above .9995, every contact within 0.1."""
    folder, audio = ROOT / "checkpoints/default/speech_encoder", load_audio(ROOT / "assets/speech.wav")
    network = SpeechEncoder.from_pretrained(folder).network
    adapter = ArticulationAdapter.load(folder / "adapter.safetensors")
    (exact, contacts), (quick, quick_contacts) = (
        pipeline.articulator.articulate(SpeechEncoder(network, adapter, dtype=dtype).encode(audio))
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert pipeline.travel is not None and not np.array_equal(exact, quick)
    for along in (pipeline.travel.parting, pipeline.travel.widening):
        assert np.corrcoef(exact @ along, quick @ along)[0, 1] > 0.9995
    for name in ("closed", "tucked"):
        assert np.abs(getattr(contacts, name) - getattr(quick_contacts, name)).max() < 0.1


def silence(num_frames: int) -> SpeechFeatures:
    return SpeechFeatures(np.zeros((num_frames, 1536), np.float32), np.full(num_frames, -100, np.float32))


def perform(
    pipeline: MotionPipeline, features: SpeechFeatures, emotion: str = "neutral", intensity: float = 0.7, **knobs
) -> FaceMotion:
    return pipeline(features, emotion_track(emotion, intensity, len(features)), **knobs)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_everything_is_finite_and_in_range(pipeline: MotionPipeline, speech: SpeechFeatures, emotion: str) -> None:
    motion = perform(pipeline, speech, emotion, 1.0)
    assert all(np.isfinite(getattr(motion, name)).all() and getattr(motion, name).dtype == np.float32 for name in MOTION_ARRAYS)
    assert motion.blendshapes.min() >= 0 and motion.blendshapes.max() <= 1


def test_the_seed_chooses_gestures_and_never_lips(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    one, same, two = (perform(pipeline, speech, seed=seed) for seed in (1, 1, 2))
    assert all(getattr(one, name).tobytes() == getattr(same, name).tobytes() for name in MOTION_ARRAYS)
    assert np.array_equal(one.blendshapes[:, MOUTH], two.blendshapes[:, MOUTH])
    assert not np.array_equal(one.head_rotation, two.head_rotation) and not np.array_equal(one.gaze, two.gaze)


def test_speech_moves_the_mouth_and_silence_only_blinks(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    talking, idle = perform(pipeline, speech), perform(pipeline, silence(100))
    opening = talking.blendshapes[:, arkit.INDEX["jawOpen"]]
    assert opening.std() > 0.02 and opening.max() > 0.12
    assert not idle.blendshapes[:, MOUTH].any() and idle.blendshapes[:50, LIDS].max() > 0.8
    assert idle.head_rotation.std() > 1e-4


def test_intensity_zero_is_neutral_exactly(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    assert perform(pipeline, speech, "happy", 0.0).blendshapes.tobytes() == perform(pipeline, speech).blendshapes.tobytes()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_lips_shut_under_every_emotion(pipeline: MotionPipeline, speech: SpeechFeatures, emotion: str) -> None:
    _, contacts = pipeline.articulator.articulate(speech)
    shut = contacts.closed == 1
    assert shut.sum() >= 3
    assert (perform(pipeline, speech, emotion, 1.0).blendshapes[shut] @ pipeline.travel.parting).max() < 0.01


def test_a_smile_spreads_the_vowels(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    neutral, happy = (perform(pipeline, speech, name, 1.0).blendshapes for name in ("neutral", "happy"))
    smile, pucker = arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthPucker"]
    assert happy[:, smile].mean() > neutral[:, smile].mean() + 0.4 and happy[:, pucker].mean() < neutral[:, pucker].mean()


def channels(motion: FaceMotion) -> dict[str, np.ndarray]:
    """A motion apart: what each knob may move. Where the eyes look is in camera space, free of the head."""
    blendshapes = motion.blendshapes
    return {
        "head": np.c_[motion.head_rotation, motion.head_translation],
        "look": camera_gaze(motion.gaze, motion.head_rotation),
        "lids": blendshapes[:, LIDS],
        "brows": blendshapes[:, list(arkit.BROW)],
        "mouth": blendshapes[:, MOUTH],
        "cheeks and nose": blendshapes[:, CHEEKS_AND_NOSE],
    }


def moved(one: FaceMotion, other: FaceMotion) -> set[str]:
    theirs = channels(other)
    return {name for name, value in channels(one).items() if not np.allclose(value, theirs[name], atol=1e-6)}


@pytest.mark.parametrize(
    ("knob", "own", "settings"),
    [
        ("head_motion", {"head"}, (0.0, 1.0, 2.0)),
        ("blink_rate", {"lids"}, ("off", "1x", "2x")),
        ("gaze", {"look"}, ("camera", "natural", "10,-5")),
        ("lip_strength", {"mouth", "cheeks and nose"}, (0.0, 1.0, 2.0)),
        ("articulation", {"mouth", "cheeks and nose"}, (0.0, 1.0, 2.0)),
        ("expression_strength", {"brows", "lids", "mouth", "cheeks and nose"}, (0.0, 1.0, 2.0)),
    ],
)
def test_each_knob_moves_its_own_channels_and_no_other(
    pipeline: MotionPipeline, speech: SpeechFeatures, knob: str, own: set[str], settings: tuple
) -> None:
    plain = perform(pipeline, speech, "sad", 0.5)
    off, same, more = (perform(pipeline, speech, "sad", 0.5, **{knob: value}) for value in settings)
    assert all(getattr(plain, name).tobytes() == getattr(same, name).tobytes() for name in MOTION_ARRAYS)
    assert moved(plain, off) and moved(plain, off) <= own
    assert moved(plain, more) and moved(plain, more) <= own


def test_zero_is_off_and_two_is_more(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    still = perform(pipeline, speech, head_motion=0.0, blink_rate="off", lip_strength=0.0)
    assert not still.head_rotation.any() and not still.blendshapes[:, LIDS].any() and not still.blendshapes[:, MOUTH].any()
    usual, twice = (perform(pipeline, speech, head_motion=value) for value in (1.0, 2.0))
    assert np.allclose(twice.head_rotation, 2 * usual.head_rotation)
    unfelt, neutral = perform(pipeline, speech, "happy", 1.0, expression_strength=0.0), perform(pipeline, speech)
    assert np.allclose(unfelt.blendshapes[:, MOUTH], neutral.blendshapes[:, MOUTH])
    smiles = [
        perform(pipeline, speech, "happy", 0.4, expression_strength=value).blendshapes[:, arkit.INDEX["mouthSmileLeft"]].mean()
        for value in (0.0, 0.5, 1.0, 1.5, 2.0)
    ]
    assert np.all(np.diff(smiles) > 0.05)
    jaw = [
        np.abs(np.diff(perform(pipeline, speech, articulation=value).blendshapes[:, arkit.INDEX["jawOpen"]])).mean()
        for value in (0.0, 0.5, 1.0, 1.5, 2.0)
    ]
    assert np.all(np.diff(jaw) > 0) and jaw[0] < 0.6 * jaw[2]


def test_lips_that_are_set_apart_more_still_meet(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    closed = pipeline.articulator.articulate(speech)[1].closed
    gap = perform(pipeline, speech, articulation=2.0).blendshapes[closed == 1] @ pipeline.travel.parting
    assert gap.max() < 0.01


def test_blinks_at_the_times_that_were_asked(pipeline: MotionPipeline) -> None:
    lids = perform(pipeline, silence(100), blink_rate="0.8s,2.4s").blendshapes[:, LIDS].mean(1)
    shut = np.flatnonzero((lids[1:] > 0.5) & (lids[:-1] <= 0.5)) / 25
    assert shut == pytest.approx([0.8, 2.4], abs=0.12)


def test_wrong_knobs_and_lengths(pipeline: MotionPipeline, speech: SpeechFeatures) -> None:
    track = emotion_track("neutral", 0, len(speech))
    for knob, value in (("head_motion", -1), ("lip_strength", 5), ("blink_rate", 61), ("gaze", "50,0")):
        with pytest.raises(MotionError, match=f"{knob} is {value}: out of range; give"):
            pipeline(speech, track, **{knob: value})
    with pytest.raises(MotionError, match="make the EmotionTrack for"):
        pipeline(speech, emotion_track("neutral", 0, 3))


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_shortest_clips(pipeline: MotionPipeline, num_frames: int) -> None:
    assert len(perform(pipeline, silence(num_frames), "sad")) == num_frames


def test_an_articulator_that_knows_no_lips_leaves_them_open(pipeline: MotionPipeline, tmp_path: Path) -> None:
    torch.manual_seed(0)
    Articulator(content_width=8).save_pretrained(tmp_path / "articulator")
    pipeline.gestures.denoiser.save_pretrained(tmp_path / "gesture")
    content = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    loaded = MotionPipeline.from_pretrained(tmp_path)
    motion = perform(loaded, SpeechFeatures(content, np.full(40, -20, np.float32)), "happy")
    assert loaded.travel is None and np.isfinite(motion.blendshapes).all()
    assert motion.blendshapes[:, MOUTH].any()


def test_wide_eyes_let_go_for_a_blink(pipeline: MotionPipeline) -> None:
    motion = perform(pipeline, silence(250), "surprised", 1.0)
    wide = motion.blendshapes[:, [arkit.INDEX["eyeWideLeft"], arkit.INDEX["eyeWideRight"]]]
    shut = motion.blendshapes[:, LIDS].min(1) > 0.98
    assert shut.any() and wide[shut].max() < 0.05 and np.median(wide) > 0.3
