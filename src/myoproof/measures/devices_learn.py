"""Three ways to learn a line between devices: people scanned twice, each device's controls, a phantom."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.cohort import Cohort
from myoproof.errors import Finding, InvalidInput
from myoproof.measures.devices_types import Params, Transfer
from myoproof.numerics.devices import Line, deming, replicate_sd, york
from myoproof.numerics.greymap import GreyMap

Floats = npt.NDArray[np.float64]
Learner = Callable[[pd.DataFrame, Cohort, Params], tuple[list[Transfer], list[Finding]]]
PLACE = ["subject", "site", "side", "at", "measure", "method", "rater"]
"""What two scans of one muscle share."""
FEWEST_REPEATS = 10
"""Degrees of freedom from which replicates tell the error of a device (proposal)."""


def travelling_lines(
    rows: pd.DataFrame, cohort: Cohort, params: Params
) -> tuple[list[Transfer], list[Finding]]:
    """Lines from people scanned on a device and on the reference, each coordinate with its error.

    Parameters
    ----------
    rows : DataFrame
        Rows with ``machine``; several runs of a muscle on one machine are replicates.
    cohort : Cohort
        Not used.
    params : Params
        Reference, by muscle or not.

    Returns
    -------
    list of Transfer
        York's regression where replicates tell the errors of both, else Deming's with equal errors.
    list of Finding
        What was left out or assumed.
    """
    del cohort
    held = rows.dropna(subset=["value"])
    means = held.groupby([*PLACE, "machine"], as_index=False).agg(
        value=("value", "mean"), runs=("value", "size")
    )
    means = means.merge(_errors(held), on=["machine", "measure", "site"], how="left")
    reference = means[means["machine"] == params.reference]
    transfers: list[Transfer] = []
    findings: list[Finding] = []
    for machine in sorted(set(means["machine"]) - {params.reference, ""}):
        pairs = means[means["machine"] == machine].merge(reference, on=PLACE, suffixes=("", "_reference"))
        if pairs.empty:
            message = f"nobody was scanned on {machine} and on {params.reference}"
            findings.append(Finding("warning", "no_pairs", message))
        for key, own in pairs.groupby(["measure", "site"] if params.by_site else ["measure"], sort=True):
            names = [str(part) for part in key]
            where = "/".join([str(machine), *names])
            try:
                line, told = _paired(own)
            except InvalidInput as fault:
                findings.append(Finding("warning", "no_line", str(fault), where=where))
                continue
            site = names[1] if params.by_site else ""
            transfers.append(Transfer(str(machine), names[0], site, line))
            transfers += [] if params.by_site else _by_muscle(own, str(machine), names[0], line)
            findings += [Finding("info", "errors", text, where=where) for text in told]
    return transfers, findings


def controls_lines(
    rows: pd.DataFrame, cohort: Cohort, params: Params
) -> tuple[list[Transfer], list[Finding]]:
    """Lines that give a device's controls the mean and SD of the reference's, muscle by muscle.

    Parameters
    ----------
    rows : DataFrame
        Rows with ``machine``.
    cohort : Cohort
        Who is a control.
    params : Params
        Reference, controls, how few are too few.

    Returns
    -------
    list of Transfer
        Slope and intercept with the covariance that the sampling of both groups leaves.
    list of Finding
        Errors where a device has patients and no controls: device and disease cannot be told apart.
    """
    column, word = params.controls
    chosen = set(cohort.subjects.loc[cohort.subjects[column] == word, "subject"])
    held = rows.dropna(subset=["value"]).sort_values(["subject", "session", "run"], kind="stable")
    mine = held[held["subject"].isin(chosen)]
    means = mine.groupby(["machine", "measure", "site", "subject"], as_index=False)["value"].mean()
    reference = {
        key: own["value"].to_numpy()
        for key, own in means[means["machine"] == params.reference].groupby(["measure", "site"])
    }
    transfers, findings = [], []
    for machine in sorted(set(held["machine"]) - {params.reference, ""}):
        own_means = means[means["machine"] == machine]
        if own_means.empty:
            message = f"{machine} has no controls ({column} {word!r}): device and disease are confounded"
            mend = "scan controls or travelling people on it, or a phantom"
            findings.append(Finding("error", "confounded", message, mend=mend))
        for key, own in own_means.groupby(["measure", "site"], sort=True):
            theirs, values = reference.get(key), own["value"].to_numpy(dtype=np.float64)
            if theirs is None or min(len(values), len(theirs)) < params.fewest:
                n = 0 if theirs is None else len(theirs)
                message = f"{len(values)} controls on {machine}, {n} on {params.reference}"
                findings.append(
                    Finding("warning", "too_few", message, str(key[1]), f"{params.fewest} are needed")
                )
                continue
            transfers.append(Transfer(str(machine), str(key[0]), str(key[1]), _anchored(values, theirs)))
    return transfers, findings


def phantom_lines(rows: pd.DataFrame, cohort: Cohort, params: Params) -> tuple[list[Transfer], list[Finding]]:
    """Lines from the grey levels that a phantom's targets have on a device and on the reference.

    Parameters
    ----------
    rows : DataFrame
        For the measures alone.
    cohort : Cohort
        Not used.
    params : Params
        Calibrations, one a machine.

    Returns
    -------
    list of Transfer
        York's regression over the targets that both show.
    list of Finding
        Calibrations that share too few targets.
    """
    del cohort, rows
    known = {"/".join(filter(None, (one.device, one.preset))): one.grey_map for one in params.calibrations}
    if params.reference not in known:
        mend = f"there are {', '.join(sorted(known)) or 'none'}"
        return [], [Finding("error", "reference", f"no calibration of {params.reference!r}", mend=mend)]
    transfers, findings = [], []
    for machine in sorted(set(known) - {params.reference}):
        try:
            line = _targets(known[machine], known[params.reference])
        except InvalidInput as fault:
            findings.append(Finding("warning", "no_line", str(fault), where=machine))
            continue
        transfers += [Transfer(machine, measure, "", line) for measure in params.measures]
    return transfers, findings


def _errors(held: pd.DataFrame) -> pd.DataFrame:
    """SD of single scans on each machine: a muscle's own where it was repeated often, else all of them."""
    found = []
    for key, own in held.groupby(["machine", "measure"], sort=True):
        everything = _error(own)
        for site, part in own.groupby("site", sort=True):
            single = _error(part)
            sd = everything if np.isnan(single) else single
            found.append({"machine": key[0], "measure": key[1], "site": site, "error": sd})
    return pd.DataFrame(found)


