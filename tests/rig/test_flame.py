"""FLAME in torch against its own paper written out in loops, and its file against a reader that admits arrays alone.

FLAME itself is nobody's to commit: the models here are made of random numbers, and of scraps that are shaped as its file.
"""

import importlib.util
import json
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

from talkinghead.errors import CheckpointError, OutputError
from talkinghead.rig.flame import PARENTS, Flame, rotation_matrix

ROOT = Path(__file__).parents[2]
NUM_VERTICES, NUM_SHAPE, NUM_EXPRESSIONS = 40, 7, 5


def official(seed=0):
    """By the official file's names: (V, 3), (V, 3, S + E), (V, 3, 36), (5, V), (V, 5), (F, 3), (2, 5)."""
    random = np.random.default_rng(seed)
    regressor = random.uniform(0, 1, (5, NUM_VERTICES)) * (random.uniform(size=(5, NUM_VERTICES)) < 0.2)
    regressor[:, 0] += 0.1
    weights = random.uniform(0, 1, (NUM_VERTICES, 5)) ** 4
    return {
        "v_template": random.normal(0, 0.1, (NUM_VERTICES, 3)),
        "shapedirs": random.normal(0, 0.01, (NUM_VERTICES, 3, NUM_SHAPE + NUM_EXPRESSIONS)),
        "posedirs": random.normal(0, 0.01, (NUM_VERTICES, 3, 36)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": random.integers(0, NUM_VERTICES, (50, 3)).astype(np.uint32),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32).astype(np.int64),
        "bs_style": "lbs",
    }


@pytest.fixture(scope="module")
def converter():
    spec = importlib.util.spec_from_file_location("convert_flame", ROOT / "scripts/convert_flame.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def arrays():
    return official()


@pytest.fixture(scope="module")
def flame(converter, arrays):
    return converter.flame_of(arrays, NUM_SHAPE)


def rodrigues(vector):
    angle = np.linalg.norm(vector)
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) * np.cos(angle) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer((x, y, z), (x, y, z))


def by_the_paper(arrays, shape, expression, poses, translation):
    """One head, vertex by vertex with 4 x 4 matrices. poses: (5, 3)."""
    betas = np.zeros(NUM_SHAPE + NUM_EXPRESSIONS)
    betas[: len(shape)] = shape
    betas[NUM_SHAPE : NUM_SHAPE + len(expression)] = expression
    shaped = arrays["v_template"] + sum(beta * arrays["shapedirs"][:, :, k] for k, beta in enumerate(betas))
    joints = [sum(row[v] * shaped[v] for v in range(NUM_VERTICES)) for row in arrays["J_regressor"]]
    world = []
    for joint, parent in enumerate(PARENTS):
        local = np.eye(4)
        local[:3, :3] = rodrigues(poses[joint])
        local[:3, 3] = joints[joint] - (joints[parent] if parent >= 0 else 0)
        world.append(local if parent < 0 else world[parent] @ local)
    feature = [value for pose in poses[1:] for value in (rodrigues(pose) - np.eye(3)).ravel()]
    placed = []
    for v in range(NUM_VERTICES):
        posed = shaped[v] + sum(value * arrays["posedirs"][v, :, k] for k, value in enumerate(feature))
        blend = np.zeros((4, 4))
        for joint in range(5):
            back = np.eye(4)
            back[:3, 3] = -joints[joint]
            blend += arrays["weights"][v, joint] * world[joint] @ back
        placed.append((blend @ [*posed, 1])[:3] + translation)
    return np.array(placed)


def test_every_vertex_is_where_the_paper_has_it(flame, arrays):
    random = np.random.default_rng(1)
    shape, expression = random.normal(size=(3, NUM_SHAPE)), random.normal(size=(3, NUM_EXPRESSIONS - 1))
    poses, translation = random.normal(0, 0.5, (3, 5, 3)), random.normal(size=(3, 3))
    given = [shape, expression, *poses[:, :3].transpose(1, 0, 2), poses[:, 3:].reshape(3, 6), translation]
    came = flame(*(torch.from_numpy(value).float() for value in given)).numpy()
    for row in range(3):
        wanted = by_the_paper(arrays, shape[row], expression[row], poses[row], translation[row])
        assert np.abs(came[row] - wanted).max() < 1e-5
    assert np.abs(came[0] - came[1]).max() > 0.1, "three different heads"


def test_nothing_given_is_the_template_and_unposed_is_a_sum(flame, arrays):
    assert torch.allclose(flame()[0], flame.template, atol=1e-6)
    shape, expression = torch.randn(4, NUM_SHAPE), torch.randn(1, NUM_EXPRESSIONS)
    wanted = arrays["v_template"] + np.einsum(
        "vck,bk->bvc", arrays["shapedirs"], torch.cat([shape, expression.expand(4, -1)], 1).numpy()
    )
    assert np.allclose(flame(shape, expression).numpy(), wanted, atol=1e-6), "a batch of 1 goes with one of 4"
    assert flame(shape).shape == (4, NUM_VERTICES, 3)


def test_the_root_turns_rigidly_about_its_joint(flame):
    turn, jaw = torch.tensor([[0.4, -1.1, 0.3]]), torch.tensor([[0.3, 0.1, 0.0]])
    still, turned = flame(jaw_pose=jaw)[0], flame(rotation=turn, jaw_pose=jaw)[0]
    joint = flame.joints(flame.template[None])[0, 0]
    assert torch.allclose(turned, (still - joint) @ rotation_matrix(turn)[0].T + joint, atol=1e-6)
    assert not torch.allclose(still, flame.template, atol=1e-3)


def test_gradients_are_those_of_small_steps_at_rest_and_away(flame):
    model = Flame(**{name: value.double() if name != "faces" else value for name, value in flame.named_buffers()})
    for start in (0.0, 0.3):
        given = [torch.full((1, width), start, dtype=torch.double, requires_grad=True) for width in (3, 2, 3, 3, 3, 6, 3)]
        assert torch.autograd.gradcheck(lambda *values: model(*values)[:, ::20], given)


def test_saved_then_loaded_is_equal(flame, tmp_path):
    flame.save_pretrained(tmp_path / "flame")
    back = Flame.from_pretrained(tmp_path / "flame")
    assert all(torch.equal(value, back.get_buffer(name)) for name, value in flame.named_buffers())
    assert (back.num_shape, back.num_expressions, back.num_vertices) == (NUM_SHAPE, NUM_EXPRESSIONS, NUM_VERTICES)
    config = tmp_path / "flame/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model": "SMPL"}))
    with pytest.raises(CheckpointError, match=r"holds no FLAME model .its config.json is another model's.; convert FLAME's"):
        Flame.from_pretrained(tmp_path / "flame")
    with pytest.raises(CheckpointError, match=r"holds no FLAME model .*No such file"):
        Flame.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("weights", lambda value: value[:, :4], r"weights has shape \(40, 4\), \(40, 5\) is wanted"),
        ("faces", lambda value: value + 40, "faces name vertices"),
        ("pose_directions", lambda value: value[:9], r"pose_directions has shape \(9, 40, 3\)"),
    ],
)
def test_arrays_that_do_not_go_together_are_named(flame, name, change, message):
    given = dict(flame.named_buffers())
    with pytest.raises(ValueError, match=message):
        Flame(**(given | {name: change(given[name])}))


