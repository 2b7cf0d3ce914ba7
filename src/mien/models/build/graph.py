"""A small writer of ONNX graphs: operations are called, names are given, bytes come out the same every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 17
IR_VERSION = 8


class Graph:
    """One graph under construction. Values are known by their names (str)."""

    def __init__(self, name: str, inputs: Mapping[str, tuple[type[np.generic], Sequence[int | str]]]) -> None:
        self.name = name
        self._inputs = inputs
        self._nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._tensors: list[Any] = []

    def constant(self, values: NDArray[Any]) -> str:
        """A constant; equal ones are kept once."""
        from onnx import numpy_helper

        values = np.ascontiguousarray(values).reshape(values.shape)
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = f"c{len(self._constants)}"
            self._tensors.append(numpy_helper.from_array(values, self._constants[key]))
        return self._constants[key]

    def floats(self, values: Any) -> str:
        """A float32 constant."""
        return self.constant(np.asarray(values, np.float32))

    def integers(self, values: Sequence[int]) -> str:
        """An int64 constant, as shapes and pads want it."""
        return self.constant(np.asarray(values, np.int64))

    def add(self, operation: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Append an operation; returns the name of its only output."""
        from onnx import helper

        output = output or f"t{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operation, list(inputs), [output], name=f"{operation}_{len(self._nodes)}", **attributes)
        )
        return output

    def conv(self, value: str, weights: NDArray[Any], bias: NDArray[Any], stride: int = 1, pad: int = 0) -> str:
        """A convolution; weights (out, in, height, width), the same pad on all sides."""
        size = list(weights.shape[2:])
        inputs = [value, self.floats(weights), self.floats(bias)]
        return self.add("Conv", inputs, kernel_shape=size, strides=[stride, stride], pads=[pad] * 4)

    def image(self, value: str) -> str:
        """Pixels (N, H, W, 3) of any number type to float32 (N, 3, H, W)."""
        from onnx import TensorProto

        # Turned while they are still bytes: a quarter of the traffic.
        return self.add("Cast", [self.add("Transpose", [value], perm=[0, 3, 1, 2])], to=TensorProto.FLOAT)

    def _opsets(self) -> list[Any]:
        from onnx import helper

        domains = sorted({node.domain for node in self._nodes} - {""})
        return [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]

    def finish(self, outputs: Mapping[str, Sequence[int | str]]) -> bytes:
        """The serialised, checked model; `outputs` are float32 values with their shapes."""
        import onnx
        from onnx import helper

        element = helper.np_dtype_to_tensor_dtype
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [
                helper.make_tensor_value_info(name, element(np.dtype(kind)), list(shape))
                for name, (kind, shape) in self._inputs.items()
            ],
            [
                helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, list(shape))
                for name, shape in outputs.items()
            ],
            self._tensors,
        )
        model = helper.make_model(graph, opset_imports=self._opsets(), ir_version=IR_VERSION, producer_name="mien")
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))
