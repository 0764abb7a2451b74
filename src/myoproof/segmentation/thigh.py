"""Thigh muscles found by a network trained on simulated images, and by the shape of thighs: eleven a side."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession
from scipy import ndimage

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.contracts import Progress, silent
from myoproof.core.segmentation import Segmentation
from myoproof.errors import InvalidInput, OutOfDomain
from myoproof.segmentation.drawn import read_scheme
from myoproof.segmentation.thigh_network import MOVES, card, probabilities, session
from myoproof.segmentation.thigh_patches import Frame, Leg, find_legs, make_frame, patches, windows
from myoproof.segmentation.thigh_shape_fit import Evidence
from myoproof.segmentation.thigh_shape_fuse import Fused, fuse

Bools = npt.NDArray[np.bool_]
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint16]

VERSION = 2
RATER = f"thigh@{VERSION}"
SCHEME = "huashan11"
MUSCLES = 11
THIN_SLICES_MM = 10.0
"""Slices this close inform each other."""
LEAST_PIECE_MM2 = 40.0
LEAST_PIECE_SHARE = 0.15
"""Pieces of a muscle in a slice smaller than this, or than this share of the largest, are taken out."""


@dataclass(frozen=True, slots=True)
class Params:
    """How the network is used.

    Parameters
    ----------
    moves : int
        1-4: over how many small turns and scalings the answer is averaged.
    threads : int
        Of the network; the answer is the same for any number.
    refuse : bool
        Whether a scan outside the training domain is refused; otherwise it is only said.
    shape : bool
        Whether the shape of thighs has a say, most of all where muscle is fat; otherwise the network alone.
    """

    moves: int = len(MOVES)
    threads: int = 1
    refuse: bool = True
    shape: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """A segmentation with what the network thinks of it.

    Parameters
    ----------
    segmentation : Segmentation
        Labels 1-11 on both sides, as in ``huashan11``; confidence by label (the lower of the two sides).
    sides : mapping of (label, side) to float
        Expected Dice, 0-1, higher is better, from the network's own probabilities; calibrated on simulated
        thighs of people the network had not seen.
    certainty : ndarray, shape (x, y, z), float32
        Calibrated probability of the label given, per voxel, 0-1.
    outside : str
        Why the scan lies outside the training domain; "" where it does not.
    """

    segmentation: Segmentation
    sides: dict[tuple[int, str], float]
    certainty: Images
    outside: str


@dataclass(frozen=True, slots=True)
class _Said:
    """What the network said of a leg, in its own orientation, and whether that is the scan's mirrored."""

    evidence: Evidence
    mirrored: bool


def segment(
    acquisition: Acquisition,
    *,
    params: Params = Params(),
    progress: Progress = silent,
) -> Segmentation:
    """Find eleven thigh muscles on each side in view.

    Parameters
    ----------
    acquisition : Acquisition
        A Volume with ``fat`` and ``water``, or a single contrast; axial thighs, one or two.
    params : Params
        Averaging and threads.
    progress : callable
        Told of the share done.

    Returns
    -------
    Segmentation
        Labels as in scheme ``huashan11`` (both sides share a number), rater ``thigh@2``; confidence is the
        expected Dice of each label.

    Raises
    ------
    InvalidInput
        If the acquisition holds no image that the network can read.
    OutOfDomain
        If it does not look like what the network was trained on; the reason is in the message.

    References
    ----------
    The model card: ``segmentation/weights/thigh.json``. Training on simulated images of label maps: Billot B
    et al. Med Image Anal 2023;86:102789 (SynthSeg).
    """
    return find(acquisition, params=params, progress=progress).segmentation


