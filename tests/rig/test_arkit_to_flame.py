"""The maps between ARKit's 52 and FLAME, on a model of FLAME's shape that is made of our own rig: what is true is known."""

import json
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from talkinghead import arkit
from talkinghead.errors import CheckpointError, FaceError, InputError
from talkinghead.export.flame_fitting import drawn, fit_map, tracked_points
from talkinghead.rig.arkit_to_flame import ArkitToFlame, fit, moved_points
from talkinghead.rig.face_rig import FaceRig
from talkinghead.rig.flame import Flame
from talkinghead.rig.surface_points import SurfacePoints, points_from_embedding
from talkinghead.rig.topology import LOWER_LID_LEFT, LOWER_LID_RIGHT, UPPER_LID_LEFT, UPPER_LID_RIGHT, lid_gap
from tests.rig.standin import MOVED_M, flame_of_rig

ROOT = Path(__file__).parents[2]
SPOKEN = [index for index in range(52) if index not in arkit.EYE_LOOK]
SCALE = 1.05


@pytest.fixture(scope="module")
def rig():
    return FaceRig.from_pretrained(Path(__file__).parents[2] / "checkpoints/default/rig")


@pytest.fixture(scope="module")
def flame(rig):
    return flame_of_rig(rig, scale=SCALE)


@pytest.fixture(scope="module")
def exact():
    corners = np.repeat(np.arange(468)[:, None], 3, 1)
    return SurfacePoints(np.arange(468), corners, np.tile(np.float32([0.5, 0.25, 0.25]), (468, 1)))


@pytest.fixture(scope="module")
def fitted(rig, flame, exact):
    return fit(rig, flame, exact)


def left(rig, flame, maps):
    """Parts of the motion of all true points that FLAME does not show, a blendshape."""
    expression, jaw = maps.to_flame(np.eye(52, dtype=np.float32))
    shown = moved_points(flame, SURFACE, expression, jaw) - flame.template[:468].numpy()
    wanted = SCALE * rig.deltas[:, :468]
    return np.sqrt(((shown - wanted) ** 2).sum((1, 2))[SPOKEN] / np.maximum((wanted**2).sum((1, 2))[SPOKEN], 1e-9))


SURFACE = SurfacePoints(np.arange(468), np.repeat(np.arange(468)[:, None], 3, 1), np.tile(np.float32([1, 0, 0]), (468, 1)))


def test_a_basis_that_holds_the_motion_shows_it(rig, flame, fitted):
    maps, report = fitted
    assert np.allclose(maps.centre, MOVED_M, atol=1e-4) and report["scale"] == pytest.approx(SCALE, abs=1e-3)
    parts = dict(zip(np.array(arkit.BLENDSHAPES)[SPOKEN], left(rig, flame, maps), strict=True))
    jaw = {name: part for name, part in parts.items() if name.startswith("jaw")}
    assert max(jaw.values()) < 0.2 and max(part for name, part in parts.items() if name not in jaw) < 0.05
    assert report["to_flame"]["all"]["left_part"] < 0.08 and report["to_flame"]["lips"]["motion_mm"] > 5
    assert report["to_flame_and_back"]["all"]["left_part"] < 0.05 and "jawOpen" in report["hardest"]


def test_the_jaw_opens_by_turning(fitted, rig):
    _, jaw = fitted[0].to_flame(np.eye(52, dtype=np.float32))
    opening = jaw[arkit.INDEX["jawOpen"]]
    assert 0.6 * rig.jaw[3] < opening[0] < 1.4 * rig.jaw[3] and np.abs(opening[1:]).max() < 0.02
    assert jaw[arkit.INDEX["jawLeft"], 1] > 0.02 > -0.02 > jaw[arkit.INDEX["jawRight"], 1]
    assert np.abs(jaw[arkit.INDEX["browInnerUp"]]).max() < 0.01


