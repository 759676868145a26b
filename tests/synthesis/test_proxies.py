from dataclasses import replace

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.compositor import add_residuals, paste, residual_mask
from talkinghead.synthesis.geometry import ALIGNED_HEIGHT, ALIGNED_WIDTH, polygon_mask, similarity
from talkinghead.synthesis.mouth import MOUTH_HEIGHT, MOUTH_WIDTH
from talkinghead.synthesis.proxies import (
    NUM_GUIDE_CHANNELS,
    ReferenceFace,
    build_proxies,
    compose_guide,
    lay_in_eyes,
    warp_picture,
)
from talkinghead.synthesis.rasteriser import rasterise
from talkinghead.synthesis.regions import INNER_LIPS, RIGHT_EYE, RIGHT_IRIS


def test_rasterise_covers_the_triangle_and_keeps_the_nearest():
    points = np.array([[0, 0, 5], [10, 0, 5], [0, 10, 5], [0, 0, 1], [10, 0, 1], [0, 10, 1]], np.float32)
    values = np.array([[1.0]] * 3 + [[2.0]] * 3, np.float32)
    far_only, depth = rasterise(points, np.array([[0, 1, 2]]), values, 10, 10)
    assert far_only[..., 0].sum() == pytest.approx(50, abs=6)
    assert np.isinf(depth[9, 9])
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        both, _ = rasterise(points, np.array(order), values, 10, 10)
        assert set(np.unique(both)) == {0.0, 2.0}


def test_an_unmoved_face_is_the_portrait(face, picture):
    points, topology = face
    reference = ReferenceFace(picture, points, topology)
    assert np.abs(warp_picture(reference, points) - picture).max() <= 1
    closed_mouth = ~(polygon_mask([points[INNER_LIPS, :2]], 256, 256) > 0)
    assert np.abs(compose_guide(reference, points) - picture)[closed_mouth].max() <= 1


def test_the_warp_carries_a_moved_face(face, picture):
    points, topology = face
    moved = points + np.array([6, -4, 0], np.float32)
    warped = warp_picture(ReferenceFace(picture, points, topology), moved)
    # The picture is linear in x and y, so every skin pixel has the colour from 6 px left and 4 px below.
    assert warped[124 - 30, 134] == pytest.approx(picture[128 - 30, 128].astype(float), abs=1.5)


def test_with_a_matte_the_background_stays_and_the_person_moves(face, picture):
    points, topology = face
    with_ring = replace(topology, ring=np.array([[0, 1, 2]]))
    matte = np.zeros((256, 256), np.float32)
    matte[20:230, 50:206] = 1
    moved = points + np.array([12, 0, 0], np.float32)
    free = warp_picture(ReferenceFace(picture, points, with_ring), moved)
    held = warp_picture(ReferenceFace(picture, points, with_ring, matte=matte), moved)
    person = cv2.dilate(matte, np.ones((61, 61), np.uint8)) > 0
    assert np.array_equal(held[~person], picture.astype(np.float32)[~person])
    inside = cv2.erode(matte, np.ones((9, 9), np.uint8)) > 0
    assert np.abs(held - free)[inside].max() < 2


def test_a_matte_that_misses_the_face_is_not_believed(face, picture):
    points, topology = face
    moved = points + np.array([12, 0, 0], np.float32)
    free = warp_picture(ReferenceFace(picture, points, topology), moved)
    missed = warp_picture(ReferenceFace(picture, points, topology, matte=np.zeros((256, 256), np.float32)), moved)
    assert np.array_equal(free, missed)


