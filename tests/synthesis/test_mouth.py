import numpy as np
import pytest

from talkinghead.synthesis.geometry import area_crop
from talkinghead.synthesis.mouth import (
    MOUTH_HEIGHT,
    MOUTH_TOP_PX,
    MOUTH_WIDTH,
    NUM_MOUTH_CHANNELS,
    MouthProxies,
    ReferenceMouth,
    build_mouth,
    lay_in_mouth,
    mouth_crop,
    mouth_seen,
)
from talkinghead.synthesis.regions import INNER_LIPS


def _opened(points, by_px=14):
    opened = points.copy()
    opened[INNER_LIPS[11:20], 1] += by_px
    return opened


def test_an_unmoved_mouth_is_the_pictures_own(face, picture):
    points, topology = face
    mouth = build_mouth(ReferenceMouth(picture, points, topology), points)
    real = area_crop(picture, mouth.to_crop, MOUTH_WIDTH, MOUTH_HEIGHT) / 255
    for view in (mouth.warp, mouth.skull_reference, mouth.jaw_reference):
        assert np.abs(view - real)[4:-4, 4:-4].max() < 0.02


def test_guides_have_their_shape_and_begin_with_the_base(face, picture):
    points, topology = face
    mouth = build_mouth(ReferenceMouth(picture, points, topology), _opened(points))
    stack = mouth.stack()
    assert stack.shape == (NUM_MOUTH_CHANNELS, MOUTH_HEIGHT, MOUTH_WIDTH) and stack.dtype == np.float32
    assert np.isfinite(stack).all()
    assert (stack[:3].transpose(1, 2, 0) + 1) / 2 == pytest.approx(mouth.base, abs=1e-6)
    assert stack[14] == pytest.approx(mouth.inside) and stack[15] == pytest.approx(mouth.lips)
    within = mouth.inside == 1
    assert np.array_equal(mouth.base[within], mouth.interior[within])
    assert np.array_equal(mouth.base[mouth.inside == 0], mouth.warp[mouth.inside == 0])


def test_an_open_mouth_is_larger_inside_and_the_own_one_rides_with_the_skull(face, picture):
    points, topology = face
    reference = ReferenceMouth(picture, _opened(points, 6), topology)
    shut, open_ = (build_mouth(reference, mesh) for mesh in (points, _opened(points)))
    assert open_.inside.sum() > 1.5 * shut.inside.sum()
    # The skull did not move, so what the portrait shows of its mouth stands where it stood.
    assert np.abs(open_.skull_shown - shut.skull_shown).max() < 0.05


def test_the_crop_turns_and_grows_with_the_head(face):
    """Lips at rest meet at a fixed place of it, however the head is turned, moved or scaled in the picture."""
    points, topology = face
    turn = 1.7 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    moved = points.copy()
    moved[:, :2] = points[:, :2] @ turn.T + (40, -9)
    places = []
    for mesh in (points, moved):
        matrix = mouth_crop(mesh, topology)
        places.append(mesh[:, :2] @ matrix[:, :2].T + matrix[:, 2])
    assert places[0] == pytest.approx(places[1], abs=0.05)
    matrix, rest = mouth_crop(np.c_[topology.layout_px, np.zeros(478)], topology), topology.layout_px[[13, 14]].mean(0)
    assert matrix[:, :2] @ rest + matrix[:, 2] == pytest.approx((MOUTH_WIDTH / 2, MOUTH_TOP_PX), abs=0.01)


def test_the_expert_has_the_say_in_the_mouth_alone(face, picture):
    points, topology = face
    mouth = build_mouth(ReferenceMouth(picture, points, topology), _opened(points))
    assert mouth.weight[mouth.inside == 1].min() > 0.95
    assert max(mouth.weight[0].max(), mouth.weight[:, 0].max(), mouth.weight[:, -1].max()) < 0.01


def test_what_is_laid_in_stays_between_the_lips(face, picture):
    points, topology = face
    opened = _opened(points)
    mouth = build_mouth(ReferenceMouth(picture, points, topology), opened)
    before = np.full((256, 256, 3), 200, np.float32)
    after = before.copy()
    lay_in_mouth(after, mouth, opened[INNER_LIPS, :2])
    x, y = opened[INNER_LIPS, :2].mean(0).round().astype(int)
    assert after[y, x] == pytest.approx(mouth.interior[0, 0] * 255, abs=1)  # the little face has nothing in its mouth: black
    changed = np.argwhere((after != before).any(-1))
    low, high = opened[INNER_LIPS, :2].min(0), opened[INNER_LIPS, :2].max(0)
    assert (changed[:, ::-1] >= low - 2).all() and (changed[:, ::-1] <= high + 2).all()
    far = np.full((256, 256, 3), 200, np.float32)
    lay_in_mouth(far, mouth, opened[INNER_LIPS, :2] + 1000)
    assert (far == 200).all()


