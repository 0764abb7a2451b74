"""Evidence of unattended muscle ultrasound: we and each observer against observers, on the same images."""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.us_observers import ROOT, TUNING, observers
from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.measures.architecture import METHOD, METHOD_VERSION
from myoproof.numerics.icc import icc_value
from myoproof.segmentation.muscle_us import RATER
from myoproof.workflow.ultrasound_many import measure_images

OUT = Path(__file__).resolve().parents[1] / "src" / "myoproof" / "evidence" / "tables" / "ultrasound.csv"
CACHE = Path(tempfile.gettempdir()) / "myoproof-calibrate-ultrasound"
MUSCLES = {1: "vastus_lateralis", 3: "gastrocnemius_medialis"}
GROSS = 0.10
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """One measure, its column in the observers' sheets, and what it should reach."""

    measure: str
    column: str
    unit: str
    relative: bool
    error_at_most: dict[int, float]


TARGETS = (
    Target("thickness_deep_end", "thickness", "px", True, {}),
    Target("fascicle_angle", "fascicle_angle", "deg", False, {1: 1.9, 3: 1.4}),
    Target("aponeurosis_angle", "aponeurosis_angle", "deg", False, {}),
)
BIAS_BELOW = {"fascicle_angle": 0.5}


@dataclass(frozen=True, slots=True)
class Group:
    """Images that are judged together."""

    name: str
    dataset: int
    subjects: tuple[str, ...]
    judged: bool


def groups(sheet: pd.DataFrame) -> list[Group]:
    """Sets as wholes, and set 1 by people on whom constants were set and people nobody looked at before."""
    everyone = sorted(sheet.loc[sheet["dataset"] == 1, "subject"].unique())
    test = tuple(person for person in everyone if person not in TUNING)
    return [
        Group("us_muscle set 1, vastus lateralis, GE, 9 people (S1-S5 tuning)", 1, (), True),
        Group(f"us_muscle set 1, test people {', '.join(test)}", 1, test, True),
        Group("us_muscle set 1, tuning people S1-S5", 1, TUNING, False),
        Group("us_muscle set 3, gastrocnemius medialis, Telemed, one person (test)", 3, (), True),
    ]


def ours(dataset: int) -> pd.DataFrame:
    """Values by image (rows) and measure (columns), NaN where refused; kept for the next who asks."""
    CACHE.mkdir(exist_ok=True)
    kept = CACHE / f"set{dataset}-{RATER}-{METHOD}@{METHOD_VERSION}.csv"
    look = {"muscle": MUSCLES[dataset], "pixels_only": True}
    if not kept.exists():
        done = measure_images([ROOT / f"dataset {dataset}"], look)
        rows = done.rows[(done.rows["at"] == "") & done.rows["measure"].isin([t.measure for t in TARGETS])]
        wide = rows.pivot_table(index="run", columns="measure", values="value", dropna=False, observed=True)
        wide.reindex(sorted(set(done.rows["run"]))).to_csv(kept)
    return pd.read_csv(kept, index_col="run")


