"""The table of formats, and those of them that are read by numpy, json or a small parser."""

import json

import bvh
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from talkinghead import arkit
from talkinghead.errors import MotionError, OutputError
from talkinghead.export.formats import FORMATS, ending_of, read_motion, write_motion
from talkinghead.rig.gaze import rotation_from_gaze
from talkinghead.types import FaceMotion


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("fps", [25, 30])
def test_every_format_is_written_whole_and_alone(tmp_path, rig, motion, ending, fps):
    write_motion(tmp_path / f"Face{ending.upper()}", motion, lambda: rig, fps)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size > 1000 and ending_of(file) == ending
    once = file.read_bytes()
    write_motion(file, motion, lambda: rig, fps)
    assert file.read_bytes() == once or ending.endswith(".npz"), "a zip holds the time of day"


@pytest.mark.parametrize("ending", [ending for ending in FORMATS if FORMATS[ending].read])
def test_what_can_be_read_is_the_same_motion(tmp_path, rig, motion, ending):
    write_motion(tmp_path / f"face{ending}", motion, lambda: rig)
    back = read_motion(tmp_path / f"face{ending}")
    columns = [index for index in range(52) if index not in arkit.EYE_LOOK]
    assert np.allclose(back.blendshapes[:, columns], motion.blendshapes[:, columns], atol=1e-5)
    assert np.allclose(back.head_rotation, motion.head_rotation, atol=1e-5) and np.allclose(back.gaze, motion.gaze, atol=1e-5)
    if ending != ".csv":
        assert np.allclose(back.head_translation, motion.head_translation, atol=1e-5)


def test_json_is_in_the_shape_of_lam(tmp_path, rig, motion, take):
    write_motion(tmp_path / "face.json", motion, lambda: rig)
    content = json.loads((tmp_path / "face.json").read_text())
    assert content["names"] == sorted(arkit.BLENDSHAPES) == content["metadata"]["blendshape_names"]
    assert content["names"][8:10] == ["eyeBlinkLeft", "eyeBlinkRight"], "where LAM has them"
    assert content["metadata"]["fps"] == 25 and content["metadata"]["frame_count"] == len(motion) == len(content["frames"])
    for name, column in arkit.INDEX.items():
        weights = [frame["weights"][content["names"].index(name)] for frame in content["frames"]]
        assert np.allclose(weights, take.blendshapes[:, column], atol=1e-5), name
    assert content["frames"][5]["time"] == 0.2 and len(content["frames"][5]["rotation"]) == 3


def test_json_of_others_may_lack_the_head(tmp_path):
    names = sorted(arkit.BLENDSHAPES)
    weights = [0.5 if name in ("eyeLookUpLeft", "eyeLookUpRight") else 0.0 for name in names]
    frames = [{"weights": weights, "time": index / 30, "rotation": []} for index in range(30)]
    (tmp_path / "a.json").write_text(json.dumps({"names": names, "metadata": {"fps": 30.0}, "frames": frames}))
    motion = read_motion(tmp_path / "a.json")
    assert len(motion) == 25 and np.allclose(motion.gaze[:, 1], 0.5 * arkit.EYE_LOOK_UP_RAD) and not motion.head_rotation.any()


