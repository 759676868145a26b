"""The shipped rig: what moves, what does not, and that left and right are alike."""

import json
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import CheckpointError
from talkinghead.rig import topology
from talkinghead.rig.face_rig import FaceRig, ball_centre
from talkinghead.rig.gaze import eye_look, gaze_from_eye_look
from talkinghead.types import FaceMotion

FOLDER = Path(__file__).parents[2] / "checkpoints/default/rig"
SIDES = ((159, 145, "Right"), (386, 374, "Left"))


@pytest.fixture(scope="module")
def rig():
    return FaceRig.from_pretrained(FOLDER)


def motion_of(gaze=(0.0, 0.0), rotation=(0.0, 0.0, 0.0), translation=(0.0, 0.0, 0.0), **coefficients):
    motion = FaceMotion.neutral(1)
    for name, value in coefficients.items():
        motion.blendshapes[0, arkit.INDEX[name]] = value
    motion.gaze[:], motion.head_rotation[:], motion.head_translation[:] = gaze, rotation, translation
    return motion


def shape(rig, **pose):
    return rig(motion_of(**pose)).vertices[0]


def test_neutral_motion_gives_the_neutral_mesh(rig):
    mesh = rig(FaceMotion.neutral(3))
    assert mesh.vertices.shape == (3, len(rig.neutral), 3)
    np.testing.assert_allclose(mesh.vertices, np.broadcast_to(rig.neutral, mesh.vertices.shape), atol=1e-7)
    assert mesh.faces.min() == 0 and mesh.faces.max() < len(rig.neutral)


def test_mirrored_motion_gives_the_mirrored_mesh(rig):
    random = np.random.default_rng(0)
    motion = FaceMotion(*(random.uniform(low, high, (2, n)).astype(np.float32) for low, high, n in
                          ((0, 0.7, 52), (-0.4, 0.4, 3), (-0.02, 0.02, 3), (-0.3, 0.3, 2))))  # fmt: skip
    mirrored = FaceMotion(
        motion.blendshapes[:, list(arkit.MIRROR)],
        motion.head_rotation * np.array([1, -1, -1], np.float32),
        motion.head_translation * np.array([-1, 1, 1], np.float32),
        motion.gaze * np.array([-1, 1], np.float32),
    )
    mirror = topology.mirror_index(rig.neutral)
    reflected = rig(motion).vertices[:, mirror] * np.array([-1, 1, 1], np.float32)
    assert np.abs(rig(mirrored).vertices - reflected).max() < 1e-4


def test_left_is_the_subjects_left(rig):
    left = shape(rig, mouthSmileLeft=1.0) - rig.neutral
    assert np.linalg.norm(left[291]) > 5 * np.linalg.norm(left[61]) and rig.neutral[291, 0] > 0
    assert shape(rig, jawLeft=1.0)[152, 0] > 0.004
    assert shape(rig, gaze=(0.4, 0.0))[468, 0] > rig.neutral[468, 0] + 0.003


def test_jaw_opens_and_mouth_close_shuts_it(rig):
    gap = rig.neutral[13, 1] - rig.neutral[14, 1]
    opened, closed = shape(rig, jawOpen=1.0), shape(rig, jawOpen=1.0, mouthClose=1.0)
    assert opened[13, 1] - opened[14, 1] > gap + 0.02
    assert abs(closed[13, 1] - closed[14, 1] - gap) < 0.001


@pytest.mark.parametrize(("upper", "lower", "side"), SIDES)
def test_lids_close_over_the_eyeballs(rig, upper, lower, side):
    closed = shape(rig, **{f"eyeBlink{side}": 1.0})
    assert rig.neutral[upper, 1] - rig.neutral[lower, 1] > 0.006
    assert abs(closed[upper, 1] - closed[lower, 1]) < 0.001
    ball = rig.neutral[rig.part(f"eyeball_{side.lower()}")]
    radius = np.linalg.norm(ball[0] - ball_centre(ball))
    ring = topology.EYE_RING_RIGHT if side == "Right" else topology.EYE_RING_LEFT
    for mesh in (rig.neutral, closed):
        assert np.linalg.norm(mesh[list(ring)] - ball_centre(ball), axis=1).min() > radius


@pytest.mark.parametrize("side", ["Right", "Left"])
def test_a_full_blink_seals_the_lids_whatever_else_the_face_does(rig, side):
    upper = list(topology.UPPER_LID_RIGHT if side == "Right" else topology.UPPER_LID_LEFT)
    lower = list(topology.LOWER_LID_RIGHT if side == "Right" else topology.LOWER_LID_LEFT)
    for other in ("eyeWide", "eyeSquint", "cheekSquint"):
        half = shape(rig, **{f"eyeBlink{side}": 0.5, f"{other}{side}": 1.0})
        closed = shape(rig, **{f"eyeBlink{side}": 1.0, f"{other}{side}": 1.0})
        assert np.abs(closed[upper] - closed[lower]).max() < 1e-6
        assert (half[upper, 1] - half[lower, 1]).mean() > 0.0005


