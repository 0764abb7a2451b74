"""The nerve network: weights and card, and probabilities of a canvas averaged with its mirror image."""

import hashlib
import json
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from myoproof.errors import NotReadable
from myoproof.segmentation.nerve_frame import Canvas, network_input

CLASSES = 3
"""Background, nerve, vessel."""

Images = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


@lru_cache(maxsize=1)
def card() -> dict[str, Any]:
    """The model card: where the weights come from, how good they are, and the constants of the runtime."""
    found: dict[str, Any] = json.loads(
        (files("myoproof.segmentation") / "weights" / "nerve.json").read_text("utf-8")
    )
    return found


@lru_cache(maxsize=4)
def session(threads: int) -> onnxruntime.InferenceSession:
    """The network, checked against the digest of its card.

    Raises
    ------
    NotReadable
        If the weights are not those of the card.
    """
    weights = (files("myoproof.segmentation") / "weights" / "nerve.onnx").read_bytes()
    if hashlib.sha256(weights).hexdigest() != card()["sha256"]:
        raise NotReadable(
            "the nerve network's weights do not match their card", mend="install myoproof again"
        )
    return opened(weights, threads)


def opened(weights: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session of some weights; the recipe calibrates with it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def logits(
    network: onnxruntime.InferenceSession, canvas: Canvas, *, mirror: bool = True
) -> tuple[Images, Floats]:
    """The network's answers to a canvas and to its mirror image.

    Parameters
    ----------
    network : InferenceSession
        From :func:`session`.
    canvas : Canvas
        The tissue at the fixed width.
    mirror : bool
        Whether the mirror image is asked, too.

    Returns
    -------
    (logits, embedding)
        Shapes (way, 3, row, WIDTH), mirrored back, and (channel,), mean over the ways.
    """
    ways = []
    deep = []
    image = network_input(canvas)
    for flip in (False, True)[: 1 + mirror]:
        said, inner = network.run(None, {"image": _mirrored(image) if flip else image})
        ways.append(_mirrored(said)[0] if flip else said[0])
        deep.append(inner[0])
    return np.stack(ways), np.asarray(np.mean(deep, axis=0), dtype=np.float64)


def probabilities(answers: Images, temperature: float) -> Images:
    """Probability of background, nerve and vessel, shape (3, row, WIDTH): mean over the ways."""
    scaled = answers / temperature
    shifted = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    chance = shifted / shifted.sum(axis=1, keepdims=True)
    return np.asarray(chance.mean(axis=0), dtype=np.float32)


def _mirrored(images: Images) -> Images:
    return np.ascontiguousarray(images[..., ::-1])
