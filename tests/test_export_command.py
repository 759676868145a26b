"""`talkinghead export`, and the endings, rates and characters of `animate`, `track` and `render`, on the real command line."""

import csv
import wave
from pathlib import Path

import numpy as np
import pytest

from talkinghead import arkit, cli, cli_motion, cli_video
from talkinghead.cli_options import MotionOutput
from talkinghead.export.formats import FORMATS, read_motion
from talkinghead.export.gltf import Glb
from talkinghead.motion.io import load_motion, save_motion
from talkinghead.pipeline import TalkingHead
from talkinghead.types import SAMPLE_RATE, FaceMotion
from talkinghead.video.reader import read_frames


@pytest.fixture(scope="module")
def head():
    return TalkingHead.from_pretrained(device="cpu")


@pytest.fixture
def motion(tmp_path, monkeypatch):
    """motion.npz in the working folder: ten frames of a jaw that opens."""
    monkeypatch.chdir(tmp_path)
    made = FaceMotion.neutral(10)
    made.blendshapes[:, arkit.INDEX["jawOpen"]] = np.linspace(0, 1, 10)
    save_motion("motion.npz", made)
    return made


def run(capfd, *arguments):
    status = cli.main([str(argument) for argument in arguments])
    return status, capfd.readouterr().err


def test_the_help_names_every_ending():
    text = MotionOutput.__metadata__[0].help
    assert all(ending in text for ending in FORMATS)


@pytest.mark.parametrize("ending", FORMATS)
def test_export_writes_every_format(motion, tmp_path, ending, capfd):
    assert run(capfd, "export", "motion.npz", "-o", f"face{ending}") == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["motion.npz", f"face{ending}"])


def test_export_at_another_rate_and_back(motion, capfd):
    assert run(capfd, "export", "motion.npz", "--fps", 60, "-o", "face.csv") == (0, "")
    assert len(list(csv.DictReader(Path("face.csv").read_text().splitlines()))) == 24
    assert run(capfd, "export", "face.csv", "-o", "back.npz") == (0, "")
    back = load_motion("back.npz").blendshapes
    assert len(back) == 10 and np.allclose(back[:-1], motion.blendshapes[:-1], atol=2e-3), "at the end it holds"


def test_animate_and_render_speak_the_formats(tmp_path, root, astronaut, head, monkeypatch, capfd):
    for module in (cli_motion, cli_video):
        monkeypatch.setattr(module, "loaded_head", lambda checkpoint, device: head)
    monkeypatch.chdir(tmp_path)
    with wave.open(str(root / "assets/speech.wav")) as source, wave.open("short.wav", "w") as target:
        target.setparams(source.getparams())
        target.writeframes(source.readframes(round(0.4 * SAMPLE_RATE)))
    animate = ["animate", "--audio", "short.wav", "--emotion", "happy"]
    assert run(capfd, *animate, "-o", "face.npz") == (0, "")
    assert run(capfd, *animate, "-o", "face.csv") == (0, "")
    wanted, came = load_motion("face.npz"), read_motion("face.csv")
    columns = [index for index in range(52) if index not in arkit.EYE_LOOK]
    assert len(came) == 10 and np.allclose(came.blendshapes[:, columns], wanted.blendshapes[:, columns], atol=1e-6)
    assert run(capfd, "render", "-i", astronaut, "-m", "face.csv", "--size", 192, "-q", "draft", "-o", "out.mp4") == (0, "")
    assert sum(1 for _ in read_frames(tmp_path / "out.mp4")) == 10


def test_a_character_is_animated_and_what_it_lacks_is_said(motion, capfd):
    assert run(capfd, "export", "motion.npz", "-o", "face.glb") == (0, "")
    assert run(capfd, "export", "motion.npz", "--character", "face.glb", "-o", "same.glb") == (0, "")
    glb = Glb.load(Path("face.glb"))
    for mesh in glb.content["meshes"]:
        if "extras" in mesh:
            mesh["extras"]["targetNames"] = [name.replace("jawOpen", "Mouth_Open") for name in mesh["extras"]["targetNames"]]
    glb.save(Path("hero.glb"))
    status, said = run(capfd, "export", "motion.npz", "--character", "hero.glb", "-o", "talking.glb")
    assert status == 0 and said.count("\n") == 1 and "missing: jawOpen; not driven: Mouth_Open" in said
    Path("names.yaml").write_text("Mouth_Open: jawOpen\n")
    named = ["--character", "hero.glb", "--names", "names.yaml", "-o", "talking.glb"]
    assert run(capfd, "export", "motion.npz", *named) == (0, "")
    assert Glb.load(Path("talking.glb")).content["animations"][0]["name"] == "talk"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["motion.npz", "-o", "face.fbx"],
            "face.fbx: has '.fbx'; choose one of .npz (Python), .csv (Unreal's Live Link Face), "
            ".json (web pages and your own code), .glb (Blender and web pages), .usda (Houdini and Omniverse), "
            ".bvh (body animation tools, the head alone), .flame.npz (FLAME).",
        ),
        (["motion.npz", "-o", "face"], "face: has no ending; choose one of .npz (Python), .csv (Unreal's Live Link Face)"),
        (["motion.npz", "-o", "motion.npz"], "motion.npz: is one of the inputs and would be overwritten"),
        (["none.npz", "-o", "face.csv"], "motion none.npz: no such file"),
        (["motion.npz", "--fps", "0", "-o", "face.csv"], "--fps 0: out of range; give 1 to 240."),
        (
            ["motion.npz", "--character", "hero.glb", "-o", "face.csv"],
            "--character hero.glb: goes to a .glb, not face.csv; give",
        ),
        (["motion.npz", "--character", "hero.glb", "-o", "face.glb"], "character hero.glb: no such file"),
        (
            ["motion.npz", "--names", "n.yaml", "-o", "face.glb"],
            "--names n.yaml: these are a character's; give it with --character.",
        ),
        (["motion.npz", "-o", "none/face.glb"], "there is no folder none"),
    ],
)
def test_what_does_not_go_is_one_line_and_no_file(motion, tmp_path, arguments, message, capfd):
    status, said = run(capfd, "export", *arguments)
    assert status == 2 and said.startswith("talkinghead: ") and said.count("\n") == 1 and message in said
    assert [path.name for path in tmp_path.iterdir()] == ["motion.npz"]
