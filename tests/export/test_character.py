"""Other people's characters: ARKit's and VRM's names, files that say so, bones; read back by pygltflib."""

import numpy as np
import pygltflib
import pytest
from scipy.spatial.transform import Rotation

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export import gltf_face
from talkinghead.export.character import load_character
from talkinghead.export.gltf import ARRAY_BUFFER, Glb
from talkinghead.export.take import Take
from talkinghead.export.vrm import OLD_NAMES, PRESETS, expressions
from talkinghead.rig.gaze import rotation_from_gaze

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")


def character(path, names, nodes=(), extensions=None, weights=None):
    """A triangle with a morph target a name, and other nodes beside it."""
    glb = Glb({"asset": {"version": "2.0"}, "scene": 0, "buffers": [{}]})
    position = glb.accessor(TRIANGLE, ARRAY_BUFFER, bounds=True)
    primitive = {"attributes": {"POSITION": position}}
    if names:
        primitive["targets"] = [{"POSITION": glb.accessor(TRIANGLE * i, ARRAY_BUFFER, bounds=True)} for i in range(len(names))]
    mesh = {"primitives": [primitive], "extras": {"targetNames": list(names)}}
    if weights:
        mesh["weights"] = weights
    glb.add("meshes", mesh)
    glb.add("nodes", {"name": "Body", "mesh": 0})
    for node in nodes:
        glb.add("nodes", dict(node))
    children = {child for node in nodes for child in node.get("children", [])}
    glb.content["scenes"] = [{"nodes": [i for i in range(len(nodes) + 1) if i not in children]}]
    if extensions:
        glb.content["extensions"], glb.content["extensionsUsed"] = extensions, list(extensions)
    glb.save(path)
    return path


def channels(path):
    """(node's name, path) -> values of the first animation, and its times."""
    file = pygltflib.GLTF2().load(str(path))
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}

    def array(index):
        accessor = file.accessors[index]
        start = file.bufferViews[accessor.bufferView].byteOffset
        count = accessor.count * width[accessor.type]
        return np.frombuffer(file.binary_blob(), "<f4", count, start).reshape(accessor.count, -1)

    animation = file.animations[0]
    times = array(animation.samplers[0].input)[:, 0]
    found = {}
    for channel in animation.channels:
        values = array(animation.samplers[channel.sampler].output)
        found[file.nodes[channel.target.node].name, channel.target.path] = values.reshape(len(times), -1)
    return found, times


@pytest.fixture
def drive(tmp_path, motion):
    def go(names, names_file=None, **options):
        hero = load_character(character(tmp_path / "hero.glb", names, **options), names_file)
        hero.write(tmp_path / "talking.glb", motion, 25)
        return hero, channels(tmp_path / "talking.glb")[0]

    return go


def test_our_own_face_as_a_character_is_animated_as_by_the_exporter(tmp_path, rig, motion):
    gltf_face.write(tmp_path / "face.glb", Take(motion, 25, lambda: rig))
    gltf_face.write(tmp_path / "rest.glb", Take(type(motion).neutral(1), 25, lambda: rig))
    hero = load_character(tmp_path / "rest.glb")
    assert not hero.missing and not hero.unused and set(hero.bones) == {"head", "leftEye", "rightEye"}
    hero.write(tmp_path / "talking.glb", motion, 25)
    wanted, times = channels(tmp_path / "face.glb")
    found, found_times = channels(tmp_path / "talking.glb")
    assert np.array_equal(times, found_times) and set(found) == set(wanted) - {("Head", "translation")}
    for key, values in found.items():
        assert np.allclose(values, wanted[key], atol=1e-6), key


@pytest.mark.parametrize(
    "spelling", ["JawOpen", "jawopen", "blendShape1.jawOpen", "Face|jaw_open", "ARKit_jawOpen", "Jaw-Open"]
)
def test_a_name_is_known_however_it_is_spelt(drive, take, spelling):
    _, found = drive([spelling])
    assert np.allclose(found["Body", "weights"][:, 0], take.blendshapes[:, arkit.INDEX["jawOpen"]])


def test_sides_by_letters_and_what_is_missing_is_listed(drive, take):
    hero, found = drive(["eyeBlink_L", "eyeBlink_R", "Nose_Long", "jawOpen"], weights=[0, 0, 0.7, 0])
    weights = found["Body", "weights"]
    for column, name in ((0, "eyeBlinkLeft"), (1, "eyeBlinkRight"), (3, "jawOpen")):
        assert np.allclose(weights[:, column], take.blendshapes[:, arkit.INDEX[name]])
    assert np.allclose(weights[:, 2], 0.7), "what nothing drives stays as the file has it"
    assert len(hero.missing) == 50 and "mouthSmileLeft" in hero.missing and hero.missing[-1] == "a bone called Head"
    assert hero.unused == ["Nose_Long"]
    line = hero.describe()
    assert "3 morph targets driven, no bone turned" in line and "not driven: Nose_Long" in line and "tongueOut" in line


