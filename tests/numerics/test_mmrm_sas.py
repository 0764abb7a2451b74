"""The mixed model for repeated measures against every shipped listing of SAS PROC MIXED, read at test time."""

import functools
import math
import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import rdata
from tests.numerics.sas_listings import Listing, read_listings

from myoproof.numerics.mmrm import Mmrm, fit_mmrm
from myoproof.numerics.mmrm_inference import DfMethod, Estimate, estimate, infer, joint_test
from myoproof.numerics.mmrm_kenward import adjustment
from myoproof.numerics.mmrm_layout import Observations
from myoproof.numerics.mmrm_structures import Name

pytestmark = pytest.mark.real_data
Floats = npt.NDArray[np.float64]
STRUCTURES: dict[str, Name] = {
    "Unstructured": "UN",
    "Compound Symmetry": "CS",
    "Heterogeneous Compound": "CSH",
    "Autoregressive": "AR1",
    "Heterogeneous": "ARH1",
    "Toeplitz": "TOEP",
    "Heterogeneous Toeplitz": "TOEPH",
    "Ante-dependence": "ANTE",
    "Spatial Exponential": "SP_EXP",
    "Spatial Gaussian": "SP_GAU",
    "Spatial Power": "SP_POW",
}
UNUSED = {"sas_resid_un_weighted"}
"""Its weights are not in fev_data."""


@functools.cache
def fev(folder: Path) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame: pd.DataFrame = rdata.read_rda(folder / "stats_mmrm" / "fev_data.rda")["fev_data"]
    text = {name: frame[name].astype(str) for name in ("USUBJID", "AVISIT", "ARMCD", "RACE", "SEX")}
    return frame.assign(**text)[frame["FEV1"].notna()].reset_index(drop=True)


@functools.cache
def listings(folder: Path) -> list[Listing]:
    files = sorted((folder / "stats_mmrm" / "SAS").iterdir())
    return [one for file in files for one in read_listings(file)]


def column(frame: pd.DataFrame, label: str) -> Floats:
    """The column that a row of SAS's solution belongs to: an effect and the levels it stands for."""
    if label == "Intercept":
        return np.ones(len(frame))
    effect, _, levels = label.partition(" ")
    found = frame[effect.split("*")].agg(" ".join, axis=1)
    return np.asarray(found == re.sub(r"\s+", " ", levels), dtype=np.float64)


def solution(listing: Listing) -> list[tuple[str, list[float]]]:
    rows = [(re.sub(r"\s+", " ", words), numbers) for words, numbers in listing.effects]
    return [(words, numbers) for words, numbers in rows if len(numbers) > 1 and not math.isnan(numbers[1])]


def observations(listing: Listing, frame: pd.DataFrame, labels: list[str]) -> Observations:
    two = listing.name.startswith(("sas_sp_exp2", "sas_sp_gau2", "sas_sp_gau_kr"))
    places = ["VISITN", "VISITN2"] if two else ["VISITN"]
    order = listing.visits if len(listing.visits) == 4 else ["VIS1", "VIS2", "VIS3", "VIS4"]
    spatial = listing.structure.startswith("Spatial")
    return Observations(
        values=frame["FEV1"].to_numpy(dtype=np.float64),
        design=np.column_stack([column(frame, label) for label in labels]),
        subjects=frame["USUBJID"].to_numpy(),
        visits=frame["AVISIT"].map(order.index).to_numpy(dtype=np.intp),
        groups=frame["ARMCD"].to_numpy() if listing.group else None,
        weights=frame["WEIGHT"].to_numpy() if "weighted" in listing.name else None,
        coordinates=frame[places].to_numpy(dtype=np.float64) if spatial else None,
    )


def parameters(listing: Listing) -> Floats:
    """SAS's printed covariance parameters in our order."""
    groups = list(dict.fromkeys(group for _, group, _ in listing.parameters))
    found: list[float] = []
    for group in groups if listing.group else [None]:
        own = [(name, float(text)) for name, g, text in listing.parameters if group in (None, g)]
        if STRUCTURES[listing.structure] == "CS":
            values = dict(own)
            within = values.get("Residual", values.get("Variance", math.nan))
            found += [values["CS"] + within, values["CS"]]
            continue
        variances = [value for name, value in own if name.startswith(("Var", "Residual"))]
        found += variances + [value for name, value in own if not name.startswith(("Var", "Residual"))]
    return np.array(found)


def usable(folder: Path) -> list[tuple[Listing, Observations, list[list[float]]]]:
    found = []
    for listing in listings(folder):
        rows = solution(listing)
        if rows and listing.name not in UNUSED:
            seen = observations(listing, fev(folder), [words for words, _ in rows])
            found.append((listing, seen, [numbers for _, numbers in rows]))
    return found


