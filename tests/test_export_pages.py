"""docs/game_developer.md, docs/web_developer.md and docs/blender.md: every command and every piece of code runs as written."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from talkinghead import arkit, cli, cli_motion, cli_video
from talkinghead.audio.waveform import load_audio
from talkinghead.export.formats import FORMATS, read_motion, write_motion
from talkinghead.export.gltf import Glb
from talkinghead.export.live import BUFFER_S
from talkinghead.export.osc import OSC_FORMATS
from talkinghead.motion.io import save_motion
from talkinghead.pipeline import TalkingHead
from talkinghead.rig.arkit_to_flame import fit
from talkinghead.rig.surface_points import SurfacePoints
from talkinghead.types import SAMPLE_RATE, SAMPLES_PER_FRAME, FaceMotion
from tests.rig.standin import flame_of_rig

ROOT = Path(__file__).parents[1]
PAGES = {
    name: (ROOT / f"docs/{name}.md").read_text(encoding="utf-8") for name in ("game_developer", "web_developer", "blender")
}
BLOCKS = [
    (name, kind, block)
    for name, page in PAGES.items()
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", page, re.M | re.S)
]
COMMANDS = [line for _, kind, block in BLOCKS if kind == "bash" for line in block.splitlines()]
NUM_FRAMES = 12


@pytest.fixture(scope="module")
def small():
    head = TalkingHead.from_pretrained(device="cpu")
    return head, head.load_portrait(ROOT / "assets/astronaut.jpg", size=192)


@pytest.fixture(scope="module")
def flame(small, tmp_path_factory):
    """A folder as scripts/convert_flame.py makes one, of a model of FLAME's shape."""
    folder, rig = tmp_path_factory.mktemp("converted") / "flame", small[0].rig
    model = flame_of_rig(rig)
    model.save_pretrained(folder)
    corners = np.repeat(np.arange(468)[:, None], 3, 1)
    maps, report = fit(rig, model, SurfacePoints(np.arange(468), corners, np.full((468, 3), 1 / 3, np.float32)))
    maps.save(folder, report)
    return folder


@pytest.fixture
def folder(tmp_path, small, flame, astronaut, monkeypatch):
    """A folder with the files that the pages name; models and portrait are loaded once."""
    head, portrait = small
    monkeypatch.chdir(tmp_path)
    for module in (cli_motion, cli_video):
        monkeypatch.setattr(module, "loaded_head", lambda checkpoint, device: head)
    monkeypatch.setattr(TalkingHead, "load_portrait", lambda *_, **__: portrait)
    shutil.copy(astronaut, "portrait.jpg")
    samples = load_audio(ROOT / "assets/speech.wav").samples[: NUM_FRAMES * SAMPLES_PER_FRAME]
    wavfile.write("speech.wav", SAMPLE_RATE, samples)
    motion = FaceMotion.neutral(NUM_FRAMES)
    motion.blendshapes[:, arkit.INDEX["jawOpen"]] = np.linspace(0, 1, NUM_FRAMES)
    motion.head_rotation[:, 1] = 0.3
    save_motion("motion.npz", motion)
    Path("flame").symlink_to(flame)
    write_motion("talking.flame.npz", motion, lambda: head.rig)
    write_motion("face.csv", motion, lambda: head.rig)
    write_motion("hero.glb", FaceMotion.neutral(1), lambda: head.rig)
    hero = Glb.load(Path("hero.glb"))
    for mesh in hero.content["meshes"]:
        names = mesh.get("extras", {}).get("targetNames", [])
        other = {"mouthFunnel": "Mouth_Open", "mouthPucker": "Grin"}
        mesh["extras"] = {"targetNames": [other.get(name, name) for name in names]}
    hero.save(Path("hero.glb"))
    for _, kind, block in BLOCKS:
        if kind == "yaml":
            Path("names.yaml").write_text(block)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_pages_runs(folder, command, capfd):
    program, *arguments = shlex.split(command)
    assert program == "talkinghead"
    assert cli.main(arguments) == 0, capfd.readouterr().err
    if "-o" in arguments:
        assert (folder / arguments[arguments.index("-o") + 1]).stat().st_size > 1000


