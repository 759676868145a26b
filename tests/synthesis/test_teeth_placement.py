"""Teeth that stand elsewhere than the mesh has them are found there; what shows none stays as it was."""

from dataclasses import replace

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.fitting import fit_face, project
from talkinghead.rig.placement import portrait_mesh
from talkinghead.rigged_portrait import fit_portrait, mesh_topology
from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.interior import draw_mouth, lit_colours
from talkinghead.synthesis.portrait import load_image
from talkinghead.synthesis.regions import INNER_LIPS
from talkinghead.synthesis.teeth_placement import teeth_shift, with_own_teeth, with_teeth_as_seen, with_teeth_shifted
from talkinghead.types import FaceMotion

PX = np.float32(1 / 1200)
"""A pixel of the mouth's crop in m."""


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


@pytest.fixture(scope="module")
def face(rig, root, tracker):
    return fit_face(tracker.detect(load_image(root / "assets/drawn_woman.png")[0])[0], rig)


@pytest.fixture(scope="module")
def speaking(rig, face):
    """(3, V, 3) px: a shut mouth and two open ones."""
    motion = FaceMotion.neutral(3)
    open_wide = [arkit.INDEX[name] for name in ("jawOpen", "mouthUpperUpLeft", "mouthUpperUpRight")]
    motion.blendshapes[1, open_wide], motion.blendshapes[2, open_wide] = 0.3, 0.5
    return project(rig(motion, face).vertices, face)


def drawn(topology, image, meshes):
    """The picture with each mesh's mouth drawn between its lips."""
    frames = []
    for mesh in meshes:
        height, width = image.shape[:2]
        inside = polygon_mask([mesh[INNER_LIPS, :2]], height, width)[..., None]
        mouth = draw_mouth(topology, lit_colours(topology.colours, image, mesh), mesh, (0, 0, width, height))
        frames.append((image + inside * (mouth - image)).astype(np.uint8))
    return np.stack(frames)


@pytest.mark.parametrize("down", [-5, 4])
def test_a_row_of_teeth_is_found_where_it_is(rig, root, speaking, down):
    topology, image = mesh_topology(rig), load_image(root / "assets/drawn_woman.png")[0]
    truth = with_teeth_shifted(speaking, np.array([0, down, 0]) * PX, topology)
    frames = drawn(topology, image, truth)
    shift = teeth_shift(frames, speaking, topology) / PX
    assert abs(shift[1] - down) <= 1 and abs(shift[0]) <= 1
    found = with_teeth_as_seen(frames, speaking, topology)
    upper = topology.upper_teeth
    before, after = (np.abs(x[1:, upper] - truth[1:, upper]).mean() for x in (speaking, found))
    assert after < 0.3 * before
    others = np.ones(speaking.shape[1], bool)
    others[upper] = others[topology.lower_teeth] = False
    np.testing.assert_array_equal(found[:, others], speaking[:, others])


def test_a_shut_mouth_shows_no_teeth(rig, root, speaking):
    topology, image = mesh_topology(rig), load_image(root / "assets/drawn_woman.png")[0]
    assert not teeth_shift([image], speaking[:1], topology).any()


def test_a_shift_in_the_head_is_the_one_in_the_picture(rig, face):
    topology, shift = mesh_topology(rig), np.array([1, -3, 2]) * PX
    person = replace(face, shape=with_own_teeth(face.shape, shift, topology))
    before, after = portrait_mesh(rig, face), portrait_mesh(rig, person)
    expected = with_teeth_shifted(before[None], shift, topology)[0]
    moved = np.linalg.norm(expected - before, axis=1).max()
    assert np.abs(after - expected)[:, :2].max() < 0.35 * moved  # one turns with the head, the other in the picture's plane
    assert moved > 2


def test_a_portrait_whose_mouth_is_shut_keeps_the_generic_teeth(rig, root, tracker):
    image = load_image(root / "assets/drawn_man.png")[0]
    seen = tracker.detect(image)[0]
    np.testing.assert_array_equal(fit_portrait(seen, image, rig).shape, fit_face(seen, rig).shape)


def test_a_portrait_that_shows_its_teeth_gets_them_where_they_are(rig, root, face, speaking, tracker):
    topology, image = mesh_topology(rig), load_image(root / "assets/drawn_woman.png")[0]
    shift = np.array([0, -5, 0]) * PX
    frame = drawn(topology, image, with_teeth_shifted(speaking, shift, topology))[2]
    grin = replace(face, resting=np.zeros(52, np.float32))
    open_wide = [arkit.INDEX[name] for name in ("jawOpen", "mouthUpperUpLeft", "mouthUpperUpRight")]
    grin.resting[open_wide] = 0.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("talkinghead.rigged_portrait.fit_face", lambda *_: grin)
        found = fit_portrait(tracker.detect(image)[0], frame, rig)
    upper = topology.upper_teeth
    np.testing.assert_allclose((found.shape - grin.shape)[upper, 1], 5 * PX, atol=1.1 * PX)


@pytest.mark.parametrize(("down", "row"), [(0.004, "upper_teeth"), (-0.004, "lower_teeth")])
def test_a_row_further_out_of_its_gum_has_longer_teeth(rig, face, down, row):
    """Its edges go all the way and its roots stay; a row further in goes as it is."""
    topology = mesh_topology(rig)
    part = getattr(topology, row)
    height = topology.neutral[part, 1] * np.sign(down)
    edge, root = height.argmin(), height.argmax()
    for sign in (1, -1):
        shift = np.array([0, sign * down, 0] if row == "upper_teeth" else [0, 0, sign * down], np.float32)
        moved = -(with_own_teeth(face.shape, shift, topology) - face.shape)[part, 1]
        np.testing.assert_allclose(moved[edge], sign * down, atol=1e-6)
        np.testing.assert_allclose(moved[root], 0 if sign > 0 else -down, atol=1e-6)
