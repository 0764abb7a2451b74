"""A harmonisation model as JSON text and back: plain numbers and words, checked when read."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from myoproof.core.study import parse_strict
from myoproof.errors import Finding, NotReadable, refuse
from myoproof.measures.harmonise import METHOD, METHOD_VERSION, Model, Panel, Params
from myoproof.numerics.coding import Coding
from myoproof.numerics.combat import ComBat, Settings

Numbers = list[float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Panel(_Strict):
    modality: str
    features: list[list[str]]
    sites: list[str] = Field(min_length=2)
    counts: list[int]
    level: Numbers
    coefficients: list[Numbers]
    covariate_means: Numbers
    spread: Numbers
    shift: list[Numbers]
    scale: list[Numbers]


class _Settings(_Strict):
    parametric: bool
    empirical_bayes: bool
    mean_only: bool
    reference: str
    tolerance: float


class _Params(_Strict):
    site: str
    preserve: list[str]
    modalities: list[str]
    session: str
    guard: list[str]
    allow_unbalanced: bool
    settings: _Settings


class _Model(_Strict):
    kind: str
    version: int
    coding: list[tuple[str, list[str]]]
    params: _Params
    panels: list[_Panel] = Field(min_length=1)


def to_json(model: Model) -> str:
    """The model as JSON; the same model gives the same text.

    Parameters
    ----------
    model : Model
        From :func:`myoproof.measures.harmonise.learn_sites`.
    """
    params = asdict(model.params)
    content = {
        "kind": METHOD,
        "version": METHOD_VERSION,
        "coding": [[name, list(levels)] for name, levels in model.coding.columns],
        "params": {name: list(v) if isinstance(v, tuple) else v for name, v in params.items()},
        "panels": [_panel_content(panel) for panel in model.panels],
    }
    return json.dumps(content, indent=1) + "\n"


def from_json(text: str, *, where: str = "") -> Model:
    """The model of a JSON text.

    Parameters
    ----------
    text : str
        What :func:`to_json` wrote.
    where : str
        The file, for messages.

    Raises
    ------
    NotReadable
        If it is no JSON.
    InvalidInput
        If it is no harmonisation model, of another version, or its tables do not fit together.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise NotReadable(f"is no JSON ({error})", where=where) from error
    if not isinstance(content, dict):
        raise NotReadable("is no harmonisation model", where=where)
    read = parse_strict(_Model, content, where=where)
    refuse(_findings(read), where=where)
    told: dict[str, Any] = read.params.model_dump()
    told |= {name: tuple(told[name]) for name in ("preserve", "modalities", "guard")}
    told["settings"] = Settings(**told["settings"])
    params = Params(**told)
    coding = Coding(tuple((name, tuple(levels)) for name, levels in read.coding))
    panels = tuple(_panel(panel, params.settings) for panel in read.panels)
    return Model(panels, coding, params)


def _panel_content(panel: Panel) -> dict[str, Any]:
    combat = panel.combat
    arrays = ("counts", "level", "coefficients", "covariate_means", "spread", "shift", "scale")
    tables = {name: getattr(combat, name).tolist() for name in arrays}
    features = [list(feature) for feature in panel.features]
    return {"modality": panel.modality, "features": features, "sites": list(combat.sites), **tables}


def _panel(panel: _Panel, settings: Settings) -> Panel:
    p = len(panel.features)
    combat = ComBat(
        sites=tuple(panel.sites),
        counts=np.array(panel.counts, dtype=np.int64),
        level=np.array(panel.level),
        coefficients=np.array(panel.coefficients, dtype=np.float64).reshape(-1, p),
        covariate_means=np.array(panel.covariate_means, dtype=np.float64),
        spread=np.array(panel.spread),
        shift=np.array(panel.shift),
        scale=np.array(panel.scale),
        settings=settings,
    )
    return Panel(panel.modality, tuple(tuple(feature) for feature in panel.features), combat)


def _findings(read: _Model) -> list[Finding]:
    findings = []
    if read.kind != METHOD or read.version != METHOD_VERSION:
        message = f"is a model of {read.kind}@{read.version}, not of {METHOD}@{METHOD_VERSION}"
        findings.append(Finding("error", "version", message, mend="fit it again"))
    columns = sum(max(len(levels) - 1, 0) if levels else 1 for _, levels in read.coding)
    for panel in read.panels:
        k, p = len(panel.sites), len(panel.features)
        q = len(panel.covariate_means)
        lengths = [(len(panel.counts), k), (len(panel.level), p), (len(panel.spread), p), (q, columns)]
        lengths += [(len(panel.coefficients), q), (len(panel.shift), k), (len(panel.scale), k)]
        lengths += [(len(line), p) for line in [*panel.coefficients, *panel.shift, *panel.scale]]
        lengths += [(len(feature), 6) for feature in panel.features]
        flat = [*panel.level, *panel.spread, *(v for line in [*panel.shift, *panel.scale] for v in line)]
        scales = [v for line in panel.scale for v in line]
        if any(found != wanted for found, wanted in lengths) or panel.sites != sorted(panel.sites):
            findings.append(Finding("error", "damaged", f"tables of {panel.modality!r} do not fit together"))
        elif not np.isfinite(flat).all() or min(scales, default=1.0) <= 0:
            findings.append(Finding("error", "damaged", f"{panel.modality!r} holds numbers that cannot be"))
    return findings
