"""Drawn masks: a reader's labels and a label scheme make one Segmentation."""

import csv
import difflib
import io
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.segmentation import Segmentation
from myoproof.errors import Finding, InvalidInput, NotReadable, UnknownName, refuse
from myoproof.numerics.grids import GRID_TOLERANCE_MM, displacement_mm
from myoproof.vocabulary.lookup import near, words

Scheme = Mapping[int, tuple[str, str]]

COLUMNS = ("label", "site", "side")
SIDES = ("", "left", "right", "midline")
TYPING_ERROR = 0.9
"""Similarity to a vocabulary word above which another spelling counts as a slip (difflib ratio)."""
MANY_LABELS = 64
"""More unknown labels than this are a sign that an image was given as the mask."""


def segment(
    acquisition: Acquisition,
    labels: npt.NDArray[np.uint16],
    affine: npt.NDArray[np.float64],
    scheme: Scheme,
    *,
    rater: str,
) -> Segmentation:
    """Bind drawn labels to a scan.

    Parameters
    ----------
    acquisition : Acquisition
        The scan that was drawn on; its payload is a Volume.
    labels : ndarray, shape (x, y, z), uint16
        0 = background.
    affine : ndarray, shape (4, 4)
        Voxel indices of the mask to RAS+ millimetres.
    scheme : mapping of int to (site, side)
        What each label means, from :func:`read_scheme`.
    rater : str
        Who drew: a reader's pseudonym, or ``segmenter@version``.

    Returns
    -------
    Segmentation
        Names every label of the scheme, also those the mask does not hold.

    Raises
    ------
    InvalidInput
        All faults together: another shape, a grid more than 0.001 mm off, labels that the scheme lacks.
    """
    volume = acquisition.payload
    if not isinstance(volume, Volume):
        raise InvalidInput(f"masks are drawn on volumes, not on {type(volume).__name__}")
    refuse([*_grid_faults(volume, labels, affine), *_label_faults(labels, scheme)], where="segmentation")
    return Segmentation(labels=labels, affine=affine, names=dict(scheme), rater=rater)


def read_scheme(name_or_path: str | Path) -> dict[int, tuple[str, str]]:
    """Read a label scheme of the package, or a user's own CSV.

    Parameters
    ----------
    name_or_path : str or Path
        A scheme's name (``huashan11``), or a CSV with the columns ``label``, ``site``, ``side``. Side is
        ``left``, ``right``, ``midline``, or empty where the mask does not separate sides. Sites outside the
        vocabulary are kept as they are written, unless they look like a misspelt word of it.

    Returns
    -------
    dict of int to (site, side)

    Raises
    ------
    UnknownName
        If the name is neither a scheme nor a file.
    NotReadable
        If the file is no text.
    InvalidInput
        All faulty rows together.

    Examples
    --------
    >>> read_scheme("huashan11")[8]
    ('biceps_femoris_long_head', '')
    """
    rows, where = _rows(name_or_path)
    findings = [
        Finding("error", "column", f"the column {name!r} is missing")
        for name in COLUMNS[:2]
        if name not in rows[0]
    ]
    refuse(findings, where=where)
    scheme: dict[int, tuple[str, str]] = {}
    for number, row in enumerate(rows[1:], start=2):
        entry = dict(zip(rows[0], row, strict=False))
        if not any(entry.values()):
            continue
        faults = _row_faults(entry, scheme, f"row {number}")
        findings += faults
        if not faults:
            scheme[int(entry["label"])] = (entry["site"], entry.get("side", ""))
    findings += _mixed_sides(scheme)
    if not scheme and not findings:
        findings.append(Finding("error", "empty", "the scheme holds no label"))
    refuse(findings, where=where)
    return scheme


