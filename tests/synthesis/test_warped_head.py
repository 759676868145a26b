"""What the warp of a whole portrait shows of cheeks that turn up and of lids that shut: the rig's own mesh, drawn."""

import cv2
import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rigged_portrait import mesh_topology
from talkinghead.synthesis.geometry import polygon_mask, rigid_map
from talkinghead.synthesis.proxies import ReferenceFace, compose_guide, warp_picture
from talkinghead.synthesis.regions import RIGHT_CREASE, RIGHT_EYE, SKULL

SKIN, ROOM = np.uint8([200, 150, 120]), np.uint8([0, 0, 255])
SIZE = 800


@pytest.fixture(scope="module")
def rig(root):
    return FaceRig.from_pretrained(root / "checkpoints/default/rig")


def placed(rig, degrees=0.0, **shown):
    """(V, 3) px of a face 560 px high that has turned to the picture's right and shows these blendshapes."""
    coefficients = np.zeros((1, 52), np.float32)
    for name, value in shown.items():
        coefficients[0, arkit.INDEX[name]] = value
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    points = rig.express(coefficients, np.zeros((1, 2), np.float32), rig.neutral)[0] @ turn.T * [1, -1, -1]
    return (points * 560 / np.ptp(rig.neutral[:468, 1]) + [SIZE / 2, SIZE / 2, 0]).astype(np.float32)


def outline(points, shrunk):
    """(SIZE, SIZE) the face from without, a little smaller."""
    hull = cv2.convexHull(np.ascontiguousarray(points[:468, :2], np.float32))[:, 0]
    return polygon_mask([hull.mean(0) + shrunk * (hull - hull.mean(0))], SIZE, SIZE)


def of_room(picture, points):
    """How much of the far cheek, well inside the face, is of the room."""
    inside = outline(points, 0.95) > 0
    inside[:, : SIZE // 2] = False
    return float((picture[inside][:, 2] > picture[inside][:, 0]).mean())


def warped(rig, person, seen):
    """A portrait turned by 20 degrees, before a blue room, turned on by 14."""
    own, target = placed(rig, 20), placed(rig, 6)
    image = (ROOM + person[..., None] * (SKIN.astype(np.float32) - ROOM)).astype(np.uint8)
    reference = ReferenceFace(image, own, mesh_topology(rig), matte=person if seen else None)
    return of_room(warp_picture(reference, target), target)


def test_a_cheek_that_turns_up_is_skin_and_not_the_room(rig):
    assert warped(rig, outline(placed(rig, 20), 0.99), seen=False) < 0.002


def test_a_hollow_cheek_is_taken_from_where_the_person_is(rig):
    own = placed(rig, 20)
    person = outline(own, 0.99)
    person[:, int(own[:468, 0].max()) - 10 :] = 0
    blind, seeing = (warped(rig, person, seen) for seen in (False, True))
    assert seeing < blind / 2


def test_gaps_are_looked_for_where_a_turn_uncovers_skin_and_nowhere_else(rig):
    own = placed(rig, 20)
    person = outline(own, 0.99)
    reference = ReferenceFace(np.full((SIZE, SIZE, 3), SKIN, np.uint8), own, mesh_topology(rig), matte=person)
    looked = []

    class Spy:
        def fill(self, warped, place, target_px, share):
            assert warped.shape[:2] == place.shape[:2]
            looked.append((target_px + np.array([reference.left, reference.top]), share))

    reference.far_edge = Spy()
    for target in (own, placed(rig, 26), placed(rig, 20, mouthPucker=1.0), placed(rig, 20, jawOpen=0.6)):
        warp_picture(reference, target)
    assert not looked
    shares = []
    for degrees in np.arange(20, 12, -0.25):
        looked.clear()
        warp_picture(reference, placed(rig, degrees))
        shares.append(looked[0][1] if looked else 0.0)
    there = placed(rig, degrees)[:, :2]
    there[:468] += reference.within @ rigid_map(own, placed(rig, degrees), SKULL)[:, :2].T
    np.testing.assert_allclose(looked[0][0], there, atol=1e-3)
    assert shares[0] == 0 and shares[-1] == 1 and np.diff(shares).min() >= 0 and np.diff(shares).max() < 0.2, "nothing pops"
    assert ReferenceFace(reference.image, own, mesh_topology(rig)).far_edge is None, "nobody knows where the room is"


@pytest.mark.parametrize(("roll", "size"), [(0, 1.0), (20, 1.0), (-15, 0.8)])
def test_a_hollow_cheek_stays_as_hollow_in_a_head_that_tilts_or_comes_nearer(rig, roll, size):
    own = placed(rig, 20)
    person = outline(own, 0.99)
    person[:, int(own[:468, 0].max()) - 10 :] = 0
    rows = (125 + 120 * np.sin(np.arange(SIZE) / 30)).astype(np.uint8)
    image = np.stack([np.tile(rows, (SIZE, 1)), np.tile(rows[:, None], (1, SIZE)), np.full((SIZE, SIZE), 90, np.uint8)], -1)
    reference = ReferenceFace(image, own, mesh_topology(rig), matte=person)
    assert np.abs(reference.within).max() > 5
    way = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), roll, size).astype(np.float32)
    target = own.copy()
    target[:, :2] = own[:, :2] @ way[:, :2].T + way[:, 2]
    target[:, 2] *= size
    wanted = cv2.warpAffine(image, way, (SIZE, SIZE)).astype(float)
    inside = cv2.erode(cv2.warpAffine(person, way, (SIZE, SIZE)), np.ones((25, 25), np.uint8)) > 0.9
    off = np.abs(warp_picture(reference, target) - wanted)[inside] / 4  # px
    assert off.max() < 1


def test_a_lid_that_shuts_has_pores(rig):
    pores = np.random.default_rng(0).normal(0, 6, (SIZE, SIZE, 1))
    image = np.clip(SKIN + pores, 0, 255).astype(np.uint8)
    own, shut = placed(rig), placed(rig, eyeBlinkRight=1.0, eyeBlinkLeft=1.0)
    lid = polygon_mask([np.concatenate([shut[RIGHT_EYE[2:7], :2], shut[RIGHT_CREASE[5:0:-1], :2]])], SIZE, SIZE) > 0.9
    guide = compose_guide(ReferenceFace(image, own, mesh_topology(rig)), shut)
    rough = np.abs(np.diff(guide.mean(-1), axis=1))[lid[:, 1:]].mean()
    assert rough > 2
