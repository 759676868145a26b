"""Live Link Face: the header and the rows as the app writes them, and its recordings read."""

import csv

import numpy as np
import pytest

from talkinghead import arkit
from talkinghead.errors import MotionError
from talkinghead.export import livelink
from talkinghead.export.angles import eye_angles, gaze_of_eye, head_angles, rotation_of_head
from talkinghead.export.take import Take
from talkinghead.motion.resampling import resample
from talkinghead.rig.gaze import eye_look

HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,"
    "EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,"
    "JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,MouthSmileRight,MouthFrownLeft,"
    "MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,"
    "MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,"
    "MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,"
    "CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,"
    "RightEyeYaw,RightEyePitch,RightEyeRoll"
)
"""The first line of recordings of the app."""
RECORDED_EYES = (
    (-0.1475610286, -0.2048996240, 0.0305448882),
    (-0.0850049257, -0.2048947811, 0.0176418666),
    (-0.0312639736, 0.1712819338, -0.0054070088),
    (0.0716231093, 0.2278020978, 0.0165883973),
    (-0.4182496667, -0.1997838020, 0.0820569396),
)
"""Yaw, pitch and roll of eyes in recordings of the app."""


def test_the_header_is_the_apps(tmp_path, take):
    livelink.write(tmp_path / "face.csv", take)
    assert (tmp_path / "face.csv").read_text().split("\n", 1)[0] == HEADER