def test_the_python_of_the_game_developer_runs(folder, small, monkeypatch):
    monkeypatch.setattr(TalkingHead, "from_pretrained", staticmethod(lambda *_: small[0]))
    (code,) = [block for name, kind, block in BLOCKS if kind == "python" and name == "game_developer"]
    names = {}
    exec(compile(code, "docs/game_developer.md", "exec"), names)
    assert names["live"].num_sent == NUM_FRAMES


def test_the_pages_say_what_there_is():
    page = PAGES["game_developer"]
    assert all(f"| `{ending}` |" in page for ending in FORMATS) and all(f"| `{name}` |" in page for name in OSC_FORMATS)
    assert f"`--buffer {BUFFER_S:g}`" in page


def code_of(name):
    """A block of JavaScript by the name on its first line."""
    return next(block for _, kind, block in BLOCKS if kind == "js" and block.startswith(f"// {name}"))


def node(script, *arguments):
    shown = subprocess.run(["node", script, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_the_json_player_shows_the_motion(folder, small):
    write_motion("face.json", read_motion("motion.npz"), lambda: small[0].rig)
    Path("json_player.mjs").write_text(code_of("json_player.js"))
    Path("try.mjs").write_text(
        """
import { readFileSync } from "node:fs";
import { JsonPlayer } from "./json_player.mjs";
const mesh = { morphTargetDictionary: { jawOpen: 1, other: 0 }, morphTargetInfluences: [0.5, 0] };
const set = (...values) => { head.quaternion.values = values; };
const head = { quaternion: { set } };
const player = new JsonPlayer(JSON.parse(readFileSync("face.json")), [mesh], head);
const found = [];
for (const seconds of [0, 0.1, 0.44, 9]) { player.show(seconds); found.push([...mesh.morphTargetInfluences]); }
console.log(JSON.stringify({ found, turn: head.quaternion.values }));
"""
    )
    shown = node("try.mjs")
    assert np.allclose(np.array(shown["found"])[:, 1], [0, 2.5 / 11, 1, 1], atol=1e-4) and shown["found"][3][0] == 0.5
    assert np.allclose(shown["turn"], [0, np.sin(0.15), 0, np.cos(0.15)], atol=1e-4)


@pytest.mark.external
def test_the_glb_player_shows_the_motion_in_three(folder, small):
    """npm's three in the folder TALKINGHEAD_NODE_MODULES."""
    modules = os.environ.get("TALKINGHEAD_NODE_MODULES")
    if modules is None or shutil.which("node") is None:
        pytest.skip("no node, or TALKINGHEAD_NODE_MODULES is not set")
    write_motion("face.glb", read_motion("motion.npz"), lambda: small[0].rig)
    (folder / "node_modules").symlink_to(Path(modules).resolve())
    Path("glb_player.mjs").write_text(code_of("glb_player.js"))
    Path("try.mjs").write_text(
        """
import { readFileSync } from "node:fs";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { GlbPlayer } from "./glb_player.mjs";
globalThis.self = globalThis;
const data = readFileSync("face.glb");
const gltf = await new GLTFLoader().parseAsync(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength), "");
const face = gltf.scene.getObjectByName("Face"), head = gltf.scene.getObjectByName("Head");
const player = new GlbPlayer(gltf), found = [];
const jaw = face.morphTargetDictionary.jawOpen;
for (const seconds of [0, 0.1, 0.4, 9]) { player.show(seconds); found.push(face.morphTargetInfluences[jaw]); }
console.log(JSON.stringify({ found, names: Object.keys(face.morphTargetDictionary), turn: head.quaternion.toArray() }));
"""
    )
    shown = node("try.mjs")
    assert shown["names"] == list(arkit.BLENDSHAPES)
    assert np.allclose(shown["found"], [0, 2.5 / 11, 10 / 11, 1], atol=1e-3)
    assert np.allclose(shown["turn"], [0, np.sin(0.15), 0, np.cos(0.15)], atol=1e-5)
