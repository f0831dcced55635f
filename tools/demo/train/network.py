"""The detector: one table of nodes, walked by training (JAX) and by the export (ONNX)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jax import lax
from onnx import TensorProto, helper, numpy_helper

STRIDE = 8
CHANNELS = 5  # objectness, dx, dy, log width, log height; the classes follow


@dataclass(frozen=True)
class Conv:
    """Convolution with batch normalisation and ReLU, or bare with a bias."""

    name: str
    source: str
    inputs: int
    outputs: int
    kernel: int = 3
    stride: int = 1
    relu: bool = True
    normalised: bool = True


@dataclass(frozen=True)
class Join:
    """`add` (then ReLU), `concat` over channels, or `up`: nearest, twice."""

    name: str
    kind: str
    sources: tuple[str, ...]


def residual(name: str, source: str, channels: int) -> list:
    return [
        Conv(f"{name}_a", source, channels, channels),
        Conv(f"{name}_b", f"{name}_a", channels, channels, relu=False),
        Join(name, "add", (source, f"{name}_b")),
    ]


def nodes(classes: int) -> list:
    """Down to stride 16 with a residual block at 4, 8 and 16, then up and joined at stride 8."""
    return [
        Conv("stem", "images", 3, 16, stride=2),
        Conv("down4", "stem", 16, 32, stride=2),
        *residual("res4", "down4", 32),
        Conv("down8", "res4", 32, 64, stride=2),
        *residual("res8", "down8", 64),
        Conv("down16", "res8", 64, 80, stride=2),
        *residual("res16", "down16", 80),
        Conv("lateral", "res16", 80, 64, kernel=1),
        Join("up", "up", ("lateral",)),
        Join("both", "concat", ("up", "res8")),
        Conv("squeeze", "both", 128, 64, kernel=1),
        Conv("neck", "squeeze", 64, 64),
        Conv("grid", "neck", 64, CHANNELS + classes, kernel=1, relu=False, normalised=False),
    ]


def initial(key, classes: int) -> tuple[dict, dict]:
    """Trained values, and the running statistics of the normalisations."""
    trained, running = {}, {}
    for node in nodes(classes):
        if not isinstance(node, Conv):
            continue
        key, own = jax.random.split(key)
        fan_in = node.kernel**2 * node.inputs
        shape = (node.kernel, node.kernel, node.inputs, node.outputs)
        scale = 2.0 if node.normalised else 0.1
        values = {"weight": jax.random.normal(own, shape) * jnp.sqrt(scale / fan_in), "bias": jnp.zeros(node.outputs)}
        if node.normalised:
            values["gain"] = jnp.ones(node.outputs)
            running[node.name] = {"mean": jnp.zeros(node.outputs), "variance": jnp.ones(node.outputs)}
        else:
            # Objects are rare: starting at a low objectness keeps the first steps from being about nothing else.
            values["bias"] = values["bias"].at[0].set(-4.0)
        trained[node.name] = values
    return trained, running


def forward(trained: dict, running: dict, images, classes: int):
    """Training mode. `images` [n, h, w, 3] in 0..1; returns [n, h/8, w/8, 5 + classes] and the new statistics."""
    values, statistics = {"images": images}, {}
    for node in nodes(classes):
        if isinstance(node, Join):
            values[node.name] = join(node, [values[source] for source in node.sources])
            continue
        own, pad = trained[node.name], node.kernel // 2
        result = lax.conv_general_dilated(
            values[node.source], own["weight"], (node.stride,) * 2, [(pad, pad)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip
        if node.normalised:
            mean, variance = result.mean((0, 1, 2)), result.var((0, 1, 2))
            result = (result - mean) * lax.rsqrt(variance + 1e-5) * own["gain"]
            old = running[node.name]
            statistics[node.name] = {
                "mean": 0.97 * old["mean"] + 0.03 * mean,
                "variance": 0.97 * old["variance"] + 0.03 * variance,
            }
        result = result + own["bias"]
        values[node.name] = jax.nn.relu(result) if node.relu else result
    return values["grid"], statistics


def join(node: Join, inputs: list):
    if node.kind == "add":
        return jax.nn.relu(inputs[0] + inputs[1])
    if node.kind == "concat":
        return jnp.concatenate(inputs, -1)
    return inputs[0].repeat(2, 1).repeat(2, 2)


def export(trained: dict, running: dict, classes: int, width: int, height: int) -> onnx.ModelProto:
    """ONNX, opset 17, fp32, NCHW, every normalisation folded into its convolution."""
    graph_nodes = []
    constants = [numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice")]
    for node in nodes(classes):
        if isinstance(node, Conv):
            weight, bias = folded(trained[node.name], running.get(node.name))
            constants.append(numpy_helper.from_array(weight, f"{node.name}.weight"))
            constants.append(numpy_helper.from_array(bias, f"{node.name}.bias"))
            result = f"{node.name}_linear" if node.relu else node.name
            graph_nodes.append(
                helper.make_node(
                    "Conv", [node.source, f"{node.name}.weight", f"{node.name}.bias"], [result], result,
                    kernel_shape=[node.kernel] * 2, strides=[node.stride] * 2, pads=[node.kernel // 2] * 4,
                )  # fmt: skip
            )
            if node.relu:
                graph_nodes.append(helper.make_node("Relu", [result], [node.name], node.name))
        elif node.kind == "add":
            graph_nodes.append(helper.make_node("Add", node.sources, [f"{node.name}_sum"], f"{node.name}_sum"))
            graph_nodes.append(helper.make_node("Relu", [f"{node.name}_sum"], [node.name], node.name))
        elif node.kind == "concat":
            graph_nodes.append(helper.make_node("Concat", node.sources, [node.name], node.name, axis=1))
        else:
            graph_nodes.append(
                helper.make_node(
                    "Resize", [node.sources[0], "", "twice"], [node.name], node.name,
                    mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
                )  # fmt: skip
            )
    shape = [1, CHANNELS + classes, height // STRIDE, width // STRIDE]
    graph = helper.make_graph(
        graph_nodes,
        "scenes",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info("grid", TensorProto.FLOAT, shape)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="tilepipe")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    return model


def folded(own: dict, statistics: dict | None) -> tuple[np.ndarray, np.ndarray]:
    """Weight as [outputs, inputs, k, k] and bias, with the normalisation inside."""
    weight = np.asarray(own["weight"]).transpose(3, 2, 0, 1)
    bias = np.asarray(own["bias"])
    if statistics is None:
        return weight.astype(np.float32), bias.astype(np.float32)
    gain = np.asarray(own["gain"]) / np.sqrt(np.asarray(statistics["variance"]) + 1e-5)
    return (weight * gain[:, None, None, None]).astype(np.float32), (bias - statistics["mean"] * gain).astype(np.float32)