@pytest.mark.parametrize("left_open_px", [0.0, 0.5])
def test_a_shut_eye_shows_no_eyeball(face, left_open_px):
    """Nor one whose lids the tracker leaves a little apart."""
    points, topology = face
    loop = points[RIGHT_EYE, :2]
    marked = np.full((256, 256, 3), 200, np.uint8)
    marked[polygon_mask([loop.mean(0) + 0.75 * (loop - loop.mean(0))], 256, 256) > 0] = (255, 0, 255)
    shut = points.copy()
    shut[RIGHT_EYE, 1] = loop[:, 1].max()
    shut[RIGHT_EYE[1:8], 1] -= left_open_px
    reference = ReferenceFace(marked, points, topology)

    def magenta(mesh):
        guide = compose_guide(reference, mesh)
        return guide[..., [0, 2]].mean(-1) - guide[..., 1]

    centre_x, centre_y = points[RIGHT_IRIS[0], :2].astype(int)
    assert magenta(points)[centre_y, centre_x] > 250
    assert magenta(shut).max() < 5
    assert (
        build_proxies(reference, shut).face_guides.eyes[:, : ALIGNED_WIDTH // 2].sum()
        < 0.15 * build_proxies(reference, points).face_guides.eyes[:, : ALIGNED_WIDTH // 2].sum()
    )


def test_eyes_are_the_same_in_a_picture_of_8_bits_and_in_one_of_floats(face):
    points, topology = face
    speckled = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    reference = ReferenceFace(speckled, points, topology)
    looking = points.copy()
    looking[RIGHT_IRIS, 0] += 3
    composite = build_proxies(reference, looking).composite
    floats = warp_picture(reference, looking)
    lay_in_eyes(floats, reference, looking)
    assert np.abs(composite - floats).max() <= 1
    still = build_proxies(reference, points).composite
    eye = polygon_mask([points[RIGHT_EYE, :2]], 256, 256) > 0.9
    assert np.median(np.abs(still[eye].astype(int) - speckled[eye])) <= 1


def test_gaze_moves_the_iris_and_not_the_corners(face, picture):
    points, topology = face
    marked = np.full_like(picture, 230)
    centre = points[RIGHT_IRIS[0], :2]
    yy, xx = np.mgrid[:256, :256]
    marked[np.hypot(xx - centre[0], yy - centre[1]) < 4] = 20
    looking = points.copy()
    looking[RIGHT_IRIS, 0] += 4
    result = compose_guide(ReferenceFace(marked, points, topology), looking)[..., 0]
    row = int(centre[1])
    dark = np.flatnonzero(result[row, 80:118] < 120) + 80
    assert dark.mean() == pytest.approx(centre[0] + 4, abs=1)
    assert result[row, int(points[RIGHT_EYE[0], 0]) + 1] > 200


def test_guides_have_their_shape(face, picture):
    points, topology = face
    proxies = build_proxies(ReferenceFace(picture, points, topology), points)
    stack = proxies.face_guides.stack()
    assert stack.shape == (NUM_GUIDE_CHANNELS, ALIGNED_HEIGHT, ALIGNED_WIDTH)
    assert stack.dtype == np.float32
    assert np.isfinite(stack).all()
    assert 0.3 < proxies.face_guides.skin.mean() < 0.9


def test_similarity_recovers_turn_scale_and_shift():
    source = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    turn = 2.5 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    found = similarity(source, (source @ turn.T + (3, -7)).astype(np.float32))
    assert found == pytest.approx(np.c_[turn, (3, -7)], abs=1e-4)


def _no_change(height, width):
    return np.zeros((height, width, 3), np.float32)


@pytest.mark.parametrize(("skin", "kept"), [((150, 150, 150), 0.0), ((200, 150, 120), 1.0)])
def test_a_grey_picture_is_given_no_colour(coarse_face, skin, kept):
    points, topology = coarse_face
    picture = np.full((256, 256, 3), skin, np.uint8)
    proxies = build_proxies(ReferenceFace(picture, points, topology), points)
    reddish = np.full((ALIGNED_HEIGHT, ALIGNED_WIDTH, 3), (0.12, 0.03, 0.03), np.float32)
    mouth = np.full((MOUTH_HEIGHT, MOUTH_WIDTH, 3), (0.2, 0.0, 0.0), np.float32)
    change = add_residuals(proxies, reddish, mouth).astype(int) - picture
    brow, lips = change[90, 128], change[int(points[13, 1]), 128]
    assert brow.mean() == pytest.approx(0.06 * 255, abs=1.5)
    assert np.ptp(brow) == pytest.approx(kept * 0.09 * 255, abs=1.5)
    assert kept or np.ptp(lips) <= 1


def test_residual_stays_on_the_face(coarse_face, picture):
    points, topology = coarse_face
    proxies = build_proxies(ReferenceFace(picture, points, topology), points)
    change = np.full((ALIGNED_HEIGHT, ALIGNED_WIDTH, 3), 0.2, np.float32)
    changed = add_residuals(proxies, change, _no_change(MOUTH_HEIGHT, MOUTH_WIDTH))
    assert (changed[:20] == picture[:20]).all()
    assert (changed[:, :30] == picture[:, :30]).all()
    brow = changed[90, 128].astype(int) - picture[90, 128]
    assert brow == pytest.approx([51, 51, 51], abs=2)
    assert residual_mask(proxies).max() <= 1


def test_a_fine_picture_takes_light_from_the_faces_network_in_the_skins_hue_and_keeps_its_eyes(fine_face):
    points, topology = fine_face
    picture = np.full((256, 256, 3), (200, 150, 120), np.uint8)
    proxies = build_proxies(ReferenceFace(picture, points, topology), points)
    bluish = np.full((ALIGNED_HEIGHT, ALIGNED_WIDTH, 3), (0.0, 0.0, 0.3), np.float32)
    change = add_residuals(proxies, bluish, _no_change(MOUTH_HEIGHT, MOUTH_WIDTH)).astype(int) - picture
    brow, eye = change[100, 128], change[int(points[RIGHT_EYE, 1].mean()), int(points[RIGHT_EYE, 0].mean())]
    assert brow.mean() == pytest.approx(0.35 * 0.1 * 255, abs=1)
    assert brow / brow.mean() == pytest.approx(np.array([200, 150, 120]) / (470 / 3), abs=0.15)
    assert np.abs(eye).max() <= 3


def test_in_the_mouth_its_expert_has_the_say_and_elsewhere_none(coarse_face, picture):
    points, topology = coarse_face
    opened = points.copy()
    opened[INNER_LIPS[11:20], 1] += 14
    proxies = build_proxies(ReferenceFace(picture, points, topology), opened)
    none, some = _no_change(ALIGNED_HEIGHT, ALIGNED_WIDTH), np.full((ALIGNED_HEIGHT, ALIGNED_WIDTH, 3), 0.2, np.float32)
    grey, lighter = (np.full((MOUTH_HEIGHT, MOUTH_WIDTH, 3), level, np.float32) for level in (0.3, 0.5))
    before = add_residuals(proxies, none, grey).astype(int)
    of_face, of_mouth = add_residuals(proxies, some, grey), add_residuals(proxies, none, lighter)
    x, y = opened[INNER_LIPS, :2].mean(0).round().astype(int)
    assert of_mouth[y, x] - before[y, x] == pytest.approx([51, 51, 51], abs=2)
    assert np.abs(of_face[y, x] - before[y, x]).max() <= 2
    assert np.abs(of_mouth[90] - before[90]).max() == 0


def test_no_residual_is_the_composite(face, picture):
    points, topology = face
    proxies = build_proxies(ReferenceFace(picture, points, topology), points)
    same = add_residuals(proxies, _no_change(ALIGNED_HEIGHT, ALIGNED_WIDTH), _no_change(MOUTH_HEIGHT, MOUTH_WIDTH)).astype(int)
    lips = cv2.dilate(polygon_mask([points[INNER_LIPS, :2]], 256, 256), np.ones((5, 5), np.uint8)) > 0
    assert np.abs(same - np.clip(proxies.composite + 0.5, 0, 255).astype(np.uint8))[~lips].max() <= 1
    opened = points.copy()
    opened[INNER_LIPS[11:20], 1] += 14
    parted = build_proxies(ReferenceFace(picture, points, topology), opened)
    between = add_residuals(parted, _no_change(ALIGNED_HEIGHT, ALIGNED_WIDTH), _no_change(MOUTH_HEIGHT, MOUTH_WIDTH))
    y = opened[INNER_LIPS, 1].mean().astype(int)
    assert between[y, 128].max() < 0.1 * picture[y, 128].max()  # there the little face has nothing, not stretched lips


def test_paste_changes_only_its_place(picture):
    result = paste(picture, np.zeros((10, 20, 3), np.uint8), 5, 7)
    assert (result[7:17, 5:25] == 0).all()
    result[7:17, 5:25] = picture[7:17, 5:25]
    assert (result == picture).all()
