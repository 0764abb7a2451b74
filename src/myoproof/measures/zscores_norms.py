"""The open norm format: regressions of controls per measure, muscle, view, region rule, device and preset."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from myoproof.core.study import parse_strict
from myoproof.errors import Finding, InvalidInput, NotReadable, refuse
from myoproof.numerics.norms import Regression
from myoproof.vocabulary.lookup import near, words

FORMAT = "myoproof-norm"
VERSION = 1
ROUNDING = 1e-9
"""Relative difference of mirrored covariances that counts as rounding."""
Transform = Literal["identity", "square", "cube", "log", "sqrt"]
GREY = "{grey}"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Term(_Strict):
    """One column of the regression: the constant (``intercept``), a number, or a word that holds.

    Parameters
    ----------
    name : str
        ``intercept``, ``age_years``, ``weight_kg``, ``height_cm``, ``body_mass_index``, ``sex``, ``side`` or
        another column of subjects or covariates.
    transform : {"identity", "square", "cube", "log", "sqrt"}
        Of (number - centre).
    centre : float
        Taken off before the transformation.
    word : str
        For a word's column: 1 where it holds this word, else 0 (``male``, ``left``).
    """

    name: str = Field(min_length=1)
    transform: Transform = "identity"
    centre: float = 0.0
    word: str = ""


class Norm(_Strict):
    """One regression, with the names of what it holds for.

    Parameters
    ----------
    measure, site, side, view, method, device, preset : str
        What a row must have. ``side`` "" takes any side, ``view`` "" any view; a measure in grey levels needs
        device and preset, others may leave both empty (any). ``method`` holds the rule of the region.
    value_transform : {"identity", "log"}
        Of the value, before the regression.
    terms, coefficients, covariance
        Columns, their coefficients, and the covariance of these.
    variance_between, variance_within : float
        Residual variance between subjects, and within a subject (sides, images); all of it is ``between``
        where each subject gave one row.
    df : float
        Degrees of freedom of the residual variance.
    n_subjects, n_rows : int
        Controls, and their rows.
    ranges : mapping of str to (low, high)
        Of the numbers among the terms, and of ``age_years``; rows outside have no z.
    dynamic_range_db, gain_sd_db : float, optional
        Of device and preset: what the grey scale spans, and how far the gain strays (SD).
    transfer_sd : float
        SD of an error that this norm has on the machine it is used on, in the measure's unit.
    note : str
        Free text.
    """

    measure: str
    site: str
    side: str = ""
    view: str = ""
    method: str
    device: str = ""
    preset: str = ""
    value_transform: Literal["identity", "log"] = "identity"
    terms: list[Term] = Field(min_length=1)
    coefficients: list[float | None]
    covariance: list[list[float | None]]
    variance_between: float
    variance_within: float = 0.0
    df: float
    n_subjects: int
    n_rows: int
    ranges: dict[str, tuple[float, float]] = {}
    dynamic_range_db: float | None = None
    gain_sd_db: float | None = None
    transfer_sd: float = 0.0
    note: str = ""


class _File(_Strict):
    format: str
    version: int
    title: str = ""
    source: str = ""
    simulated: bool = False
    norms: list[dict[str, Any]] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class NormFile:
    """What a norm file holds.

    Parameters
    ----------
    norms : tuple of Norm
        Regressions.
    title, source : str
        What and whose.
    simulated : bool
        Whether the controls were simulated.
    """

    norms: tuple[Norm, ...]
    title: str = ""
    source: str = ""
    simulated: bool = False


def regression_of(norm: Norm) -> Regression:
    """The numbers of a norm as arrays.

    Parameters
    ----------
    norm : Norm
        Checked, as :func:`from_json` gives it.
    """
    return Regression(
        np.array(norm.coefficients, dtype=np.float64),
        np.array(norm.covariance, dtype=np.float64),
        norm.variance_between,
        norm.variance_within,
        norm.df,
        norm.n_subjects,
        norm.n_rows,
    )


def to_json(file: NormFile) -> str:
    """The file as JSON; the same norms give the same text.

    Parameters
    ----------
    file : NormFile
        Norms.
    """
    head = {"format": FORMAT, "version": VERSION, "title": file.title, "source": file.source}
    content = head | {"simulated": file.simulated, "norms": [norm.model_dump() for norm in file.norms]}
    return _lists_on_lines(json.dumps(content, indent=1)) + "\n"


def from_json(text: str, *, where: str = "") -> NormFile:
    """The norms of a JSON text.

    Parameters
    ----------
    text : str
        What :func:`to_json` wrote, or anybody in the same format.
    where : str
        The file, for messages.

    Returns
    -------
    NormFile

    Raises
    ------
    NotReadable
        If it is no JSON.
    InvalidInput
        Naming every fault together: unknown keys, missing coefficients, a covariance that is not square,
        symmetric or positive, variances and ranges that cannot be, unknown measures, norms that occur twice.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise NotReadable(f"is no JSON ({error})", where=where) from error
    if not isinstance(content, dict):
        raise NotReadable("is no norm file", where=where)
    read = parse_strict(_File, content, where=where)
    findings = []
    if (read.format, read.version) != (FORMAT, VERSION):
        message = f"is {read.format} {read.version}, not {FORMAT} {VERSION}"
        findings.append(Finding("error", "format", message))
    norms = []
    for number, item in enumerate(read.norms, start=1):
        named = "/".join(str(item.get(name, "")) for name in ("measure", "site", "device"))
        place = f"norm {number} ({named})"
        try:
            norm = parse_strict(Norm, item, where=place)
        except InvalidInput as fault:
            findings.append(Finding("error", "key", str(fault)))
            continue
        findings += [_placed(finding, place) for finding in norm_findings(norm)]
        norms.append(norm)
    keys = [norm_key(norm) for norm in norms]
    twice = {key for key in keys if keys.count(key) > 1}
    findings += [
        Finding("error", "key", f"{'/'.join(filter(None, key))} occurs twice") for key in sorted(twice)
    ]
    refuse(findings, where=where)
    return NormFile(tuple(norms), read.title, read.source, read.simulated)