class FakeCh:
    """As chumpy's arrays are: what counts is in `x`."""

    def __init__(self, x):
        self.x, self._dirty_vars, self._itr = x, set(), None


def written(path, content, protocol=2):
    """A file of the official shape: a sparse matrix of scipy's, arrays that are objects of a module called chumpy."""
    module = types.ModuleType("chumpy.ch")
    FakeCh.__module__, FakeCh.__qualname__, module.FakeCh = "chumpy.ch", "FakeCh", FakeCh
    before = {name: sys.modules.get(name) for name in ("chumpy", "chumpy.ch")}
    sys.modules |= {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": module}
    try:
        path.write_bytes(pickle.dumps(content, protocol))
    finally:
        for name, value in before.items():
            sys.modules.pop(name)
            if value is not None:
                sys.modules[name] = value
    return path


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "sparse", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix, scipy.sparse.coo_matrix, scipy.sparse.csc_array]
)
def test_a_file_of_the_official_shape_converts_and_is_equal(converter, arrays, flame, tmp_path, protocol, sparse):
    content = arrays | {"J_regressor": sparse(arrays["J_regressor"])}
    content |= {name: FakeCh(arrays[name]) for name in ("shapedirs", "v_template")}
    path = written(tmp_path / "generic_model.pkl", content, protocol)
    assert "chumpy" not in sys.modules
    converter.convert(path, tmp_path / "flame", NUM_SHAPE)
    back = Flame.from_pretrained(tmp_path / "flame")
    assert all(torch.equal(value, back.get_buffer(name)) for name, value in flame.named_buffers())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["flame", "generic_model.pkl"]