def _mouth(**changed):
    """A grey mouth in a coarse picture."""
    grey, none = np.full((MOUTH_HEIGHT, MOUTH_WIDTH, 3), 0.5, np.float32), np.zeros((MOUTH_HEIGHT, MOUTH_WIDTH), np.float32)
    pictures = dict.fromkeys(("warp", "interior", "skull_reference", "jaw_reference"), grey)
    masks = dict.fromkeys(("inside", "lips", "skull_shown", "jaw_shown"), none)
    return MouthProxies(**(pictures | masks | {"to_crop": np.eye(2, 3, dtype=np.float32), "shut": 0.0, "fine": 0.0} | changed))


def _stripes(across):
    return np.where(across[..., None] % 4 < 2, 0.1, -0.1).astype(np.float32) * np.ones(3, np.float32)


def test_of_what_the_expert_says_tones_stay_and_detail_gives_way_to_the_rigs():
    rows, columns = np.mgrid[:MOUTH_HEIGHT, :MOUTH_WIDTH]
    inside = ((rows > 20) & (rows < 60) & (columns > 20) & (columns < 90)).astype(np.float32)
    mouth, middle = _mouth(inside=inside), np.s_[30:50, 40:70]
    brighter, tones = mouth_seen(mouth, np.full_like(mouth.warp, 0.2))
    np.testing.assert_allclose(brighter[middle], 0.7, atol=0.01)
    np.testing.assert_allclose(tones[middle], 0.14, atol=0.01)  # of which a finer picture takes a part
    found, tones = mouth_seen(mouth, _stripes(columns))
    np.testing.assert_allclose(np.abs(found[middle] - 0.5), 0.06, atol=0.01)
    assert np.abs(tones[middle]).max() < 0.02


def test_in_a_fine_picture_lips_and_skin_keep_their_own_light():
    rows, _ = np.mgrid[:MOUTH_HEIGHT, :MOUTH_WIDTH]
    lips = ((rows > 15) & (rows < 65)).astype(np.float32)
    added = np.full((MOUTH_HEIGHT, MOUTH_WIDTH, 3), 0.2, np.float32)
    coarse, fine = (mouth_seen(_mouth(lips=lips, fine=f), added)[0] for f in (0.0, 1.0))
    assert coarse.mean() > 0.58 and fine == pytest.approx(np.full_like(fine, 0.5), abs=1e-6)


def test_lips_keep_the_portraits_colour_and_half_the_light_that_is_added():
    rows, _ = np.mgrid[:MOUTH_HEIGHT, :MOUTH_WIDTH]
    lips = ((rows > 15) & (rows < 65)).astype(np.float32)
    mouth = _mouth(lips=lips)
    bluish = np.broadcast_to(np.float32([0.0, 0.0, 0.3]), mouth.warp.shape)
    on_lips = np.s_[30:50, 30:80]
    np.testing.assert_allclose(mouth_seen(mouth, bluish)[0][on_lips], 0.55, atol=0.01)
    lines = _stripes(rows)
    np.testing.assert_allclose(mouth_seen(mouth, lines)[0][on_lips] - 0.5, lines[on_lips], atol=0.02)


def test_where_parted_lips_have_met_the_expert_adds_little_to_them_and_a_warm_mouth_stays_warm():
    rows, _ = np.mgrid[:MOUTH_HEIGHT, :MOUTH_WIDTH]
    lips = ((rows > 15) & (rows < 65)).astype(np.float32)
    pink, on_lips = np.broadcast_to(np.float32([0.8, 0.5, 0.5]), (MOUTH_HEIGHT, MOUTH_WIDTH, 3)), np.s_[30:50, 30:80]
    parted, shut = (mouth_seen(_mouth(warp=pink, interior=pink, lips=lips, shut=s), 0 * pink - 0.2)[0] for s in (0.0, 1.0))
    assert parted[on_lips].mean() == pytest.approx(0.5, abs=0.02) and shut[on_lips].mean() == pytest.approx(0.59, abs=0.02)
    assert (parted[..., 0] / parted[..., 1])[on_lips] == pytest.approx(1.6, abs=0.02)
