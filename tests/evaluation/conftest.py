"""Tiny networks in ONNX files, in place of those that the metrics of papers want."""

import numpy as np
import pytest


class TinyNetworks:
    """Writes `<name>.onnx` into its folder."""

    def __init__(self, folder):
        self.folder = folder
        self.onnx = pytest.importorskip("onnx", reason="writes tiny networks; pip install 'talkinghead[dev]'")
        pytest.importorskip("onnxruntime", reason="runs the user's networks; pip install 'talkinghead[evaluate]'")

    def save(self, name, inputs, nodes, constants=()):
        """inputs: name -> shape; nodes: operator, inputs, outputs, attributes; the last one's output is the network's."""
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            [helper.make_node(operator, *ends, **settings) for operator, *ends, settings in nodes],
            name,
            [helper.make_tensor_value_info(each, kind, shape) for each, shape in inputs.items()],
            [helper.make_tensor_value_info(nodes[-1][2][0], kind, None)],
            [self.onnx.numpy_helper.from_array(np.asarray(value), each) for each, value in dict(constants).items()],
        )
        opset = [helper.make_opsetid("", 17)]
        self.onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), str(self.folder / f"{name}.onnx"))

    def mean(self, name, shape):
        """(N, C, ...) -> (N, C), the mean of each channel."""
        axes = list(range(2, len(shape)))
        self.save(name, {"x": shape}, [("ReduceMean", ["x"], ["y"], {"axes": axes, "keepdims": 0})])

    def linear(self, name, shape, weight):
        """(N, C, ...) -> the means of the channels times a matrix, (C, D)."""
        axes = list(range(2, len(shape)))
        nodes = [("ReduceMean", ["x"], ["m"], {"axes": axes, "keepdims": 0}), ("MatMul", ["m", "w"], ["y"], {})]
        self.save(name, {"x": shape}, nodes, {"w": np.asarray(weight, np.float32)})

    def distance(self, name, shape):
        """Two inputs -> (N, 1), the mean squared difference."""
        axes = list(range(1, len(shape)))
        nodes = [
            ("Sub", ["a", "b"], ["d"], {}),
            ("Mul", ["d", "d"], ["s"], {}),
            ("ReduceMean", ["s"], ["m"], {"axes": axes, "keepdims": 0}),
            ("Unsqueeze", ["m", "one"], ["y"], {}),
        ]
        self.save(name, {"a": shape, "b": shape}, nodes, {"one": np.array([1], np.int64)})


@pytest.fixture
def networks_of(tmp_path):
    """A folder of networks and what writes them; the tests that use it need onnx and onnxruntime."""
    folder = tmp_path / "networks"
    folder.mkdir()
    return TinyNetworks(folder)
