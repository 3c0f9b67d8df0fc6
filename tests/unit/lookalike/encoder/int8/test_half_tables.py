"""An int8 network's large tables are stored in half the room, and its vectors stay the same to the last bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lookalike.encoder.int8.quantise import LARGE_TABLE, store_as_halves
from lookalike.encoder.telemetry import import_onnxruntime

Floats = npt.NDArray[np.float32]
WIDTH = 120
assert WIDTH * WIDTH > LARGE_TABLE


def table(seed: int) -> Floats:
    """A large table of float16 numbers, as float32."""
    return np.random.default_rng(seed).normal(size=(WIDTH, WIDTH)).astype(np.float16).astype(np.float32)


def network_of(tables: dict[str, Floats]) -> bytes:
    """A network that multiplies by one table after the other; a vector is added."""
    names = ["pictures", *(f"after {name}" for name in tables)]
    nodes = [
        helper.make_node("MatMul" if numbers.ndim == 2 else "Add", [before, name], [after], name)
        for (name, numbers), before, after in zip(tables.items(), names, names[1:], strict=False)
    ]
    given, answer = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", WIDTH]) for n in (names[0], names[-1]))
    initializers = [numpy_helper.from_array(numbers, name) for name, numbers in tables.items()]
    graph = helper.make_graph(nodes, "network", [given], [answer], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    content: bytes = model.SerializeToString()
    return content


def answers(model: bytes) -> Floats:
    session = import_onnxruntime().InferenceSession(model, providers=["CPUExecutionProvider"])
    numbers: Floats = session.run(None, {"pictures": np.random.default_rng(9).random((3, WIDTH), np.float32)})[0]
    return numbers


def types_of(model: bytes) -> dict[str, int]:
    return {table.name: table.data_type for table in onnx.load_model_from_string(model).graph.initializer}


def test_the_file_is_smaller_and_the_vectors_are_the_same_bits() -> None:
    model = network_of({"first": table(1), "offset": table(2)[0], "second": table(3)})
    smaller = store_as_halves(model)
    onnx.checker.check_model(onnx.load_model_from_string(smaller), full_check=True)
    assert len(smaller) < 0.52 * len(model)
    assert types_of(smaller) == {
        "first.float16": TensorProto.FLOAT16,
        "offset": TensorProto.FLOAT,  # too small to be worth a cast
        "second.float16": TensorProto.FLOAT16,
    }
    np.testing.assert_array_equal(answers(smaller), answers(model))


@pytest.mark.parametrize("number", [0.1, 1e6, 1e-9], ids=["too fine", "too large", "too small"])
def test_a_table_with_a_number_that_float16_cannot_hold_stays_as_it_is(number: float) -> None:
    odd = table(1)
    odd[5, 7] = number
    model = network_of({"odd": odd, "even": table(2)})
    smaller = store_as_halves(model)
    assert types_of(smaller) == {"odd": TensorProto.FLOAT, "even.float16": TensorProto.FLOAT16}
    np.testing.assert_array_equal(answers(smaller), answers(model))


def test_a_network_without_such_tables_and_one_that_has_halves_already_stay_as_they_are() -> None:
    plain = network_of({"offset": table(2)[0]})
    assert onnx.load_model_from_string(store_as_halves(plain)) == onnx.load_model_from_string(plain)
    once = store_as_halves(network_of({"first": table(1)}))
    assert store_as_halves(once) == once
