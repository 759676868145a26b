"""Lids and lips that come together look like lids and lips."""

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.closing import lowered, met, parted, with_parted_lips, with_whole_lips
from talkinghead.synthesis.geometry import polygon_mask
from talkinghead.synthesis.lids import with_bare_lids
from talkinghead.synthesis.mouth import ReferenceMouth, build_mouth
from talkinghead.synthesis.proxies import ReferenceFace, build_proxies, warp_picture
from talkinghead.synthesis.regions import (
    INNER_LIPS,
    LEFT_CREASE,
    LEFT_EYE,
    LEFT_RIDGE,
    OUTER_LIPS,
    RIGHT_CREASE,
    RIGHT_EYE,
    RIGHT_RIDGE,
)

SKIN, LIP, TOOTH, PAINT = (np.uint8(colour) for colour in ([200, 150, 120], [190, 90, 90], [250, 250, 245], [20, 30, 90]))


@pytest.fixture
def lidded(face):
    """The face's mesh with creases and ridges 3 and 12 px over the rims of its upper lids."""
    points = face[0].copy()
    for eye, crease, ridge in ((RIGHT_EYE, RIGHT_CREASE, RIGHT_RIDGE), (LEFT_EYE, LEFT_CREASE, LEFT_RIDGE)):
        for row, over in ((crease, 3), (ridge, 12)):
            points[row] = points[eye[1:8]] - np.float32([0, over, 0])
    return points


def test_a_bare_lid_has_the_skin_above_it_and_a_dark_rim(lidded):
    """Whatever lashes and paint stand on the open one."""
    image = np.full((256, 256, 3), SKIN, np.uint8)
    lid = np.concatenate([lidded[RIGHT_EYE[1:8], :2], lidded[RIGHT_CREASE[::-1], :2]])
    image[polygon_mask([lid], 256, 256) > 0] = PAINT
    bare = with_bare_lids(image, lidded)
    x, crease_y, rim_y = (int(v) for v in (*lidded[RIGHT_CREASE[3], :2], lidded[RIGHT_EYE[4], 1]))
    assert np.abs(image[crease_y + 1, x].astype(int) - SKIN).max() > 100
    assert np.abs(bare[crease_y + 1, x].astype(int) - SKIN).max() < 40
    assert bare[rim_y + 1, x].mean() < 80
    far = np.ones((256, 256), bool)
    far[80:120] = False
    assert np.array_equal(bare[far], image[far])


def test_an_eye_that_is_half_shut_keeps_its_wet_lower_rim(lidded):
    """Dark to the outline it would have a line of ink round it."""
    large = (np.float32([3, 3, 1]) * lidded).astype(np.float32)
    image = np.full((768, 768, 3), SKIN, np.uint8)
    image[polygon_mask([large[RIGHT_EYE, :2]], 768, 768) > 0] = TOOTH
    cv2.polylines(image, [large[RIGHT_EYE[:9], :2].round().astype(np.int32)], False, PAINT.tolist(), 6)
    bare = with_bare_lids(image, large)
    x, lower = (int(v) for v in large[RIGHT_EYE[12], :2])
    middle = int(large[RIGHT_EYE, 1].mean())
    assert bare[middle, x].mean() < 60 and bare[lower - 1, x].mean() > 110


def test_a_lid_beneath_a_fringe_is_skin(lidded):
    """Brown hair is not so far from a cheek that its colour says what it is; from the skin beneath the eye it is."""
    hair = (SKIN * np.array([0.6, 0.52, 0.48])).astype(np.uint8)
    image = np.full((256, 256, 3), SKIN, np.uint8)
    image[int(lidded[RIGHT_EYE[12], 1]) + 1 : int(lidded[RIGHT_EYE[12], 1]) + 15] = np.clip(1.25 * SKIN, 0, 255)
    over = np.concatenate([lidded[RIGHT_RIDGE, :2] - np.float32([0, 6]), lidded[RIGHT_CREASE[::-1], :2] + np.float32([0, 1])])
    image[polygon_mask([over], 256, 256) > 0] = hair
    x, y = (int(v) for v in (lidded[RIGHT_CREASE[3], 0], lidded[RIGHT_EYE[4], 1] - 2))
    assert with_bare_lids(image, lidded)[y, x].mean() > 0.9 * SKIN.mean()


