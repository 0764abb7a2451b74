"""Hold the simulated cohorts against the published figures they are tuned to, and write the evidence table.

Run ``python -m benchmarks.calibrate_cohorts``. The statistics are computed here, apart from the package's own
arithmetic; k-means is scikit-learn's. The seeds differ from those used for tuning.
"""

import argparse
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import write_table
from myoproof.phantoms import mri_model, ultrasound_model
from myoproof.phantoms.constants import constant

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]
TABLE = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "cohorts.csv"
SEED = 52_000
WANG = "Wang 2026 J Neurol"
KLICKOVIC = "Klickovic 2025 JNNP"
PATIENTS, COHORTS, PEOPLE, SMALL = 200_000, 1000, 60_000, 3000
SHOWN = (2.5, 97.5)


def standardised(features: Floats) -> Floats:
    """Features with mean 0 and SD 1, missing ones at the mean."""
    z = (features - np.nanmean(features, axis=0)) / np.nanstd(features, axis=0)
    return np.where(np.isnan(z), 0.0, z)


def severe_label(features: Floats, starts: int) -> npt.NDArray[np.bool_]:
    """The k-means partition (k = 2), True in the cluster with the thinner muscles."""
    labels = KMeans(2, n_init=starts, random_state=0).fit_predict(features)
    first = labels == 0
    return first if features[first, 0].mean() < features[~first, 0].mean() else ~first


