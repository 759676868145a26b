"""A performance on FLAME: the parameters that FLAME renderers take and the mesh with ARKit's targets say the same face."""

import json
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import torch
from pxr import Usd, UsdGeom, UsdSkel
from scipy.spatial.transform import Rotation

from talkinghead import arkit, cli
from talkinghead.errors import InputError, MotionError, OutputError
from talkinghead.export.flame_character import FlameCharacter, flame_folder
from talkinghead.export.formats import read_motion
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.rig.arkit_to_flame import fit
from talkinghead.rig.gaze import rotation_from_gaze
from talkinghead.rig.surface_points import SurfacePoints
from talkinghead.types import FaceMotion
from tests.rig.standin import flame_of_rig

SPOKEN = [index for index in range(52) if index not in arkit.EYE_LOOK]


@pytest.fixture(scope="module")
def folder(rig, tmp_path_factory):
    """A model of FLAME's shape out of the rig, converted and fitted at the true points."""
    folder = tmp_path_factory.mktemp("flame") / "mine"
    flame = flame_of_rig(rig)
    flame.save_pretrained(folder)
    corners = np.repeat(np.arange(468)[:, None], 3, 1)
    maps, report = fit(rig, flame, SurfacePoints(np.arange(468), corners, np.tile(np.float32([1, 0, 0]), (468, 1))))
    maps.save(folder, report)
    return folder


@pytest.fixture(scope="module")
def hero(folder):
    return FlameCharacter.load(folder)


def arrays_of(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def shown_by(hero, arrays, frame):
    """(V, 3) m of a FLAME renderer that is given the file's arrays."""
    names = {"expression": "expr"} | {name: name for name in ("rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation")}
    given = {name: torch.from_numpy(arrays[key][frame : frame + 1]).float() for name, key in names.items()}
    return hero.flame(**given)[0].numpy()


def test_a_renderer_of_the_parameters_sees_the_rigs_face(hero, rig, motion, tmp_path, where):
    quiet = FaceMotion(0.3 * motion.blendshapes, motion.head_rotation, motion.head_translation, motion.gaze)
    quiet.blendshapes[:, [arkit.INDEX[name] for name in ("eyeBlinkLeft", "eyeBlinkRight")]] = 0
    hero.write(tmp_path / "a.flame.npz", quiet, 25)
    arrays = arrays_of(tmp_path / "a.flame.npz")
    assert arrays["expr"].shape == (31, 60) and np.abs(arrays["expr"]).max() > 0.1 and arrays["jaw_pose"][:, 0].max() > 0.02
    for frame in (0, 9, 22):
        came = shown_by(hero, arrays, frame)
        wanted = 1.05 * (where(quiet, frame, ["skin"])[:468] - quiet.head_translation[frame])
        wanted = wanted + quiet.head_translation[frame] + hero.maps.centre
        moved = 1.05 * np.abs(where(quiet, frame, ["skin"])[:468] - rig.neutral[:468]).max()
        assert moved > 0.01 and np.linalg.norm(came[:468] - wanted, axis=1).mean() < 0.0008


def glb_vertices(path, frame):
    """(V, 3) of the first mesh at a key frame, by the morphing and the skinning of the specification."""
    file = pygltflib.GLTF2().load(str(path))
    types, kinds = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}, {5126: "<f4", 5123: "<u2", 5121: "u1"}

    def array(index):
        entry = file.accessors[index]
        start = file.bufferViews[entry.bufferView].byteOffset
        width = types[entry.type]
        return np.frombuffer(file.binary_blob(), kinds[entry.componentType], entry.count * width, start).reshape(-1, width)

    found = {}
    for channel in file.animations[0].channels:
        found[file.nodes[channel.target.node].name, channel.target.path] = array(
            file.animations[0].samplers[channel.sampler].output
        )
    node = next(node for node in file.nodes if node.mesh is not None)
    primitive, mesh = file.meshes[node.mesh].primitives[0], file.meshes[node.mesh]
    assert mesh.extras["targetNames"] == list(arkit.BLENDSHAPES)
    vertices = array(primitive.attributes.POSITION).astype(float)
    weights = found["Face", "weights"].reshape(-1, 52)[frame]
    vertices = vertices + sum(w * array(t["POSITION"]) for w, t in zip(weights, primitive.targets, strict=True))
    skin, world = file.skins[node.skin], []
    for joint in skin.joints:
        own, local = file.nodes[joint], np.eye(4)
        local[:3, :3] = Rotation.from_quat(found[own.name, "rotation"][frame]).as_matrix()
        local[:3, 3] = found[own.name, "translation"][frame] if own.name == "Head" else own.translation
        world.append(local if not world else world[0] @ local)
    inverse = array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    matrices = np.stack(world) @ inverse
    own = matrices[array(primitive.attributes.JOINTS_0)[:, 0]]
    return np.einsum("vij,vj->vi", own, np.c_[vertices, np.ones(len(vertices))])[:, :3]


