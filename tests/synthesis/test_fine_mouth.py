"""In a picture finer than the network's crop the inside of the mouth is drawn at its size, own teeth where it shows them."""

import cv2
import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.placement import meshes_of
from talkinghead.rig.pose import matrix_from_axis_angle
from talkinghead.rig.retargeting import retarget
from talkinghead.synthesis.closing import met, way_of_lips
from talkinghead.synthesis.fine_mouth import _placed_lips, between_teeth, lay_in_fine_mouth
from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.mouth import MOUTH_HEIGHT, MOUTH_WIDTH
from talkinghead.synthesis.own_teeth import OwnTeeth
from talkinghead.synthesis.pipeline import QUALITIES
from talkinghead.synthesis.portrait import FINE_FACE_PX
from talkinghead.synthesis.proxies import build_proxies
from talkinghead.synthesis.regions import INNER_LIPS, SKULL
from talkinghead.types import FaceMotion


@pytest.fixture(scope="module")
def head():
    return TalkingHead.from_pretrained()


def _frame(head, root, name, size, jaw=0.4):
    """A portrait whose jaw is open -> its proxies."""
    portrait = head.load_portrait(root / "assets" / name, size=size)
    face, rig, crop = head.placed(portrait, QUALITIES["standard"])
    motion = FaceMotion.neutral(1)
    motion.blendshapes[:, arkit.INDEX["jawOpen"]] = jaw
    (mesh,) = meshes_of(rig, retarget(motion, face), face)
    return build_proxies(crop.reference, mesh - np.array([crop.left, crop.top, 0], np.float32))


def _laid_in(frame, tones=0.0):
    picture = frame.composite.astype(np.float32)
    added = np.full((MOUTH_HEIGHT, MOUTH_WIDTH, 3), tones, np.float32)
    lay_in_fine_mouth(picture, frame.reference, frame.target_px, frame.mouth_guides, added)
    return picture


def _gain(teeth, reference):
    """(K, 3) by how much the vertices of the upper row are lighter than the rig's."""
    row = reference.topology.upper_teeth
    return teeth.colours[row] / reference.mouth.inner_colours[row]


def _inside(frame, picture):
    return polygon_mask([frame.target_px[INNER_LIPS, :2]], *picture.shape[:2])


def test_teeth_are_drawn_between_the_lips_and_nowhere_else(head, root):
    frame = _frame(head, root, "drawn_woman.png", 768)
    picture = _laid_in(frame)
    inside = _inside(frame, picture)
    rim = cv2.dilate(inside, np.ones((3, 3), np.uint8))
    assert np.abs(picture - frame.composite)[rim == 0].max() == 0
    mouth = picture[inside > 0.9]
    assert np.percentile(mouth.mean(1), 95) > 1.8 * np.percentile(mouth.mean(1), 20)  # teeth and the dark behind them
    teeth = (inside > 0.99) & (picture.mean(-1) > 100)
    lighter = _laid_in(frame, 0.1) - picture
    assert np.median(lighter[teeth].mean(-1)) == pytest.approx(0.9 * 0.6 * 0.1 * 255, abs=1)
    hue, was = (x[teeth] / x[teeth].mean(-1, keepdims=True) for x in (picture + lighter, picture))
    assert np.abs(np.median(hue - was, 0)).max() < 0.01


def test_what_the_network_finds_dark_or_light_teeth_follow_a_little(head, root):
    frame = _frame(head, root, "drawn_woman.png", 768)
    as_it_is = _laid_in(frame)
    teeth = (_inside(frame, as_it_is) > 0.99) & (as_it_is.mean(-1) > 100)
    for tones, ratio in ((-0.8, 0.85), (0.8, 1.2)):
        followed = np.median(_laid_in(frame, tones)[teeth].mean(-1) / as_it_is[teeth].mean(-1))
        assert followed == pytest.approx(1 + 0.9 * (ratio - 1), abs=0.03)


