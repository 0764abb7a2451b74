"""Whether biology and site can be told apart: guarded columns against sites, before any harmonising."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from myoproof.errors import Finding
from myoproof.numerics.coding import encode, learn
from myoproof.numerics.combat_checks import LARGEST_INFLATION, inflations

ALPHA = 0.05
"""Level of the test for imbalance of a guarded column over sites. A proposal."""


def biology_findings(
    guarded: pd.DataFrame,
    sites: npt.NDArray[np.str_],
    *,
    covariates: npt.NDArray[np.float64],
    allow_unbalanced: bool = False,
) -> list[Finding]:
    """What the sites say about columns that must not vanish with them.

    Parameters
    ----------
    guarded : DataFrame
        Words or numbers a row; "" or NaN is unknown. Columns with one value are passed over.
    sites : (n,) array of text
        Site of each row.
    covariates : (n, q) float64
        Kept columns; a guarded column that they determine is kept with them.
    allow_unbalanced : bool
        Whether an imbalance is a warning only.

    Returns
    -------
    list of Finding
        ``confounded`` (error): the sites determine the column, kept or not. ``unbalanced`` (error): it
        differs between sites and is not kept. ``one_group_site`` (warning): a site holds one group only.
    """
    findings: list[Finding] = []
    for name in guarded:
        column = guarded[name]
        known = ((column.notna()) & (column.astype(str) != "")).to_numpy()
        values, at = column[known], sites[known]
        if values.nunique() < 2 or len(set(at.tolist())) < 2:
            continue
        design = encode(learn({str(name): values.to_numpy()}), {str(name): values.to_numpy()})
        inflation = float(inflations(at, design).max())
        if inflation > LARGEST_INFLATION:
            message = f"{name} is confounded with the sites (variance inflation {inflation:.3g})"
            mend = "harmonise within one group, or leave out the sites that hold one group only"
            findings.append(Finding("error", "confounded", message, mend=mend))
            continue
        kept = _determined(design, covariates[known])
        findings += _imbalance(str(name), values, at, kept, allow_unbalanced)
    return findings


def _determined(columns: npt.NDArray[np.float64], by: npt.NDArray[np.float64]) -> bool:
    """Whether columns are combinations of others and a constant, as arm is of diagnosis in many a cohort."""
    x = np.column_stack([np.ones(len(by)), np.nan_to_num(by)])
    rest = columns - x @ np.linalg.lstsq(x, columns, rcond=None)[0]
    return bool((np.abs(rest) < 1e-8).all())


def _imbalance(
    name: str, values: pd.Series, sites: npt.NDArray[np.str_], kept: bool, allowed: bool
) -> list[Finding]:
    if pd.api.types.is_numeric_dtype(values):
        groups = [values[sites == site].to_numpy(dtype=float) for site in np.unique(sites)]
        p = float(stats.kruskal(*groups).pvalue)
        lonely: list[str] = []
    else:
        counts = pd.crosstab(sites, values.to_numpy())
        p = float(stats.chi2_contingency(counts.to_numpy(), correction=False).pvalue)
        lonely = [str(site) for site, own in counts.iterrows() if (own > 0).sum() == 1]
    findings = []
    if p < ALPHA and not kept:
        message = f"{name} differs between the sites (p = {p:.2g}) and is not kept: it would go with them"
        mend = f"keep it (--preserve {name}), or allow it (--allow-unbalanced)"
        level = "warning" if allowed else "error"
        findings.append(
            Finding("warning" if level == "warning" else "error", "unbalanced", message, mend=mend)
        )
    if lonely:
        message = f"one group of {name} only at {', '.join(lonely)}: there the model rests on the other sites"
        findings.append(Finding("warning", "one_group_site", message))
    return findings
