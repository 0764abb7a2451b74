"""Harmonisation: site or device differences learnt from a cohort's rows (ComBat) and taken out of rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort, subject_columns
from myoproof.core.table import Table, from_rows
from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.measures.harmonise_checks import biology_findings
from myoproof.measures.harmonise_rows import FEATURE, Scans, scans_of, with_values
from myoproof.numerics.coding import Coding, encode, learn
from myoproof.numerics.combat import ComBat, Settings, fit, rescaled
from myoproof.numerics.combat_checks import FEWEST_ROWS, fault_findings

METHOD = "combat"
METHOD_VERSION = 1
SITES = ("centre", "device")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of harmonisation.

    Parameters
    ----------
    site : str
        What is harmonised over: ``centre``, or ``device`` (scanner and preset change within a centre).
    preserve : tuple of str
        Columns of the subjects or covariates tables whose effects are kept.
    modalities : tuple of str
        Which rows; all when empty. Each modality is harmonised by itself.
    session : str
        The visit that is learnt from; "" takes each subject's first, so that a subject counts once.
    guard : tuple of str
        Columns that must not vanish with the sites, kept or not.
    allow_unbalanced : bool
        Go on although a guarded column that is not kept differs between the sites.
    settings : Settings
        The variant of ComBat.
    """

    site: str = "centre"
    preserve: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    session: str = ""
    guard: tuple[str, ...] = ("diagnosis", "arm")
    allow_unbalanced: bool = False
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class Panel:
    """The rows of one modality, harmonised together.

    Parameters
    ----------
    modality : str
        Which.
    features : tuple of tuples
        Values of ``FEATURE`` columns: measure, site, side, at, method, rater.
    combat : ComBat
        What was learnt.
    """

    modality: str
    features: tuple[tuple[str, ...], ...]
    combat: ComBat


@dataclass(frozen=True, slots=True)
class Model:
    """What was learnt from a cohort.

    Parameters
    ----------
    panels : tuple of Panel
        One a modality.
    coding : Coding
        Of the kept columns.
    params : Params
        Settings.
    """

    panels: tuple[Panel, ...]
    coding: Coding
    params: Params


@dataclass(frozen=True, slots=True)
class Matched:
    """Scans of one panel lined up with what a model needs.

    Parameters
    ----------
    scans : Scans
        Keys and values.
    sites : (n,) array of text
        Site of each scan.
    covariates : (n, q) float64
        Kept columns.
    """

    scans: Scans
    sites: npt.NDArray[np.str_]
    covariates: Floats


def learn_sites(rows: Table, cohort: Cohort, *, params: Params = Params()) -> tuple[Model, list[Finding]]:
    """Learn the site effects in some rows; give it the training subjects of a fold and nobody else.

    Parameters
    ----------
    rows : Table
        Measurement rows; single slices and rows harmonised before are left aside.
    cohort : Cohort
        Centres, devices and kept columns of the subjects.
    params : Params
        Settings.

    Returns
    -------
    Model
        For :func:`take_out`.
    list of Finding
        Remarks, none of them an error: features left out, sites with one group, features without variance.

    Raises
    ------
    InvalidInput
        Naming every fault: no site, one site, a site with one subject, a constant, missing or unknown
        covariate, ``confounded`` (the sites determine a guarded or kept column), ``unbalanced`` (they differ
        in a guarded column that is not kept).

    References
    ----------
    Johnson, Li & Rabinovic 2007, Biostatistics 8:118. Nygaard, Rodland & Hovig 2016, Biostatistics 17:29 (why
    unbalanced groups must not be kept and then compared as if nothing was done).
    """
    if params.site not in SITES:
        raise InvalidInput(f"site {params.site!r} is not known", mend=f"use {' or '.join(SITES)}")
    kept = _columns(cohort, params.preserve)
    coding = learn(kept)
    findings: list[Finding] = []
    panels: list[Panel] = []
    for modality, own in _panels(rows, params.modalities):
        matched = _matched(scans_of(own), cohort, coding, params, modality)
        first = _first_visits(matched.scans, cohort, params.session, modality)
        train = _cut(matched, first)
        features, remarks = _usable(train)
        train = replace(train, scans=train.scans.only(features))
        found = remarks + _findings(train, cohort, coding, params)
        findings += [replace(one, where=modality or "rows") for one in found]
        if not any(one.level == "error" for one in found):
            values = train.scans.values.to_numpy(dtype=np.float64)
            combat = fit(values, train.sites, train.covariates, settings=params.settings)
            panels.append(Panel(modality, tuple(train.scans.features), combat))
    if not findings and not panels:
        raise InvalidInput("there are no rows to harmonise", where="rows")
    refuse(findings, where="harmonise")
    return Model(tuple(panels), coding, params), findings