def test_the_lower_row_stands_lower_than_the_jaw_has_it(head, root, monkeypatch):
    frame = _frame(head, root, "drawn_woman.png", 768, jaw=0.3)
    lower = _laid_in(frame)
    between = _inside(frame, lower) > 0.9
    monkeypatch.setattr("talkinghead.synthesis.fine_mouth._LOWER_DROP", 0)
    assert _laid_in(frame)[between].mean() > lower[between].mean() + 2, "more of it shows where the jaw has it"


def test_what_is_behind_the_teeth_is_dark_and_red_and_the_teeth_are_not(head, root, monkeypatch):
    frame = _frame(head, root, "drawn_woman.png", 1024, jaw=0.6)
    deep = _laid_in(frame)
    within = cv2.erode(_inside(frame, deep), np.ones((9, 9), np.uint8)) > 0.9
    monkeypatch.setattr("talkinghead.synthesis.fine_mouth._DEEPER", 0)
    monkeypatch.setattr("talkinghead.synthesis.fine_mouth._DEEP_RED", 0)
    fog = _laid_in(frame)
    dark, light = (np.percentile(x[within].mean(-1), (5, 95)) for x in (deep, fog))
    assert 0.7 < dark[0] / light[0] < 0.85, "and not as ink"
    assert dark[1] == pytest.approx(light[1], rel=0.03)
    back = within & (fog.mean(-1) < np.percentile(fog[within].mean(-1), 40))
    red, was = ((x[back, 0] - x[back, 1]).mean() / x[back].mean() for x in (deep, fog))
    assert red > 1.1 * was


def test_the_tongue_is_seen_in_the_dark(head, root, monkeypatch):
    frame = _frame(head, root, "drawn_woman.png", 1024, jaw=0.6)
    picture, between = _laid_in(frame), _inside(frame, frame.composite) > 0.95
    monkeypatch.setattr("talkinghead.synthesis.fine_mouth._TONGUE_LIGHT", 1)
    lighter = np.where(between, (picture - _laid_in(frame)).mean(-1), 0)
    assert lighter.min() > -2 and lighter.max() > 15
    seen = lighter > 8
    assert 0.1 < seen[between].mean() < 0.7
    assert (picture[seen, 0] > 1.1 * picture[seen, 1]).mean() > 0.9, "and red"


def test_the_lower_row_is_dark_at_its_sides(head, root, monkeypatch):
    """Or it is a bow from corner to corner, like a denture."""
    frame = _frame(head, root, "drawn_woman.png", 1024, jaw=0.6)
    dim, between = _laid_in(frame), _inside(frame, frame.composite) > 0.95
    monkeypatch.setattr("talkinghead.synthesis.fine_mouth._LOWER_DIM", 0)
    change = np.where(between, (dim - _laid_in(frame)).mean(-1), 0)
    corners = frame.target_px[INNER_LIPS[[0, 10]], 0]
    way = np.abs(np.arange(change.shape[1]) - corners.mean()) / (np.ptp(corners) / 2)
    height = frame.target_px[INNER_LIPS[[5, 15]], 1]
    above = np.arange(change.shape[0])[:, None] < height[0] + 0.25 * np.ptp(height)
    assert change.max() < 3 and change[:, (way > 0.5) & (way < 0.9)].min() < -25
    assert np.abs(change[:, way < 0.2]).max() < 5 and np.abs(change * above)[:, way < 0.6].max() < 5


def test_a_dark_rim_of_the_warp_takes_the_colour_of_the_lips(head, root):
    """They would be outlined in ink."""
    frame = _frame(head, root, "drawn_woman.png", 768)
    inside = _inside(frame, frame.composite)
    rim = (cv2.dilate(inside, np.ones((3, 3), np.uint8)) > 0.5) & (inside < 0.02)
    frame.composite[rim] = 0
    assert _laid_in(frame)[rim].mean() > 40