def test_a_file_of_names_says_the_rest(drive, take, tmp_path):
    (tmp_path / "names.yaml").write_text(
        "Open: jawOpen\nGrin: {mouthSmileLeft: 0.5, mouthSmileRight: 0.5}\njawLeft: jawRight\n"
    )
    hero, found = drive(["Open", "Grin", "jawLeft"], tmp_path / "names.yaml")
    shapes = take.blendshapes
    smile = (shapes[:, arkit.INDEX["mouthSmileLeft"]] + shapes[:, arkit.INDEX["mouthSmileRight"]]) / 2
    wanted = np.stack([shapes[:, arkit.INDEX["jawOpen"]], smile, shapes[:, arkit.INDEX["jawRight"]]], 1)
    assert np.allclose(found["Body", "weights"], wanted, atol=1e-6) and "jawLeft" in hero.missing


VRM1 = {
    "VRMC_vrm": {
        "specVersion": "1.0",
        "humanoid": {"humanBones": {"head": {"node": 2}}},
        "expressions": {
            "preset": {
                "aa": {"morphTargetBinds": [{"node": 0, "index": 0, "weight": 0.8}]},
                "blink": {"morphTargetBinds": [{"node": 0, "index": 1, "weight": 1.0}]},
            }
        },
    }
}


def test_vrm_1_is_driven_by_its_expressions_and_its_humanoid(drive, take, motion):
    lean = Rotation.from_euler("x", 30, degrees=True).as_quat().tolist()
    nodes = [{"name": "Spine", "children": [2], "rotation": lean}, {"name": "Kopf"}]
    hero, found = drive(["m0", "m1", "m2"], nodes=nodes, extensions=VRM1)
    made = expressions(take.blendshapes)
    assert np.allclose(found["Body", "weights"], np.stack([made["aa"] * 0.8, made["blink"], 0 * made["aa"]], 1), atol=1e-6)
    assert "ou" in hero.missing and "jawOpen" not in hero.missing and hero.unused == ["m2"]
    world = Rotation.from_quat(lean) * Rotation.from_quat(found["Kopf", "rotation"])
    turn = Rotation.from_rotvec(motion.head_rotation)
    assert np.allclose(world.as_matrix(), (turn * Rotation.from_quat(lean)).as_matrix(), atol=1e-6), "against the leaning spine"


def test_vrm_0_faces_the_other_way(drive, motion, take):
    groups = [
        {"name": "A", "presetName": "a", "binds": [{"mesh": 0, "index": 0, "weight": 100}]},
        {"name": "MouthSmileLeft", "presetName": "unknown", "binds": [{"mesh": 0, "index": 1, "weight": 50}]},
    ]
    vrm = {"VRM": {"humanoid": {"humanBones": [{"bone": "head", "node": 1}]}, "blendShapeMaster": {"blendShapeGroups": groups}}}
    _, found = drive(["x", "y"], nodes=[{"name": "neck"}], extensions=vrm)
    assert np.allclose(found["Body", "weights"][:, 1], take.blendshapes[:, arkit.INDEX["mouthSmileLeft"]] / 2)
    looks = Rotation.from_quat(found["neck", "rotation"]).apply([0, 0, -1])
    ahead = Rotation.from_rotvec(motion.head_rotation).apply([0, 0, 1])
    assert np.allclose(looks, ahead * [-1, 1, -1], atol=1e-6), "its left is where ours is, seen from its own side"


def test_vowels_are_left_alone_where_the_jaw_opens_by_name(drive):
    expressions_ = {
        "VRMC_vrm": {"expressions": {"preset": {"aa": {"morphTargetBinds": [{"node": 0, "index": 1, "weight": 1}]}}}}
    }
    hero, _ = drive(["jawOpen", "m1"], extensions=expressions_)
    assert hero.unused == ["m1"]


def test_eye_bones_turn_and_a_matrix_is_taken_apart(drive, motion):
    matrix = np.eye(4)
    matrix[:3, 3] = [0.03, 0.02, 0.05]
    nodes = [{"name": "mixamorig:Head", "children": [2, 3]}]
    nodes += [{"name": name, "matrix": matrix.T.ravel().tolist()} for name in ("LeftEye", "RightEye")]
    hero, found = drive(["jawOpen"], nodes=nodes)
    turn = Rotation.from_quat(found["LeftEye", "rotation"]).as_matrix()
    assert np.allclose(turn, rotation_from_gaze(motion.gaze), atol=1e-6)
    assert ("mixamorig:Head", "rotation") in found and not [name for name in hero.missing if name.startswith("eyeLook")]