def test_another_reader_finds_every_value_under_its_name(tmp_path, take, motion):
    livelink.write(tmp_path / "face.csv", take)
    with (tmp_path / "face.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(motion) and {row["BlendShapeCount"] for row in rows} == {"61"}
    assert [row["Timecode"] for row in rows[:3]] == ["00:00:00:00.000", "00:00:00:02.400", "00:00:00:04.800"]
    assert rows[25]["Timecode"] == "00:00:01:00.000"
    for name, values in zip(arkit.BLENDSHAPES, take.blendshapes.T, strict=True):
        read = [float(row[name[0].upper() + name[1:]]) for row in rows]
        assert np.allclose(read, values, atol=1e-9), name
    assert np.allclose(take.blendshapes[:, list(arkit.EYE_LOOK)], eye_look(motion.gaze))
    looks_left, looks_down = np.argmax(motion.gaze, 0)[0], np.argmin(motion.gaze, 0)[1]
    assert float(rows[looks_left]["LeftEyeYaw"]) < -0.2 and float(rows[looks_down]["RightEyePitch"]) > 0.2
    assert len(rows[0]["JawOpen"].split(".")[1]) == 10


@pytest.mark.parametrize("recorded", RECORDED_EYES)
def test_eyes_turn_as_in_recordings_of_the_app(recorded):
    angles = np.array([recorded])
    assert np.allclose(eye_angles(gaze_of_eye(angles).astype(np.float64)), angles, atol=2e-7)


def test_the_head_turns_left_up_and_to_the_right_shoulder():
    left, up, over = head_angles(np.array([[0, 0.2, 0], [-0.2, 0, 0], [0, 0, 0.2]], np.float32))
    assert np.allclose([left[0], up[1], over[2]], 0.2) and np.allclose([*left[1:], *up[[0, 2]], *over[:2]], 0)
    turns = np.random.default_rng(0).uniform(-0.6, 0.6, (20, 3)).astype(np.float32)
    assert np.allclose(rotation_of_head(head_angles(turns)), turns, atol=1e-6)


@pytest.mark.parametrize("fps", [25, 24, 30, 60])
def test_written_and_read_back_is_the_same(tmp_path, rig, motion, fps):
    there = resample(motion, 25, fps)
    livelink.write(tmp_path / "face.csv", Take(there, fps, lambda: rig))
    back = livelink.read(tmp_path / "face.csv")
    assert len(back) == len(motion)
    wanted = resample(there, fps, 25)
    columns = [index for index in range(52) if index not in arkit.EYE_LOOK]
    assert np.allclose(back.blendshapes[:, columns], wanted.blendshapes[:, columns], atol=2e-4)
    assert np.allclose(back.head_rotation, wanted.head_rotation, atol=1e-4) and np.allclose(back.gaze, wanted.gaze, atol=1e-4)
    assert not back.head_translation.any(), "the format has no place for it"


def test_timecodes_run_over():
    assert livelink.timecode(3661.5) == "01:01:01:30.000" and livelink.timecode(59.9999999) == "00:01:00:00.000"


def recording(path, codes, value=lambda row: "0.5", angle="0", header=HEADER):
    lines = [header]
    lines += [",".join([code, "61", *[value(row)] * 52, *[angle] * 9]) for row, code in enumerate(codes)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_recording_at_thirty_that_starts_before_noon_and_has_a_gap(tmp_path):
    codes = [f"11:59:59:{tick}.651" for tick in (56, 58)] + [f"12:00:00:{tick:02d}.651" for tick in (0, 2, 6)]
    path = recording(tmp_path / "a.csv", codes, lambda row: ["0", "1.06", "1", "1", "0.5"][row])
    motion = livelink.read(path)
    assert len(motion) == round((10 / 60 + 1 / 30) * 25) == 5
    assert motion.blendshapes[:, 0].max() == 1 and motion.blendshapes[1, 0] > 0.99, "a little over 1 is cut"
    assert motion.blendshapes[-1, 0] == pytest.approx(0.6, abs=0.05)


def test_ticks_of_another_rate_and_midnight(tmp_path):
    codes = [f"23:59:59:{tick:02d}" for tick in range(20, 24)] + [f"00:00:00:{tick:02d}" for tick in range(20)]
    assert len(livelink.read(recording(tmp_path / "a.csv", codes))) == 25


def test_what_the_app_writes_while_it_sees_no_face_is_bridged(tmp_path):
    path = recording(tmp_path / "a.csv", [f"00:00:00:{tick:02d}.000" for tick in range(0, 60, 2)])
    lines = path.read_text().splitlines()
    lines[4] = "00:00:00:06.000,0" + "," * 61
    path.write_text("\n".join(lines))
    assert np.allclose(livelink.read(path).blendshapes[:, arkit.INDEX["jawOpen"]], 0.5)


def test_columns_count_by_name_and_the_eyes_follow_eye_look_where_there_are_no_angles(tmp_path):
    names = HEADER.split(",")[:54]
    names[2:] = [name[0].lower() + name[1:] for name in names[:1:-1]]
    values = {"eyeLookOutLeft": "0.5", "eyeLookInRight": "0.5", "jawOpen": "0.25"}
    rows = [",".join([f"00:00:00:{tick:02d}.000", "52", *[values.get(name, "0") for name in names[2:]]]) for tick in (0, 1, 2)]
    (tmp_path / "a.csv").write_text("\n".join([",".join(names), *rows]))
    motion = livelink.read(tmp_path / "a.csv")
    assert np.allclose(motion.gaze, [[0.5 * arkit.EYE_LOOK_YAW_RAD, 0]], atol=1e-6)
    assert np.allclose(motion.blendshapes[:, arkit.INDEX["jawOpen"]], 0.25)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", r"is empty; give a recording of Live Link Face"),
        (lambda text: text.replace("JawOpen,", ""), r"has no column JawOpen; give a CSV of Live Link Face"),
        (lambda text: "a,b\n1,2\n", r"has no column Timecode, BlendShapeCount, EyeBlinkLeft, EyeLookDownLeft and 50 more"),
        (lambda text: text.replace("00:00:00:01", "x"), r"line 3: timecode 'x.000' is not HH:MM:SS:FF.fff"),
        (lambda text: text.replace("01.000,61,0.5", "01.000,61,nan"), r"line 3: EyeBlinkLeft is 'nan'; give a number"),
        (lambda text: text.replace("00:00:00:02", "00:00:00:01"), r"line 4: its time is not after the row before"),
        (lambda text: text.split("\n")[0] + "\n", r"holds no row with a face"),
        (lambda text: text[: text.rindex("0.5,")], r"line 4: \w+ is ''; give a number"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path, change, message):
    path = recording(tmp_path / "a.csv", [f"00:00:00:{tick:02d}.000" for tick in range(3)])
    path.write_text(change(path.read_text()))
    with pytest.raises(MotionError, match=message):
        livelink.read(path)


def test_a_picture_called_csv_is_named(tmp_path, astronaut):
    (tmp_path / "a.csv").write_bytes(astronaut.read_bytes())
    with pytest.raises(MotionError, match="is not a CSV file"):
        livelink.read(tmp_path / "a.csv")
