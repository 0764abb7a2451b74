"""ComBat: site differences in location and scale, learnt from some subjects and taken out of others."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from myoproof.errors import Finding, InvalidInput, refuse
from myoproof.numerics.combat_checks import fault_findings
from myoproof.numerics.combat_shrink import shrink_nonparametric, shrink_parametric, shrink_shift

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Settings:
    """Which variant of ComBat.

    Parameters
    ----------
    parametric : bool
        Normal and inverse-gamma priors; False takes the features' own estimates as the prior.
    empirical_bayes : bool
        Whether site estimates are drawn towards each other over features; False takes them as they are.
    mean_only : bool
        Location alone, for sites too small for a variance.
    reference : str
        The site whose values stay as they are and whose level and spread the others take on; "" for none.
    tolerance : float
        Relative change at which the parametric iteration stops; 1e-4 in the published programs.
    """

    parametric: bool = True
    empirical_bayes: bool = True
    mean_only: bool = False
    reference: str = ""
    tolerance: float = 1e-4


@dataclass(frozen=True, slots=True)
class ComBat:
    """What was learnt, k sites, q covariates, p features.

    Parameters
    ----------
    sites : tuple of str
        Known sites, sorted.
    counts : (k,) int64
        Rows of each site that it was learnt from.
    level : (p,) float64
        Common mean of each feature where the covariates are 0.
    coefficients : (q, p) float64
        Effects of the covariates, which are kept.
    covariate_means : (q,) float64
        Means of the covariates where it was learnt.
    spread : (p,) float64
        Common residual SD; 0 marks a constant feature, which is left as it is.
    shift, scale : (k, p) float64
        Of each site, in units of ``spread``.
    settings : Settings
        The variant.
    """

    sites: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    level: Floats
    coefficients: Floats
    covariate_means: Floats
    spread: Floats
    shift: Floats
    scale: Floats
    settings: Settings


def fit(
    values: npt.ArrayLike,
    sites: npt.ArrayLike,
    covariates: npt.ArrayLike | None = None,
    *,
    settings: Settings | None = None,
) -> ComBat:
    """Learn the site effects of some rows; fit it on the training rows of a fold and nothing else.

    Parameters
    ----------
    values : (n, p) array
        Rows (subjects, scans) by features; NaN where missing. Not changed.
    sites : (n,) array of text
        Site of each row.
    covariates : (n, q) array, optional
        What is to be kept (age, sex, diagnosis), without an intercept, nothing missing. An outcome that is to
        be predicted must not be among them: it would be carried into the features.
    settings : Settings, optional
        The variant; parametric empirical Bayes by default.

    Returns
    -------
    ComBat
        For :func:`apply`.

    Raises
    ------
    InvalidInput
        Naming every fault together: one site only, a site too small for a variance, a constant or missing
        covariate, covariates that the sites determine, a feature without values in a site.

    References
    ----------
    Johnson, Li & Rabinovic 2007, Biostatistics 8:118 (model, both priors). Fortin et al. 2018, NeuroImage
    167:104 (imaging; the stored outputs this agrees with to 1e-10).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> sites = np.repeat(["a", "b"], 50)
    >>> values = rng.normal(size=(100, 4)) + 2.0 * (sites == "b")[:, None]
    >>> even = apply(fit(values, sites), values, sites)
    >>> float(np.abs(even[:50].mean(axis=0) - even[50:].mean(axis=0)).max()) < 0.3
    True
    """
    chosen = settings or Settings()
    x, names, design = _arrays(values, sites, covariates)
    refuse(fault_findings(x, names, design, mean_only=chosen.mean_only, reference=chosen.reference))
    levels, at = np.unique(names, return_inverse=True)
    indicator = (at[:, None] == np.arange(len(levels))).astype(np.float64)
    own = at == int(np.searchsorted(levels, chosen.reference)) if chosen.reference else np.ones(len(at), bool)
    effects = _least_squares(np.column_stack([indicator, design]), x)
    of_sites, coefficients = effects[: len(levels)], effects[len(levels) :]
    counts = indicator.sum(axis=0)
    weights = indicator[own].sum(axis=0) / own.sum()
    level = weights @ of_sites
    residual = x - indicator @ of_sites - design @ coefficients
    spread = np.sqrt(np.nanmean(residual[own] ** 2, axis=0))
    spread = np.where(spread > 1e-12 * np.maximum(np.abs(level), 1e-300), spread, 0.0)
    unit = np.where(spread > 0, spread, 1.0)
    z = (x - level - design @ coefficients) / unit
    shift, scale = _site_effects(z, at, spread > 0, chosen)
    if chosen.reference:
        shift[levels == chosen.reference], scale[levels == chosen.reference] = 0.0, 1.0
    means = design.mean(axis=0)
    known = tuple(str(name) for name in levels)
    return ComBat(known, counts.astype(np.int64), level, coefficients, means, spread, shift, scale, chosen)


def apply(
    model: ComBat, values: npt.ArrayLike, sites: npt.ArrayLike, covariates: npt.ArrayLike | None = None
) -> Floats:
    """Take the learnt site effects out of rows, seen before or new.

    Parameters
    ----------
    model : ComBat
        From :func:`fit`.
    values : (n, p) array
        The same features; NaN stays NaN. Not changed.
    sites : (n,) array of text
        Sites the model knows.
    covariates : (n, q) array, optional
        The same columns as at the fit; without them the training mean stands for every row.

    Returns
    -------
    (n, p) float64
        Rows of the reference site, and constant features, come back as they are.

    Raises
    ------
    InvalidInput
        If a site was not seen at the fit: nothing is known about it, and nothing is guessed.
    """
    x, names, design = _arrays(values, sites, covariates)
    if covariates is None:
        design = np.broadcast_to(model.covariate_means, (len(x), len(model.covariate_means)))
    findings = _apply_findings(model, x, names, design)
    refuse(findings)
    return rescaled(model, x, names, design)


def rescaled(model: ComBat, values: Floats, sites: Texts, covariates: Floats) -> Floats:
    """The arithmetic of :func:`apply` on checked arrays; also for the ends of intervals.

    Parameters
    ----------
    model : ComBat
        From :func:`fit`.
    values : (n, p) float64
        Values, or lower or upper ends.
    sites : (n,) array of text
        Known sites.
    covariates : (n, q) float64
        Nothing missing.
    """
    if not len(values):
        return values.copy()
    at = np.searchsorted(np.array(model.sites), sites)
    expected = model.level + covariates @ model.coefficients
    unit = np.where(model.spread > 0, model.spread, 1.0)
    even = (((values - expected) / unit) - model.shift[at]) / model.scale[at] * unit + expected
    kept = (sites == model.settings.reference)[:, None] if model.settings.reference else False
    return np.asarray(np.where(kept | (model.spread == 0), values, even), dtype=np.float64)


def _site_effects(
    z: Floats, at: npt.NDArray[np.intp], varies: npt.NDArray[np.bool_], chosen: Settings
) -> tuple[Floats, Floats]:
    k, p = int(at.max()) + 1, z.shape[1]
    shift, scale = np.zeros((k, p)), np.ones((k, p))
    for site in range(k):
        own = z[at == site][:, varies]
        mean = np.nanmean(own, axis=0)
        variance = np.ones_like(mean) if chosen.mean_only else np.nanvar(own, axis=0, ddof=1)
        # A feature constant within the site has no scale to learn; it is only moved, as in neuroCombat.
        variance[~(variance > 0)] = 1.0
        if chosen.empirical_bayes and varies.sum() > 1:
            if not chosen.parametric:
                mean, variance = shrink_nonparametric(own, mean, variance)
            elif chosen.mean_only:
                mean = shrink_shift(mean)
            else:
                mean, variance = shrink_parametric(own, mean, variance, tolerance=chosen.tolerance)
        shift[site, varies] = mean
        scale[site, varies] = 1.0 if chosen.mean_only else np.sqrt(variance)
    return shift, scale


def _least_squares(design: Floats, values: Floats) -> Floats:
    """Coefficients (columns of the design, features), each feature over its own observed rows."""
    whole = np.isfinite(values)
    out = np.empty((design.shape[1], values.shape[1]))
    full = whole.all(axis=0)
    if full.any():
        out[:, full] = np.linalg.lstsq(design, values[:, full], rcond=None)[0]
    for j in np.flatnonzero(~full):
        seen = whole[:, j]
        out[:, j] = np.linalg.lstsq(design[seen], values[seen, j], rcond=None)[0]
    return out


def _apply_findings(model: ComBat, x: Floats, names: Texts, design: Floats) -> list[Finding]:
    findings = []
    if x.shape[1] != len(model.level):
        message = f"the model knows {len(model.level)} features, the rows have {x.shape[1]}"
        findings.append(Finding("error", "features", message))
    for site in sorted(set(names.tolist()) - set(model.sites)):
        mend = "fit with rows of this site, or leave it out; a new site cannot be harmonised unseen"
        message = f"site {site!r} was not seen when the model was fitted"
        findings.append(Finding("error", "unseen_site", message, mend=mend))
    if design.shape[1] != len(model.coefficients):
        message = (
            f"the model has {len(model.coefficients)} covariate columns, the rows have {design.shape[1]}"
        )
        findings.append(Finding("error", "covariates", message))
    elif not np.isfinite(design).all():
        n = int((~np.isfinite(design)).any(axis=1).sum())
        findings.append(Finding("error", "missing_covariate", f"{n} rows lack a covariate"))
    return findings


def _arrays(
    values: npt.ArrayLike, sites: npt.ArrayLike, covariates: npt.ArrayLike | None
) -> tuple[Floats, Texts, Floats]:
    x = np.asarray(values, dtype=np.float64)
    names = np.asarray(sites).astype(np.str_)
    if x.ndim != 2 or names.shape != (len(x),):
        raise InvalidInput("ComBat needs rows by features and one site a row", where="values")
    design = np.empty((len(x), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    if design.ndim != 2 or len(design) != len(x):
        raise InvalidInput("ComBat needs one line of covariates a row", where="covariates")
    return x, names, design