def find(acquisition: Acquisition, *, params: Params = Params(), progress: Progress = silent) -> Found:
    """As :func:`segment`, with the confidence of each side and voxel.

    Raises
    ------
    InvalidInput, OutOfDomain
        As :func:`segment`.
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume):
        raise InvalidInput("the thigh network reads images, not " + type(volume).__name__)
    frame = make_frame(volume)
    labels = np.zeros(frame.channels.shape[1:], dtype=np.uint16)
    certainty = np.zeros(labels.shape, dtype=np.float32)
    network, legs = session(params.threads), find_legs(frame)
    doubts = [] if legs else ["no cross-section as large as a thigh's"]
    sides: dict[tuple[int, str], float] = {}
    said = [
        _answer(network, frame, leg, params, partial(_tell, progress, number, len(legs)))
        for number, leg in enumerate(legs)
    ]
    for leg, own, fused in zip(legs, said, _fused(said, params), strict=True):
        answer = fused.chance[:, :, ::-1] if own.mirrored else fused.chance
        _write(answer, frame, leg, labels, certainty)
        expected = _expected_dice(answer)
        sides |= {(label, leg.side): value for label, value in expected.items()}
        doubts += _doubts(leg, expected, fused)
    outside = "; ".join(doubts)
    if outside and params.refuse:
        raise OutOfDomain(
            f"not like the thighs the network was trained on: {outside}",
            where=acquisition.subject,
            mend="draw the muscles, or segment compartments with `myoproof segment tissue`",
        )
    confidence = {
        label: min(value for (own, _), value in sides.items() if own == label) for label, _ in sides
    }
    segmentation = Segmentation(
        labels=np.asarray(frame.restored(labels), dtype=np.uint16),
        affine=volume.affine,
        names=read_scheme(SCHEME),
        rater=RATER,
        confidence=confidence,
    )
    return Found(segmentation, sides, np.asarray(frame.restored(certainty), dtype=np.float32), outside)


def _tell(progress: Progress, number: int, count: int, share: float) -> None:
    progress("thigh muscles", (number + share) / count)


def _answer(
    network: InferenceSession, frame: Frame, leg: Leg, params: Params, tell: Callable[[float], None]
) -> _Said:
    """What the network says of a leg; an unknown side is tried both ways."""
    ways = {"left": (True,), "right": (False,), "": (False, True)}[leg.side]
    spacing = frame.spacing_mm
    joined = float(spacing[2]) <= THIN_SLICES_MM and leg.levels.size > 2 and np.all(np.diff(leg.levels) == 1)
    answers = []
    for mirrored in ways:
        images = patches(frame, leg, mirrored=mirrored)
        chance = probabilities(network, images, moves=params.moves, tell=tell)
        if joined:
            chance = ndimage.convolve1d(chance, np.array([0.25, 0.5, 0.25]), axis=0, mode="nearest")
        signs = np.array([-1.0 if mirrored else 1.0, 1.0], dtype=np.float64)
        centres = leg.centres * spacing[:2] * signs
        evidence = Evidence(chance, images, leg.levels.astype(np.float64) * spacing[2], centres)
        answers.append(_Said(evidence, mirrored))
    return max(answers, key=lambda one: float(one.evidence.chance[:, 1:].max(axis=1).sum()))


def _fused(said: list[_Said], params: Params) -> list[Fused]:
    """The network's word joined with the shape's, for all legs together."""
    if not params.shape:
        return [Fused(one.evidence.chance, 0.0, False, None) for one in said]
    return fuse([one.evidence for one in said], threads=params.threads)


def _write(answer: Images, frame: Frame, leg: Leg, labels: Labels, certainty: Images) -> None:
    """Labels and their certainty on the scan's grid, slice by slice: no map per class is kept."""
    pixel_mm2 = float(frame.spacing_mm[0] * frame.spacing_mm[1])
    for number, (rows, columns), (down, across) in windows(frame, leg):
        level = leg.levels[number]
        likely = np.einsum("ri,kij,cj->krc", down, answer[number], across, optimize=True)
        best = likely.argmax(axis=0).astype(np.uint16)
        here = leg.mask[rows, columns, level]
        tidy = np.where(here, _tidied(best, pixel_mm2), 0).astype(np.uint16)
        labels[rows, columns, level] = np.where(here, tidy, labels[rows, columns, level])
        own = np.take_along_axis(likely, tidy[None].astype(np.intp), axis=0)[0]
        certainty[rows, columns, level] = np.where(here, own, certainty[rows, columns, level])


def _tidied(labels: Labels, pixel_mm2: float) -> Labels:
    """Without islands and holes: each muscle is one piece, or a few large ones, in a slice."""
    out = labels.copy()
    for label, window in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        if window is None:
            continue
        mine, part = labels[window] == label, out[window]
        pieces, count = ndimage.label(mine)
        if count > 1:
            sizes = np.bincount(pieces.ravel())
            sizes[0] = 0
            small = (sizes * pixel_mm2 < LEAST_PIECE_MM2) | (sizes < LEAST_PIECE_SHARE * sizes.max())
            part[small[pieces] & mine] = 0
        outside, gaps = ndimage.label(part == 0)
        if gaps > 1:
            rim = np.concatenate([outside[0], outside[-1], outside[:, 0], outside[:, -1]])
            own = ndimage.binary_fill_holes(part == label) & (part == 0)
            part[own & ~np.isin(outside, rim)] = label
    return out


def _expected_dice(answer: Images) -> dict[int, float]:
    """Expected Dice of each label of a leg from its probabilities, put right by the card's line."""
    best = answer.argmax(axis=1)
    slope, intercept = card()["dice_line"]
    found = {}
    for label in range(1, MUSCLES + 1):
        mine = best == label
        if mine.any():
            soft = 2 * float(answer[:, label][mine].sum()) / float(mine.sum() + answer[:, label].sum())
            found[label] = float(np.clip(slope * soft + intercept, 0.0, 1.0))
    return found


def _doubts(leg: Leg, own: dict[int, float], fused: Fused) -> list[str]:
    """Why a leg looks foreign."""
    limits, name = card()["domain"], f"{leg.side} leg".strip()
    doubts = []
    if len(own) < limits["least_muscles"]:
        doubts.append(f"{name}: {len(own)} of {MUSCLES} muscles seen")
    elif np.mean(list(own.values())) < limits["least_expected_dice"]:
        doubts.append(f"{name}: expected Dice {np.mean(list(own.values())):.2f}")
    elif fused.fit is not None and not fused.used:
        doubts.append(f"{name}: not the shape of a thigh (agreement {fused.agreement:.2f})")
    return doubts
