"""The thigh network: weights and card, probabilities of patches, and their average over small moves."""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from scipy import ndimage

from myoproof.errors import NotReadable
from myoproof.segmentation.thigh_patches import SIZE

Images = npt.NDArray[np.float32]

BATCH = 8
"""Patches at a time: memory stays small whatever the scan's size."""
MOVES = ((0.0, 1.0), (0.12, 1.0), (-0.12, 1.0), (0.0, 1.12))
"""Turn (rad) and scale of each pass; the answers are averaged."""


@lru_cache(maxsize=1)
def card() -> dict[str, Any]:
    """The model card: where the weights come from, how good they are, and the constants of the runtime."""
    found: dict[str, Any] = json.loads(
        (files("myoproof.segmentation") / "weights" / "thigh.json").read_text("utf-8")
    )
    return found


def session(threads: int) -> onnxruntime.InferenceSession:
    """The network, checked against the digest of its card.

    Raises
    ------
    NotReadable
        If the weights are not those of the card.
    """
    weights = (files("myoproof.segmentation") / "weights" / "thigh.onnx").read_bytes()
    if hashlib.sha256(weights).hexdigest() != card()["sha256"]:
        raise NotReadable(
            "the thigh network's weights do not match their card", mend="install myoproof again"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def probabilities(
    network: onnxruntime.InferenceSession, images: Images, *, moves: int, tell: Callable[[float], None]
) -> Images:
    """Probability of background and each label, shape (patch, 12, SIZE, SIZE).

    Parameters
    ----------
    network : InferenceSession
        From :func:`session`.
    images : ndarray, shape (patch, 2, SIZE, SIZE), float32
        From :func:`myoproof.segmentation.thigh_patches.patches`.
    moves : int
        How many of MOVES are averaged.
    tell : callable
        Told of the share done.
    """
    temperature = float(card()["temperature"])
    out = np.empty((len(images), 12, SIZE, SIZE), dtype=np.float32)
    for start in range(0, len(images), BATCH):
        part = images[start : start + BATCH]
        total = np.zeros((len(part), 12, SIZE, SIZE), dtype=np.float32)
        for turn, scale in MOVES[:moves]:
            moved = _moved(part, turn, scale)
            logits = network.run(None, {"image": moved})[0] / temperature
            total += _moved(_softmax(logits), -turn, 1 / scale)
        total[:, 0] += np.maximum(moves - total.sum(axis=1), 0)  # beyond the patch lies background
        out[start : start + BATCH] = total / total.sum(axis=1, keepdims=True)
        tell(min(1.0, (start + BATCH) / len(images)))
    return out


def _softmax(logits: Images) -> Images:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def _moved(images: Images, turn: float, scale: float) -> Images:
    if turn == 0.0 and scale == 1.0:
        return images
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / scale
    middle = np.full(2, (SIZE - 1) / 2)
    out = np.empty_like(images)
    for index in np.ndindex(*images.shape[:2]):
        ndimage.affine_transform(images[index], matrix, middle - matrix @ middle, order=1, output=out[index])
    return out