def norm_key(norm: Norm) -> tuple[str, ...]:
    """What makes a norm one: measure, site, side, view, method, device, preset."""
    return norm.measure, norm.site, norm.side, norm.view, norm.method, norm.device, norm.preset


def norm_findings(norm: Norm) -> list[Finding]:
    """Every fault of one norm.

    Parameters
    ----------
    norm : Norm
        As parsed.
    """
    return [*_word_findings(norm), *_number_findings(norm), *_matrix_findings(norm)]


def _word_findings(norm: Norm) -> list[Finding]:
    findings = []
    known = words("measures")
    if norm.measure not in known:
        findings.append(
            _fault(f"measure {norm.measure!r} is not in the vocabulary", near(norm.measure, known))
        )
    elif known[norm.measure]["unit"] == GREY and not (norm.device and norm.preset):
        findings.append(_fault("grey levels hold for one device and preset, and one is empty", "name both"))
    if norm.side and norm.side not in words("sides"):
        findings.append(_fault(f"side {norm.side!r} is not known", near(norm.side, words("sides"))))
    seen = [(term.name, term.transform, term.word) for term in norm.terms]
    findings += [
        _fault(f"the term {name} occurs twice") for name, *_ in {s for s in seen if seen.count(s) > 1}
    ]
    for term in norm.terms:
        if term.word and term.transform != "identity":
            findings.append(_fault(f"the term {term.name} has a word and a transformation"))
        if term.name in ("sex", "side") and not term.word:
            findings.append(_fault(f"the term {term.name} names no word", "for example male or left"))
    return findings