def test_a_blink_shuts_the_eyes_of_this_head_and_no_more(rig, exact):
    """A head whose eyes are higher by a third of their opening than our rig's."""
    model = flame_of_rig(rig, scale=SCALE)
    wide = model.template.clone()
    high = {}
    for upper, lower in ((UPPER_LID_RIGHT, LOWER_LID_RIGHT), (UPPER_LID_LEFT, LOWER_LID_LEFT)):
        high |= {top: float(wide[top, 1] - wide[bottom, 1]) / 3 for top, bottom in zip(upper, lower, strict=True)}
    for point, rise in high.items():
        wide[point, 1] += rise
    tall = Flame(**{n: wide if n == "template" else v for n, v in model.named_buffers()})
    for flame in (model, tall):
        maps, _ = fit(rig, flame, exact)
        blink = np.zeros((1, 52), np.float32)
        blink[0, [arkit.INDEX["eyeBlinkLeft"], arkit.INDEX["eyeBlinkRight"]]] = 1
        shut = moved_points(flame, SURFACE, *maps.to_flame(blink))
        open_ = lid_gap(flame.template[None, :468].numpy())
        assert np.abs(lid_gap(shut) / open_).max() < 0.15
        assert maps.to_arkit(*maps.to_flame(0.5 * blink))[0, arkit.INDEX["eyeBlinkLeft"]] == pytest.approx(0.5, abs=0.06)


def test_what_cannot_be_shown_is_reported(rig, flame, exact):
    """A model that knows a fifth of the expressions says so, and another one of other directions all the more."""
    few = Flame(**{n: v[:10] if n == "expression_directions" else v for n, v in flame.named_buffers()})
    maps, report = fit(rig, few, exact)
    assert 0.25 < report["to_flame"]["all"]["left_part"] < 0.95
    assert left(rig, few, maps).mean() > 0.25, maps


def test_there_and_back_is_the_same_face(rig, fitted, flame, exact):
    maps, _ = fitted
    random = np.random.default_rng(0)
    shapes = (random.uniform(0, 1, (20, 52)) * (random.uniform(size=(20, 52)) < 0.2)).astype(np.float32)
    shapes[:, list(arkit.EYE_LOOK)] = 0
    expression, jaw = maps.to_flame(shapes)
    back = maps.to_arkit(expression, jaw)
    assert back.min() >= 0 and back.max() <= 1 and not back[:, list(arkit.EYE_LOOK)].any()
    deltas = rig.deltas[:, :468]
    apart = np.linalg.norm(np.tensordot(back - shapes, deltas, 1), axis=-1)
    assert np.sqrt((apart**2).mean()) < 0.08 * np.sqrt((np.tensordot(shapes, deltas, 1) ** 2).sum(-1).mean())
    assert np.allclose(maps.to_arkit(np.zeros((2, 60)), np.zeros((2, 3))), 0, atol=1e-3), "a face at rest is at rest"
    assert maps.to_arkit(expression[:, :50], jaw).shape == (20, 52), "trackers that write fewer expressions"


def test_the_tracker_finds_its_points_on_the_drawn_head(rig, flame, tracker, fitted):
    picture = drawn(flame)[0]
    assert picture.shape == (640, 640, 3) and 30 < picture.mean() < 220
    surface = tracked_points(flame, tracker)
    apart = np.linalg.norm(surface.of(flame.template.numpy()) - flame.template[:468].numpy(), axis=1) * 1000
    assert apart.mean() < 4 and np.median(apart) < 2.5
    maps, report = fit(rig, flame, surface)
    assert left(rig, flame, maps).mean() < 0.25 and report["to_flame"]["all"]["left_part"] < 0.25
    _, jaw = maps.to_flame(np.eye(52, dtype=np.float32))
    assert 0.6 < jaw[arkit.INDEX["jawOpen"], 0] / fitted[0].forward[arkit.INDEX["jawOpen"], -3] < 1.6


def test_a_head_without_a_face_is_an_error(flame, tracker):
    flat = Flame(**{n: v * torch.tensor([1, 0.1, 1]) if n == "template" else v for n, v in flame.named_buffers()})
    with pytest.raises(FaceError, match=r"no face found on the drawn FLAME head; give --points mediapipe_landmark_embedding"):
        tracked_points(flat, tracker)


