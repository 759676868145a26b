"""A synthetic person whose lips follow the content otherwise than the articulator says: the style finds how."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.errors import StyleError
from talkinghead.motion.adaptation import MAX_LEAD, OPENING, lead, learn_style
from talkinghead.motion.articulator import COLUMNS, Articulator
from talkinghead.motion.dataset import SpeechClip, shifted
from talkinghead.motion.gesture import GestureModel
from talkinghead.motion.lips import LEFT_CORNER, LEFT_EYE, LOWER_LIP, RIGHT_CORNER, RIGHT_EYE, UPPER_LIP
from talkinghead.motion.readout import predict
from talkinghead.motion.smoothing import binomial
from talkinghead.motion.style import fingerprint
from talkinghead.types import FPS, FaceMotion, FloatArray, SpeechFeatures

WIDTH, SOUNDS = 64, 6
EYES_PX = 100.0


@pytest.fixture(scope="module")
def gestures(root):
    return GestureModel.from_pretrained(root / "checkpoints/default/gesture")


@pytest.fixture(scope="module")
def articulator() -> Articulator:
    torch.manual_seed(0)
    return Articulator(content_width=WIDTH).eval()


def speech(num_frames: int, seed: int) -> SpeechFeatures:
    """A few sounds that come and go, seen by many correlated features."""
    sounds = binomial(np.random.default_rng(seed).normal(0, 1, (num_frames, SOUNDS)).astype(np.float32))
    content = sounds @ np.random.default_rng(99).normal(0, 1, (SOUNDS, WIDTH)).astype(np.float32)
    return SpeechFeatures(content.astype(np.float32), np.full(num_frames, -20, np.float32))


def persons_lips(features: SpeechFeatures, model: Articulator, own: float = 1.0, spread: float = 1.0) -> FloatArray:
    """(T, K + 3) what the articulator says, turned by `own` of another read-out, about its mean."""
    said = predict(model, features.content - features.content.mean(0))
    torch.manual_seed(7)
    other = predict(Articulator(content_width=WIDTH).eval(), features.content - features.content.mean(0))
    lips = (1 - own / 2) * (said - said.mean(0)) + own * (other - other.mean(0))
    return spread * lips


def clip_of(features: SpeechFeatures, lips: FloatArray, speed: float = 1.0, blinks: int = 0) -> SpeechClip:
    num_frames = len(features)
    points = np.zeros((num_frames, 478, 3), np.float32)
    points[:, LEFT_EYE, 0], points[:, RIGHT_EYE, 0] = EYES_PX / 2, -EYES_PX / 2
    opening = lips[:, :-1][:, OPENING]
    width = lips[:, :-1][:, OPENING + 1]
    width = 0.1 + width - width.min()
    points[:, LOWER_LIP, 1] = EYES_PX * (opening - opening.min())
    points[:, LEFT_CORNER, 0], points[:, RIGHT_CORNER, 0] = EYES_PX * width / 2, -EYES_PX * width / 2
    assert not points[:, UPPER_LIP].any()
    motion = FaceMotion.neutral(num_frames)
    columns = [arkit.INDEX[name] for name in COLUMNS]
    motion.blendshapes[:, columns] = np.clip(0.5 + 0.05 * lips[:, : len(COLUMNS)], 0, 1)
    sway = speed * np.sin(np.arange(num_frames) / 5)[:, None]
    motion.head_rotation[:], motion.head_translation[:] = 0.03 * sway, 0.008 * sway
    for start in np.linspace(10, num_frames - 10, blinks, dtype=int):
        motion.blendshapes[start : start + 4, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = [
            [0.5],
            [1],
            [0.7],
            [0.3],
        ]
    return SpeechClip("ana.mp4", "", "", False, features, motion, points, np.ones(num_frames, np.float32))


def late(clip: SpeechClip, frames: int) -> SpeechClip:
    """The picture comes so many frames later than the sound."""
    order = np.clip(np.arange(len(clip)) - frames, 0, len(clip) - 1)
    motion = FaceMotion(*(value[order] for value in (
        clip.motion.blendshapes, clip.motion.head_rotation, clip.motion.head_translation, clip.motion.gaze
    )))  # fmt: skip
    return replace(clip, motion=motion, points=clip.points[order])


def r_of_opening(model: Articulator, features: SpeechFeatures, lips: FloatArray) -> float:
    said = predict(model, features.content - features.content.mean(0))
    return float(np.corrcoef(said[:, :-1][:, OPENING], lips[:, :-1][:, OPENING])[0, 1])


def test_the_style_finds_how_this_person_speaks(articulator, gestures):
    heard, unheard = speech(40 * FPS, 1), speech(40 * FPS, 2)
    style = learn_style([clip_of(heard, persons_lips(heard, articulator))], articulator, gestures)
    lips = persons_lips(unheard, articulator)
    before, after = (r_of_opening(model, unheard, lips) for model in (articulator, style.applied_to(articulator)))
    assert before < 0.9 and after > 0.97
    held_out = style.habits.held_out
    assert held_out["opening before"] == pytest.approx(before, abs=0.1) and held_out["opening"] == pytest.approx(
        after, abs=0.03
    )
    assert held_out["width"] > held_out["width before"] + 0.05
    assert style.habits.articulator == fingerprint(articulator) and style.habits.seconds == pytest.approx(40, abs=0.1)


def test_another_persons_style_does_not_help(articulator, gestures):
    heard, unheard = speech(40 * FPS, 1), speech(40 * FPS, 2)
    style = learn_style([clip_of(heard, persons_lips(heard, articulator))], articulator, gestures)
    lips = persons_lips(unheard, articulator, own=0.0)
    before, after = (r_of_opening(model, unheard, lips) for model in (articulator, style.applied_to(articulator)))
    assert before > 0.99 and after < 0.95


def test_several_clips_teach_together_and_each_has_its_own_lead(articulator, gestures):
    clips = [clip_of(heard := speech(6 * FPS, seed), persons_lips(heard, articulator, own=0.5)) for seed in range(4)]
    shifts = [0, 3, -2, 5]
    moved = [late(clip, shift) for clip, shift in zip(clips, shifts, strict=True)]
    assert [lead(clip, articulator)[0] for clip in moved] == [-shift for shift in shifts]
    unheard = speech(40 * FPS, 9)
    lips = persons_lips(unheard, articulator, own=0.5)
    style = learn_style(moved, articulator, gestures).applied_to(articulator)
    assert r_of_opening(style, unheard, lips) > r_of_opening(articulator, unheard, lips) + 0.05


def test_the_lead_is_zero_in_step_and_bounded(articulator):
    features = speech(20 * FPS, 3)
    clip = clip_of(features, persons_lips(features, articulator, own=0.0))
    assert lead(clip, articulator)[0] == 0 and lead(clip, articulator)[1] > 0.99
    assert abs(lead(late(clip, 9), articulator)[0]) <= MAX_LEAD
    sound, picture = shifted(len(clip), lead(late(clip, 4), articulator)[0])
    assert np.array_equal(late(clip, 4).points[picture], clip.points[sound])


def test_who_moves_more_is_stretched_more(articulator, gestures):
    features = speech(30 * FPS, 4)
    # Half of what these lips do is not heard in the speech at all.
    noise = persons_lips(speech(30 * FPS, 5), articulator)
    lips = persons_lips(features, articulator, own=0.0)
    noise *= lips.std(0) / noise.std(0)
    style, plain = (learn_style([clip_of(features, lips + k * noise)], articulator, gestures) for k in (0.9, 0.0))
    assert style.gain[OPENING] > plain.gain[OPENING] + 0.05 and plain.gain[OPENING] == pytest.approx(1, abs=0.25)


def test_a_quiet_head_and_frequent_blinks_are_the_persons(articulator, gestures):
    features = speech(30 * FPS, 6)
    lips = persons_lips(features, articulator)
    still, lively = (
        learn_style([clip_of(features, lips, speed=speed, blinks=blinks)], articulator, gestures).habits
        for speed, blinks in ((0.2, 0), (3.0, 16))
    )
    assert still.head_motion < 1 < lively.head_motion
    assert still.blinks_per_minute is None and 22 < lively.blinks_per_minute < 32


def test_frames_without_a_face_teach_nothing(articulator, gestures):
    features = speech(30 * FPS, 8)
    clip = clip_of(features, persons_lips(features, articulator))
    hidden = replace(clip, points=clip.points.copy(), seen=clip.seen.copy())
    hidden.seen[100:200], hidden.points[100:200, LOWER_LIP, 1] = 0, 500.0
    style = learn_style([hidden], articulator, gestures)
    assert style.habits.seconds == pytest.approx(26, abs=0.1)
    assert style.habits.held_out["opening"] == pytest.approx(
        learn_style([clip], articulator, gestures).habits.held_out["opening"], abs=0.03
    )


def test_too_little_of_a_person_is_refused(articulator, gestures):
    features = speech(9 * FPS, 1)
    clip = clip_of(features, persons_lips(features, articulator))
    with pytest.raises(StyleError, match=r"ana\.mp4: a speaking face is seen for 9\.0 s, at least 10 s are wanted"):
        learn_style([clip], articulator, gestures)
    learn_style([clip, clip], articulator, gestures)


def test_silence_is_refused(articulator, gestures):
    features = speech(12 * FPS, 1)
    clip = clip_of(features, persons_lips(features, articulator))
    silent = replace(clip, features=replace(features, loudness=np.full(12 * FPS, -90, np.float32)))
    with pytest.raises(StyleError, match="the sound is silent"):
        learn_style([silent], articulator, gestures)


def test_lips_of_somebody_else_are_refused(articulator, gestures):
    clip = clip_of(speech(30 * FPS, 1), persons_lips(speech(30 * FPS, 2), articulator))
    with pytest.raises(StyleError, match=r"do not follow the sound \(r .*who is seen is who is heard"):
        learn_style([clip], articulator, gestures)


def test_lips_that_never_move_are_refused(articulator, gestures):
    clip = clip_of(speech(12 * FPS, 1), np.zeros((12 * FPS, len(COLUMNS) + 3), np.float32))
    with pytest.raises(StyleError, match="do not follow the sound"):
        learn_style([clip], articulator, gestures)
