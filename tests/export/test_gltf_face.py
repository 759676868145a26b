"""The .glb as pygltflib and trimesh read it: names, places, and the same vertices as the rig's at any key frame."""

import json
import os
import shutil
import subprocess

import numpy as np
import pygltflib
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from talkinghead import arkit
from talkinghead.export import gltf_face
from talkinghead.export.face_model import JOINTS
from talkinghead.export.take import Take
from talkinghead.types import FaceMotion

TYPES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
DTYPES = {5126: "<f4", 5125: "<u4", 5123: "<u2", 5121: "u1"}


@pytest.fixture(scope="module")
def glb(rig, motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "face.glb"
    gltf_face.write(path, Take(motion, 25, lambda: rig))
    return path


@pytest.fixture(scope="module")
def file(glb):
    return pygltflib.GLTF2().load(str(glb))


def array(file, index):
    accessor = file.accessors[index]
    view = file.bufferViews[accessor.bufferView]
    width = TYPES[accessor.type]
    flat = np.frombuffer(file.binary_blob(), DTYPES[accessor.componentType], accessor.count * width, view.byteOffset)
    return flat.reshape(accessor.count, width) if width > 1 else flat


def node_named(file, name):
    return next(index for index, node in enumerate(file.nodes) if node.name == name)


def channels_of(file):
    """(node's name, path) -> (T, ...) values."""
    animation = file.animations[0]
    values = {}
    for channel in animation.channels:
        output = array(file, animation.samplers[channel.sampler].output)
        values[file.nodes[channel.target.node].name, channel.target.path] = output
    return values


def posed(file, name, frame):
    """(V, 3) of a mesh at a key frame, by the morphing and the skinning that the specification writes."""
    node = file.nodes[node_named(file, name)]
    primitive = file.meshes[node.mesh].primitives[0]
    channels = channels_of(file)
    vertices = array(file, primitive.attributes.POSITION).astype(np.float64)
    if primitive.targets:
        weights = channels[name, "weights"].reshape(-1, len(primitive.targets))[frame]
        for weight, target in zip(weights, primitive.targets, strict=True):
            vertices = vertices + weight * array(file, target["POSITION"])
    skin = file.skins[node.skin]
    inverse = array(file, skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
    world = {}
    for joint in skin.joints:
        local = np.eye(4)
        local[:3, :3] = Rotation.from_quat(channels[file.nodes[joint].name, "rotation"][frame]).as_matrix()
        local[:3, 3] = file.nodes[joint].translation
        if joint == skin.joints[0]:
            local[:3, 3] = channels["Head", "translation"][frame]
        world[joint] = local if joint == skin.joints[0] else world[skin.joints[0]] @ local
    matrices = np.stack([world[joint] @ inverse[index] for index, joint in enumerate(skin.joints)])
    own = matrices[array(file, primitive.attributes.JOINTS_0)[:, 0]]
    return np.einsum("vij,vj->vi", own, np.c_[vertices, np.ones(len(vertices))])[:, :3]


def test_the_targets_have_the_52_names_in_order(file):
    face = file.meshes[file.nodes[node_named(file, "Face")].mesh]
    assert face.extras["targetNames"] == list(arkit.BLENDSHAPES) and len(face.primitives[0].targets) == 52
    teeth = file.meshes[file.nodes[node_named(file, "LowerTeeth")].mesh]
    assert teeth.extras["targetNames"] == ["jawForward", "jawRight", "jawLeft", "jawOpen", "tongueOut"]


def test_the_skeleton_is_a_head_with_two_eyes(file, rig):
    skin = file.skins[0]
    assert [file.nodes[joint].name for joint in skin.joints] == list(JOINTS)
    assert file.nodes[skin.joints[0]].children == skin.joints[1:]
    left, right = (np.array(file.nodes[joint].translation) for joint in skin.joints[1:])
    assert np.allclose(left, right * [-1, 1, 1], atol=1e-4) and left[0] > 0.02, "the subject's left is at larger x"
    assert len({node.skin for node in file.nodes if node.mesh is not None}) == 1


def test_the_animation_is_the_motion(file, motion, take):
    channels = channels_of(file)
    assert np.array_equal(channels["Face", "weights"].reshape(-1, 52), take.blendshapes)
    times = array(file, file.animations[0].samplers[0].input)
    assert np.allclose(times, np.arange(len(motion)) / 25) and file.animations[0].name == "talk"
    assert np.allclose(Rotation.from_quat(channels["Head", "rotation"]).as_rotvec(), motion.head_rotation, atol=1e-6)
    assert np.array_equal(channels["Head", "translation"], motion.head_translation)


PARTS = {
    "Face": ("skin", "mouth_cavity"),
    "LowerTeeth": ("lower_teeth", "tongue"),
    "UpperTeeth": ("upper_teeth",),
    "Eyes": ("eyeball_left", "eyeball_right"),
}


def test_every_target_at_1_is_the_rigs_shape(tmp_path, rig, one_by_one, where):
    gltf_face.write(tmp_path / "face.glb", Take(one_by_one, 25, lambda: rig))
    file = pygltflib.GLTF2().load(str(tmp_path / "face.glb"))
    for frame in set(range(52)) - set(arkit.EYE_LOOK):
        for name in ("Face", "LowerTeeth"):
            apart = posed(file, name, frame) - where(one_by_one, frame, PARTS[name])
            assert np.abs(apart).max() < 1e-6, (name, arkit.BLENDSHAPES[frame])


@pytest.mark.parametrize("frame", [0, 9, 22])
def test_the_skull_turns_and_the_eyes_look_as_in_the_rig(file, motion, where, frame):
    for name in ("UpperTeeth", "Eyes"):
        assert np.abs(posed(file, name, frame) - where(motion, frame, PARTS[name])).max() < 1e-6


def test_the_teeth_go_down_within_a_millimetre_of_their_arc(tmp_path, rig, where):
    motion = FaceMotion.neutral(11)
    motion.blendshapes[:, arkit.INDEX["jawOpen"]] = np.linspace(0, 1, 11)
    gltf_face.write(tmp_path / "face.glb", Take(motion, 25, lambda: rig))
    file = pygltflib.GLTF2().load(str(tmp_path / "face.glb"))
    apart = [posed(file, "LowerTeeth", frame) - where(motion, frame, PARTS["LowerTeeth"]) for frame in range(11)]
    assert 0.0005 < np.linalg.norm(apart, axis=-1).max() < 0.001


def test_trimesh_reads_every_mesh(glb, rig):
    scene = trimesh.load(glb)
    assert set(scene.geometry) == {"FaceMesh", "LowerTeethMesh", "UpperTeethMesh", "EyesMesh"}
    face = scene.geometry["FaceMesh"]
    assert len(face.faces) == 1032 and np.allclose(face.bounds[0], rig.neutral[rig.part("skin")].min(0), atol=5e-3)
    skin = np.asarray(face.vertex_normals)[:468]
    assert (skin[:, 2] > 0).mean() > 0.8, "the skin looks out of the face"


def test_one_frame_is_a_face_that_holds_still(tmp_path, rig, motion):
    gltf_face.write(tmp_path / "one.glb", Take(motion[9:10], 25, lambda: rig))
    file = pygltflib.GLTF2().load(str(tmp_path / "one.glb"))
    assert not file.animations
    weights = file.meshes[file.nodes[node_named(file, "Face")].mesh].weights
    assert weights[arkit.INDEX["jawOpen"]] == pytest.approx(motion.blendshapes[9, arkit.INDEX["jawOpen"]])


@pytest.mark.external
def test_khronos_validator_finds_nothing(glb, tmp_path, rig, motion):
    """npm's gltf-validator in the folder TALKINGHEAD_NODE_MODULES."""
    folder = os.environ.get("TALKINGHEAD_NODE_MODULES")
    if folder is None or shutil.which("node") is None:
        pytest.skip("no node, or TALKINGHEAD_NODE_MODULES is not set")
    code = (
        "require(process.argv[1]+'/gltf-validator').validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[2])))"
        ".then(r => console.log(JSON.stringify(r.issues)))"
    )
    gltf_face.write(tmp_path / "one.glb", Take(motion[:1], 25, lambda: rig))
    for path in (glb, tmp_path / "one.glb"):
        shown = subprocess.run(["node", "-e", code, folder, str(path)], capture_output=True, text=True, check=True).stdout
        issues = json.loads(shown)
        assert [issues[f"num{kind}"] for kind in ("Errors", "Warnings", "Infos", "Hints")] == [0, 0, 0, 0], issues["messages"]
