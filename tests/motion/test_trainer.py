import json
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from talkinghead import arkit
from talkinghead.errors import ConfigError, InputError
from talkinghead.files import whole_folder
from talkinghead.motion.articulator import COLUMNS, Articulator
from talkinghead.motion.dataset import shifted, speech_clips, trusted_leads
from talkinghead.motion.io import save_motion
from talkinghead.motion.lip_correlation import pearson
from talkinghead.motion.readout import fit_readout, gains, predict
from talkinghead.motion.trainer import train_articulator
from talkinghead.motion.training_clips import ArticulatorConfig, TrainingClip, held_out_clips, kept_out, training_clips
from talkinghead.training import load_config
from talkinghead.types import FaceMotion

WIDTH, NUM_FRAMES = 6, 60


def write_clip(folder: Path, name: str, seed: int, lost: slice = slice(0), nonsense: float = 0.0) -> None:
    """A face whose lips open by the first feature of the sound; where it is `lost`, points and motion are nonsense."""
    generator = np.random.default_rng(seed)
    content = generator.standard_normal((NUM_FRAMES, WIDTH)).astype(np.float16)
    opening = np.clip(0.5 + 0.2 * content[:, 0].astype(np.float32), 0, 1)
    points = np.tile(generator.uniform(0, 1, (478, 3)).astype(np.float32), (NUM_FRAMES, 1, 1))
    points[:, [33, 263, 61, 291]] = np.float32([[0, 0, 0], [1, 0, 0], [0.2, 1, 0], [0.8, 1, 0]])
    points[:, 13], points[:, 14] = np.float32([0.5, 1, 0]), np.float32([0.5, 1, 0])
    points[:, 14, 1] += 0.4 * opening
    blendshapes = np.zeros((NUM_FRAMES, 52), np.float32)
    blendshapes[:, arkit.INDEX["jawOpen"]] = opening
    presence = np.ones(NUM_FRAMES)
    presence[lost] = 0
    points[lost, 14, 1] += nonsense
    blendshapes[lost] = nonsense
    for kind in ("features", "prepared", "motion"):
        (folder / kind / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "features" / name, content=content, loudness=np.full(NUM_FRAMES, -20, np.float32))
    np.savez(folder / "prepared" / name, points=points, presence=presence)
    zeros = np.zeros((NUM_FRAMES, 3), np.float32)
    save_motion(folder / "motion" / name, FaceMotion(blendshapes, zeros, zeros, zeros[:, :2]))


def write_data(folder: Path, lost: slice = slice(0), nonsense: float = 0.0) -> Path:
    rows = []
    for index in range(6):
        source = "grid_s1" if index < 3 else "others"
        name = f"{'eval' if index == 5 else 'train'}/{source}/clip{index}.npz"
        write_clip(folder, name, index, lost, nonsense)
        row = {"file": name.replace("npz", "mp4"), "split": name.split("/")[0], "identity": f"p{max(index, 2)}", "audio": True}
        rows.append(json.dumps(row))
    (folder / "manifest.jsonl").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


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


def test_who_is_kept_out_is_not_learnt_from_and_is_reported(data: Path, tmp_path: Path) -> None:
    heard: list[tuple[int, dict[str, float]]] = []
    run = config(data, tmp_path, held_out=0.5)
    train_articulator(run, None, lambda _: None, lambda step, values: heard.append((step, dict(values))))
    assert [step for step, _ in heard] == [0, 2, 4, 6]
    assert all(values["opening_r"] > 0.95 for _, values in heard)
    out = held_out_clips(run)
    (talker,) = out
    assert talker in ("p3", "p4") and talker in kept_out(run)
    assert len(list(training_clips(run))) == 4 and len(list(training_clips(replace(run, held_out=0.0)))) == 5
    assert not held_out_clips(replace(run, held_out=0.0))
    with pytest.raises(ConfigError, match=r"held_out: 0\.1 of 2 people leaves nobody; give a share between 0 and 1, or 0"):
        training_clips(replace(run, held_out=0.1))


def test_lips_that_go_the_other_way_and_lips_that_stand_still() -> None:
    rising = np.linspace(0, 1, 20, dtype=np.float32)
    assert pearson(rising, -rising) == pytest.approx(-1)
    assert pearson(rising, 0 * rising) == 0 and pearson(rising[:1], rising[:1]) == 0


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


@pytest.mark.parametrize("changes", [{"learning_rate": 1e-2}, {"ridge_penalty": 3.0}, {"common_share": 0.5}])
def test_a_run_of_another_configuration_is_refused(data: Path, tmp_path: Path, changes: dict[str, float]) -> None:
    train_articulator(config(data, tmp_path), None, lambda _: None)
    (key,) = changes
    with pytest.raises(ConfigError, match=rf"was trained with {key} .* \(now {changes[key]}\); use another output folder"):
        train_articulator(config(data, tmp_path, **changes), None, lambda _: None)
    train_articulator(config(data, tmp_path, num_threads=2, save_every=3), None, lambda _: None)