def test_eyeballs_turn_by_the_gaze_and_nothing_else(rig):
    ball = rig.part("eyeball_left")
    motion = motion_of(gaze=(0.3, 0.2))
    turned = rig(motion).vertices[0, ball]
    sight = turned[0] - ball_centre(turned)
    np.testing.assert_allclose(
        sight / np.linalg.norm(sight), [np.sin(0.3) * np.cos(0.2), np.sin(0.2), np.cos(0.3) * np.cos(0.2)], atol=1e-4
    )
    motion.blendshapes[:, list(arkit.EYE_LOOK)] = 1.0
    np.testing.assert_array_equal(rig(motion).vertices[0, ball], turned)


def test_teeth_are_rigid(rig):
    mesh = shape(rig, jawOpen=0.8, mouthSmileLeft=1.0, mouthPucker=0.5)
    upper, lower = rig.part("upper_teeth"), rig.part("lower_teeth")
    np.testing.assert_allclose(mesh[upper], rig.neutral[upper], atol=1e-7)
    assert (mesh[lower, 1] < rig.neutral[lower, 1]).all()
    for pair in ((0, -1), (3, 100)):
        a, b = (np.linalg.norm(v[lower][pair[0]] - v[lower][pair[1]]) for v in (mesh, rig.neutral))
        assert abs(a - b) < 1e-6


def test_teeth_and_tongue_lie_behind_the_lips(rig):
    front = rig.neutral[[13, 14], 2].min()
    for name in ("upper_teeth", "lower_teeth", "tongue"):
        assert rig.neutral[rig.part(name), 2].max() < front


def test_ring_follows_by_its_weight(rig):
    ring = rig.part("ring")
    moved = shape(rig, translation=(0.01, 0.0, 0.0))[ring, 0] - rig.neutral[ring, 0]
    np.testing.assert_allclose(moved, 0.01 * rig.ring_weight[ring], atol=1e-6)
    weights = rig.ring_weight[ring].reshape(4, 36)
    assert weights[0, 0] == 1 and (weights[3] == 0).all() and (np.diff(weights, axis=0) <= 0).all()


def test_nearer_head_is_larger(rig):
    near = shape(rig, translation=(0.0, 0.0, 0.1))
    assert topology.interocular(near) == pytest.approx(1.2 * topology.interocular(rig.neutral), rel=1e-5)


def test_parts_cover_all_vertices_and_faces_stay_in_theirs(rig):
    ends = list(rig.parts.values())
    assert ends[0][0] == 0 and all(a[1] == b[0] for a, b in pairwise(ends))
    for name, (first, end) in rig.part_faces.items():
        if name not in ("ring", "skin"):
            used = rig.faces[first:end]
            assert used.min() >= rig.parts[name][0] and used.max() < rig.parts[name][1]
    with pytest.raises(KeyError, match="the parts are skin"):
        rig.part("beard")


def test_saved_then_loaded_is_equal(rig, tmp_path):
    rig.save_pretrained(tmp_path)
    loaded = FaceRig.from_pretrained(tmp_path)
    for field in fields(FaceRig):
        a, b = getattr(rig, field.name), getattr(loaded, field.name)
        assert a == b if isinstance(a, dict) else np.array_equal(a, b)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3e6


def test_broken_folders_name_the_file(rig, tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json: no rig configuration"):
        FaceRig.from_pretrained(tmp_path)
    rig.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["parts"]["ring"][1] += 1
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"rig\.safetensors: neutral has shape .* is wanted"):
        FaceRig.from_pretrained(tmp_path)
    (tmp_path / "rig.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match=r"rig\.safetensors: cannot be read"):
        FaceRig.from_pretrained(tmp_path)


def test_gaze_to_eye_look_and_back():
    gaze = np.array([[0.3, 0.2], [-0.5, -0.4], [0.0, 0.0]], np.float32)
    motion = np.zeros((3, 52), np.float32)
    motion[:, list(arkit.EYE_LOOK)] = eye_look(gaze)
    assert motion[0, arkit.INDEX["eyeLookOutLeft"]] == motion[0, arkit.INDEX["eyeLookInRight"]] == pytest.approx(0.5)
    np.testing.assert_allclose(gaze_from_eye_look(motion), gaze, atol=1e-6)