def test_a_lid_in_a_deep_socket_is_as_dark_as_it(lidded):
    """A statue's under bright brows; with the cheek's light it would be a lamp."""
    shade = (0.3 * SKIN).astype(np.uint8)
    image = np.full((256, 256, 3), SKIN, np.uint8)
    rim = lidded[RIGHT_EYE, :2]
    middle = rim.mean(0).astype(int)
    image[middle[1] - 25 : middle[1] + 20, middle[0] - 25 : middle[0] + 25] = shade
    bare = with_bare_lids(image, lidded)
    lid = bare[int(rim[4, 1]) - 4 : int(rim[4, 1]) + 2, middle[0] - 6 : middle[0] + 7]
    assert lid.mean(-1).max() < 1.3 * shade.mean()


def test_a_lid_is_as_far_down_as_the_gap_is_smaller(lidded):
    own, shut, wide = (3 * lidded[RIGHT_EYE, :2] for _ in range(3))
    shut[:, 1] = own[:, 1].max()
    wide[:, 1] = own[:, 1].mean() + 1.5 * (own[:, 1] - own[:, 1].mean())
    half = (own + shut) / 2
    assert lowered(shut, own) == 1 and lowered(own, own) == 0 and lowered(wide, own) == 0
    assert 0.2 < lowered(half, own) < 0.8
    assert lowered(shut / 5, own / 5) == 0  # too coarse for lashes to show


@pytest.fixture
def smile(coarse_face):
    """A picture of parted lips whose inner third is teeth by mistake, its mesh, and the mesh with the lips together."""
    points, topology = coarse_face
    points = points.copy()
    points[INNER_LIPS[1:10], 1] -= 5
    points[INNER_LIPS[11:], 1] += 5
    points[OUTER_LIPS[1:10], 1] -= 5
    points[OUTER_LIPS[11:], 1] += 5
    image = np.full((256, 256, 3), SKIN, np.uint8)
    image[polygon_mask([points[OUTER_LIPS, :2]], 256, 256) > 0.5] = LIP
    wrong = points[INNER_LIPS, :2] + 0.33 * (points[OUTER_LIPS, :2] - points[INNER_LIPS, :2])
    image[polygon_mask([wrong], 256, 256) > 0.5] = TOOTH
    together = points.copy()
    middle = points[INNER_LIPS, 1].mean()
    for loop in (INNER_LIPS, OUTER_LIPS):
        gap = np.where(np.arange(20) < 10, -1, 1) * np.abs(points[INNER_LIPS, 1] - middle)
        together[loop, 1] -= gap
    return image, points, together, topology


def test_lips_that_are_parted_are_whole_and_dark_between(smile):
    image, points, _, _ = smile
    whole = with_whole_lips(image, points)
    rim = (0.85 * points[INNER_LIPS, :2] + 0.15 * points[OUTER_LIPS, :2]).round().astype(int)[[4, 5, 6, 14, 15, 16]]
    assert image[rim[:, 1], rim[:, 0]].mean() > 230
    np.testing.assert_allclose(whole[rim[:, 1], rim[:, 0]], np.tile(LIP, (6, 1)), atol=25)
    centre = points[INNER_LIPS, :2].mean(0).astype(int)
    assert whole[centre[1], centre[0]].max() < 140
    outside = polygon_mask([points[OUTER_LIPS, :2]], 256, 256) == 0
    assert np.array_equal(whole[outside], image[outside])


