import subprocess
import sys

import numpy as np
import pytest
import trimesh

from talkinghead import arkit
from talkinghead.export.formats import write_motion
from talkinghead.motion.io import save_motion
from talkinghead.rig.face_rig import FaceRig
from talkinghead.types import FaceMotion
from talkinghead.video.reader import read_frames


@pytest.fixture
def motion(tmp_path):
    motion = FaceMotion.neutral(3)
    motion.blendshapes[:, arkit.INDEX["jawOpen"]] = [0, 0.5, 1]
    save_motion(tmp_path / "motion.npz", motion)
    return motion


def preview(root, folder, *arguments):
    command = [sys.executable, str(root / "scripts/preview_motion.py"), str(folder / "motion.npz"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_frame_goes_to_a_file_that_another_program_reads(root, tmp_path, motion):
    done = preview(root, tmp_path, "--frame", 2, "-o", tmp_path / "face.ply")
    assert done.returncode == 0, done.stderr
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    mesh = trimesh.load(tmp_path / "face.ply", process=False)
    assert np.allclose(mesh.vertices, rig(motion[2:3]).vertices[0], atol=1e-5)


def test_a_frame_as_glb_is_the_exporters(root, tmp_path, motion):
    done = preview(root, tmp_path, "--frame", 2, "-o", tmp_path / "face.glb")
    assert done.returncode == 0, done.stderr
    rig = FaceRig.from_pretrained(root / "checkpoints/default/rig")
    write_motion(tmp_path / "wanted.glb", motion[2:3], lambda: rig)
    assert (tmp_path / "face.glb").read_bytes() == (tmp_path / "wanted.glb").read_bytes()


def test_a_frame_that_is_not_there_is_named(root, tmp_path, motion):
    done = preview(root, tmp_path, "--frame", 3, "-o", tmp_path / "face.ply")
    assert done.returncode == 1 and "--frame 3: the motion has frames 0 to 2" in done.stderr
    assert not (tmp_path / "face.ply").exists()


def test_a_video_of_the_mesh_opens_its_mouth(root, tmp_path, motion):
    done = preview(root, tmp_path, "--size", 128, "-o", tmp_path / "mesh.mp4")
    if "no OpenGL to draw with" in done.stderr:
        assert "install EGL" in done.stderr and not (tmp_path / "mesh.mp4").exists()
        pytest.skip("no EGL here")
    assert done.returncode == 0, done.stderr
    frames = list(read_frames(tmp_path / "mesh.mp4"))
    change = np.abs(frames[2].astype(float) - frames[0]).mean(2)
    assert len(frames) == 3 and change[64:].mean() > 2 * change[:50].mean(), "the jaw moves, the brow does not"


def test_the_camera_goes_round(root, tmp_path, motion):
    save_motion(tmp_path / "motion.npz", FaceMotion.neutral(4))
    done = preview(root, tmp_path, "--size", 128, "--turn", 180, "-o", tmp_path / "mesh.mp4")
    if "no OpenGL to draw with" in done.stderr:
        pytest.skip("no EGL here")
    assert done.returncode == 0, done.stderr
    first, _, side, _ = (frame.astype(float).mean(2) for frame in read_frames(tmp_path / "mesh.mp4"))
    wide, narrow = ((frame > 80).any(0).sum() for frame in (first, side))
    assert narrow < 0.9 * wide, "a head is wider than it is deep"