def test_between_two_teeth_is_a_line(head, root):
    reference = _frame(head, root, "drawn_woman.png", 768).reference
    teeth, colours = reference.topology.tooth_number[:, 0], reference.topology.colours
    for row in (reference.topology.upper_teeth, reference.topology.lower_teeth):
        assert len(set(teeth[row]) - {0}) >= 10
        gum = colours[row, 0] - colours[row, 2] > 0.25
        assert gum.any() and not teeth[row][gum].any() and teeth[row][~gum].all()
    frame = _frame(head, root, "drawn_woman.png", 768, jaw=0.7)
    left, right = (frame.target_px[INNER_LIPS[k]] for k in (0, 10))
    box = (*np.floor([left[0], left[1] - 40]).astype(int), *np.ceil([right[0], right[1] + 60]).astype(int))
    light = between_teeth(reference.topology, frame.target_px, box)[..., 0]
    assert light.max() == 1 and 0.65 < light.min() < 0.8
    assert 0.003 < (light < 0.9).mean() < 0.1


def test_a_coarse_picture_is_left_to_the_network(head, root):
    frame = _frame(head, root, "drawn_woman.png", 256)
    assert frame.mouth_guides.fine == 0
    assert np.array_equal(_laid_in(frame), frame.composite)


def test_a_smiles_own_teeth_ride_with_the_skull(head, root):
    frame = _frame(head, root, "astronaut.jpg", 2048)
    reference = frame.reference
    shown = reference.own_teeth.shown
    assert shown.max() > 0.9
    own = polygon_mask([reference.mesh_px[INNER_LIPS, :2]], *shown.shape)
    assert shown[own == 0].max() < 0.1
    target = reference.mesh_px + np.float32([7, 4, 0])
    target[INNER_LIPS[11:], 1] += 0.12 * np.linalg.norm(target[INNER_LIPS[0], :2] - target[INNER_LIPS[10], :2])  # it opens
    moved = build_proxies(reference, target)
    picture = _laid_in(moved)
    within = cv2.erode(_inside(moved, picture), np.ones((15, 15), np.uint8))  # the rim is softer
    image = np.roll(reference.image, (4, 7), (0, 1)).astype(np.float32)
    there = (np.roll(shown, (4, 7), (0, 1)) > 0.95) & (within > 0.95)
    assert there.sum() > 500
    drawn, real = (x.mean(-1) - cv2.GaussianBlur(x.mean(-1), (0, 0), 6) for x in (picture, image))
    assert np.corrcoef(drawn[there], real[there])[0, 1] > 0.8


def test_teeth_are_as_light_as_the_pictures_own_and_else_lighter_than_the_skin_asks(head, root):
    for name, has_teeth in (("astronaut.jpg", True), ("drawn_woman.png", False)):
        reference = _frame(head, root, name, 768).reference
        gain = _gain(reference.own_teeth, reference)
        assert (gain.max(0) > 1.05).all() and gain.min() == 1  # the gum is as it was
        assert bool(reference.own_teeth.shown.any()) == has_teeth


@pytest.mark.parametrize("colour", [(20, 20, 20), (190, 120, 115)])
def test_what_is_dark_between_the_lips_or_red_is_no_tooth(head, root, colour):
    reference = _frame(head, root, "astronaut.jpg", 768).reference
    image = reference.image.copy()
    image[polygon_mask([reference.mesh_px[INNER_LIPS, :2]], *image.shape[:2]) > 0] = colour
    found = OwnTeeth.of(image, reference.mesh_px, reference.topology, reference.mouth.inner_colours, 1)
    assert not found.shown.any()


def test_teeth_of_which_more_than_half_are_in_the_shade_are_known(head, root):
    """A face that is lit from one side."""
    reference = _frame(head, root, "astronaut.jpg", 768).reference
    image = reference.image.copy()
    middle = int(reference.mesh_px[INNER_LIPS, 0].mean() + 0.08 * np.ptp(reference.mesh_px[INNER_LIPS, 0]))
    image[:, :middle] = (0.3 * image[:, :middle]).astype(np.uint8)
    found = OwnTeeth.of(image, reference.mesh_px, reference.topology, reference.mouth.inner_colours, 1)
    assert found.shown.max() > 0.9


