import json
from pathlib import Path

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.errors import ConfigError, InputError
from talkinghead.motion.articulator import COLUMNS, Articulator
from talkinghead.motion.dataset import shifted, speech_clips, trusted_leads
from talkinghead.motion.io import save_motion
from talkinghead.motion.readout import predict
from talkinghead.motion.trainer import train_articulator
from talkinghead.motion.training_clips import ArticulatorConfig
from talkinghead.training import load_config
from talkinghead.types import FaceMotion

WIDTH, NUM_FRAMES = 6, 60


def write_clip(folder: Path, name: str, seed: int) -> None:
    """A face whose lips open by the first feature of the sound."""
    generator = np.random.default_rng(seed)
    content = generator.standard_normal((NUM_FRAMES, WIDTH)).astype(np.float16)
    opening = np.clip(0.5 + 0.2 * content[:, 0].astype(np.float32), 0, 1)
    points = np.tile(generator.uniform(0, 1, (478, 3)).astype(np.float32), (NUM_FRAMES, 1, 1))
    points[:, [33, 263, 61, 291]] = np.float32([[0, 0, 0], [1, 0, 0], [0.2, 1, 0], [0.8, 1, 0]])
    points[:, 13], points[:, 14] = np.float32([0.5, 1, 0]), np.float32([0.5, 1, 0])
    points[:, 14, 1] += 0.4 * opening
    blendshapes = np.zeros((NUM_FRAMES, 52), np.float32)
    blendshapes[:, arkit.INDEX["jawOpen"]] = opening
    for kind in ("features", "prepared", "motion"):
        (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "features" / name, content=content, loudness=np.full(NUM_FRAMES, -20, np.float32))
    np.savez(folder / "prepared" / name, points=points, presence=np.ones(NUM_FRAMES))
    zeros = np.zeros((NUM_FRAMES, 3), np.float32)
    save_motion(folder / "motion" / name, FaceMotion(blendshapes, zeros, zeros, zeros[:, :2]))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for index in range(6):
        source = "grid_s1" if index < 3 else "others"
        name = f"{'eval' if index == 5 else 'train'}/{source}/clip{index}.npz"
        write_clip(folder, name, index)
        row = {"file": name.replace("npz", "mp4"), "split": name.split("/")[0], "identity": f"p{max(index, 2)}", "audio": True}
        rows.append(json.dumps(row))
    (folder / "manifest.jsonl").write_text("\n".join(rows))
    return folder


def config(data: Path, output: Path, **changes: object) -> ArticulatorConfig:
    settings = {
        "data": str(data), "prepared": str(data), "output": str(output), "ridge_penalty": 0.01, "head_width": 4,
        "head_dilations": (1,), "steps": 6, "batch_size": 2, "crop_frames": 20, "save_every": 2,
    }  # fmt: skip
    return ArticulatorConfig(**settings | changes)  # type: ignore[arg-type]


def test_the_readout_learns_what_the_sound_says_of_unheard_talkers(data: Path, tmp_path: Path) -> None:
    folder = train_articulator(config(data, tmp_path, head_width=0, steps=0), None, lambda _: None)
    clip = next(speech_clips(data, data, "eval", aligned=True))
    said = predict(Articulator.load(folder), clip.features.content)[:, COLUMNS.index("jawOpen")]
    assert np.corrcoef(said, clip.motion.blendshapes[:, arkit.INDEX["jawOpen"]])[0, 1] > 0.95


def test_killed_and_started_again_it_ends_the_same(data: Path, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def killer(line: str) -> None:
        if line.startswith("step 4"):
            raise Killed

    whole = train_articulator(config(data, tmp_path / "a"), None, lambda _: None)
    with pytest.raises(Killed):
        train_articulator(config(data, tmp_path / "b"), None, killer)
    lines: list[str] = []
    resumed = train_articulator(config(data, tmp_path / "b"), None, lines.append)
    assert lines[0] == "going on from step 4"
    ours, theirs = Articulator.load(whole).state_dict(), Articulator.load(resumed).state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert float(ours["head.leave.weight"].abs().max()) > 0


def test_a_checkpoint_of_another_configuration_is_refused(data: Path, tmp_path: Path) -> None:
    train_articulator(config(data, tmp_path), None, lambda _: None)
    with pytest.raises(ConfigError, match="another configuration"):
        train_articulator(config(data, tmp_path, learning_rate=1e-2), None, lambda _: None)


def test_no_clips_is_an_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no prepared training clip"):
        train_articulator(config(data, tmp_path, prepared=str(tmp_path)), None, lambda _: None)
    with pytest.raises(InputError, match="no such file"):
        next(speech_clips(tmp_path, tmp_path, "train", aligned=True))


def test_a_leading_picture_is_moved_to_its_sound(tmp_path: Path) -> None:
    assert shifted(10, 2) == (slice(2, 10), slice(0, 8)) and shifted(10, -2) == (slice(0, 8), slice(2, 10))
    (tmp_path / "o.tsv").write_text(
        "clip\tvideo_leads_frames\tr_at_best\tr_at_zero\tframes\na.mp4\t3\t0.7\t0.1\t100\nb.mp4\t3\t0.4\t0.1\t100\nc.mp4\t3\t0.7\t0.1\t50\n"
    )
    assert trusted_leads(tmp_path / "o.tsv") == {"a.mp4": 3}


def test_a_config_is_flat_yaml_of_known_keys(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("steps: 7\nlearning_rate: 1e-3\nhead_dilations: [1, 2]\n")
    loaded = load_config(path, ArticulatorConfig)
    assert (loaded.steps, loaded.learning_rate, loaded.head_dilations) == (7, 1e-3, (1, 2))
    for text, message in (
        ("stepps: 1", r"unknown stepps; the keys are batch_size, "),
        ("steps: many", "steps is 'many'; give a whole number"),
        ("steps: 1.5", "steps is 1.5"),
        ("- 1", "holds a list"),
        ("a: [", "is not YAML"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=message):
            load_config(path, ArticulatorConfig)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml", ArticulatorConfig)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "configs").glob("articulator*.yaml")))
def test_the_configs_are_valid(path: Path) -> None:
    assert load_config(path, ArticulatorConfig).common_share == 0.15