class Runs:
    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


def test_a_file_that_would_run_something_is_refused_and_does_not(converter, arrays, tmp_path):
    import os

    mark = tmp_path / "mark"
    for hostile, named in (
        (Runs(os.system, f"touch {mark}"), "posix.system"),
        (Runs(eval, f"open({str(mark)!r}, 'w')"), "builtins.eval"),
        (Runs(getattr, np.ndarray, "__subclasses__"), "builtins.getattr"),
        (Path("/"), "PosixPath"),
    ):
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(arrays | {"J": hostile}))
        with pytest.raises(CheckpointError, match=f"model.pkl: not read, for it names .*{named}, which is no array") as error:
            converter.convert(path, tmp_path / "flame", NUM_SHAPE)
        assert "\n" not in str(error.value) and not mark.exists() and not (tmp_path / "flame").exists()
    assert pickle.loads(pickle.dumps(Runs(os.system, f"touch {mark}"))) == 0 and mark.exists(), "the file was a real danger"  # noqa: S301


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.", "is not to be made"),
        (b"c_codecs\nencode\n(Va\nVrot13\ntR.", "bytes as 'rot13'"),
        (b"Pwhere\n.", "refers to something outside"),
        (b"cscipy.sparse.linalg\nsvds\n.", "names scipy.sparse.linalg.svds"),
        (pickle.dumps([1, 2]), "holds a list and no model"),
        (b"hello", "not read, for"),
        (pickle.dumps({"a": np.zeros(100)})[:200], "not read, for"),
    ],
)
def test_other_streams_are_one_line(converter, tmp_path, stream, message):
    (tmp_path / "a.pkl").write_bytes(stream)
    with pytest.raises(CheckpointError, match=message) as error:
        converter.read_arrays(tmp_path / "a.pkl")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": None}, "its 'weights' is a NoneType and no array of numbers"),
        ({"v_template": np.full((NUM_VERTICES, 3), np.nan)}, "its 'v_template' is an array with values that are not numbers"),
        ({"posedirs": np.zeros((NUM_VERTICES, 3, 207))}, r"posedirs are \(40, 3, 207\); FLAME's are \(40, 3, 36\)"),
        ({"shapedirs": np.zeros((NUM_VERTICES, 3, 7))}, "more than 7 are wanted, the rest expressions"),
        ({"kintree_table": np.array([[-1, 0, 1, 2, 3]])}, r"its joints hang on \[0, 1, 2, 3\], FLAME's on \[0, 1, 1, 1\]"),
    ],
)
def test_a_file_that_is_another_model_is_named(converter, arrays, tmp_path, change, message):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(arrays | change))
    with pytest.raises(CheckpointError, match=f"is no FLAME model: .*{message}"):
        converter.convert(tmp_path / "a.pkl", tmp_path / "flame", NUM_SHAPE)
    with pytest.raises(CheckpointError, match="no such file; give FLAME's own"):
        converter.convert(tmp_path / "none.pkl", tmp_path / "flame")
    (tmp_path / "flame").mkdir()
    with pytest.raises(OutputError, match="is there already"):
        converter.convert(tmp_path / "a.pkl", tmp_path / "flame")