def test_the_dark_corners_of_a_smile_are_lit(smile, monkeypatch):
    image, points, _, _ = smile
    points = 4 * points
    dark = cv2.resize(image, (1024, 1024), interpolation=cv2.INTER_NEAREST)
    beside = np.float32([[-6, 0], [6, 0]])
    points[OUTER_LIPS[[0, 10]], :2] = points[INNER_LIPS[[0, 10]], :2] + beside
    corners = points[OUTER_LIPS[[0, 10]], :2].round().astype(int)
    for x, y in corners:
        cv2.circle(dark, (int(x), int(y)), 4, (10, 10, 10), -1)
    lit = with_whole_lips(dark, points)
    monkeypatch.setattr("talkinghead.synthesis.closing._CORNER_LIGHT", 0)
    unlit = with_whole_lips(dark, points)
    for x, y in corners:
        assert lit[y, x].mean() > unlit[y, x].mean() + 20
    away = np.linalg.norm(np.stack(np.mgrid[:1024, :1024][::-1], -1)[:, :, None] - corners, axis=-1).min(-1) > 20
    assert np.array_equal(lit[away], unlit[away])


def test_a_mouth_that_is_shut_stays_as_it_is(smile):
    image, _, together, _ = smile
    assert np.array_equal(with_whole_lips(image, together), image)
    assert met(together, together, 1) == 0


def test_the_dark_line_between_shut_lips_goes_when_a_fine_mouth_opens(smile):
    """Half of it would be each lip's rim."""
    image, _, together, _ = smile
    points, dark = 4 * together, cv2.resize(image, (1024, 1024), interpolation=cv2.INTER_NEAREST)
    dark[polygon_mask([points[OUTER_LIPS, :2]], 1024, 1024) > 0.5] = LIP
    line = points[INNER_LIPS[3:8], :2].round().astype(int)
    cv2.polylines(dark, [points[INNER_LIPS[:11], :2].round().astype(np.int32)], False, (30, 10, 10), 3)
    assert np.array_equal(with_whole_lips(dark, points)[line[:, 1], line[:, 0]], dark[line[:, 1], line[:, 0]])
    lit = with_parted_lips(dark, points)
    assert lit[line[:, 1], line[:, 0]].mean() > 0.6 * LIP.mean() > 2 * dark[line[:, 1], line[:, 0]].mean()
    far = polygon_mask([points[OUTER_LIPS, :2]], 1024, 1024) == 0
    assert np.array_equal(lit[far], dark[far])
    opened = points.copy()
    opened[INNER_LIPS[11:], 1] += 40
    opened[OUTER_LIPS[11:], 1] += 40
    assert parted(opened, points, 1) > 0.9 and parted(opened, points, 0) == parted(points, points, 1) == 0
    pursed = points.copy()
    middle = points[OUTER_LIPS, 0].mean()
    for loop in (INNER_LIPS, OUTER_LIPS):
        pursed[loop, 0] = middle + 0.8 * (points[loop, 0] - middle)
    assert parted(pursed, points, 1) == 0 < met(pursed, points, 1), "a kiss has its line"
    teeth = dark.copy()
    beside = points[INNER_LIPS[:11], :2] + np.float32([0, -9])
    cv2.polylines(teeth, [beside.round().astype(np.int32)], False, (250, 250, 245), 5)
    assert with_parted_lips(teeth, points)[line[:, 1], line[:, 0]].mean() < 1.05 * LIP.mean(), "lips are not lit by teeth"


def test_lips_that_meet_show_no_teeth_and_lips_that_stay_are_the_warps(smile):
    """In the picture and in the mouth's guides alike."""
    image, points, together, topology = smile
    reference = ReferenceFace(image, points, topology)
    assert met(together, points, 0) == 1 and met(points, points, 1) == 0
    wide = points.copy()
    wide[INNER_LIPS[11:], 1] += 10
    assert met(wide, points, 0) == 0 and met(wide, points, 1) > 0.9  # a fine picture shows what the rim of a lip is made of
    bright = [(build_proxies(reference, mesh).composite.min(-1) > 200).sum() for mesh in (points, together)]
    by_the_warp = (warp_picture(reference, together).min(-1) > 200).sum()
    assert bright[0] > 100 and bright[1] == 0 and by_the_warp > 20
    mouths = [build_mouth(ReferenceMouth(image, points, topology), mesh) for mesh in (points, together)]
    assert [mouth.shut for mouth in mouths] == [0, 1]
    assert (mouths[0].warp.min(-1) > 0.8).any() and not (mouths[1].warp.min(-1) > 0.8).any()
