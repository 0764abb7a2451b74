"""Checkpoint to ONNX: batch normalisation folded into the convolutions, weights kept in half precision."""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model import Block, UNet


def folded(path: Path) -> UNet:
    """The averaged weights of a checkpoint without normalisation layers."""
    net = UNet()
    net.load_state_dict(torch.load(path, weights_only=False)["mean"])
    net.eval()
    for block in net.modules():
        if isinstance(block, Block):
            block.a, block.b = fuse_conv_bn_eval(block.a, block.na), fuse_conv_bn_eval(block.b, block.nb)
            block.na = block.nb = torch.nn.Identity()
    return net


def halved(model: onnx.ModelProto) -> None:
    """Store large weights as float16; they are widened when the session starts."""
    graph, casts = model.graph, []
    for tensor in list(graph.initializer):
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) > 64:
            half = numpy_helper.to_array(tensor).astype(np.float16)
            graph.initializer.remove(tensor)
            graph.initializer.append(numpy_helper.from_array(half, f"{tensor.name}_half"))
            casts.append(
                helper.make_node("Cast", [f"{tensor.name}_half"], [tensor.name], to=TensorProto.FLOAT)
            )
    for node in reversed(casts):
        graph.node.insert(0, node)
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]


def main() -> None:
    """Export, check against the checkpoint, and say how far the two are apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    net, x = folded(options.checkpoint), torch.rand(1, 3, 224, 192)
    torch.onnx.export(
        net, (x,), str(options.target), input_names=["image"], output_names=["logits", "deep"],
        dynamic_axes={name: {2: "rows", 3: "columns"} for name in ("image", "logits")},
        opset_version=17, dynamo=False,
    )  # fmt: skip
    model = onnx.load(options.target)
    halved(model)
    model.producer_name = "myoproof recipes/nerve"
    onnx.checker.check_model(model)
    onnx.save(model, options.target)
    run = InferenceSession(options.target)
    for rows in (160, 320):
        x = torch.rand(1, 3, rows, 192)
        with torch.no_grad():
            wanted = net(x)
        answer = run.run(None, {"image": x.numpy()})
        apart = max(float(np.abs(a - b.numpy()).max()) for a, b in zip(answer, wanted, strict=True))
        print(f"{rows} rows: largest difference {apart:.4f}")
    print(f"{options.target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