def test_eyes_are_not_turned_twice(drive, tmp_path):
    nodes = [{"name": "LeftEye", "children": []}, {"name": "RightEye"}]
    path = character(tmp_path / "hero.glb", ["jawOpen", "eyeLookUpLeft"], nodes=nodes)
    glb = Glb.load(path)
    glb.content["skins"] = [{"joints": [1, 2]}]
    primitive = glb.content["meshes"][0]["primitives"][0]
    primitive["attributes"]["JOINTS_0"] = glb.accessor(np.zeros((3, 4), "u1"), ARRAY_BUFFER)
    primitive["attributes"]["WEIGHTS_0"] = glb.accessor(np.tile(np.array([1, 0, 0, 0], "<f4"), (3, 1)), ARRAY_BUFFER)
    glb.content["nodes"][0]["skin"] = 0
    glb.save(path)
    assert set(load_character(path).bones) == set(), "the target moves what hangs on the eye"
    accessor = glb.content["meshes"][0]["primitives"][0]["targets"][1]["POSITION"]
    view = glb.content["bufferViews"][glb.content["accessors"][accessor]["bufferView"]]
    glb.content["buffers"].append({"byteLength": 36})
    view["buffer"] = 1
    glb.save(path)
    assert set(load_character(path).bones) == {"leftEye", "rightEye"}, "compressed into another buffer: not looked into"
    view["buffer"] = 0
    glb.content["meshes"][0]["primitives"][0]["targets"].reverse()  # now it moves nothing
    glb.save(path)
    assert set(load_character(path).bones) == {"leftEye", "rightEye"}


def test_what_the_file_holds_stays(tmp_path, motion):
    path = character(tmp_path / "hero.glb", ["jawOpen"], extensions={"EXT_mine": {"deep": [1, {"a": "ü"}]}})
    glb = Glb.load(path)
    glb.content["animations"] = [{"name": "wave", "channels": [], "samplers": []}]
    glb.save(path)
    before = path.read_bytes()
    load_character(path).write(path, motion, 25)
    after, old = Glb.load(path), Glb(glb.content, glb.binary)
    assert [animation["name"] for animation in after.content["animations"]] == ["talk", "wave"]
    assert after.content["extensions"] == {"EXT_mine": {"deep": [1, {"a": "ü"}]}} and path.read_bytes() != before
    assert bytes(after.binary[: len(old.binary)]) == bytes(old.binary)


@pytest.mark.parametrize(
    ("names", "text", "message"),
    [
        (["Smile"], None, r"none of its morph targets \(Smile\) has a name of ARKit or VRM; give --names .* Smile: jawOpen"),
        ([], None, "has no morph targets; export its shape keys with it"),
        (["Open"], "Opn: jawOpen", "has no morph target 'Opn'; choose from Open"),
        (["Open"], "Open: jawopen", r"'jawopen' of Open is no name of ARKit or VRM; choose from jawOpen"),
        (["Open"], "Open: {jawOpen: much}", "jawOpen of Open is much; give a number from -10 to 10"),
        (["Open"], "Open: [", "line 1: is not YAML"),
        (["Open"], "", "holds no names; write lines such as"),
    ],
)
def test_what_cannot_be_driven_is_named(tmp_path, names, text, message):
    path = character(tmp_path / "hero.glb", names)
    file = None
    if text is not None:
        file = tmp_path / "names.yaml"
        file.write_text(text)
    with pytest.raises(MotionError, match=message):
        load_character(path, file)


def test_files_that_are_no_characters(tmp_path, astronaut):
    (tmp_path / "a.glb").write_bytes(astronaut.read_bytes())
    (tmp_path / "cut.glb").write_bytes(character(tmp_path / "hero.glb", ["jawOpen"]).read_bytes()[:-20])
    for name, message in (
        ("a.glb", "is not a glTF 2.0 binary file"),
        ("cut.glb", "is not a glTF 2"),
        ("none.glb", "no such file"),
    ):
        with pytest.raises(MotionError, match=message):
            load_character(tmp_path / name)


def test_expressions_of_vrm_show_what_the_mouth_does():
    rows = np.zeros((5, 52), np.float32)
    for row, names in enumerate((["jawOpen"], ["mouthPucker"], ["eyeBlinkLeft"], ["eyeBlinkLeft", "eyeBlinkRight"], [])):
        rows[row, [arkit.INDEX[name] for name in names]] = 1
    made = expressions(rows)
    assert list(made) == list(PRESETS) == list(OLD_NAMES)
    assert [made["aa"][0], made["ou"][1], made["blinkLeft"][2], made["blink"][3]] == [1, 1, 1, 1]
    assert made["blink"][2] == 0 == made["blinkLeft"][3] and not any(values[4] for values in made.values())
    random = np.random.default_rng(0).uniform(0, 1, (100, 52)).astype(np.float32)
    vowels = sum(expressions(random)[name] for name in ("aa", "ih", "ou", "ee", "oh"))
    assert vowels.max() <= 1 + 1e-6