def frames_of(weights):
    return json.dumps({"names": list(arkit.BLENDSHAPES), "metadata": {"fps": 30}, "frames": [{"weights": weights}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello", "holds no frames of names and weights"),
        ('{"names": [], "metadata": {"fps": 30}, "frames": []}', "has no eyeBlinkLeft"),
        (frames_of([1, 2]), "1 frames of 2"),
        (frames_of([float("nan")] * 52), "values that are not numbers"),
    ],
)
def test_a_wrong_json_is_named(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(MotionError, match=message):
        read_motion(tmp_path / "a.json")


def test_flame_gets_head_jaw_and_eyes_and_no_expression(tmp_path, rig, motion):
    write_motion(tmp_path / "face.flame.npz", motion, lambda: rig)
    with np.load(tmp_path / "face.flame.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert arrays["rotation"].shape == arrays["jaw_pose"].shape == arrays["neck_pose"].shape == (len(motion), 3)
    assert np.array_equal(arrays["rotation"], motion.head_rotation) and not arrays["expr"].any()
    assert arrays["eyes_pose"].shape == (len(motion), 6) and arrays["fps"] == 25
    opening = motion.blendshapes[:, arkit.INDEX["jawOpen"]] - motion.blendshapes[:, arkit.INDEX["mouthClose"]]
    assert np.allclose(arrays["jaw_pose"][:, 0], np.clip(opening, 0, 1) * rig.jaw[3], atol=1e-6)
    looks = Rotation.from_rotvec(arrays["eyes_pose"][:, 3:]).apply([0, 0, 1])
    assert np.allclose(looks, rotation_from_gaze(motion.gaze)[:, :, 2], atol=1e-6)


def test_bvh_is_read_by_another_reader(tmp_path, rig, motion):
    write_motion(tmp_path / "face.bvh", motion, lambda: rig, 30)
    tree = bvh.Bvh((tmp_path / "face.bvh").read_text())
    assert tree.get_joints_names() == ["Head", "LeftEye", "RightEye"]
    assert tree.nframes == round(len(motion) * 30 / 25) and tree.frame_time == pytest.approx(1 / 30, abs=1e-7)
    write_motion(tmp_path / "face.bvh", motion, lambda: rig)
    tree = bvh.Bvh((tmp_path / "face.bvh").read_text())
    assert tree.joint_offset("LeftEye")[0] > 2 > -2 > tree.joint_offset("RightEye")[0]

    def turn(joint, frame):
        angles = tree.frame_joint_channels(frame, joint, ["Zrotation", "Xrotation", "Yrotation"])
        return Rotation.from_euler("ZXY", angles, degrees=True)

    for frame in (0, 7, 30):
        assert np.allclose(turn("Head", frame).as_rotvec(), motion.head_rotation[frame], atol=1e-5)
        assert np.allclose(turn("LeftEye", frame).as_matrix(), rotation_from_gaze(motion.gaze[frame]), atol=1e-5)
        place = tree.frame_joint_channels(frame, "Head", ["Xposition", "Yposition", "Zposition"])
        assert np.allclose(place, motion.head_translation[frame] * 100, atol=1e-4)


def test_what_cannot_be_written_or_read_is_named(tmp_path, rig, motion):
    def say_rig():
        return rig

    with pytest.raises(OutputError, match=r"face.fbx: motion has no such format; choose one of .npz \(Python\), .csv"):
        write_motion(tmp_path / "face.fbx", motion, say_rig)
    with pytest.raises(OutputError, match="cannot be written"):
        write_motion(tmp_path / "none/face.csv", motion, say_rig)
    with pytest.raises(MotionError, match="holds no frame"):
        write_motion(tmp_path / "face.csv", FaceMotion.neutral(0), say_rig)
    with pytest.raises(MotionError, match="out of range; give 1 to 240"):
        write_motion(tmp_path / "face.csv", motion, say_rig, 1000)
    write_motion(tmp_path / "face.glb", motion, say_rig)
    with pytest.raises(MotionError, match=r"face.glb: cannot be read back; give one of .flame.npz, .npz, .csv, .json"):
        read_motion(tmp_path / "face.glb")
    with pytest.raises(MotionError, match="no such file"):
        read_motion(tmp_path / "none.csv")
    (tmp_path / "driver.mp4").touch()
    with pytest.raises(MotionError, match=r"is a video; first run: talkinghead track .*driver.mp4 -o driver.npz"):
        read_motion(tmp_path / "driver.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"face.glb", "driver.mp4"}


def test_a_writer_that_fails_leaves_what_was_there(tmp_path, motion):
    (tmp_path / "face.glb").write_bytes(b"before")

    def no_rig():
        raise MotionError("no rig")

    with pytest.raises(MotionError, match="no rig"):
        write_motion(tmp_path / "face.glb", motion, no_rig)
    assert (tmp_path / "face.glb").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1
