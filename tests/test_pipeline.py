"""The whole path with the shipped models on the shipped example."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import wavfile

from talkinghead import arkit
from talkinghead.audio.waveform import load_audio
from talkinghead.emotion.track import EmotionRequest, emotion_track
from talkinghead.errors import CheckpointError, EmotionError, InputError, MotionError, TalkingHeadError, VideoError
from talkinghead.facemesh import FACE_OVAL
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.fitting import fit_face, fit_motion
from talkinghead.rig.retargeting import Reenactment
from talkinghead.streaming import MotionStream
from talkinghead.types import EMOTIONS, SAMPLE_RATE, SAMPLES_PER_FRAME, Audio, FaceMotion

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def head():
    return TalkingHead.from_pretrained(device="cpu")


@pytest.fixture(scope="module")
def portrait(head):
    return head.load_portrait(ROOT / "assets/astronaut.jpg", size=256)


@pytest.fixture(scope="module")
def audio():
    return Audio(load_audio(ROOT / "assets/speech.wav").samples[: 30 * SAMPLES_PER_FRAME])


def test_speech_and_a_portrait_become_as_many_frames_as_the_speech_lasts(head, portrait, audio):
    frames = list(head(portrait, audio, emotion="happy", intensity=0.7, seed=1))
    assert len(frames) == 30
    assert frames[0].shape == portrait.image.shape and frames[0].dtype == np.uint8
    tracked = list(head.tracker.track(frames))
    assert all(face is not None for face in tracked)
    gap = np.array([np.linalg.norm(face.points[13] - face.points[14]) for face in tracked])
    assert np.ptp(gap) > 0.03 * np.linalg.norm(tracked[0].points[33] - tracked[0].points[263]), "the mouth moves"
    corner = (slice(0, 8), slice(0, 8))
    assert all((frame[corner] == portrait.image[corner]).all() for frame in frames), "the far background is untouched"


def test_the_same_seed_gives_the_same_bytes(head, portrait, audio):
    short = Audio(audio.samples[: 8 * SAMPLES_PER_FRAME])
    runs = [list(head(portrait, short, emotion="sad", seed=seed)) for seed in (3, 3, 4)]
    assert all((a == b).all() for a, b in zip(runs[0], runs[1], strict=True))
    assert any((a != b).any() for a, b in zip(runs[0], runs[2], strict=True))


def test_motion_for_every_frame_in_its_ranges(head, audio):
    motion = head.animate(audio, "angry", 1.0, seed=0)
    assert len(motion) == 30
    assert motion.blendshapes.min() >= 0 and motion.blendshapes.max() <= 1
    assert np.isfinite(motion.head_rotation).all() and np.isfinite(motion.gaze).all()


def test_rendered_then_tracked_gives_the_motion_back(head, portrait):
    motion = FaceMotion.neutral(9)
    motion.blendshapes[:, 17] = [0, 0.1, 0.25, 0.4, 0.5, 0.4, 0.25, 0.1, 0]
    tracked = list(head.tracker.track(head.render(portrait, motion)))
    gap = [float(np.linalg.norm(face.points[13] - face.points[14])) for face in tracked]
    assert np.corrcoef(gap, motion.blendshapes[:, 17])[0, 1] > 0.9


def test_a_video_begins_with_the_portraits_own_look(head):
    """A portrait that looks aside goes on from there: the eyes do not jump to the middle in the first frame."""
    portrait = head.load_portrait(ROOT / "assets/drawn_woman.png", size=512)
    aside = replace(portrait.face, points=portrait.face.points.copy())
    width = np.linalg.norm(aside.points[33] - aside.points[133])
    aside.points[468:478, 0] += 0.15 * width
    (frame,) = head.render(replace(portrait, face=aside), FaceMotion.neutral(1))
    eyes = portrait.face.points[[33, 133, 362, 263], :2].round().astype(int)
    low, high = eyes.min(0) - 4, eyes.max(0) + 4
    box = (slice(low[1], high[1]), slice(low[0], high[0]))
    change = np.abs(frame[box].astype(float) - portrait.image[box]).mean()
    (looking_ahead,) = head.render(portrait, FaceMotion.neutral(1))
    assert change < 1.5 * np.abs(looking_ahead[box].astype(float) - portrait.image[box]).mean()


def distance(first, second):
    """(H, W) the largest difference of a channel over the frames of two videos."""
    pairs = zip(first, second, strict=True)
    return np.max([np.abs(a.astype(int) - b.astype(int)).max(-1) for a, b in pairs], axis=0)


def test_a_still_head_leaves_the_picture_as_it_is_but_for_the_face_and_its_rim(head, portrait, audio):
    motion = head.animate(Audio(audio.samples[: 12 * SAMPLES_PER_FRAME]), "surprised", 1.0, head_motion=0)
    changed = distance(head.render(portrait, motion), [portrait.image] * 12) > 0
    oval = portrait.face.points[list(FACE_OVAL), :2]
    rim = cv2.fillPoly(changed.astype(np.uint8) * 0, [((oval - oval.mean(0)) * 1.6 + oval.mean(0)).astype(np.int32)], 1)
    assert changed.sum() > 500 and not changed[rim == 0].any()


def test_a_still_body_does_not_move_below_the_chins_shadow(head, portrait):
    motion = FaceMotion.neutral(4)
    motion.head_rotation[:, 1], motion.head_rotation[:, 0] = [0, 0.1, 0.2, -0.2], [0, 0.15, -0.1, 0.1]
    motion.blendshapes[:, 17] = [0, 0.5, 0.2, 0.4]
    top, chin = portrait.face.points[[10, 152], 1]
    body = slice(round(float(chin + 0.35 * (chin - top))), None)
    still = [portrait.image] * 4
    assert distance(head.render(portrait, motion), still)[body].max() > 5
    stood = distance(head.render(portrait, motion, still_body=True), still)
    assert stood[body].max() == 0 and stood[: round(float(chin))].max() > 20


def test_the_camera_turns_the_head_that_is_seen(head, portrait):
    motion = FaceMotion.neutral(2)
    seen = list(head.render(portrait, motion, camera="0,0 0.04s:12,0"))
    before, after = (fit_face(face, head.rig).rotation for face in head.tracker.track(seen))
    assert np.degrees(after[1] - before[1]) == pytest.approx(-12, abs=4)


def test_a_wink_and_a_smirk_are_seen_on_their_side(head):
    portrait = head.load_portrait(ROOT / "assets/drawn_woman.png", size=384)
    for name in ("eyeBlink", "mouthSmile"):
        left, right = arkit.INDEX[f"{name}Left"], arkit.INDEX[f"{name}Right"]
        motion = FaceMotion.neutral(3)
        motion.blendshapes[:, left] = [0, 0.4, 0.8]
        points = np.stack([face.points for face in head.tracker.track(head.render(portrait, motion))])
        found, _ = fit_motion(points, np.zeros((3, 52), np.float32), head.rig)
        change = found.blendshapes[2] - found.blendshapes[0]
        assert change[left] > 0.3 and abs(change[right]) < 0.4 * change[left], name


def test_a_portrait_that_smiles_goes_on_smiling_until_an_emotion_is_asked_for(head, portrait, audio):
    face = fit_face(portrait.face, head.rig)
    smile = arkit.INDEX["mouthSmileLeft"]
    assert face.resting[smile] > 0.8
    unasked, calm = head.animate(audio), head.animate(audio, "neutral")
    assert np.array_equal(unasked.blendshapes, calm.blendshapes), "a motion alone has no portrait"
    shown = {keep: head.on_face(unasked, face, Reenactment(keep_smile=keep)).blendshapes for keep in (0.0, 0.6)}
    assert shown[0.6][:, smile].min() > 0.35 and shown[0.0][:, smile].max() < 0.3
    assert np.array_equal(head.on_face(calm, face).blendshapes[15], shown[0.0][15]), "neutral was asked for"
    for relative in (False, True):
        kept, none = (head.on_face(unasked, face, Reenactment(relative, keep_smile=keep)).blendshapes for keep in (0.6, 0.0))
        assert np.array_equal(kept, none)
    corners = []
    for keep in (0.0, 0.6):
        (frame,) = head.tracker.track(head.render(portrait, unasked[:1], reenactment=Reenactment(keep_smile=keep)))
        corners.append(np.linalg.norm(frame.points[61] - frame.points[291]))
    assert corners[1] > 1.05 * corners[0], "and is seen to"


def test_another_speechs_lips_on_a_motion(head, audio):
    motion = head.animate(audio, "surprised", 1.0)
    placed = head.with_lips(motion, Audio(np.zeros_like(audio.samples)))
    upper = list(arkit.BROW)
    assert np.array_equal(placed.blendshapes[:, upper], motion.blendshapes[:, upper])
    assert motion.blendshapes[:, 17].max() > 0.2 and placed.blendshapes[:, 17].max() < 0.1
    assert np.array_equal(placed.gaze, motion.gaze) and np.array_equal(placed.head_rotation, motion.head_rotation)


@pytest.mark.parametrize("steps", [0, -1])
def test_no_denoising_step_is_refused(head, portrait, steps):
    with pytest.raises(InputError, match="give 1 or more denoising steps"):
        head.render(portrait, FaceMotion.neutral(1), steps=steps)


def test_emotion_is_a_string_a_request_or_a_track(head, audio):
    asked = head.animate(audio, "sad,happy:mouth:0.5", 0.8)
    for emotion in (EmotionRequest(("sad", "happy:mouth:0.5"), 0.8), emotion_track("sad,happy:mouth:0.5", 0.8, 30)):
        assert np.array_equal(head.animate(audio, emotion).blendshapes, asked.blendshapes)
        with pytest.raises(EmotionError, match=r"intensity is 0.5, and the Emotion\w+ has its own; drop one of them"):
            head.animate(audio, emotion, 0.5)
    assert not np.array_equal(head.animate(audio, "sad", 0.8).blendshapes, asked.blendshapes)


def test_a_smile_is_imitated(head, audio):
    shown = head.read_emotion(ROOT / "assets/astronaut.jpg")
    assert shown.shape == (1, 3, 8) and np.all(shown.argmax(2) == EMOTIONS.index("happy")) and shown[0, 2].max() > 0.4
    motion = head.animate(audio, EmotionRequest(reference=ROOT / "assets/astronaut.jpg"))
    smile = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
    assert motion.blendshapes[12:18, smile].mean() > head.animate(audio).blendshapes[12:18, smile].mean() + 0.3


def test_wrong_arguments_are_named(head, portrait):
    with pytest.raises(InputError, match="quality: 'superb' is unknown; choose from draft, standard, best"):
        head.render(portrait, FaceMotion.neutral(1), quality="superb")
    with pytest.raises(MotionError, match="holds no frame"):
        head.render(portrait, FaceMotion.neutral(0))
    with pytest.raises(InputError, match="device: 'toaster' cannot be used here"):
        TalkingHead.from_pretrained(device="toaster")
    with pytest.raises(CheckpointError, match="no such folder"):
        TalkingHead.from_pretrained(ROOT / "nowhere")


def test_files_will_do_for_a_portrait_and_a_recording(head, tmp_path):
    sound = tmp_path / "speech.wav"
    wavfile.write(sound, SAMPLE_RATE, load_audio(ROOT / "assets/speech.wav").samples[: 3 * SAMPLES_PER_FRAME])
    frames = list(head(ROOT / "assets/drawn_man.png", str(sound)))
    assert len(frames) == 3 and np.array_equal(head.animate(sound).gaze, head.animate(load_audio(sound)).gaze)


def test_a_picture_is_no_video_to_track(head):
    with pytest.raises(VideoError, match="holds a single picture; give a video"):
        head.track(ROOT / "assets/astronaut.jpg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotion": ["happy", "sad"]}, "emotion is list; give a label"),
        ({"emotion": {"happy": 1}}, "emotion is dict; give a label"),
        ({"emotion": "happy", "intensity": "x"}, "intensity is x; give a number from 0"),
        ({"emotion": None, "intensity": 0.0}, "intensity is 0.0, and no emotion is named"),
        ({"seed": -1}, "seed is -1; give a whole number"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number"),
        ({"camera": (10, -5)}, "camera is tuple; give a CameraPath or a text"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(head, portrait, audio, arguments, message):
    with pytest.raises(TalkingHeadError, match=rf"^{message}"):
        head(portrait, Audio(audio.samples[: 4 * SAMPLES_PER_FRAME]), **arguments)


def test_nothing_asked_is_none(head, audio):
    short = Audio(audio.samples[: 8 * SAMPLES_PER_FRAME])
    assert head.animate(short, None).at_ease.min() > 0.6 and head.animate(short).at_ease.min() > 0.6
    with pytest.raises(EmotionError, match=r"^emotion is an EmotionTrack, which a stream has no length for"):
        MotionStream(head, emotion_track("sad", 0.5, 10))
    stream = MotionStream(head, "sad")
    stream.feel(None)