def test_a_mouth_outside_the_picture_has_no_teeth(head, root):
    reference = _frame(head, root, "astronaut.jpg", 512).reference
    away = reference.mesh_px + np.float32([5000, 0, 0])
    found = OwnTeeth.of(reference.image, away, reference.topology, reference.mouth.inner_colours, 1)
    assert not found.shown.any()


def test_teeth_in_a_grey_picture_are_grey(head, root):
    reference = _frame(head, root, "drawn_woman.png", 512).reference
    found = OwnTeeth.of(reference.image, reference.mesh_px, reference.topology, reference.mouth.inner_colours, 0)
    gain = _gain(found, reference)
    assert np.ptp(gain, axis=1).max() < 1e-5 and gain.max() > 1.05


def test_a_head_that_turns_keeps_the_lips_that_it_has(head, root):
    reference = _frame(head, root, "astronaut.jpg", 1024).reference
    middle = reference.mesh_px[SKULL].mean(0)
    for degrees in (8, 15):
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.float32([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        turned = (reference.mesh_px - middle) @ turn.T + middle
        assert met(turned, reference.mesh_px, 1) < 0.02


def test_the_advice_to_enlarge_is_for_faces_that_are_not_fine(head, root):
    for size in (768, 960, 1024):
        portrait = head.load_portrait(root / "assets/astronaut.jpg", size=size)
        width = np.ptp(portrait.face.points[:, 0])
        fine = _frame(head, root, "astronaut.jpg", size).mouth_guides.fine
        assert (fine > 0.98) == (width >= FINE_FACE_PX)


def test_lips_that_are_where_the_portrait_has_them_show_what_it_shows(head, root):
    """Of a smile every tooth, and what is between the rows."""
    portrait = head.load_portrait(root / "assets/astronaut.jpg", size=2048)
    crop = head.placed(portrait, QUALITIES["standard"])[2]
    own = build_proxies(crop.reference, crop.reference.mesh_px.copy())
    assert own.mouth_guides.fine > 0 and _inside(own, own.composite).max() == 1
    inside = _inside(own, own.composite) > 0.9
    shown = own.reference.image[inside].astype(np.float32)
    assert np.abs(_laid_in(own, 0.2)[inside] - shown).max() < 2
    opened = own.reference.mesh_px.copy()
    width = np.linalg.norm(opened[INNER_LIPS[0], :2] - opened[INNER_LIPS[10], :2])
    opened[INNER_LIPS[11:], 1] += 0.12 * width
    assert np.abs(_laid_in(build_proxies(crop.reference, opened), 0.2)[inside] - shown).mean() > 5


@pytest.mark.parametrize(("axis", "degrees"), [(0, 15), (0, -15), (1, 20), (1, -20)])
def test_a_head_that_turns_with_its_mouth_as_it_is_has_its_lips_where_they_are(head, root, axis, degrees):
    """Foreshortened: what was laid there in the plane of the picture was skin beside the mouth."""
    portrait = head.load_portrait(root / "assets/astronaut.jpg", size=2048)
    reference = head.placed(portrait, QUALITIES["standard"])[2].reference
    own, middle = reference.mesh_px, reference.mesh_px[SKULL].mean(0)
    turn = matrix_from_axis_angle(np.radians(degrees) * np.eye(3)[axis]).astype(np.float32)
    target = (own - middle) @ turn.T + middle
    assert way_of_lips(target, own) < 0.012, "the mouth is as it was"
    place, off = _placed_lips(own, target)
    width = np.linalg.norm(target[INNER_LIPS[0], :2] - target[INNER_LIPS[10], :2])
    lips = own[INNER_LIPS, :2] @ place[:, :2].T + place[:, 2]
    missed = np.linalg.norm(lips - target[INNER_LIPS, :2], axis=1) / width
    assert missed.max() < 0.08 or off > 0.035, "laid where the lips are, or not at all"
    assert off < 0.05
