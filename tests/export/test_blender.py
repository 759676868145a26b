"""The .glb in Blender itself: shape keys by name, key frames, bones, and the skin where the rig has it.

python -m venv blender && blender/bin/pip install 'bpy>=4.5,<4.6'
TALKINGHEAD_BLENDER_PYTHON=blender/bin/python pytest -m external tests/export/test_blender.py
"""

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from talkinghead import arkit
from talkinghead.export import gltf_face
from talkinghead.export.take import Take
from talkinghead.rig.gaze import rotation_from_gaze

pytestmark = pytest.mark.external
TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
"""y up -> z up; the face looks along -y."""


def in_blender(tmp_path, take):
    python = os.environ.get("TALKINGHEAD_BLENDER_PYTHON")
    if python is None:
        pytest.skip("TALKINGHEAD_BLENDER_PYTHON is not set")
    gltf_face.write(tmp_path / "face.glb", take)
    script = Path(__file__).with_name("blender_reads_glb.py")
    command = [python, str(script), str(tmp_path / "face.glb"), "25", str(len(take.motion))]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(next(line for line in shown.splitlines() if line.startswith('{"objects"')))


def test_shape_keys_key_frames_and_bones_are_the_motion(tmp_path, take, motion):
    found = in_blender(tmp_path, take)
    assert found["shape_keys"] == ["Basis", *arkit.BLENDSHAPES]
    assert found["bones"] == {"Head": None, "LeftEye": "Head", "RightEye": "Head"}
    assert {"FaceMesh", "LowerTeethMesh", "UpperTeeth", "Eyes"} <= {
        key for key, kind in found["objects"].items() if kind == "MESH"
    }
    values = np.array(found["values"])[:, 1:]
    assert np.abs(values - take.blendshapes).max() < 1e-4
    for frame in range(len(motion)):
        head = Rotation.from_rotvec(motion.head_rotation[frame]).as_matrix()
        eye = head @ rotation_from_gaze(motion.gaze[frame])
        for bone, wanted in (("Head", head), ("LeftEye", eye), ("RightEye", eye)):
            came = Rotation.from_quat(found["turns"][frame][bone]).as_matrix()
            assert np.abs(came - TO_BLENDER @ wanted @ TO_BLENDER.T).max() < 1e-3, (frame, bone)


def test_the_code_of_the_page_runs(tmp_path, root, take):
    page = (root / "docs/blender.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    in_blender(tmp_path, take)
    (tmp_path / "page.py").write_text(code)
    command = [os.environ["TALKINGHEAD_BLENDER_PYTHON"], "page.py"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "['Basis', 'eyeBlinkLeft', 'eyeLookDownLeft'] talk" in shown


def test_the_skin_is_where_the_rig_has_it(tmp_path, rig, one_by_one, where):
    found = in_blender(tmp_path, Take(one_by_one, 25, lambda: rig))
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight", "browInnerUp", "tongueOut"):
        frame = arkit.INDEX[name]
        wanted = where(one_by_one, frame, ("skin",)) @ TO_BLENDER.T
        assert np.abs(np.array(found["vertices"][frame]) - wanted).max() < 1e-5, name