def estimates(fit: Mmrm, listing: Listing) -> list[Estimate]:
    method: DfMethod = "kenward_roger" if "Kenward" in listing.df_method else "satterthwaite"
    return [estimate(infer(fit, method), row) for row in np.eye(fit.layout.alias.shape[1])]


def test_all_listings_are_read(data_folder: Path) -> None:
    read = listings(data_folder)
    assert len(read) == 53
    assert len(usable(data_folder)) == 48
    assert {STRUCTURES[one.structure] for one in read} == set(STRUCTURES.values())


def test_at_the_covariances_that_sas_prints(data_folder: Path) -> None:
    """Fixed effects and SE to 1e-4, df to 0.5, deviance to 1e-6: what one model says is what the other says."""
    for listing, seen, printed in usable(data_folder):
        name = STRUCTURES[listing.structure]
        fit = fit_mmrm(seen, structure_name=name, method=listing.method, theta=parameters(listing))  # type: ignore[arg-type]
        assert fit.deviance == pytest.approx(listing.deviance, rel=1e-6), listing.name
        found = estimates(fit, listing)
        np.testing.assert_allclose([one.value for one in found], [row[0] for row in printed], atol=1e-4)
        ses = [one.se for one in found]
        if listing.se_method.startswith("Prasad"):
            ses = list(np.sqrt(np.diag(adjustment(fit, second_order=False).covariance)))
        np.testing.assert_allclose(ses, [row[1] for row in printed], atol=1e-4, err_msg=listing.name)
        if listing.name != "sas_weighted":
            dfs = [row[2] for row in printed]
            np.testing.assert_allclose([one.df for one in found], dfs, atol=0.52, err_msg=listing.name)


def test_our_own_search_ends_no_higher(data_folder: Path) -> None:
    """SAS stops at a relative criterion of 1e-8, so its numbers lie up to 1e-3 from the minimum; ours do not."""
    for listing, seen, printed in usable(data_folder):
        fit = fit_mmrm(seen, structure_name=STRUCTURES[listing.structure], method=listing.method)  # type: ignore[arg-type]
        assert fit.converged, listing.name
        assert fit.deviance <= listing.deviance + 1e-7, listing.name
        assert fit.deviance == pytest.approx(listing.deviance, rel=1e-8), listing.name
        found = estimates(fit, listing)
        np.testing.assert_allclose([one.value for one in found], [row[0] for row in printed], atol=1e-3)
        np.testing.assert_allclose([one.se for one in found], [row[1] for row in printed], atol=1.3e-3)
        theta, sas = fit.theta, parameters(listing)
        spread = np.sqrt(np.diag(fit.theta_covariance))
        assert np.abs((theta - sas) / spread).max() < 4e-3, listing.name


def test_type_three_tests_means_and_differences(data_folder: Path) -> None:
    listing = next(one for one in listings(data_folder) if one.name == "sas_log_reml")
    rows = solution(listing)
    labels = [words for words, _ in rows]
    fit = fit_mmrm(observations(listing, fev(data_folder), labels), theta=parameters(listing))
    judged = infer(fit)
    visits, arms = ["VIS2", "VIS3", "VIS4", "VIS1"], ["TRT", "PBO"]

    def mean(visit: str, arm: str) -> Floats:
        """Over a balanced grid of race and sex, as SAS LSMEANS has it."""
        fixed = {"Intercept": 1.0, "RACE": 1 / 3, "SEX": 1 / 2}
        row = np.zeros(len(labels))
        for place, label in enumerate(labels):
            effect, _, levels = label.partition(" ")
            on = {"ARMCD": arm, "AVISIT": visit, "AVISIT*ARMCD": f"{visit} {arm}"}
            row[place] = fixed[effect] if effect in fixed else float(on[effect] == levels)
        return row

    means = {(visit, arm): mean(visit, arm) for visit in visits for arm in arms}
    assert len(listing.means) == 8
    for words, numbers in listing.means:
        visit, arm = words.split()[-2:]
        found = estimate(judged, means[visit, arm])
        np.testing.assert_allclose([found.value, found.se], numbers[:2], atol=1e-4)
        assert found.df == pytest.approx(numbers[2], abs=0.52)
        np.testing.assert_allclose([found.low, found.high], numbers[-2:], atol=2e-3)
    assert len(listing.differences) == 28
    for words, numbers in listing.differences:
        *_, visit, arm, other_visit, other_arm = words.split()
        found = estimate(judged, means[visit, arm] - means[other_visit, other_arm])
        np.testing.assert_allclose([found.value, found.se], numbers[:2], atol=1e-4)
        assert found.df == pytest.approx(numbers[2], abs=0.52)
    tests = {words: numbers for words, numbers in listing.tests}
    cells = {arm: np.mean([means[visit, arm] for visit in visits], axis=0) for arm in arms}
    over = {visit: np.mean([means[visit, arm] for arm in arms], axis=0) for visit in visits}
    hypotheses = {
        "ARMCD": [cells["TRT"] - cells["PBO"]],
        "AVISIT": [over[visit] - over["VIS1"] for visit in visits[:3]],
        "AVISIT*ARMCD": [
            means[visit, "TRT"] - means[visit, "PBO"] - means["VIS1", "TRT"] + means["VIS1", "PBO"]
            for visit in visits[:3]
        ],
        "RACE": [np.eye(len(labels))[place] for place, label in enumerate(labels) if "RACE" in label],
        "SEX": [np.eye(len(labels))[place] for place, label in enumerate(labels) if "SEX" in label],
    }
    for effect, combinations in hypotheses.items():
        found_test = joint_test(judged, np.array(combinations))
        assert found_test.numerator_df == tests[effect][0]
        assert found_test.denominator_df == pytest.approx(tests[effect][1], abs=0.55), effect
        assert found_test.statistic == pytest.approx(tests[effect][3], abs=6e-3), effect