def side_by_side(sheet: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Images in rows: dataset, subject, one column an observer, and ours."""
    sheet = sheet.assign(run=[path.stem for path in sheet["image"]])
    tables = []
    for dataset in MUSCLES:
        here = sheet[sheet["dataset"] == dataset]
        marks = here.pivot_table(index="run", columns="observer", values=target.column)
        marks.columns = [f"observer {k + 1}" for k in range(marks.shape[1])]
        marks["ours"] = ours(dataset)[target.measure].reindex(marks.index)
        subjects = here.drop_duplicates("run").set_index("run")["subject"].reindex(marks.index)
        tables.append(marks.assign(dataset=dataset, subject=subjects))
    return pd.concat(tables)


def agreement(value: Numbers, truth: Numbers, *, relative: bool) -> dict[str, float]:
    """Mean error, bias, ICC (A,1) and share of gross errors of one rater against a truth."""
    error = value - truth
    told = {
        "mean error": float(np.abs(error).mean()),
        "bias": float(error.mean()),
        "ICC(A,1)": float(icc_value(np.stack([value, truth], axis=1))),
    }
    if relative:
        told["share of errors above 10 %"] = float((np.abs(error) > GROSS * np.abs(truth)).mean())
    return told


def judged(table: pd.DataFrame, group: Group, target: Target) -> Iterator[dict[str, object]]:
    """Evidence rows of one measure in one group of images."""
    here = table[table["dataset"] == group.dataset]
    if group.subjects:
        here = here[here["subject"].isin(group.subjects)]
    names = [name for name in here.columns if name.startswith("observer")]
    seen = here.dropna(subset=["ours"])
    marks, mine = seen[names].to_numpy(float), seen["ours"].to_numpy(float)
    people = {
        name: agreement(marks[:, k], np.median(np.delete(marks, k, axis=1), axis=1), relative=target.relative)
        for k, name in enumerate(names)
    }
    pairs = [(a, b) for a in range(len(names)) for b in range(a)]
    between = float(np.mean([np.abs(marks[:, a] - marks[:, b]).mean() for a, b in pairs]))
    found = agreement(mine, np.median(marks, axis=1), relative=target.relative)
    base = {"kind": "agreement", "n": len(seen), "population": group.name}
    refused = 1 - len(seen) / len(here)
    yield _row(
        base | {"n": len(here)},
        f"{target.measure}: share refused",
        refused,
        "at most 0.10",
        refused <= 0.10,
        group,
    )
    limits = {
        "mean error": (between, f"at most the observers' mean difference, {between:.3g}"),
        "ICC(A,1)": (
            max(p["ICC(A,1)"] for p in people.values()),
            "at least the best observer's with the others",
        ),
        "share of errors above 10 %": (
            min(p.get("share of errors above 10 %", np.nan) for p in people.values()),
            "at most the best observer's against the others",
        ),
    }
    if group.dataset in target.error_at_most:
        most = target.error_at_most[group.dataset]
        limits["mean error"] = (most, f"at most {most} {target.unit}")
        del limits["ICC(A,1)"]
    if target.measure in BIAS_BELOW:
        limits["bias"] = (BIAS_BELOW[target.measure], f"below {BIAS_BELOW[target.measure]} {target.unit}")
    reference = "median of three observers"
    for name, value in found.items():
        limit, text = limits.get(name, (np.nan, ""))
        passed = value >= limit if name.startswith("ICC") else abs(value) <= limit
        metric = f"{target.measure}: {name}" + (f", {target.unit}" if name in {"mean error", "bias"} else "")
        told = text + (f" ({limit:.3g})" if "best" in text else "")
        yield _row(base | {"reference": reference}, metric, value, told, passed, group)
    yield _row(
        base, f"{target.measure}: observers' mean difference, {target.unit}", between, "", False, group
    )
    for person, values in people.items():
        for name, value in values.items():
            metric = f"{target.measure}: {person}, {name}"
            yield _row(base | {"reference": "median of the other two"}, metric, value, "", False, group)


def _row(
    base: dict[str, object], metric: str, value: float, criterion: str, passed: bool, group: Group
) -> dict[str, object]:
    verdict = (
        {"criterion": criterion, "verdict": "pass" if passed else "fail"}
        if criterion and group.judged
        else {}
    )
    return base | {"metric": metric, "value": round(value, 4)} | verdict


def main() -> None:
    """Write the table that ships."""
    sheet = observers()
    rows = []
    for target in TARGETS:
        table = side_by_side(sheet, target)
        for group in groups(sheet):
            rows += list(judged(table, group, target))
    stamp = {
        "about": f"{METHOD}@{METHOD_VERSION}",
        "version": __version__,
        "date": str(np.datetime64("today")),
    }
    evidence = evidence_frame([stamp | row for row in rows])
    evidence.to_csv(OUT, index=False, lineterminator="\n")
    shown = evidence[~evidence["metric"].str.contains("observer [0-9]")]
    print(shown[["population", "metric", "value", "criterion", "verdict"]].to_string())


if __name__ == "__main__":
    sys.exit(main())