def embedding(path, flame, **change):
    """105 of the points at a corner of a triangle each, as FLAME's authors write them."""
    points = np.arange(0, 420, 4)
    faces = flame.faces.numpy()
    triangle = np.array([np.flatnonzero((faces == point).any(1))[0] for point in points])
    share = (faces[triangle] == points[:, None]).astype(np.float64)
    np.savez(path, **({"lmk_face_idx": triangle, "lmk_b_coords": share, "landmark_indices": points} | change))
    return path


def test_the_users_embedding_serves_instead(rig, flame, tmp_path):
    surface = points_from_embedding(embedding(tmp_path / "e.npz", flame), flame)
    assert len(surface) == 105
    assert np.allclose(surface.of(flame.template.numpy()), flame.template[surface.points].numpy(), atol=1e-6)
    report = fit_map(tmp_path, flame, rig, None, tmp_path / "e.npz")
    assert report["points"] == 105 and report["to_flame"]["all"]["left_part"] < 0.12
    maps = ArkitToFlame.load(tmp_path, flame)
    assert left(rig, flame, maps).mean() < 0.15, "at all 468 points"
    assert json.loads((tmp_path / "arkit.json").read_text()) == report


def test_the_converter_fits_what_it_converts(flame, tmp_path, monkeypatch, capsys):
    content = {
        "v_template": flame.template.numpy().astype(np.float64),
        "shapedirs": torch.cat([flame.shape_directions, flame.expression_directions]).permute(1, 2, 0).numpy(),
        "posedirs": flame.pose_directions.permute(1, 2, 0).numpy(),
        "J_regressor": scipy.sparse.csc_matrix(flame.joint_regressor.numpy()),
        "weights": flame.weights.numpy(),
        "f": flame.faces.numpy().astype(np.uint32),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
    }
    (tmp_path / "mine.pkl").write_bytes(pickle.dumps(content, 2))
    command = ["convert_flame.py", str(tmp_path / "mine.pkl"), "-o", str(tmp_path / "flame"), "--num-shape", "8"]
    monkeypatch.setattr("sys.argv", command)
    runpy.run_path(str(ROOT / "scripts/convert_flame.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "468 points" in said and "lips: " in said and "there and back" in said and "8 of shape, 60 expressions" in said
    report = json.loads((tmp_path / "flame/arkit.json").read_text())
    assert f"all: {report['to_flame']['all']['left_mm']:.2f} of" in said and report["to_flame"]["all"]["left_part"] < 0.25
    assert ArkitToFlame.load(tmp_path / "flame", Flame.from_pretrained(tmp_path / "flame"))
    with pytest.raises(SystemExit, match=r"error: output .*flame: is there already; give a new name"):
        runpy.run_path(str(ROOT / "scripts/convert_flame.py"), run_name="__main__")


def test_saved_maps_are_the_same_and_those_of_another_model_are_refused(rig, flame, fitted, tmp_path):
    maps, report = fitted
    maps.save(tmp_path, report)
    back = ArkitToFlame.load(tmp_path, flame)
    assert all(np.array_equal(getattr(maps, name), getattr(back, name)) for name in ("forward", "gram", "observe", "centre"))
    few = flame_of_rig(rig, num_expressions=52)
    with pytest.raises(
        CheckpointError, match=r"no map from ARKit to FLAME .forward has shape \(52, 63\), \(52, 55\) is wanted"
    ):
        ArkitToFlame.load(tmp_path, few)
    with pytest.raises(CheckpointError, match=r"holds no map from ARKit .*convert FLAME's own file again"):
        ArkitToFlame.load(tmp_path / "none", flame)


@pytest.mark.parametrize(
    "change", [{"lmk_b_coords": np.zeros((105, 3))}, {"landmark_indices": np.arange(5)}, {"lmk_face_idx": np.full(105, 10**6)}]
)
def test_a_wrong_embedding_is_named(flame, tmp_path, change):
    with pytest.raises(InputError, match=r"e.npz: no landmark embedding of this model .*; give FLAME's own"):
        points_from_embedding(embedding(tmp_path / "e.npz", flame, **change), flame)
    with pytest.raises(InputError, match=r"none.npz: no landmark embedding"):
        points_from_embedding(tmp_path / "none.npz", flame)
