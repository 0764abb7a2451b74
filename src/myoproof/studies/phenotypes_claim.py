"""The claim: subtypes only where one statistic, chosen beforehand, rejects every null without subtypes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from myoproof.numerics.kmeans import stream_key
from myoproof.numerics.nulls import (
    Draw,
    Excess,
    Profile,
    excess_over,
    gaussian_null,
    profile,
    replicate_profiles,
    unimodal_factor_null,
)
from myoproof.studies.phenotypes_features import Levelled, Parameters

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claim:
    """What the nulls allow to be said.

    Parameters
    ----------
    subtypes : int
        Number of subtypes claimed; 0 where any null is not rejected.
    observed : Profile
        The silhouettes that were held against the nulls.
    excesses : dict
        Null -> how far the observed cohort stands out from it; in the order they were asked.
    """

    subtypes: int
    observed: Profile
    excesses: dict[str, Excess]


def decide(
    data: Levelled,
    parameters: Parameters,
    *,
    rng: np.random.Generator,
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
    stop_early: bool = False,
) -> Claim:
    """Hold the observed clusters against every null.

    The statistic is the largest standardised excess of the silhouette over a null, for all numbers of
    clusters together. Subtypes are claimed where each null gives p <= alpha; their number is the one whose
    least excess over the nulls is largest.

    Parameters
    ----------
    data : Levelled
        The features.
    parameters : Parameters
        Of the study.
    rng : numpy.random.Generator
        The only source of randomness.
    threads : int
        The result does not depend on it.
    progress : callable, optional
        Told the fraction done.
    stop_early : bool
        Leave out the remaining nulls once one is not rejected: the same claim in less time, for simulations.

    References
    ----------
    Berger 1982, Technometrics 24:295 (intersection-union test: each null at level alpha).
    """
    tell = progress or _silent
    tried = parameters.n_clusters
    observed = profile(data.values, tried, key=stream_key(rng), n_starts=parameters.null_starts)
    excesses: dict[str, Excess] = {}
    for number, name in enumerate(parameters.nulls):
        generator = rng.spawn(1)[0]
        replicates = replicate_profiles(
            null_of(name, data),
            tried,
            rng=generator,
            replicates=parameters.null_replicates,
            n_starts=parameters.null_starts,
            threads=threads,
            progress=_part(tell, number, len(parameters.nulls)),
        )
        excesses[name] = excess_over(observed, replicates)
        if stop_early and excesses[name].p_value > parameters.alpha:
            break
    rejected = all(excess.p_value <= parameters.alpha for excess in excesses.values())
    least = np.min([excess.excess for excess in excesses.values()], axis=0)
    return Claim(tried[int(np.argmax(least))] if rejected else 0, observed, excesses)


def null_of(name: str, data: Levelled) -> Draw:
    """The draws of one null fitted to the data."""
    if name == "gaussian":
        return gaussian_null(data.values)
    return unimodal_factor_null(data.values, data.lower, data.upper)


def claim_rows(claim: Claim, parameters: Parameters, n: int) -> Iterator[Row]:
    """Estimate rows ``null`` (a null and number of clusters) and ``decision`` (a null, and the claim)."""
    for name, excess in claim.excesses.items():
        for i, k in enumerate(parameters.n_clusters):
            yield {
                "analysis": "null",
                "term": f"k={k}",
                "group": name,
                "method": parameters.metric,
                "value": excess.mean[i],
                "se": excess.deviation[i],
                "statistic": excess.excess[i],
                "p": excess.p[i],
                "n_subjects": n,
                "n_rows": parameters.null_replicates,
            }
    verdict = "subtypes" if claim.subtypes else "severity_continuum"
    for name, excess in claim.excesses.items():
        rejected = excess.p_value <= parameters.alpha
        yield {
            "analysis": "decision",
            "term": f"k={parameters.n_clusters[int(np.argmax(excess.excess))]}",
            "group": name,
            "method": parameters.metric,
            "statistic": excess.statistic,
            "p": excess.p_value,
            "n_subjects": n,
            "n_rows": parameters.null_replicates,
            "flags": "rejected" if rejected else "severity_continuum",
        }
    yield {
        "analysis": "decision",
        "term": "subtypes",
        "group": "claim",
        "method": parameters.metric,
        "value": claim.subtypes,
        "n_subjects": n,
        "flags": verdict,
    }


def _part(tell: Callable[[float], None], done: int, total: int) -> Callable[[float], None]:
    return lambda share: tell((done + share) / total)


def _silent(share: float) -> None:
    del share