def _error(own: pd.DataFrame) -> float:
    groups = np.asarray(own.groupby([*PLACE, "session"]).ngroup(), dtype=np.int64)
    sd, df = replicate_sd(own["value"].to_numpy(dtype=np.float64), groups)
    return sd if df >= FEWEST_REPEATS and sd > 0 else float("nan")


def _paired(own: pd.DataFrame) -> tuple[Line, list[str]]:
    x, y = (own[name].to_numpy(dtype=np.float64) for name in ("value", "value_reference"))
    people = np.unique(own["subject"].to_numpy(dtype=str), return_inverse=True)[1]
    x_sd, y_sd = (own[name].to_numpy(dtype=np.float64) for name in ("error", "error_reference"))
    if np.isnan(x_sd).any() or np.isnan(y_sd).any():
        ratio = float(y.var(ddof=1) / x.var(ddof=1)) if x.var(ddof=1) > 0 else 1.0
        told = "no replicates tell the errors: they are taken as equal shares of the spread on both devices"
        return deming(x, y, ratio, people), [told]
    runs = [own[name].to_numpy(dtype=np.float64) for name in ("runs", "runs_reference")]
    line = york(x, y, x_sd / np.sqrt(runs[0]), y_sd / np.sqrt(runs[1]), people)
    single = [float(np.sqrt(np.mean(sd**2))) for sd in (x_sd, y_sd)]
    return replace(line, x_error_sd=single[0], y_error_sd=single[1]), []


def _by_muscle(own: pd.DataFrame, machine: str, measure: str, line: Line) -> list[Transfer]:
    """The common line with each muscle's own errors, where replicates told them."""
    known = own.dropna(subset=["error", "error_reference"])
    transfers = []
    for site, part in known.groupby("site", sort=True):
        mine, theirs = (float(part[name].iloc[0]) for name in ("error", "error_reference"))
        share = np.hypot(line.slope * mine, theirs) / np.hypot(line.slope * line.x_error_sd, line.y_error_sd)
        scatter = float(line.scatter_sd * share)
        single = replace(line, x_error_sd=mine, y_error_sd=theirs, scatter_sd=scatter)
        transfers.append(Transfer(machine, measure, str(site), single))
    return transfers


def _anchored(values: Floats, theirs: Floats) -> Line:
    """Location and scale of one group of controls to those of another (delta method)."""
    n, m = len(values), len(theirs)
    sd, their_sd = float(values.std(ddof=1)), float(theirs.std(ddof=1))
    slope = their_sd / sd
    slope_variance = slope**2 * (1 / (2 * (n - 1)) + 1 / (2 * (m - 1)))
    mean, level_variance = float(values.mean()), their_sd**2 * (1 / n + 1 / m)
    covariance = np.array(
        [
            [level_variance + mean**2 * slope_variance, -mean * slope_variance],
            [-mean * slope_variance, slope_variance],
        ]
    )
    intercept = float(theirs.mean()) - slope * mean
    return Line(
        intercept, slope, covariance, 0.0, 0.0, 0.0, n + m, n + m, (float(values.min()), float(values.max()))
    )


def _targets(own: GreyMap, reference: GreyMap) -> Line:
    shared, mine, theirs = np.intersect1d(own.db, reference.db, return_indices=True)
    if len(shared) < 3:
        raise InvalidInput(f"{len(shared)} targets in common", mend="three are needed")
    x_sd, y_sd = (
        np.maximum(grey_map.grey_se[at], 0.1) for grey_map, at in ((own, mine), (reference, theirs))
    )
    return york(own.grey[mine], reference.grey[theirs], x_sd, y_sd)