def test_the_mesh_and_the_parameters_are_the_same_face(hero, tmp_path, motion):
    """Of one blendshape and a turned head: of more the jaw's arc is no sum."""
    single = FaceMotion.neutral(4)
    single.blendshapes[1:, arkit.INDEX["jawOpen"]] = 1
    single.head_rotation[2:], single.head_translation[2:] = (0.1, 0.4, -0.2), (0.01, 0.02, 0.03)
    single.gaze[3] = (0.3, 0.2)
    hero.write(tmp_path / "a.glb", single, 30)
    hero.write(tmp_path / "a.flame.npz", single, 30)
    arrays = arrays_of(tmp_path / "a.flame.npz")
    skin = np.arange(468)
    for frame in range(3):
        wanted, came = shown_by(hero, arrays, frame), glb_vertices(tmp_path / "a.glb", frame)
        assert np.abs(came - wanted).max() < 1e-5, frame
    eyes = np.setdiff1d(np.arange(len(hero.flame.template)), np.arange(478))
    apart = np.abs(glb_vertices(tmp_path / "a.glb", 3) - shown_by(hero, arrays, 3))
    assert apart[eyes].max() < 3e-4 and apart[skin].max() < 3e-4, "eyes turn about FLAME's joints, which go with the expression"


def test_the_same_in_usd_by_pixars_reader(hero, tmp_path, motion):
    hero.write(tmp_path / "a.usda", motion, 25)
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/Face/Face"))
    assert len(mesh.GetPointsAttr().Get()) == hero.flame.num_vertices
    assert list(UsdSkel.BindingAPI(mesh.GetPrim()).GetBlendShapesAttr().Get()) == list(arkit.BLENDSHAPES)
    cache, skeleton = UsdSkel.Cache(), UsdSkel.Skeleton(stage.GetPrimAtPath("/Face/Skeleton"))
    query = cache.GetSkelQuery(skeleton)
    rest = [np.array(matrix)[3, :3] for matrix in query.ComputeJointSkelTransforms(Usd.TimeCode.Default(), atRest=True)]
    assert np.allclose(rest, hero.model().places, atol=1e-6)
    moving = [np.array(matrix)[3, :3] for matrix in query.ComputeJointSkelTransforms(Usd.TimeCode(7))]
    assert np.allclose(moving[0], hero.maps.centre + motion.head_translation[7], atol=1e-5)


def test_the_file_of_a_tracker_is_read_by_the_model(hero, tmp_path, motion):
    hero.write(tmp_path / "a.flame.npz", motion, 25)
    arrays = arrays_of(tmp_path / "a.flame.npz")
    same = read_motion(tmp_path / "a.flame.npz")
    assert np.allclose(same.blendshapes[:, SPOKEN], motion.blendshapes[:, SPOKEN]), "ours is exact, without a model"
    neck = {"rotation": np.zeros_like(arrays["rotation"]), "neck_pose": arrays["rotation"]}
    for name, change in (("root", {}), ("neck", neck)):
        theirs = {k: v for k, v in (arrays | change).items() if k not in ("blendshapes", "names", "head_translation", "fps")}
        np.savez(tmp_path / f"{name}.flame.npz", **theirs)
        with pytest.raises(
            MotionError, match=r"holds FLAME's expressions alone; say of which model with --character flame:FOLDER"
        ):
            read_motion(tmp_path / f"{name}.flame.npz")
        back = hero.read(tmp_path / f"{name}.flame.npz")
        assert np.allclose(back.head_rotation, motion.head_rotation, atol=1e-5) and np.allclose(
            back.gaze, motion.gaze, atol=1e-5
        )
        if name == "root":
            assert np.allclose(back.head_translation, motion.head_translation, atol=1e-5)
        expression, jaw = hero.maps.to_flame(back.blendshapes)
        again = hero.flame(expression=torch.from_numpy(expression), jaw_pose=torch.from_numpy(jaw)).numpy()[:, :468]
        given = hero.flame(expression=torch.from_numpy(arrays["expr"]), jaw_pose=torch.from_numpy(arrays["jaw_pose"])).numpy()[
            :, :468
        ]
        size = np.abs(given - hero.flame.template[:468].numpy()).mean()
        assert np.abs(again - given).mean() < 0.2 * size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"expr": None}, "holds no FLAME parameters"),
        ({"jaw_pose": np.zeros((3, 3))}, "holds no FLAME parameters .cannot reshape"),
        ({"expr": np.full((31, 60), np.nan)}, "values that are not numbers"),
        ({"fps": 1e9}, "frames a second"),
    ],
)
def test_files_that_are_no_parameters_are_named(hero, tmp_path, motion, change, message):
    hero.write(tmp_path / "a.flame.npz", motion, 25)
    arrays = {name: value for name, value in (arrays_of(tmp_path / "a.flame.npz") | change).items() if value is not None}
    np.savez(tmp_path / "b.flame.npz", **arrays)
    with pytest.raises(MotionError, match=message) as error:
        read_motion(tmp_path / "b.flame.npz")
    assert "\n" not in str(error.value)


