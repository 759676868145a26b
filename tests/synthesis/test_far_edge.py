"""Between a face and what a turn uncovers of it is skin, as it is inside its outline, and no room."""

import cv2
import numpy as np
import pytest

from talkinghead.synthesis.far_edge import FarEdge
from talkinghead.synthesis.regions import FACE_OVAL

SIZE, EYES_PX = 400, 100.0
SKIN, ROOM = (200, 150, 120), (0, 0, 255)
EDGE = 260
"""Left of this is the person."""


@pytest.fixture
def mesh():
    """(468, 2) px, an upright face of 160 x 240."""
    points = np.full((468, 2), 200, np.float32)
    angle = 2 * np.pi * np.arange(len(FACE_OVAL)) / len(FACE_OVAL)
    points[FACE_OVAL] = np.stack([200 + 80 * np.sin(angle), 200 - 120 * np.cos(angle)], -1)
    return points


def portrait(edge=EDGE):
    person = np.zeros((SIZE, SIZE), np.float32)
    person[:, :edge] = 1
    return np.where(person[..., None] > 0, np.uint8(SKIN), np.uint8(ROOM)), person


def place(gap_from=None, gap_to=None):
    """(SIZE, SIZE, 2): everything where it is, but for skin again from gap_to on, and the room from gap_from to there."""
    x, y = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    if gap_from is not None:
        x[:, gap_to:] -= gap_to - EDGE + 60
        x[:, gap_from:gap_to] = EDGE + 20
    return np.stack([x, y], -1)


def filled(image, person, where, mesh):
    warped = cv2.remap(image, where, None, cv2.INTER_LINEAR)
    before = warped.copy()
    FarEdge(image, person, EYES_PX).fill(warped, where, mesh)
    return before, warped


def blue(picture):
    return (picture[..., 2] > picture[..., 0]).mean()


def test_a_line_of_room_within_the_face_is_skin(mesh):
    before, after = filled(*portrait(), place(230, 238), mesh)
    line = np.s_[120:260, 230:238]
    assert blue(before[line]) == 1 and blue(after[line]) == 0
    assert np.abs(after[line].astype(int) - SKIN).max() < 25


def test_what_fills_it_is_mirrored_and_not_one_colour(mesh):
    image, person = portrait()
    image[:, ::4][:, : EDGE // 4] = (160, 110, 80)
    _, after = filled(image, person, place(230, 238), mesh)
    assert after[200].astype(int)[200:225, 0].std() > 5
    where = place(230, 238)
    where[:, 230:238, 0] = EDGE + np.arange(8)  # what lies just outside, as far as it is wide
    _, after = filled(image, person, where, mesh)
    assert after[200, 230:238, 0].astype(int).std() > 3


def test_the_room_itself_stays(mesh):
    for where in (place(), place(215, 245)):  # nothing uncovered; a gap wider than a fifth of the distance of the eyes
        before, after = filled(*portrait(), where, mesh)
        assert np.array_equal(before, after)


def test_beneath_the_chin_and_far_beside_the_face_room_is_room(mesh):
    before, after = filled(*portrait(), place(230, 238), mesh)
    changed = (before != after).any((1, 2))
    assert changed[200] and not changed[324:].any()
    before, after = filled(*portrait(), place(230, 238), mesh - np.float32([120, 0]))
    assert np.array_equal(before, after)


def test_gaps_that_the_portrait_has_stay(mesh):
    image, person = portrait()
    image[:, 230:236], person[:, 230:236] = ROOM, 0
    before, after = filled(image, person, place(), mesh)
    assert np.array_equal(before, after)


def test_where_nobody_is_nothing_happens(mesh):
    image, _ = portrait()
    before, after = filled(image, np.zeros((SIZE, SIZE), np.float32), place(230, 238), mesh)
    assert np.array_equal(before, after)


def test_a_strip_of_room_at_the_edge_of_the_picture_stays(mesh):
    image, person = portrait(SIZE)
    image[:, :12], person[:, :12] = ROOM, 0
    where = place()
    where[..., 0] += 3
    before, after = filled(image, person, where, mesh - np.float32([120, 0]))
    assert np.array_equal(before, after)


def test_a_gap_of_the_portraits_own_that_widens_a_little_stays(mesh):
    image, person = portrait()
    image[:, 226:234], person[:, 226:234] = ROOM, 0
    where = place()
    where[:, 230:260, 0] -= 2
    where[:, 228:232, 0] = 230
    before, after = filled(image, person, where, mesh)
    assert blue(before[200:210, 226:236]) == 1 and np.array_equal(before, after)


def test_half_a_share_is_half_as_much(mesh):
    image, person = portrait()
    edge, where = FarEdge(image, person, EYES_PX), place(230, 238)
    none, half, all_of_it = (cv2.remap(image, where, None, cv2.INTER_LINEAR) for _ in range(3))
    edge.fill(half, where, mesh, 0.5)
    edge.fill(all_of_it, where, mesh, 1.0)
    assert np.abs(half.astype(int) - (none.astype(int) + all_of_it) // 2).max() <= 2


def test_a_larger_picture_is_filled_alike(mesh):
    image, person = portrait()
    _, after = filled(image, person, place(230, 238), mesh)
    large = (4 * SIZE, 4 * SIZE)
    many = cv2.resize(place(230, 238), large, interpolation=cv2.INTER_NEAREST) * 4 + 1.5
    fine = cv2.resize(image, large, interpolation=cv2.INTER_NEAREST)
    warped = cv2.remap(fine, many, None, cv2.INTER_LINEAR)
    edge = FarEdge(fine, cv2.resize(person, large, interpolation=cv2.INTER_NEAREST), 4 * EYES_PX)
    edge.fill(warped, many, 4 * mesh)
    small = cv2.resize(warped, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    assert np.abs(small[130:250, 225:243].astype(int) - after[130:250, 225:243]).mean() < 12
    assert blue(small[130:250, 231:237]) == 0
