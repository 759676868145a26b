"""What a head leaves bare is the room, and the edge of a fold has no steps."""

import numpy as np
import pytest

from talkinghead.synthesis.backdrop import before_the_room, folds, room_behind, soften_folds


def wall(height=120, width=160):
    """A wall that is darker to the right."""
    shade = np.linspace(200, 80, width)[None, :, None]
    return np.broadcast_to(shade, (height, width, 3)).astype(np.uint8).copy()


def test_the_room_goes_on_behind_the_person():
    room, matte = wall(), np.zeros((120, 160), np.float32)
    picture = room.copy()
    picture[30:, 60:100], matte[30:, 60:100] = (250, 10, 10), 1
    matte[30:, 58:60] = matte[30:, 100:102] = 0.5
    behind = room_behind(picture, matte).astype(int)
    assert np.abs(behind - room)[:, 5:-5].max() < 25
    assert np.abs(behind - picture)[30:, 60:100].max() > 100


def test_a_picture_that_is_all_person_stays():
    picture = wall()
    assert np.array_equal(room_behind(picture, np.ones((120, 160), np.float32)), picture)


def test_a_fold_is_a_triangle_turned_over():
    points = np.array([[0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 10, 0]], np.float32)
    faces = np.array([[0, 1, 2], [1, 3, 2]])
    moved = points * np.array([0.5, 1.5, 1], np.float32)
    assert not folds(points, moved, faces)
    moved[3, 0] = -20
    assert folds(points, moved, faces)


def test_only_the_edge_of_a_fold_is_softened():
    picture = np.zeros((64, 64, 3), np.uint8)
    stair = np.arange(64)[None] > 30 + np.arange(64)[:, None] % 2
    picture[stair] = 200
    displacement = np.where(stair[..., None], 20.0, 0.0).astype(np.float32).repeat(2, -1)
    outside = np.zeros((64, 64), np.float32)
    soft = soften_folds(picture, displacement, outside).astype(int)
    assert np.array_equal(soft[:, :26], picture[:, :26]) and np.array_equal(soft[:, 37:], picture[:, 37:])
    assert soft[20:40, 31].min() > 40 and soft[20:40, 31].max() < 160
    smooth = np.tile(np.linspace(0, 60, 64, dtype=np.float32)[None, :, None], (64, 1, 2))
    assert np.array_equal(soften_folds(picture, smooth, np.ones_like(outside)), picture)
    small = displacement * (3 / 20)
    assert np.array_equal(soften_folds(picture, small, np.ones_like(outside)), picture), "within the face skin is drawn out"
    assert np.array_equal(soften_folds(picture, small, outside), soft)


@pytest.mark.parametrize("seed", range(3))
def test_a_person_stands_before_the_room_and_leaves_what_was_behind_them(seed):
    random = np.random.default_rng(seed)
    person, picture, behind = (random.integers(0, 256, (80, 90, 3), np.uint8) for _ in range(3))
    person[:20], behind[:20] = 0, 0
    person[20:30], behind[20:30] = 255, 255
    there, matte = random.random((80, 90), np.float32), random.random((80, 90), np.float32)
    matte[:30] = 1
    left = np.maximum(matte - there, 0)[..., None]
    here = there[..., None]
    wanted = here * person + left * behind + (1 - here - left) * picture
    seen = before_the_room(person, there, picture, matte, behind)
    assert np.abs(seen - wanted).max() < 1.5
