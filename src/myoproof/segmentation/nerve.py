"""Nerve and vessel in B-mode images, found by a network trained on drawn images of one machine."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.core.contracts import Progress, silent
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.segmentation import nerve_domain, nerve_network
from myoproof.segmentation.nerve_frame import Box, make_canvas, restored

VERSION = 1
RATER = f"nerve@{VERSION}"
NERVE, VESSEL = 1, 2
LEAST_PIECE_SHARE = {NERVE: 0.15, VESSEL: 0.1}
"""Pieces smaller than this share of the largest of their label are taken out."""
LEAST_PIECE = 0.0006
"""Pieces smaller than this share of the square of the tissue's width are taken out (proposal)."""

Bytes = npt.NDArray[np.uint8]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Params:
    """How the network is used.

    Parameters
    ----------
    site, side : str
        Which nerve it is, where that is known, for example ``median_wrist``; otherwise ``nerve``.
    mirror : bool
        Whether the answer is averaged with that to the mirror image.
    threads : int
        Of the network; the answer is the same for any number.
    refuse : bool
        Whether an image outside the training domain is refused; otherwise it is only said.
    """

    site: str = "nerve"
    side: str = ""
    mirror: bool = True
    threads: int = 1
    refuse: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A segmentation with what the network thinks of it.

    Parameters
    ----------
    segmentation : Segmentation
        1 nerve, 2 vessel. Confidence by label: expected Dice, 0-1, higher is better, the least over the
        frames; 0 outside the training domain, where nobody knows.
    certainty : ndarray, shape (frame, row, col), float32
        Calibrated probability of the label given, per pixel, 0-1.
    outside : str
        Why the images lie outside the training domain; "" where they do not.
    strangeness : float
        How far from the training images, in units of the limit: above 1 is outside (the most of the frames).
    """

    segmentation: Segmentation
    certainty: Images
    outside: str
    strangeness: float


@dataclass(frozen=True, slots=True)
class FrameFound:
    """What was found in one frame: labels, certainty, expected Dice by label, doubts and strangeness."""

    labels: Labels
    certainty: Images
    expected: dict[int, float]
    doubts: tuple[str, ...]
    strangeness: float


def segment(
    acquisition: Acquisition, *, params: Params = Params(), progress: Progress = silent
) -> Segmentation:
    """Find nerve and vessel.

    Parameters
    ----------
    acquisition : Acquisition
        A Picture of one grey band (colour is turned to grey).
    params : Params
        Names, and how the network is used.
    progress : callable
        Told of the share done.

    Returns
    -------
    Segmentation
        1 nerve, 2 vessel; rater ``nerve@1``. An image in which none is found has no such pixel.

    Raises
    ------
    InvalidInput
        If the payload is no picture.
    OutOfDomain
        If ``params.refuse`` and the image is not like those learnt.

    References
    ----------
    Training images and masks: tmkand/usgra-seg, CC BY 4.0; see the card ``weights/nerve.json``.
    """
    return find(acquisition, params=params, progress=progress).segmentation


def find(acquisition: Acquisition, *, params: Params = Params(), progress: Progress = silent) -> Found:
    """Find nerve and vessel, and say how sure that is.

    Parameters
    ----------
    acquisition, params, progress
        As :func:`segment`.

    Returns
    -------
    Found

    Raises
    ------
    InvalidInput, OutOfDomain
        As :func:`segment`.
    """
    picture = acquisition.payload
    if not isinstance(picture, Picture):
        raise InvalidInput(f"nerves need pictures, not {type(picture).__name__}", where=acquisition.subject)
    network = nerve_network.session(params.threads)
    frames = []
    for number, pixels in enumerate(picture.pixels):
        frames.append(find_frame(grey_of(pixels), network, mirror=params.mirror))
        progress("nerve", (number + 1) / len(picture.pixels))
    doubts = list(dict.fromkeys(doubt for frame in frames for doubt in frame.doubts))
    if doubts and params.refuse:
        raise OutOfDomain(
            f"not like the images the network was trained on: {'; '.join(doubts)}",
            where=acquisition.run or acquisition.subject,
            mend="draw the nerve",
        )
    expected = {
        label: 0.0 if doubts else min(frame.expected[label] for frame in frames if label in frame.expected)
        for label in (NERVE, VESSEL)
        if any(label in frame.expected for frame in frames)
    }
    segmentation = Segmentation(
        labels=np.stack([frame.labels for frame in frames]),
        affine=np.eye(4),
        names={NERVE: (params.site, params.side), VESSEL: ("vessel", "")},
        rater=RATER,
        confidence=expected,
    )
    certainty = np.stack([frame.certainty for frame in frames])
    return Found(segmentation, certainty, "; ".join(doubts), max(frame.strangeness for frame in frames))


def find_frame(grey: Bytes, network: InferenceSession, *, mirror: bool = True) -> FrameFound:
    """Nerve and vessel in one frame.

    Parameters
    ----------
    grey : ndarray, shape (row, col), uint8
    network : InferenceSession
        From :func:`myoproof.segmentation.nerve_network.session`.
    mirror : bool
        Whether the mirror image is asked, too.
    """
    try:
        canvas = make_canvas(grey)
    except OutOfDomain as fault:
        nothing = np.zeros(grey.shape, dtype=np.uint16)
        return FrameFound(nothing, np.ones(grey.shape, dtype=np.float32), {}, (fault.what,), float("inf"))
    card = nerve_network.card()
    answers, deep = nerve_network.logits(network, canvas, mirror=mirror)
    chance = nerve_network.probabilities(answers, float(card["temperature"]))
    full = restored(chance, canvas)
    labels = tidied(np.asarray(full.argmax(axis=0), dtype=np.uint16), canvas.box)
    certainty = np.take_along_axis(full, labels[None].astype(np.intp), axis=0)[0]
    doubts, strangeness = nerve_domain.doubts(grey, canvas, deep, card["domain"])
    expected = expected_dice(full, labels, card["dice_line"])
    return FrameFound(labels, certainty, expected, tuple(doubts), strangeness)


def grey_of(pixels: Bytes) -> Bytes:
    """One grey band of a frame (row, col, band)."""
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def tidied(labels: Labels, box: Box) -> Labels:
    """Labels without specks and holes.

    Parameters
    ----------
    labels : ndarray, shape (row, col), uint16
    box : Box
        The tissue, whose width tells how large a speck is.
    """
    out = np.zeros_like(labels)
    least = LEAST_PIECE * (box.right - box.left) ** 2
    for label in (VESSEL, NERVE):
        _, pieces, stats, _ = cv2.connectedComponentsWithStats((labels == label).astype(np.uint8))
        sizes = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
        sizes[0] = 0
        kept = (sizes >= least) & (sizes >= LEAST_PIECE_SHARE[label] * sizes.max())
        mine = kept[pieces].astype(np.uint8)
        rims, _ = cv2.findContours(mine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(np.zeros_like(mine), rims, -1, 1, cv2.FILLED)
        own = (filled > 0) & ((labels == label) | (labels == 0))
        out[own & ((mine > 0) | (out == 0))] = label
    return out


def expected_dice(chance: Images, labels: Labels, line: Sequence[float]) -> dict[int, float]:
    """Expected Dice of each label found: its soft Dice, put right by the card's line.

    Parameters
    ----------
    chance : ndarray, shape (3, row, col), float32
        Calibrated probabilities.
    labels : ndarray, shape (row, col), uint16
    line : (slope, intercept)
    """
    found = {}
    for label in (NERVE, VESSEL):
        mine = labels == label
        if mine.any():
            soft = 2 * float(chance[label][mine].sum()) / float(mine.sum() + chance[label].sum())
            found[label] = float(np.clip(line[0] * soft + line[1], 0.0, 1.0))
    return found
