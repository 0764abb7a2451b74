"""What the phenotype study clusters: features kept, devices levelled, floor, ceiling and direction known."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from myoproof.core.cohort import Cohort, feature_matrix
from myoproof.core.study import Strict, Study
from myoproof.errors import InvalidInput
from myoproof.numerics.nulls import pile_ups
from myoproof.vocabulary.lookup import worsening_sign

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
Null = Literal["gaussian", "unimodal_factor"]
OTHER = "other"
LEAST_GROUP = 10  # subjects; smaller devices or centres are levelled together: proposal


class Parameters(Strict):
    """How phenotypes are sought; every default is what the template writes out.

    Parameters
    ----------
    metric : {"silhouette"}
        What the decision statistic is the excess of; written in the study file before the run.
    k_min, k_max : int
        Numbers of clusters tried.
    starts : int
        k-means++ starts of every partition that is described.
    resamples, resample_fraction, resample_starts : int, float, int
        Stability: resamples per number of clusters, share of subjects drawn, fresh starts in each.
    splits : int
        Prediction strength: random splits in halves.
    nulls : list
        Every one of them must be rejected before subtypes are claimed.
    null_replicates, null_starts : int
        Cohorts drawn from each null, and starts in each (and in the observed cohort when held against them).
    alpha : float
        Level of each test.
    drop_missing_above : float
        Features with a larger share missing are dropped (fraction, 0-1).
    drop_subjects_above : float
        Subjects with a larger share of the kept features missing are left out (fraction, 0-1).
    level_by : {"device", "centre", "none"}
        Features are centred within each of these before anything else.
    level : float
        Of the intervals.
    sample : int
        Where there are more subjects, silhouettes, nulls, stability, consensus and the described indices are
        taken over this many, drawn once; partitions, profiles and the outcome are of all.
    gap_references : int
        Structureless data sets of the gap statistic.
    consensus_nulls : int
        Gaussian cohorts that the share of ambiguous pairs is held against.
    residual_replicates : int
        Gaussian cohorts that clusters are held against after severity was taken out.
    """

    metric: Literal["silhouette"] = "silhouette"
    k_min: int = Field(2, ge=2)
    k_max: int = Field(5, ge=2, le=12)
    starts: int = Field(10, ge=1)
    resamples: int = Field(1000, ge=2)
    resample_fraction: float = Field(0.8, gt=0, lt=1)
    resample_starts: int = Field(1, ge=1)
    splits: int = Field(25, ge=1)
    nulls: list[Null] = Field(default=["unimodal_factor", "gaussian"], min_length=1)
    null_replicates: int = Field(99, ge=19)
    null_starts: int = Field(5, ge=1)
    alpha: float = Field(0.05, gt=0, lt=1)
    drop_missing_above: float = Field(0.20, ge=0, lt=1)
    drop_subjects_above: float = Field(0.50, ge=0, lt=1)
    level_by: Literal["device", "centre", "none"] = "device"
    level: float = Field(0.95, gt=0, lt=1)
    sample: int = Field(1000, ge=100)
    gap_references: int = Field(20, ge=5)
    consensus_nulls: int = Field(10, ge=2)
    residual_replicates: int = Field(39, ge=19)

    @property
    def n_clusters(self) -> tuple[int, ...]:
        """The numbers of clusters tried.

        Raises
        ------
        InvalidInput
            If k_max is less than k_min.
        """
        if self.k_max < self.k_min:
            raise InvalidInput(f"k_max {self.k_max} is less than k_min {self.k_min}", where="method")
        return tuple(range(self.k_min, self.k_max + 1))


@dataclass(frozen=True, slots=True)
class Levelled:
    """Features centred by device and scaled, with floor and ceiling of every cell on the same scale.

    Parameters
    ----------
    values : (n, p) float64
        About mean 0 and SD 1; NaN where missing.
    lower, upper : (n, p) float64
        -inf and inf where a feature has no floor or ceiling.
    shift, scale : (n, p) and (p,) float64
        What was taken off and divided by: recorded = values x scale + shift.
    """

    values: Floats
    lower: Floats
    upper: Floats
    shift: Floats
    scale: Floats

    def part(self, rows: npt.NDArray[np.intp]) -> "Levelled":
        """The same of some subjects."""
        cut = (self.values[rows], self.lower[rows], self.upper[rows], self.shift[rows])
        return Levelled(*cut, self.scale)


@dataclass(frozen=True, slots=True)
class Panel:
    """The subjects and features of a phenotype study.

    Parameters
    ----------
    features : DataFrame
        Subjects by kept features, levelled and scaled.
    levelled : Levelled
        The same as arrays, with floor and ceiling.
    worse : (p,) float64
        +1 where a higher value is worse, else -1.
    centre, device : (n,) object
        Of each subject.
    groups : (n,) object
        What its features were levelled by.
    flow : list of (step, n, reason)
        Subjects left after each step.
    feature_rows : list of dict
        One row a feature, kept or dropped.
    """

    features: pd.DataFrame
    levelled: Levelled
    worse: Floats
    centre: npt.NDArray[np.object_]
    device: npt.NDArray[np.object_]
    groups: npt.NDArray[np.object_]
    flow: list[tuple[str, int, str]]
    feature_rows: list[Row]


def make_panel(
    cohort: Cohort, study: Study, parameters: Parameters, flow: list[tuple[str, int, str]]
) -> Panel:
    """Choose features and subjects and level them.

    Parameters
    ----------
    cohort : Cohort
        Already selected.
    study : Study
        Names the features.
    parameters : Parameters
        Of the study's method.
    flow : list of (step, n, reason)
        How the cohort came about.

    Raises
    ------
    InvalidInput
        If a feature is absent, fewer than two features or too few subjects remain.
    """
    session = study.cohort.sessions[0] if study.cohort.sessions else None
    matrix = feature_matrix(cohort, study.features, session=session)
    matrix = matrix.loc[:, ~matrix.columns.duplicated()]
    measured = matrix[matrix.notna().any(axis=1)]
    flow = [*flow, ("any feature measured", len(measured), "no feature measured")]
    missing = measured.isna().mean()
    spread = measured.std().fillna(0.0)
    kept = list(missing.index[(missing <= parameters.drop_missing_above) & (spread > 0)])
    if len(kept) < 2:
        raise InvalidInput(
            f"{len(kept)} of {matrix.shape[1]} features have at most "
            f"{parameters.drop_missing_above:.0%} missing and vary; two are needed",
            where=study.name,
        )
    chosen = measured.loc[measured[kept].isna().mean(axis=1) <= parameters.drop_subjects_above, kept]
    flow.append(("enough features measured", len(chosen), "too many features missing"))
    if len(chosen) <= 2 * parameters.k_max:
        raise InvalidInput(
            f"{len(chosen)} subjects are too few for {parameters.k_max} clusters",
            where=study.name,
            mend="lower k_max or add subjects",
        )
    centre, device = places(cohort, list(chosen.index), study)
    by = {"device": device, "centre": centre, "none": np.full(len(chosen), "", dtype=object)}[
        parameters.level_by
    ]
    levelled = level_out(chosen.to_numpy(), by)
    return Panel(
        features=pd.DataFrame(levelled.values, index=chosen.index, columns=kept),
        levelled=levelled,
        worse=np.array([worsening_sign(name.split("/")[0]) for name in kept], dtype=np.float64),
        centre=centre,
        device=device,
        groups=by,
        flow=flow,
        feature_rows=list(_feature_rows(missing, kept, len(measured))),
    )


def level_out(raw: Floats, groups: npt.NDArray[np.object_]) -> Levelled:
    """Centre features within groups and scale them; carry floor and ceiling along.

    Parameters
    ----------
    raw : (n, p) float64
        As recorded, NaN where missing.
    groups : (n,) object
        Device or centre; groups of fewer than ten are taken together, and left alone if they are still fewer.
    """
    lower, upper = pile_ups(raw)
    names, counts = np.unique(groups.astype(str), return_counts=True)
    small = set(names[counts < LEAST_GROUP])
    pooled = np.array([OTHER if str(name) in small else str(name) for name in groups], dtype=object)
    overall = np.nanmean(raw, axis=0)
    shift = np.tile(overall, (len(raw), 1))
    for name in np.unique(pooled):
        members = pooled == name
        seen = np.isfinite(raw[members]).sum(axis=0)
        totals = np.nansum(raw[members], axis=0)
        shift[members] = np.where(seen >= LEAST_GROUP, totals / np.maximum(seen, 1), overall)
    scale = np.nanstd(raw - shift, axis=0)
    scale[scale == 0] = 1.0
    return Levelled((raw - shift) / scale, (lower - shift) / scale, (upper - shift) / scale, shift, scale)


def places(
    cohort: Cohort, subjects: list[str], study: Study
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Centre of each subject, and the device that measured the features; "" where not recorded.

    Parameters
    ----------
    cohort : Cohort
        Subjects, acquisitions and rows.
    subjects : list of str
        Whose.
    study : Study
        Names the features.
    """
    centre = cohort.subjects.set_index("subject")["centre"].reindex(subjects).fillna("")
    measures = {feature.measure for feature in study.features}
    rows = cohort.measurements
    modalities = set(rows.loc[rows["measure"].isin(measures), "modality"])
    visits = cohort.acquisitions
    visits = visits[visits["modality"].isin(modalities) & (visits["device"] != "")]
    device = visits.drop_duplicates("subject").set_index("subject")["device"].reindex(subjects).fillna("")
    return centre.to_numpy(dtype=object), device.to_numpy(dtype=object)


def _feature_rows(missing: "pd.Series[float]", kept: list[str], n: int) -> Iterator[Row]:
    for name, share in missing.items():
        flag = "kept" if name in kept else "dropped_missing"
        yield {
            "analysis": "feature",
            "term": name,
            "value": share,
            "unit": "1",
            "n_subjects": n,
            "flags": flag,
        }
