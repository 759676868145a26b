"""Fitting to points that the rig itself made, so that the truth is known."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import FaceError, MotionError
from talkinghead.rig import fitting, topology
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import FittedFace, fit_face, fit_motion, project, relative_motion
from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.types import FaceMotion, TrackedFace

SMILE = [arkit.INDEX["mouthSmileLeft"], arkit.INDEX["mouthSmileRight"]]
CORNERS = [61, 291]


@pytest.fixture(scope="module")
def rig():
    return FaceRig.from_pretrained(Path(__file__).parents[2] / "checkpoints/default/rig")


def person(rig, seed=0, scale=2000.0):
    weights = np.random.default_rng(seed).normal(0, 0.6, len(rig.identity)).astype(np.float32)
    shape = rig.place_parts((rig.neutral + np.tensordot(weights, rig.identity, 1))[:478])
    zero = np.zeros(3, np.float32)
    return FittedFace(
        shape, np.zeros(52, np.float32), zero[:2], zero, scale, np.array([256, 240], np.float32), np.ones(2, np.float32)
    )


def picture(rig, face, rotation=(0.0, 0.0, 0.0), gaze=(0.0, 0.0), **coefficients):
    """(TrackedFace, 52 coefficients) of a person with a known expression."""
    motion = FaceMotion.neutral(1)
    for name, value in coefficients.items():
        motion.blendshapes[0, arkit.INDEX[name]] = value
    motion.head_rotation[:], motion.gaze[:] = rotation, gaze
    points = project(rig(motion, face).vertices, face)[0, :478]
    return TrackedFace(points, motion.blendshapes[0].copy(), np.zeros(4, np.float32), 1.0)


def distance_px(a, b):
    return float(np.linalg.norm((a - b)[..., :2], axis=-1).max())


@pytest.mark.parametrize("yaw", [0.0, 0.4, -0.8])
def test_resting_face_gives_the_points_again(rig, yaw):
    seen = picture(rig, person(rig), (0.1, yaw, 0.05), (0.2, -0.1), mouthSmileLeft=0.5, jawOpen=0.2, eyeBlinkRight=0.3)
    face = fit_face(seen, rig)
    points = project(rig(face.motion(), face).vertices, face)[0, :478]
    assert distance_px(points, seen.points) < 0.5
    np.testing.assert_allclose(face.rotation, [0.1, yaw, 0.05], atol=0.06)


def test_smile_is_found_and_taken_out_of_the_shape(rig):
    truth = person(rig, seed=3)
    face = fit_face(picture(rig, truth, mouthSmileLeft=0.8, mouthSmileRight=0.8), rig)
    assert face.resting[SMILE].min() > 0.55
    smiling = rig.express(face.resting[None], face.gaze[None], face.shape, face.lid_scale)[0]
    left_over = np.linalg.norm(face.shape[CORNERS] - truth.shape[CORNERS], axis=1).max()
    assert left_over < 0.3 * np.linalg.norm(smiling[CORNERS] - truth.shape[CORNERS], axis=1).min()


def test_gaze_is_found_on_turned_heads(rig):
    for yaw in (0.0, 0.5):
        face = fit_face(picture(rig, person(rig, 1), (0.0, yaw, 0.0), (-0.25, 0.1)), rig)
        np.testing.assert_allclose(face.gaze, [-0.25, 0.1], atol=0.08)


def test_clip_recovers_the_vertices_and_the_pose(rig):
    truth, random = person(rig, 2), np.random.default_rng(1)
    time = np.linspace(0, 6, 40)[:, None]
    wave = 0.5 + 0.5 * np.sin(time + random.uniform(0, 6, (1, 52)))
    blendshapes = (wave * (random.random((1, 52)) < 0.25) * 0.6).astype(np.float32)
    rotation = (0.2 * np.sin(time + np.array([[0, 1, 2]]))).astype(np.float32)
    shift = (0.01 * np.sin(time + np.array([[2, 0, 1]]))).astype(np.float32)
    gaze = (0.2 * np.sin(time + np.array([[0, 2]]))).astype(np.float32)
    motion = FaceMotion(blendshapes, rotation, shift, gaze)
    points = project(rig(motion, truth).vertices, truth)[:, :478]
    found, face = fit_motion(points, np.zeros((40, 52), np.float32), rig)
    assert found.is_seen and face.motion().is_seen
    again = project(rig(found, face).vertices, face)[:, :478]
    eyes = topology.interocular(points).mean()
    assert np.linalg.norm((again - points)[..., :2], axis=-1).mean() < 0.005 * eyes
    turn = matrix_from_axis_angle(found.head_rotation) @ np.swapaxes(matrix_from_axis_angle(rotation), 1, 2)
    angle = np.arccos(np.clip((np.trace(turn, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert np.degrees(angle).mean() < 3
    assert np.corrcoef(found.gaze[:, 0], gaze[:, 0])[0, 1] > 0.95
    assert found.blendshapes.min() >= 0 and found.blendshapes.max() <= 1


def long_clip(rig, num_frames, seed=0):
    """(T, 478, 3) px of a person who talks, nods and looks about."""
    truth, random = person(rig, seed), np.random.default_rng(seed)
    time = np.linspace(0, num_frames / 6, num_frames)[:, None]
    wave = 0.5 + 0.5 * np.sin(time + random.uniform(0, 6, (1, 52)))
    motion = FaceMotion(
        (wave * (random.random((1, 52)) < 0.2) * 0.5).astype(np.float32),
        (0.15 * np.sin(time + np.array([[0, 1, 2]]))).astype(np.float32),
        (0.01 * np.sin(time + np.array([[2, 0, 1]]))).astype(np.float32),
        (0.2 * np.sin(time + np.array([[0, 2]]))).astype(np.float32),
    )
    return project(rig(motion, truth).vertices, truth)[:, :478]


def test_the_blocks_of_a_long_clip_do_not_show(rig, monkeypatch):
    points, scores = long_clip(rig, 90), np.zeros((90, 52), np.float32)
    monkeypatch.setattr(fitting, "PERSON_FRAMES", 30)
    fits = []
    for block in (90, 16):
        monkeypatch.setattr(fitting, "BLOCK_FRAMES", block)
        fits.append(fit_motion(points, scores, rig))
    (whole, face), (blocks, same) = fits
    for name in ("blendshapes", "head_rotation", "head_translation", "gaze"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(whole, name), atol=1e-5)
    np.testing.assert_allclose(same.shape, face.shape, atol=1e-6)
    again = project(rig(whole, face).vertices, face)[:, :478]
    assert np.linalg.norm((again - points)[..., :2], axis=-1).mean() < 0.005 * topology.interocular(points).mean()


def test_a_person_of_all_frames_and_of_some_is_the_same_person(rig, monkeypatch):
    points, scores = long_clip(rig, 60), np.zeros((60, 52), np.float32)
    monkeypatch.setattr(fitting, "PERSON_FRAMES", 60)
    whole, face = fit_motion(points, scores, rig)
    monkeypatch.setattr(fitting, "PERSON_FRAMES", 30)
    some, same = fit_motion(points, scores, rig)
    assert np.abs(some.blendshapes - whole.blendshapes).mean() < 0.01
    assert np.linalg.norm(same.shape - face.shape, axis=1).max() < 0.002


def test_memory_hardly_grows_with_the_clip(rig, monkeypatch):
    monkeypatch.setattr(fitting, "PERSON_FRAMES", 40)
    monkeypatch.setattr(fitting, "BLOCK_FRAMES", 40)
    peaks = []
    for num_frames in (100, 300):
        points, scores = long_clip(rig, num_frames), np.zeros((num_frames, 52), np.float32)
        tracemalloc.start()
        fit_motion(points, scores, rig)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[1] - peaks[0]) / 200 < 8_000  # bytes a frame; a block needs ten times as much


def test_frames_without_a_face_change_no_frame_that_has_one():
    motion = FaceMotion.neutral(4)
    motion.head_rotation[:, 1] = [3.0, 3.0, -3.0, -3.0]
    seen = np.array([True, True, False, True])
    filled = fitting._fill(motion[np.flatnonzero(seen)], seen)
    np.testing.assert_array_equal(filled.head_rotation[seen, 1], [3.0, 3.0, -3.0])


def test_frames_without_a_face_lie_between_their_neighbours(rig):
    seen = picture(rig, person(rig), jawOpen=0.4)
    points = np.tile(seen.points, (5, 1, 1))
    points[2] = 0
    presence = np.array([1, 1, 0, 1, 1], np.float32)
    motion, _ = fit_motion(points, np.tile(seen.scores, (5, 1)), rig, presence)
    assert len(motion) == 5
    np.testing.assert_allclose(motion.blendshapes[2], (motion.blendshapes[1] + motion.blendshapes[3]) / 2, atol=1e-6)


def test_reenactment_starts_from_the_picture(rig):
    face = fit_face(picture(rig, person(rig), (0.0, 0.3, 0.0), mouthSmileLeft=0.5), rig)
    driver = FaceMotion.neutral(3)
    driver.blendshapes[:, arkit.INDEX["jawOpen"]] = [0.1, 0.4, 0.1]
    driver.head_rotation[:, 1] = [0.5, 0.7, 0.5]
    driver.head_translation[:, 0] = [0.2, 0.21, 0.2]
    moved = relative_motion(driver, face)
    np.testing.assert_allclose(rig(moved[0:1], face).vertices, rig(face.motion(), face).vertices, atol=1e-5)
    assert moved.blendshapes[1, arkit.INDEX["jawOpen"]] == pytest.approx(face.resting[arkit.INDEX["jawOpen"]] + 0.3, abs=1e-5)
    np.testing.assert_allclose(moved.head_rotation[1] - face.rotation, [0, 0.2, 0], atol=0.02)
    np.testing.assert_allclose(moved.head_translation[1], [0.01, 0, 0], atol=1e-6)


def test_wrong_points_are_refused(rig):
    bad = TrackedFace(np.full((478, 3), np.nan, np.float32), np.zeros(52, np.float32), np.zeros(4, np.float32), 1.0)
    with pytest.raises(FaceError, match="478 points in 3-D"):
        fit_face(bad, rig)
    with pytest.raises(MotionError, match=r"give \(T, 478, 3\) and \(T, 52\)"):
        fit_motion(np.zeros((4, 468, 3), np.float32), np.zeros((4, 52), np.float32), rig)
    with pytest.raises(MotionError, match="no frame of points has a face"):
        fit_motion(np.zeros((4, 478, 3), np.float32), np.zeros((4, 52), np.float32), rig, np.zeros(4, np.float32))
