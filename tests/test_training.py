"""What training stages share: manifests that are read with care, arrays that are there whole or not at all."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from talkinghead.errors import ConfigError, InputError
from talkinghead.training import check_resumable, load_config, read_manifest, save_arrays, save_config


@dataclass(frozen=True)
class Run:
    output: str = "runs/a"
    seed: int = 0
    learning_rate: float = 3e-4
    channels: tuple[int, ...] = (4, 8)


def test_a_checkpoint_is_resumed_by_its_own_configuration_alone(tmp_path):
    file = tmp_path / "checkpoint/config.json"
    save_config(file, Run())
    check_resumable(file, Run(), free=())
    check_resumable(file, Run(output="runs/b"), free=["output"])
    with pytest.raises(ConfigError, match=r"config.json: .* output 'runs/a' \(now 'runs/b'\); use another output folder"):
        check_resumable(file, Run(output="runs/b"), free=())
    with pytest.raises(ConfigError, match=r"channels \[4, 8\] \(now \[4, 16\]\), learning_rate 0.0003 \(now 0.001\); use"):
        check_resumable(file, replace(Run(), channels=(4, 16), learning_rate=1e-3), free=["output"])


def test_a_key_that_came_or_went_is_a_difference(tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"output": "runs/a", "seed": 0, "learning_rate": 0.0003, "dropout": 0.1}')
    with pytest.raises(ConfigError, match=r"channels absent \(now \[4, 8\]\), dropout 0.1 \(now absent\); use another"):
        check_resumable(file, Run(), free=["output"])


@pytest.mark.parametrize("content", [None, "", '{"seed"', "[1]"])
def test_a_checkpoint_that_does_not_say_its_configuration(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigError, match=r"config.json: does not say what .* trained with; use another output folder"):
        check_resumable(tmp_path / "config.json", Run(), free=())


def test_a_manifest_is_a_row_a_line(tmp_path):
    a = {"file": "a.mp4", "split": "train", "identity": "somebody"}
    b = a | {"file": "b.mp4", "audio": True, "seconds": 3.0}
    (tmp_path / "manifest.jsonl").write_text(f"{json.dumps(a)}\n{json.dumps(b)}\n")
    assert read_manifest(tmp_path) == [a | {"audio": False}, b]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[1]", "line 1 is a list; write one object a line"),
        ('{"split": "train", "identity": "a"}', "line 1 has no file; give file as text"),
        ('{"file": "a.mp4", "split": 3, "identity": "a"}', "line 1 has split 3; give split as text"),
        ('{"file": "a.mp4", "split": "train", "identity": ""}', "line 1 has identity ''; give identity as text"),
        ('{"file": "a.mp4", "split": "train", "identity": "a", "audio": "no"}', "has audio 'no'; give audio as true or false"),
    ],
)
def test_a_row_of_a_manifest_says_which_key_is_wrong(tmp_path, line, message):
    (tmp_path / "manifest.jsonl").write_text(line)
    with pytest.raises(InputError, match=message):
        read_manifest(tmp_path)


@dataclass(frozen=True)
class Wanted:
    output: str = "a"
    steps: int = 1
    rate: float = 1.0
    sound: bool = True
    widths: tuple[int, ...] = (1,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("output:", "output is empty; give text"),
        ("output: [a, b]", r"output is \['a', 'b'\]; give text"),
        ("output: 3", "output is 3; give text"),
        ("steps:", "steps is empty; give a whole number"),
        ("steps: 1.5", "steps is 1.5; give a whole number"),
        ("steps: true", "steps is True; give a whole number"),
        ("rate: fast", "rate is 'fast'; give a number"),
        ("rate: .nan", "rate is nan; give a number"),
        ("rate: [1]", r"rate is \[1\]; give a number"),
        ("sound: 1", "sound is 1; give true or false"),
        ("widths: 3", r"widths is 3; give a list such as \[1, 2\]"),
        ("widths: [8, wide]", r"widths\[1\] is 'wide'; give a whole number"),
        ("widths: [8, [9]]", r"widths\[1\] is \[9\]; give a whole number"),
        ("- 1", "holds a list"),
        ("step: 1", "unknown step; the keys are output, rate, sound, steps, widths"),
    ],
)
def test_a_value_of_another_type_says_what_is_wanted(tmp_path, text, message):
    (tmp_path / "run.yaml").write_text(text)
    with pytest.raises(ConfigError, match=rf"run.yaml.*{message}"):
        load_config(tmp_path / "run.yaml", Wanted)


def test_numbers_that_yaml_takes_for_text_are_numbers(tmp_path):
    (tmp_path / "run.yaml").write_text('output: ""\nsteps: 1e3\nrate: 3e-4\nsound: false\nwidths: [2, 4.0]\n')
    loaded = load_config(tmp_path / "run.yaml", Wanted)
    assert loaded == Wanted("", 1000, 3e-4, False, (2, 4)) and isinstance(loaded.widths[1], int)


def test_a_manifest_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"manifest.jsonl: no such file; give the folder that holds manifest.jsonl"):
        read_manifest(tmp_path)
    row = '{"file": "a.mp4", "split": "train", "identity": "a"}'
    (tmp_path / "manifest.jsonl").write_text(f"{row}\nb.mp4\n")
    with pytest.raises(InputError, match=r"line 2 is not JSON .*; write one object a line"):
        read_manifest(tmp_path)


def test_arrays_come_back_and_a_write_that_fails_leaves_no_npz(tmp_path):
    path = tmp_path / "new/folder/a.npz"
    save_arrays(path, numbers=np.arange(3), name="somebody")
    with np.load(path, allow_pickle=False) as file:
        assert file["numbers"].tolist() == [0, 1, 2] and str(file["name"]) == "somebody"
    before = path.read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(path, numbers=np.arange(4), what=np.array([object()]))
    assert path.read_bytes() == before and list(path.parent.glob("*.npz")) == [path]