def take_out(rows: Table, cohort: Cohort, model: Model) -> tuple[Table, list[Finding]]:
    """Take learnt site effects out of rows, of subjects seen before or new, at any visit.

    Parameters
    ----------
    rows : Table
        Measurement rows.
    cohort : Cohort
        Centres, devices and kept columns of their subjects.
    model : Model
        From :func:`learn_sites`.

    Returns
    -------
    Table
        Rows with method ``METHOD:combat`` of all features the model knows; value, low and high are moved and
        scaled alike; flag ``harmonised``. A value that would leave its measure's range is absent as
        ``not_defined``.
    list of Finding
        Remarks: features the model does not know, values outside the range.

    Raises
    ------
    InvalidInput
        If a site was not seen when the model was fitted, or a kept column holds nothing or an unseen word.
    """
    tables: list[pd.DataFrame] = []
    findings: list[Finding] = []
    known = {panel.modality: panel for panel in model.panels}
    for modality, own in _panels(rows, model.params.modalities):
        panel = known.get(modality)
        if panel is None:
            findings.append(Finding("warning", "unknown_modality", f"the model knows no {modality!r} rows"))
            continue
        index = pd.MultiIndex.from_frame(own[list(FEATURE)])
        mine = own[index.isin(panel.features)]
        if len(mine) < len(own):
            message = f"{len(own) - len(mine)} rows of features the model does not know are left out"
            findings.append(Finding("warning", "unknown_feature", message, where=modality))
        if mine.empty:
            continue
        matched = _matched(scans_of(mine, panel.features), cohort, model.coding, model.params, modality)
        refuse(_unseen(panel, matched, model), where=modality or "rows")
        moved = [_move(panel, matched, ends) for ends in (matched.scans.values, *matched.scans.bounds)]
        table, remarks = with_values(mine, matched.scans, moved)
        tables.append(table)
        findings += [replace(one, where=modality or "rows") for one in remarks]
    if not tables:
        raise InvalidInput("no row fits the model", mend="fit it on rows of the same measures and methods")
    return from_rows(pd.concat(tables, ignore_index=True), where="harmonised rows"), findings


def derive(rows: Table, cohort: Cohort | None = None, *, params: Params = Params()) -> Table:
    """Learn and take out on the same rows: for description, never before a split into folds.

    Parameters
    ----------
    rows : Table
        Measurement rows.
    cohort : Cohort
        Centres, devices and kept columns; needed.
    params : Params
        Settings.

    Returns
    -------
    Table
        Rows with method ``METHOD:combat``.

    Raises
    ------
    InvalidInput
        As :func:`learn_sites`, or without a cohort.
    """
    if cohort is None:
        raise InvalidInput("harmonisation needs the cohort's centres or devices", where="harmonise")
    model, _ = learn_sites(rows, cohort, params=params)
    return take_out(rows, cohort, model)[0]


def matched_scans(rows: Table, cohort: Cohort, model: Model, panel: Panel) -> tuple[Matched, pd.DataFrame]:
    """The scans a panel was or could be learnt from, one a subject, before and after; for evidence, figures.

    Parameters
    ----------
    rows : Table
        Measurement rows, not harmonised.
    cohort : Cohort
        Of their subjects.
    model : Model
        From :func:`learn_sites`.
    panel : Panel
        One of the model's.

    Returns
    -------
    Matched
        Values before.
    DataFrame
        Values after.
    """
    own = next(rows for name, rows in _panels(rows, model.params.modalities) if name == panel.modality)
    own = own[pd.MultiIndex.from_frame(own[list(FEATURE)]).isin(panel.features)]
    matched = _matched(scans_of(own, panel.features), cohort, model.coding, model.params, panel.modality)
    matched = _cut(matched, _first_visits(matched.scans, cohort, model.params.session, panel.modality))
    after = _move(panel, matched, matched.scans.values)
    return matched, pd.DataFrame(after, matched.scans.values.index, matched.scans.values.columns)


def _panels(rows: pd.DataFrame, wanted: tuple[str, ...]) -> list[tuple[str, pd.DataFrame]]:
    fresh = ~rows["method"].str.endswith(f":{METHOD}") & ~rows["at"].str.startswith("slice:")
    if wanted:
        fresh &= rows["modality"].isin(wanted)
    return [(str(name), own) for name, own in rows[fresh].groupby("modality", sort=True)]


