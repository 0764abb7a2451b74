"""What must hold before site effects can be told from biology; each fault is a named finding."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]

LARGEST_INFLATION = 10.0
"""Variance inflation of a covariate by the sites above which the two are not told apart. A proposal: the
usual rule of thumb for collinearity (Marquardt 1970, Technometrics 12:591)."""
FEWEST_ROWS = 2
SHOWN = 5
"""Names that a message lists."""


def fault_findings(
    values: Floats,
    sites: Texts,
    covariates: Floats,
    *,
    mean_only: bool = False,
    reference: str = "",
    names: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> list[Finding]:
    """Everything that forbids a fit, or that a reader of it should know.

    Parameters
    ----------
    values : (n, p) float64
        Rows by features, NaN where missing.
    sites : (n,) array of text
        Site of each row.
    covariates : (n, q) float64
        What is to be kept.
    mean_only : bool
        Whether no variance is learnt, so that one row a site is enough.
    reference : str
        Site that the others are moved to; "" for none.
    names : pair of sequences of str
        Of features and covariates, for messages; their positions when empty.

    Returns
    -------
    list of Finding
        Categories ``empty``, ``one_site``, ``small_site``, ``unknown_reference``, ``infinite``,
        ``feature_not_in_site``, ``missing_covariate``, ``constant_covariate``, ``confounded`` are errors;
        ``constant_feature`` and ``constant_in_site`` are warnings.
    """
    if values.size == 0:
        return [Finding("error", "empty", "there is no row or no feature to harmonise")]
    features, columns = (
        list(given) or [str(j) for j in range(n)]
        for given, n in zip(names, (values.shape[1], covariates.shape[1]), strict=True)
    )
    findings = [*_site_findings(sites, mean_only, reference), *_value_findings(values, sites, features)]
    if any(finding.category == "one_site" for finding in findings):
        return findings
    return findings + _covariate_findings(sites, covariates, columns)


def _site_findings(sites: Texts, mean_only: bool, reference: str) -> list[Finding]:
    names, counts = np.unique(sites, return_counts=True)
    findings = []
    if "" in names:
        n = int(counts[names == ""][0])
        findings.append(Finding("error", "no_site", f"{n} rows have no site", mend="fill the site"))
    if len(names) < 2:
        findings.append(
            Finding("error", "one_site", "all rows come from one site: there is nothing to harmonise")
        )
    if reference and reference not in names:
        mend = f"sites: {', '.join(names.tolist())}"
        findings.append(Finding("error", "unknown_reference", f"no site is called {reference!r}", mend=mend))
    fewest = 1 if mean_only else FEWEST_ROWS
    for name, n in zip(names.tolist(), counts.tolist(), strict=True):
        if n < fewest:
            mend = "harmonise means only, join it with a like site, or leave it out"
            message = f"site {name!r} has {n} row; a variance needs {FEWEST_ROWS}"
            findings.append(Finding("error", "small_site", message, mend=mend))
    return findings


def _told(names: Sequence[str], which: npt.ArrayLike) -> str:
    found = [names[j] for j in np.flatnonzero(np.asarray(which)).tolist()]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def _value_findings(values: Floats, sites: Texts, features: Sequence[str]) -> list[Finding]:
    findings = []
    if np.isinf(values).any():
        told = _told(features, np.isinf(values).any(axis=0))
        findings.append(Finding("error", "infinite", f"infinite values of {told}"))
    seen = np.isfinite(values)
    for name in np.unique(sites).tolist():
        own, whole = values[sites == name], seen[sites == name]
        fewest = min(FEWEST_ROWS, len(own))
        lost = whole.sum(axis=0) < fewest
        if lost.any():
            message = f"site {name!r} holds fewer than {fewest} values of {_told(features, lost)}"
            mend = "leave these features or this site out"
            findings.append(Finding("error", "feature_not_in_site", message, mend=mend))
        elif len(own) > 1:
            still = np.asarray(np.nanmax(own, axis=0) == np.nanmin(own, axis=0))
            if still.any():
                message = f"no variance at site {name!r}: {_told(features, still)}; moved there, not scaled"
                findings.append(Finding("warning", "constant_in_site", message))
    constant = np.array([len(np.unique(values[seen[:, j], j])) == 1 for j in range(values.shape[1])])
    if constant.any():
        message = f"constant everywhere, and left as it is: {_told(features, constant)}"
        findings.append(Finding("warning", "constant_feature", message))
    return findings


def _covariate_findings(sites: Texts, covariates: Floats, columns: Sequence[str]) -> list[Finding]:
    if covariates.shape[1] == 0:
        return []
    lost = ~np.isfinite(covariates)
    if lost.any():
        message = f"{int(lost.any(axis=1).sum())} rows lack a covariate: {_told(columns, lost.any(axis=0))}"
        mend = "impute it, or leave these rows out"
        return [Finding("error", "missing_covariate", message, mend=mend)]
    constant = np.asarray(np.ptp(covariates, axis=0) == 0)
    if constant.any():
        message = f"constant covariate: {_told(columns, constant)}"
        return [Finding("error", "constant_covariate", message, mend="leave it out")]
    findings = []
    for name, inflation in zip(columns, inflations(sites, covariates), strict=True):
        if inflation > LARGEST_INFLATION:
            told = "wholly" if np.isinf(inflation) else f"with a variance inflation of {inflation:.0f}"
            message = f"covariate {name} is determined {told} by the sites and the other covariates"
            mend = "harmonise within one group, or leave out the sites that hold one group only"
            findings.append(Finding("error", "confounded", message, mend=mend))
    return findings


def inflations(sites: Texts, covariates: Floats) -> Floats:
    """Variance inflation of every covariate by the sites and the other covariates, 1 where unrelated.

    Parameters
    ----------
    sites : (n,) array of text
        Site of each row.
    covariates : (n, q) float64
        Nothing missing, no column constant.

    Returns
    -------
    (q,) float64
        1 / (1 - R2); infinite where a column is determined.

    Examples
    --------
    >>> sites = np.repeat(["a", "b"], 3)
    >>> inflations(sites, np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]])).tolist()
    [inf]
    """
    indicator = (sites[:, None] == np.unique(sites)).astype(np.float64)
    found = []
    for j in range(covariates.shape[1]):
        column = covariates[:, j]
        rest = np.column_stack([indicator, np.delete(covariates, j, axis=1)])
        residual = column - rest @ np.linalg.lstsq(rest, column, rcond=None)[0]
        share = float(residual @ residual) / float(((column - column.mean()) ** 2).sum())
        found.append(np.inf if share < 1e-10 else 1 / share)
    return np.array(found)
