"""What training stages share: manifests that are read with care, arrays that are there whole or not at all."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from talkinghead.errors import ConfigError, InputError
from talkinghead.training import check_resumable, read_manifest, save_arrays, save_config


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
    (tmp_path / "manifest.jsonl").write_text('{"file": "a.mp4"}\n{"file": "b.mp4", "audio": true}\n')
    assert read_manifest(tmp_path) == [{"file": "a.mp4"}, {"file": "b.mp4", "audio": True}]


def test_a_manifest_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"manifest.jsonl: no such file; give the folder that holds manifest.jsonl"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"file": "a.mp4"}\nb.mp4\n')
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