def test_kenward_roger_against_the_values_of_sas(data_folder: Path) -> None:
    frame, stored = fev(data_folder), kenward_values()
    for name, (full, first_order, df) in stored.items():
        seen = Observations(
            values=frame["FEV1"].to_numpy(dtype=np.float64),
            design=np.column_stack([np.ones(len(frame)), frame["ARMCD"] == "TRT"]).astype(np.float64),
            subjects=frame["USUBJID"].to_numpy(),
            visits=frame["AVISIT"].str[-1].astype(int).to_numpy() - 1,
            coordinates=frame[["VISITN", "VISITN2"]].to_numpy(dtype=np.float64),
        )
        fit = fit_mmrm(seen, structure_name=name)
        arm = estimate(infer(fit, "kenward_roger"), np.array([0.0, 1.0]))
        plain = math.sqrt(adjustment(fit, second_order=False).covariance[1, 1])
        assert arm.se == pytest.approx(full, abs=1e-4), name
        assert plain == pytest.approx(first_order, abs=1e-4), name
        assert arm.df == pytest.approx(df, abs=0.1), name


def kenward_values() -> dict[Name, list[float]]:
    text = (Path(__file__).parents[1] / "reference" / "mmrm.toml").read_text(encoding="utf-8")
    found: dict[Name, list[float]] = tomllib.loads(text)["sas_kenward_roger"]
    return found


def test_what_sas_could_not_fit_is_refused_by_name(data_folder: Path) -> None:
    frame = fev(data_folder)
    frame = frame[frame["USUBJID"].isin([f"PT{number}" for number in range(1, 14)])]
    full = next(one for one in listings(data_folder) if one.name == "sas_log_reml")
    labels = [words for words, _ in solution(full)]
    failed = [one for one in listings(data_folder) if one.failed]
    assert len(failed) == 2
    for listing in failed:
        fit = fit_mmrm(observations(listing, frame, labels), method=listing.method)  # type: ignore[arg-type]
        assert fit.failure == "singular_covariance", listing.name
        with pytest.raises(ValueError, match="singular"):
            infer(fit)


def test_bcva_has_ten_visits(data_folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = rdata.read_rda(data_folder / "stats_mmrm" / "bcva_data.rda")["bcva_data"]
    frame = frame[frame["BCVA_CHG"].notna()]
    visit = frame["VISITN"].to_numpy(dtype=np.intp) - 1
    steps, active = np.eye(10)[visit], (frame["ARMCD"] == "TRT").to_numpy(dtype=np.float64)
    rest = [frame["BCVA_BL"].to_numpy(), *(frame["RACE"] == race for race in ("Black", "White"))]
    design = np.column_stack([steps, steps * active[:, None], *rest]).astype(np.float64)
    fit = fit_mmrm(
        Observations(frame["BCVA_CHG"].to_numpy(), design, frame["USUBJID"].astype(str).to_numpy(), visit)
    )
    assert fit.converged
    assert fit.theta.size == 55
    last = estimate(infer(fit), np.eye(design.shape[1])[19])
    assert 0 < last.se < 1
    assert last.df > 500
