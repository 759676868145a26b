"""A head that turns on shows more of its far cheek: skin, not the room that shines into the portrait's edge."""

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig.face_rig import FaceRig
from talkinghead.synthesis.backdrop import signed_areas
from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.regions import FACE_OVAL, LEFT_EYE, OUTER_LIPS, RIGHT_EYE
from talkinghead.synthesis.stretch import Stretch, within_person

SIZE = 400


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


@pytest.fixture(scope="module")
def skin(rig):
    return rig.faces[slice(*rig.part_faces["skin"])]


def turned(rig, degrees, shape=None):
    """(V, 3) px of a face 340 px high that has turned to the picture's right."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = (rig.neutral if shape is None else shape) @ turn.T * [1, -1, -1]
    scale = 340 / np.ptp(rig.neutral[:468, 1])
    return (points * scale + [SIZE / 2, SIZE / 2, 0]).astype(np.float32)


def outline(points, shrunk=1.0):
    loop = points[FACE_OVAL, :2]
    return polygon_mask([loop.mean(0) + shrunk * (loop - loop.mean(0))], SIZE, SIZE)


def test_a_face_as_it_is_and_one_that_is_smaller_are_taken_from_where_they_are(rig, skin):
    own = turned(rig, 20)
    stretch = Stretch(own, skin)
    assert not stretch.inset(own).any()
    assert not stretch.inset(0.8 * own).any()


def test_what_a_turn_draws_out_is_taken_from_inside_the_edge(rig, skin):
    own, target = turned(rig, 20), turned(rig, 5)
    inset = Stretch(own, skin).inset(target)
    moved = np.linalg.norm(inset, axis=1) > 1
    assert moved.any() and not moved.all()
    assert moved[own[:468, 0] < SIZE / 2].mean() < 0.02, "the near cheek is drawn together"
    assert not moved[np.r_[LEFT_EYE, RIGHT_EYE, OUTER_LIPS, 1, 2, 4, 64, 294]].any(), "these have edges of their own"
    to_middle = own[:468, :2].mean(0) - own[:468, :2]
    assert ((to_middle * inset).sum(1)[moved] > 0).all()


def test_a_cheek_that_is_hollower_than_the_mesh_is_known(rig, skin):
    own = turned(rig, 20)
    person = outline(own, 0.9)
    shown = lambda points: person[tuple(points[:, ::-1].round().astype(int).clip(0, SIZE - 1).T)] > 0.5  # noqa: E731
    outside = ~shown(own[:468, :2]) & (own[:468, 0] > SIZE / 2)
    within = within_person(own, skin, person)
    assert outside.sum() > 10 and shown(own[:468, :2] + within)[outside].mean() > 0.6
    assert np.abs(within[np.r_[LEFT_EYE, RIGHT_EYE, OUTER_LIPS, 1, 2, 4, 64, 294]]).max() < 1e-3
    faint = np.abs(within_person(own, skin, np.maximum(person, 0.5)) - within)
    assert np.median(faint) == 0 and faint.max() < 5, "what is half there is the room"
    assert not within_person(own, skin, np.ones((SIZE, SIZE), np.float32)).any(), "nothing stands in the room"


def test_no_skin_that_the_portrait_shows_is_taken_the_wrong_way_round(rig, skin):
    own = turned(rig, 20)
    eyes_px = np.linalg.norm(own[33] - own[263])
    shown = signed_areas(own, skin)
    large = shown * np.sign(np.median(shown)) > (0.05 * eyes_px) ** 2
    for person in (None, outline(own, 0.9), outline(own, 0.8)):
        within = 0 if person is None else within_person(own, skin, person)
        taken = own[:468, :2] + within + Stretch(own, skin).inset(turned(rig, -10))
        assert (signed_areas(taken, skin)[large] * shown[large] > 0).mean() > 0.98


def test_an_open_jaw_turns_no_skin_to_the_viewer(rig, skin):
    jaw = np.zeros((1, 52), np.float32)
    jaw[0, arkit.INDEX["jawOpen"]] = 0.7
    own, open_mouth = turned(rig, 0), turned(rig, 0, rig.express(jaw, np.zeros((1, 2), np.float32), rig.neutral)[0])
    stretch = Stretch(own, skin)
    turn = np.linalg.norm(stretch.inset(turned(rig, 15)), axis=1).max()
    assert (stretch.of(open_mouth) > 0.4).any()
    assert np.linalg.norm(stretch.inset(open_mouth), axis=1).max() < 0.35 * turn


def test_where_the_person_is_out_of_reach_the_mesh_stays(rig, skin):
    assert not within_person(turned(rig, 20), skin, np.zeros((SIZE, SIZE), np.float32)).any()
