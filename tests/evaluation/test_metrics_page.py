"""docs/metrics.md: its commands are commands, it names every metric and every network, and what it exports is what is read."""

import re
import shlex
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from talkinghead.cli import app
from talkinghead.evaluation.networks import EXPECTED, Networks
from talkinghead.evaluation.paper_metrics import METRICS, SYSTEMS

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text()


def test_its_commands_parse():
    lines = [line.split("  #")[0] for block in re.findall(r"```bash\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    program = typer.main.get_command(app)
    assert len(lines) == 3
    for line in lines:
        name, *arguments = shlex.split(line)[1:]
        program.commands[name].make_context(name, arguments)


def test_it_names_every_metric_column_and_file():
    explained = PAGE.split("## What each is")[1].split("## Your networks")[0]
    for metric in METRICS.values():
        # "LVE without the root" is explained with LVE, "emotion accuracy" by its own name.
        title = metric.title.split(",")[0].split(" without ")[0].split(" turn")[0].split(" by dlib")[0]
        assert title in explained or title == "frames with a face", title
    assert all(f"`{name}.onnx`" in PAGE for name in EXPECTED)
    for name, expected in EXPECTED.items():
        assert ", ".join(map(str, expected.shape[1:])) in PAGE, name
    assert all(f"**{word}" in PAGE for word in ("real video", "re-encoded", "portrait held still", "warp alone", "checkpoint"))
    assert len(SYSTEMS) == 5


def test_what_it_exports_is_what_is_read(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="torch writes ONNX with it; pip install 'talkinghead[dev]'")
    pytest.importorskip("onnxruntime", reason="runs the user's networks; pip install 'talkinghead[evaluate]'")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names = {}
    exec(code.split('export("inception"')[0], names)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        names["export"]("arcface", torch.nn.Conv2d(3, 4, 3), lambda net, x: net((x - 0.5) / 0.5).mean((2, 3)), (3, 112, 112))
        square = torch.nn.Identity()
        names["export"]("lpips", square, lambda net, a, b: net(a - b).square().mean((1, 2, 3)), (3, 256, 256), (3, 256, 256))
    networks = Networks(tmp_path)
    assert sorted(networks.loaded) == ["arcface", "lpips"]
    assert networks["arcface"](np.zeros((5, 3, 112, 112), np.float32)).shape == (5, 4)
    pictures = np.zeros((3, 3, 256, 256), np.float32)
    assert networks["lpips"](pictures, pictures + 0.5) == pytest.approx(np.full((3, 1), 0.25))