@pytest.fixture
def here(tmp_path, monkeypatch, motion):
    monkeypatch.chdir(tmp_path)
    save_motion("motion.npz", motion)
    return tmp_path


def test_the_command_writes_and_reads(here, folder, motion, capfd):
    def run(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, capfd.readouterr().err

    flame = ["--character", f"flame:{folder}"]
    for name in ("a.flame.npz", "a.glb", "a.usda"):
        status, said = run("export", "motion.npz", *flame, "-o", name)
        assert status == 0 and said.count("\n") == 1 and "missing: tongueOut" in said and Path(name).stat().st_size > 1000
    arrays = arrays_of("a.flame.npz")
    assert arrays["expr"].any() and arrays["fps"] == 25
    np.savez(
        "theirs.flame.npz", **{name: arrays[name] for name in ("expr", "jaw_pose", "rotation", "eyes_pose", "translation")}
    )
    assert run("export", "theirs.flame.npz", *flame, "-o", "back.npz") == (0, "")
    assert np.allclose(load_motion("back.npz").gaze, motion.gaze, atol=1e-5)
    status, said = run("export", "theirs.flame.npz", "-o", "back.csv")
    assert status == 2 and "--character flame:FOLDER" in said and not Path("back.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--character", "flame", "-o", "a.glb"],
            "--character flame: FLAME is not part of this program; convert your FLAME file",
        ),
        (["--character", "flame:", "-o", "a.glb"], "FLAME is not part of this program"),
        (
            ["--character", "flame:none", "-o", "a.glb"],
            "there is no folder none; convert your FLAME file with scripts/convert_",
        ),
        (["--character", "flame:.", "-o", "a.glb"], "holds no FLAME model"),
        (["--character", "flame:.", "-o", "a.csv"], "goes to .flame.npz, .glb, .usda, not a.csv"),
        (["--character", "flame:.", "--names", "n.yaml", "-o", "a.glb"], "FLAME has no morph targets to name"),
    ],
)
def test_what_does_not_go_is_one_line(here, arguments, message, capfd):
    assert cli.main(["export", "motion.npz", *arguments]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and message in said and [path.name for path in here.iterdir()] == ["motion.npz"]


def test_other_characters_may_be_called_so(tmp_path, monkeypatch, hero, motion):
    monkeypatch.chdir(tmp_path)
    Path("flame").write_bytes(b"")
    assert flame_folder(Path("flame")) is None and flame_folder(Path("flame_hero.glb")) is None
    with pytest.raises(InputError, match=r"there is no folder a:b"):
        flame_folder(Path("flame:a:b"))
    with pytest.raises(OutputError, match=r"a.bvh: FLAME is written as .flame.npz, .glb, .usda"):
        hero.write(tmp_path / "a.bvh", motion, 25)


def test_a_model_without_its_map_says_so(folder, tmp_path, motion, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    save_motion("motion.npz", motion)
    FlameCharacter.load(folder).flame.save_pretrained("bare")
    assert cli.main(["export", "motion.npz", "--character", "flame:bare", "-o", "a.glb"]) == 2
    assert "holds no map from ARKit to FLAME" in capfd.readouterr().err
    assert json.loads((folder / "config.json").read_text())["num_expressions"] == 60


def test_looks_of_the_parameters_are_the_gaze(hero, tmp_path, motion):
    hero.write(tmp_path / "a.flame.npz", motion, 25)
    for eye in (slice(0, 3), slice(3, 6)):
        looks = Rotation.from_rotvec(arrays_of(tmp_path / "a.flame.npz")["eyes_pose"][:, eye]).apply([0, 0, 1])
        assert np.allclose(looks, rotation_from_gaze(motion.gaze)[:, :, 2], atol=1e-6)