def _rows(name_or_path: str | Path) -> tuple[list[list[str]], str]:
    known = {
        entry.name.removesuffix(".csv"): entry
        for entry in (files("myoproof.vocabulary") / "schemes").iterdir()
    }
    name = str(name_or_path)
    try:
        if name in known:
            text = known[name].read_text(encoding="utf-8")
        elif Path(name).is_file():
            text = Path(name).read_text(encoding="utf-8-sig")
        else:
            raise UnknownName(
                f"no label scheme {name!r}", mend=f"{near(name, known)}; or give a CSV file that exists"
            )
    except (UnicodeDecodeError, OSError) as fault:
        raise NotReadable(f"not a readable text file ({type(fault).__name__})", where=name) from fault
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    if not rows:
        raise InvalidInput("the scheme is empty", where=name, mend=f"its columns are {', '.join(COLUMNS)}")
    return [[cell.lower() for cell in rows[0]], *rows[1:]], name


def _row_faults(entry: Mapping[str, str], scheme: Scheme, where: str) -> list[Finding]:
    label, site, side = entry["label"], entry.get("site", ""), entry.get("side", "")
    findings = []
    if not label.isdecimal() or not 1 <= int(label) <= np.iinfo(np.uint16).max:
        findings.append(Finding("error", "label", f"label {label!r} is not a whole number 1-65535", where))
    elif int(label) in scheme:
        findings.append(Finding("error", "label", f"label {label} occurs twice", where))
    if not site:
        findings.append(Finding("error", "site", "the site is empty", where))
    elif slip := _slip(site):
        findings.append(Finding("error", "site", f"site {site!r} is no word of the vocabulary", where, slip))
    if side not in SIDES:
        findings.append(
            Finding(
                "error",
                "side",
                f"side {side!r} is unknown",
                where,
                "use left, right, midline, or leave it empty",
            )
        )
    return findings


def _slip(site: str) -> str:
    known = words("sites")
    if site in known:
        return ""
    plain = site.lower().replace(" ", "_").replace("-", "_")
    close = difflib.get_close_matches(plain, list(known), n=1, cutoff=TYPING_ERROR)
    longer = any(plain != word and plain.startswith(f"{word}_") for word in known)
    return f"did you mean {close[0]!r}?" if close and not longer else ""


def _mixed_sides(scheme: Scheme) -> list[Finding]:
    sides: dict[str, set[str]] = {}
    for site, side in scheme.values():
        sides.setdefault(site, set()).add(side)
    return [
        Finding("error", "side", f"site {site!r} is named both with and without a side")
        for site, found in sides.items()
        if "" in found and len(found) > 1
    ]


def _grid_faults(
    volume: Volume, labels: npt.NDArray[np.uint16], affine: npt.NDArray[np.float64]
) -> list[Finding]:
    findings = []
    if labels.shape != volume.shape:
        findings.append(
            Finding(
                "error",
                "shape",
                f"the mask has shape {labels.shape} but the images {volume.shape}",
                mend="give the mask that was drawn on this scan",
            )
        )
    apart = displacement_mm(affine, volume.affine, volume.shape)
    if apart > GRID_TOLERANCE_MM:
        findings.append(
            Finding(
                "error",
                "grid",
                f"the grids of mask and images differ by up to {apart:.4g} mm",
                mend="resample the mask onto the images",
            )
        )
    return findings


def _label_faults(labels: npt.NDArray[np.uint16], scheme: Scheme) -> list[Finding]:
    counts = np.bincount(labels.reshape(-1))
    unknown = Counter(
        {int(label): int(counts[label]) for label in np.flatnonzero(counts) if label and label not in scheme}
    )
    if not unknown:
        return []
    if len(unknown) > MANY_LABELS:
        return [
            Finding(
                "error",
                "labels",
                f"the mask holds {len(unknown)} labels that the scheme lacks",
                mend="is this an image rather than a mask? the order is fat, water, segmentation",
            )
        ]
    listed = ", ".join(f"{label} ({voxels} voxels)" for label, voxels in sorted(unknown.items()))
    return [
        Finding(
            "error",
            "labels",
            f"the scheme does not name the labels {listed}",
            mend="add them to the scheme, or take them out of the mask",
        )
    ]