def adjusted(drawn: ultrasound_model.Draw, label: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Coefficient and standard error of a label on ALSFRS-R beside all covariates, by least squares."""
    design = np.column_stack([np.ones(len(label)), label, drawn.covariates])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ drawn.alsfrs_r
    rest = drawn.alsfrs_r - design @ beta
    variance = rest @ rest / (len(rest) - design.shape[1])
    return float(beta[1]), float(np.sqrt(variance * inverse[1, 1]))


def judged(value: float, target: float, within: float) -> Row:
    """Criterion and verdict of a tuned value."""
    verdict = "pass" if abs(value - target) <= within else "fail"
    return {"value": value, "criterion": f"within {within:g} of {target:.3g}", "verdict": verdict}


def ultrasound_rows() -> Iterator[Row]:
    """The coefficient that is tuned, what it becomes at n = 454, and what the cohort looks like."""
    published = constant("ultrasound.alsfrs_r_label_coefficient")
    drawn = ultrasound_model.draw(PATIENTS, rng=np.random.default_rng(SEED))
    label = severe_label(standardised(drawn.analysed), 2)
    beta, se = adjusted(drawn, label)
    true_beta, true_se = adjusted(drawn, drawn.severe)
    big = {"n": PATIENTS, "population": "simulated, two classes, d = 3"}
    wang = {"reference": f"{WANG}: -3.84"}
    span = {"low": beta - 1.96 * se, "high": beta + 1.96 * se, "level": 0.95}
    yield {"metric": "ALSFRS-R, k-means label, adjusted", **judged(beta, -3.84, 0.08), **span, **big, **wang}
    span = {"low": true_beta - 1.96 * true_se, "high": true_beta + 1.96 * true_se, "level": 0.95}
    yield {"metric": "ALSFRS-R, true class, adjusted", "value": true_beta, **span, **big}
    yield {
        "metric": "attenuation: label coefficient / true class coefficient",
        "value": beta / true_beta,
        **big,
    }
    yield {
        "metric": "label share of the severe cluster",
        "value": float(label.mean()),
        **big,
        "reference": f"{WANG}: 166 of 454 = 0.366",
    }
    yield {
        "metric": "adjusted Rand index, label against class",
        "value": adjusted_rand_score(drawn.severe, label),
        **big,
    }
    correlations = np.abs(np.corrcoef(drawn.complete_features[:, :24].T)[np.triu_indices(24, 1)])
    low, high = np.percentile(correlations, SHOWN)
    yield {
        "metric": "correlation between muscle measures, median",
        "value": float(np.median(correlations)),
        "low": low,
        "high": high,
        "level": 0.95,
        **big,
        "reference": "0.25-0.65 between muscles, patients of Radboud University",
    }
    yield {
        "metric": "largest missing share of the 30 features",
        "value": float(drawn.missing[:, : ultrasound_model.ANALYSED].mean(axis=0).max()),
        **big,
        "criterion": "below 0.2",
        "verdict": "pass"
        if drawn.missing[:, : ultrasound_model.ANALYSED].mean(axis=0).max() < 0.2
        else "fail",
    }
    yield from _small_cohorts(beta, published)


def _small_cohorts(truth: float, published: dict[str, float]) -> Iterator[Row]:
    betas, errors, rand = [], [], []
    for replicate in range(COHORTS):
        drawn = ultrasound_model.draw(rng=np.random.default_rng([SEED, replicate]))
        label = severe_label(standardised(drawn.analysed), 3)
        beta, se = adjusted(drawn, label)
        betas.append(beta)
        errors.append(se)
        rand.append(adjusted_rand_score(drawn.severe, label))
    about = {"n": COHORTS, "population": "simulated cohorts of 454, two classes, d = 3"}
    half = (published["high"] - published["low"]) / 2
    low, high = np.percentile(betas, SHOWN)
    yield {
        "metric": "ALSFRS-R, k-means label, mean over cohorts",
        **judged(float(np.mean(betas)), truth, 0.08),
        "low": low,
        "high": high,
        "level": 0.95,
        "reference": f"{WANG}: -3.84 (-5.41 to -2.27)",
        **about,
    }
    yield {
        "metric": "standard error of the label's coefficient",
        **judged(float(np.mean(errors)), 0.80, 0.03),
        "reference": f"{WANG}: half-width {half:.2f} gives 0.80",
        **about,
    }
    covered = np.abs(np.array(betas) - truth) <= stats.t.ppf(0.975, 442) * np.array(errors)
    interval = stats.binomtest(int(covered.sum()), COHORTS).proportion_ci(method="wilson")
    yield {
        "metric": "coverage of the 95 % interval, mean-imputed features",
        "value": float(covered.mean()),
        "low": interval.low,
        "high": interval.high,
        "level": 0.95,
        "reference": "this simulation; the study's own coverage is a row of its own table",
        **about,
    }
    yield {"metric": "adjusted Rand index, label against class, mean", "value": float(np.mean(rand)), **about}


def shape_rows() -> Iterator[Row]:
    """Skew of severity, and values at floor or ceiling, in each shape of the continuum."""
    expected = {"gaussian": 0.0, "gamma": 1.0, "lognormal": 2.56, "ceiling": 0.0}
    for shape, skew in expected.items():
        params = ultrasound_model.UltrasoundParams(preset="continuum", shape=shape)
        drawn = ultrasound_model.draw(PATIENTS, rng=np.random.default_rng(SEED + 1), params=params)
        about = {"n": PATIENTS, "population": f"simulated, continuum, {shape}", "reference": "by design"}
        yield {
            "metric": "skew of severity",
            **judged(float(stats.skew(drawn.severity)), skew, 0.05 if skew < 2 else 0.4),
            **about,
        }
        if shape == "ceiling":
            features = drawn.complete_features
            ends = (features == features.min(axis=0)) | (features == features.max(axis=0))
            share = float(ends.mean())
            verdict = "pass" if share >= 0.25 else "fail"
            yield {
                "metric": "values at floor or ceiling",
                "value": share,
                "criterion": "at least 0.25",
                "verdict": verdict,
                **about,
            }


def partial_eta2(values: Floats) -> float:
    """SS(visit) / (SS(visit) + SS(error)) of subjects x visits."""
    mean = values.mean()
    visits = len(values) * ((values.mean(axis=0) - mean) ** 2).sum()
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + mean
    return float(visits / (visits + (rest**2).sum()))


def rank_effect(change: Floats) -> float:
    """Wilcoxon signed-rank Z / sqrt(n) of a fall, normal approximation without continuity correction."""
    n = len(change)
    ranks = stats.rankdata(np.abs(change))
    z = (ranks[change < 0].sum() - n * (n + 1) / 4) / np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return float(z / np.sqrt(n))


def last_change(values: Floats, seen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Last minus baseline, absolute and relative, shape (n,); zero where there is only the baseline."""
    last = values[np.arange(len(values)), seen.sum(axis=1) - 1]
    return last - values[:, 0], last / values[:, 0] - 1


def spread(values: list[float]) -> Row:
    """Median and the middle 95 % of the statistic over cohorts."""
    low, high = np.percentile(values, SHOWN)
    return {"low": float(low), "high": float(high), "level": 0.95}


def mri_rows() -> Iterator[Row]:
    """Effects and correlations in a large population and over cohorts of 20 patients."""
    params = mri_model.MriParams(n_als=PEOPLE, n_control=4000)
    drawn = mri_model.draw(rng=np.random.default_rng(SEED + 2), params=params)
    seen = drawn.seen[drawn.patient]
    about = {"n": PEOPLE, "population": "simulated patients"}
    done = seen.all(axis=1)
    counts = done.reshape(-1, 20).sum(axis=1)
    yield {
        "metric": "completers of 20",
        **judged(float(done.mean() * 20), constant("mri.completers"), 0.15),
        **spread(list(counts)),
        "reference": f"{KLICKOVIC}: 17",
        **about,
    }
    yield from _effect_rows(drawn, about)
    yield from _correlation_rows(drawn, about)
    for column, site in enumerate(mri_model.region_sites()):
        control = drawn.regions.volume_ml[~drawn.patient][..., column]
        error = np.log(control[:, 1] / control[:, 0]).var() / 2
        total = np.log(drawn.regions.volume_ml[drawn.patient][:, 0, column]).var()
        yield {
            "metric": f"scan-rescan ICC of log volume, {site}",
            "value": float(1 - error / total),
            "criterion": "at least 0.98",
            "verdict": "pass" if error / total <= 0.02 else "fail",
            "reference": "0.98-0.99 (proposal); BMD thigh 1.00 (PMC8356376)",
            **about,
        }


def _effect_rows(drawn: mri_model.MriDraw, about: Row) -> Iterator[Row]:
    published = constant("mri.published")
    seen = drawn.seen[drawn.patient]
    done = seen.all(axis=1)
    followed = seen[:, 1]
    sites = mri_model.region_sites()
    for site in ("head_neck", "thigh", "calf"):
        eta = published[f"eta_{site}"]
        srm = float(np.sqrt(eta / (1 - eta) * 16 / 17))
        volume = drawn.regions.volume_ml[drawn.patient][..., sites.index(site)]
        change = last_change(volume, seen)[0][followed]
        yield {
            "metric": f"SRM of volume, {site}",
            **judged(-float(change.mean() / change.std()), srm, 0.08),
            "reference": f"{KLICKOVIC}: {eta:g} read as a contrast with 1 df, n = 17: {srm:.2f}",
            **about,
        }
        small = [partial_eta2(v[d]) for v, d in _cohorts(volume, done) if d.sum() > 3]
        yield {
            "metric": f"partial eta squared of volume, {site}, median of cohorts of 20",
            **judged(float(np.median(small)), eta, 0.03),
            **spread(small),
            "reference": f"{KLICKOVIC}: {eta:g} (17 completers)",
            **about,
            "n": len(small),
        }
        population = {"value": partial_eta2(volume[done]), "reference": f"{KLICKOVIC}: {eta:g}"}
        yield {"metric": f"partial eta squared of volume, {site}, population", **population, **about}
    area = drawn.regions.area_mm2[drawn.patient][..., sites.index("hand")]
    small = [rank_effect(c[f]) for c, f in _cohorts(last_change(area, seen)[0], followed)]
    yield {
        "metric": "rank effect Z / sqrt(n) of hand area, median of cohorts of 20",
        **judged(float(np.median(small)), published["r_hand"], 0.03),
        **spread(small),
        "reference": f"{KLICKOVIC}: r_s 0.66, read as the Wilcoxon effect",
        **about,
        "n": len(small),
    }


def _correlation_rows(drawn: mri_model.MriDraw, about: Row) -> Iterator[Row]:
    published = constant("mri.published")
    seen = drawn.seen[drawn.patient]
    sites = mri_model.region_sites()
    clinical = {
        "knee extension, thigh": ("thigh", drawn.strength[drawn.patient][..., 0], published["r_knee"]),
        "plantar flexion, calf": ("calf", drawn.strength[drawn.patient][..., 1], published["r_ankle"]),
        "grip, hand": ("hand", drawn.strength[drawn.patient][..., 2], published["r_grip"]),
        "ALSFRS-R, thigh": ("thigh", drawn.alsfrs_r[drawn.patient], published["r_alsfrs_r"]),
    }
    for name, (site, values, target) in clinical.items():
        volume = last_change(drawn.regions.volume_ml[drawn.patient][..., sites.index(site)], seen)[1]
        other = last_change(values, seen)[1]
        known = seen[:, 1] & np.isfinite(other)
        found = float(np.corrcoef(volume[known], other[known])[0, 1])
        pairs = np.column_stack([volume, other])
        small = [float(np.corrcoef(p[k].T)[0, 1]) for p, k in _cohorts(pairs, known)]
        yield {
            "metric": f"correlation of relative changes, {name}",
            **judged(found, target, 0.02),
            "reference": f"{KLICKOVIC}: {target:g}",
            **about,
        }
        yield {
            "metric": f"correlation of relative changes, {name}, median of cohorts of 20",
            "value": float(np.median(small)),
            **spread(small),
            "reference": f"{KLICKOVIC}: {target:g}",
            **about,
            "n": len(small),
        }


def _cohorts(values: Floats, mask: npt.NDArray[np.bool_]) -> Iterator[tuple[Floats, npt.NDArray[np.bool_]]]:
    """Cohorts of 20 patients, one after another."""
    for start in range(0, 20 * SMALL, 20):
        yield values[start : start + 20], mask[start : start + 20]


def main() -> None:
    """Compute, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TABLE)
    out = parser.parse_known_args()[0].out
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = {"kind": "calibration", "date": day, "version": __version__}
    rows = [{"about": "als-ultrasound@1", **made, **row} for row in [*ultrasound_rows(), *shape_rows()]]
    rows += [{"about": "als-mri@1", **made, **row} for row in mri_rows()]
    frame = evidence_frame(rows)
    numbers = ["value", "low", "high"]
    frame[numbers] = frame[numbers].round(4)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_table(frame, out)
    print(frame[["metric", *numbers, "n", "reference", "criterion", "verdict"]].to_string(index=False))


if __name__ == "__main__":
    main()