def _columns(cohort: Cohort, names: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    table = subject_columns(cohort, names) if names else pd.DataFrame()
    return {str(name): table[name].to_numpy() for name in table}


def _matched(scans: Scans, cohort: Cohort, coding: Coding, params: Params, modality: str) -> Matched:
    keys = scans.keys.reset_index()
    visits = cohort.acquisitions[cohort.acquisitions["modality"] == modality]
    joined = keys.merge(visits, on=["subject", "session", "run"], how="left")
    sites = joined[params.site].fillna("").astype(str)
    if params.site == "centre":
        home = keys["subject"].map(cohort.subjects.set_index("subject")["centre"])
        sites = sites.where(sites != "", home.fillna("").astype(str))
    names = [name for name, _ in coding.columns]
    kept: dict[str, npt.NDArray[np.generic]] = {}
    if names:
        table = subject_columns(cohort, names).reindex(keys["subject"])
        kept = {name: table[name].to_numpy() for name in names}
    design = encode(coding, kept) if names else np.empty((len(keys), 0))
    return Matched(scans, sites.to_numpy(dtype=np.str_), design)


def _first_visits(scans: Scans, cohort: Cohort, session: str, modality: str) -> npt.NDArray[np.bool_]:
    keys = scans.keys.reset_index()
    held = scans.values.notna().any(axis=1).to_numpy()
    if session:
        held = held & (keys["session"] == session).to_numpy()
        if not held.any():
            refuse([Finding("error", "session", f"no rows at session {session!r}", where=modality)])
    visits = cohort.acquisitions[cohort.acquisitions["modality"] == modality]
    days = keys.merge(visits, on=["subject", "session", "run"], how="left")["day"].fillna(np.inf)
    order = keys.assign(day=days.to_numpy(), held=held)[held].sort_values(
        ["subject", "day", "session", "run"], kind="stable"
    )
    chosen = np.zeros(len(keys), dtype=np.bool_)
    chosen[order.drop_duplicates("subject").index.to_numpy()] = True
    return chosen


def _cut(matched: Matched, rows: npt.NDArray[np.bool_]) -> Matched:
    scans = matched.scans
    cut = replace(
        scans,
        keys=scans.keys[rows],
        values=scans.values[rows],
        bounds=(scans.bounds[0][rows], scans.bounds[1][rows]),
    )
    return Matched(cut, matched.sites[rows], matched.covariates[rows])


def _usable(train: Matched) -> tuple[npt.NDArray[np.bool_], list[Finding]]:
    """Features that every site holds; the others are named."""
    seen = train.scans.values.notna()
    counts = seen.groupby(train.sites).sum()
    sizes = pd.Series(train.sites).value_counts().reindex(counts.index)
    fewest = np.minimum(FEWEST_ROWS, sizes.to_numpy())[:, None]
    usable = np.asarray((counts.to_numpy() >= fewest).all(axis=0))
    if usable.all() or not usable.any():
        return np.ones(len(usable), dtype=np.bool_), []
    lost = [str(name) for name in train.scans.values.columns[~usable]]
    message = f"{len(lost)} features lack values at a site and are left out, for example {lost[0]}"
    return usable, [Finding("warning", "feature_not_in_every_site", message)]


def _findings(train: Matched, cohort: Cohort, coding: Coding, params: Params) -> list[Finding]:
    names = ([str(name) for name in train.scans.values.columns], coding.names)
    values = train.scans.values.to_numpy(dtype=np.float64)
    settings = params.settings
    found = fault_findings(
        values,
        train.sites,
        train.covariates,
        mean_only=settings.mean_only,
        reference=settings.reference,
        names=names,
    )
    people = train.scans.keys.reset_index()["subject"]
    guarded = subject_columns(cohort, params.guard).reindex(people)
    return found + biology_findings(
        guarded, train.sites, covariates=train.covariates, allow_unbalanced=params.allow_unbalanced
    )


def _unseen(panel: Panel, matched: Matched, model: Model) -> list[Finding]:
    findings = [
        Finding(
            "error",
            "unseen_site",
            f"{model.params.site} {site!r} was not seen when the model was fitted"
            if site
            else f"{int((matched.sites == '').sum())} scans have no {model.params.site}",
            mend="fit with its rows, or leave it out; nothing is guessed for a new site",
        )
        for site in sorted(set(matched.sites.tolist()) - set(panel.combat.sites))
    ]
    lost = ~np.isfinite(matched.covariates)
    if lost.any():
        bare = np.flatnonzero(lost.any(axis=1))
        people = matched.scans.keys.reset_index()["subject"].iloc[bare].unique()
        message = f"{len(people)} subjects lack a kept covariate, for example {people[0]}"
        findings.append(Finding("error", "missing_covariate", message, mend="impute it or leave them out"))
    return findings


def _move(panel: Panel, matched: Matched, values: pd.DataFrame) -> Floats:
    numbers = values.to_numpy(dtype=np.float64)
    return rescaled(panel.combat, numbers, matched.sites, matched.covariates)