def _number_findings(norm: Norm) -> list[Finding]:
    total = norm.variance_between + norm.variance_within
    findings = [
        _fault(f"{name} is {value:g}", f"it must be {must}")
        for name, value, good, must in (
            ("variance_between", norm.variance_between, norm.variance_between >= 0, "0 or more"),
            ("variance_within", norm.variance_within, norm.variance_within >= 0, "0 or more"),
            ("the residual variance", total, np.isfinite(total) and total > 0, "positive"),
            ("df", norm.df, np.isfinite(norm.df) and norm.df > 0, "positive"),
            (
                "n_subjects",
                norm.n_subjects,
                norm.n_subjects > len(norm.terms),
                "more than the number of terms",
            ),
            ("n_rows", norm.n_rows, norm.n_rows >= norm.n_subjects, "n_subjects or more"),
            ("transfer_sd", norm.transfer_sd, norm.transfer_sd >= 0, "0 or more"),
            ("gain_sd_db", norm.gain_sd_db or 0.0, (norm.gain_sd_db or 0.0) >= 0, "0 or more"),
            (
                "dynamic_range_db",
                norm.dynamic_range_db or 1.0,
                (norm.dynamic_range_db or 1.0) > 0,
                "positive",
            ),
        )
        if not good
    ]
    for name, (low, high) in norm.ranges.items():
        if not low <= high:
            findings.append(_fault(f"the range of {name} is {low:g} to {high:g}"))
    numbers = {term.name for term in norm.terms if not term.word and term.name != "intercept"}
    lost = sorted(numbers - set(norm.ranges))
    if lost:
        findings.append(_fault(f"no range of {', '.join(lost)}", "state which values were seen"))
    return findings


def _matrix_findings(norm: Norm) -> list[Finding]:
    p, given = len(norm.terms), norm.coefficients
    findings = []
    if len(given) != p:
        findings.append(_fault(f"{len(given)} coefficients for {p} terms"))
    names = [term.name + (f"={term.word}" if term.word else "") for term in norm.terms]
    missing = [
        name for name, value in zip(names, given, strict=False) if value is None or not np.isfinite(value)
    ]
    if missing:
        findings.append(_fault(f"no coefficient of {', '.join(missing)}"))
    if len(norm.covariance) != p or any(len(line) != p for line in norm.covariance):
        shape = " and ".join(sorted({str(len(line)) for line in norm.covariance}))
        return [
            *findings,
            _fault(f"the covariance has {len(norm.covariance)} lines of {shape}, not {p} of {p}"),
        ]
    matrix = np.array(norm.covariance, dtype=np.float64)
    if not np.isfinite(matrix).all():
        return [*findings, _fault("the covariance has empty cells")]
    scale = np.sqrt(np.abs(np.diag(matrix)))
    limit = ROUNDING * np.outer(scale, scale) + 1e-300
    odd = np.argwhere(np.triu(np.abs(matrix - matrix.T) > limit))
    if len(odd):
        pairs = ", ".join(f"{names[i]} and {names[j]}" for i, j in odd[:5])
        findings.append(_fault(f"the covariance is not symmetric ({pairs})"))
    elif np.linalg.eigvalsh(matrix / np.maximum(np.outer(scale, scale), 1e-300)).min() < -1e-8:
        findings.append(_fault("the covariance is not positive"))
    return findings


def _fault(message: str, mend: str = "") -> Finding:
    return Finding("error", "norm", message, mend=mend)


def _placed(finding: Finding, place: str) -> Finding:
    return Finding(finding.level, finding.category, finding.message, where=place, mend=finding.mend)


def _lists_on_lines(text: str) -> str:
    """Lists of plain numbers on one line each, for people who read the file."""
    return re.sub(
        r"\[\s*(-?[\d.eE+-]+(?:,\s*-?[\d.eE+-]+)*)\s*\]",
        lambda found: "[" + re.sub(r"\s+", " ", found.group(1)) + "]",
        text,
    )


def covering(norms: Sequence[Norm], row: Mapping[str, str]) -> tuple[Norm | None, str]:
    """The norm of a row, or why there is none.

    Parameters
    ----------
    norms : sequence of Norm
        Known ones.
    row : mapping
        ``measure, site, side, method, view, device, preset``.

    Returns
    -------
    tuple of Norm and str
        None with ``no_norm`` (no norm of this measure, muscle, view and rule) or ``unknown_device``.
    """
    same = [
        norm
        for norm in norms
        if (norm.measure, norm.site, norm.method) == (row["measure"], row["site"], row["method"])
        and norm.side in ("", row["side"])
        and norm.view in ("", row["view"])
    ]
    if not same:
        return None, "no_norm"
    fitting = [n for n in same if n.device in ("", row["device"]) and n.preset in ("", row["preset"])]
    if not fitting:
        return None, "unknown_device"
    closest = max(fitting, key=lambda n: sum(map(bool, (n.side, n.view, n.device, n.preset))))
    return closest, ""