def test_a_readout_that_does_not_say_its_configuration_is_refused(data: Path, tmp_path: Path) -> None:
    train_articulator(config(data, tmp_path, steps=0), None, lambda _: None)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ConfigError, match="does not say what its checkpoint was trained with"):
        train_articulator(config(data, tmp_path, steps=0), None, lambda _: None)


def test_a_new_readout_takes_no_steps_of_an_old_one(data: Path, tmp_path: Path) -> None:
    train_articulator(config(data, tmp_path), None, lambda _: None)
    shutil.rmtree(tmp_path / "readout")
    lines: list[str] = []
    train_articulator(config(data, tmp_path, ridge_penalty=3.0), None, lines.append)
    assert lines[:2] == ["fitting the read-out", "step 2: " + lines[1].partition(": ")[2]]


def test_killed_between_two_folders_it_takes_the_old_one_back(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_articulator(config(data, tmp_path), None, lambda _: None)
    whole = (tmp_path / "state/state.safetensors").read_bytes()
    rename, ended = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        if ended or self.name.endswith(".part"):  # who is dead takes nothing back either
            ended.append(self)
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "state") as part:
        (part / "state.safetensors").write_bytes(b"new")
    monkeypatch.undo()
    assert not (tmp_path / "state").exists()
    lines: list[str] = []
    train_articulator(config(data, tmp_path), None, lines.append)
    assert lines == ["going on from step 6"] and (tmp_path / "state/state.safetensors").read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["articulator", "config.json", "readout", "state"]


@pytest.mark.parametrize("head_width", [0, 4])
def test_what_is_not_seen_teaches_nothing(tmp_path: Path, head_width: int) -> None:
    weights = []
    for nonsense in (0.3, 0.9):
        data = write_data(tmp_path / str(nonsense), slice(20, 29), nonsense)
        settings = config(data, tmp_path / f"out {nonsense}", head_width=head_width)
        weights.append(Articulator.load(train_articulator(settings, None, lambda _: None)))
    ours, theirs = (model.state_dict() for model in weights)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours) and weights[0].config.gain == weights[1].config.gain


def clips_of(talkers: list[tuple[bool, float, int]]) -> Iterator[TrainingClip]:
    """(common, offset, frames) a clip."""
    for index, (common, offset, num_frames) in enumerate(talkers):
        content = np.random.default_rng(index).standard_normal((num_frames, WIDTH)).astype(np.float32)
        targets = np.repeat(content[:, :1], len(COLUMNS) + 3, axis=1)
        mean = np.full(len(COLUMNS) + 3, offset, np.float32)
        content_mean = content.mean(0)
        yield TrainingClip(
            content - content_mean, content_mean, targets - targets.mean(0), mean, np.ones(num_frames, bool), common
        )


def test_the_centre_weighs_the_common_talker_as_the_regression_does() -> None:
    talkers = [(True, 1.0, 50)] * 4 + [(False, 0.0, 30), (False, 0.4, 10)]
    settings = ArticulatorConfig(common_share=0.15, ridge_penalty=0.01)
    model = fit_readout(lambda: clips_of(talkers), settings, None)
    assert torch.allclose(model.centre, torch.full_like(model.centre, 0.15 * 1.0 + 0.85 * 0.1), atol=1e-6)
    for alone in (talkers[:4], talkers[4:]):
        centre = fit_readout(lambda clips=alone: clips_of(clips), settings, None).centre
        assert torch.allclose(centre, torch.full_like(centre, 1.0 if alone[0][0] else 0.1), atol=1e-6)


def test_no_clips_are_kept() -> None:
    alive: weakref.WeakSet[TrainingClip] = weakref.WeakSet()
    most = 0

    def counted() -> Iterator[TrainingClip]:
        nonlocal most
        for clip in clips_of([(index % 2 == 0, 0.0, 30) for index in range(16)]):
            alive.add(clip)
            most = max(most, len(alive))
            yield clip

    fit_readout(counted, ArticulatorConfig(ridge_penalty=0.01), None)
    assert most <= 4


def test_outputs_are_stretched_by_less_than_two() -> None:
    real, said = np.float32([0.5, 1.0, 4.0, 1e6, 1.0]), np.float32([1.0, 1.0, 1.0, 1.0, 1.0])
    assert gains(np.stack([real**2, said])) == (1.0, 1.0, 1.75, 2.0)


def test_a_clip_of_no_source_is_a_clip(tmp_path: Path) -> None:
    for name, source in (("clip.npz", ""), ("mead/clip.npz", "mead"), ("train/mead/m003/clip.npz", "mead")):
        write_clip(tmp_path, name, 0)
        row = {"file": name.replace("npz", "mp4"), "split": "train", "identity": "a", "audio": True}
        (tmp_path / "manifest.jsonl").write_text(json.dumps(row))
        assert [clip.source for clip in speech_clips(tmp_path, tmp_path, "train", aligned=True)] == [source]


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
