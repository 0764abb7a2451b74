"""The demo: a simulated multi-centre ALS cohort through the whole chain, into one report."""

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Volume
from myoproof.core.cohort import Cohort, make_cohort
from myoproof.core.contracts import Progress, silent
from myoproof.core.result import load_result
from myoproof.core.table import KEY, read_frame, write_table
from myoproof.evidence import agreement
from myoproof.measures import dixon
from myoproof.registry import load_module
from myoproof.workflow import folder as study_folder
from myoproof.workflow.reading import take_cohort
from myoproof.workflow.templates import EXAMPLE_SEED, simulate, write_template
from myoproof.workflow.verbs import (
    RECORD,
    DixonFiles,
    current_versions,
    mark_simulated,
    measure_dixon,
    run_study,
    shipped_evidence,
)

STUDIES = ("als-nmus-phenotypes", "als-mri-progression")
"""Ready studies that the demo runs; the others have examples of their own."""
ABOUT = ("dixon", "phenotypes", "progression", "als-mri", "als-ultrasound")
"""Methods, study kinds and cohorts whose shipped evidence the report shows; the docs have all of it."""
SCANS = 4
"""Simulated thigh scans that go through read, segment and measure."""
PACKAGES = ("myoproof", "numpy", "scipy", "pandas", "statsmodels", "numba", "nibabel", "matplotlib")


def demo(out: Path, *, threads: int = 1, seed: int = EXAMPLE_SEED, progress: Progress | None = None) -> Path:
    """Simulate, measure, study, validate and report.

    Parameters
    ----------
    out : Path
        Demo folder: new, empty or an earlier demo. It receives a study folder and ``report/``.
    threads : int
        The tables are the same for any number.
    seed : int
        The one seed.
    progress : callable, optional
        Called with what is being done and the share done.

    Returns
    -------
    Path
        The report, one self-contained HTML file.

    Raises
    ------
    NotWritable
        If the folder holds something else.
    """
    tell = progress or silent
    out = study_folder.claim(Path(out), "demo")
    study = out / "study"
    tell("simulating the cohorts", 0.0)
    scans = [
        replace(scan, truth=mark_simulated(scan.truth))
        for scan in load_module("phantoms", "dixon").demo_scans(rng=np.random.default_rng([seed, 2]), n=SCANS)
    ]
    cohort = joined([simulate(name, seed=seed) for name in STUDIES], [s.acquisition.subject for s in scans])
    take_cohort(cohort, study, act="simulate@1", inputs=(f"seed:{seed}",))
    images, measured = _measure_scans(
        scans, study, lambda share: tell("measuring thigh scans", 0.08 + 0.27 * share)
    )
    truth = pd.concat([scan.truth for scan in scans], ignore_index=True)
    evidence = agreement.check(whole_muscles(measured), truth, across="method,rater", by_site=False)
    evidence = evidence[~evidence["metric"].str.startswith("unmatched")]
    write_table(evidence, study / "evidence" / "dixon-agreement.csv")
    results = []
    for number, name in enumerate(STUDIES):
        toml = write_template(name, study / "studies" / f"{name}.toml")
        place = study / "results" / name
        told = _scaled(tell, 0.35 + 0.27 * number, 0.27)
        run_study(toml, study, place, threads=threads, amend="the demo was run again", progress=told)
        results.append(place)
    tell("writing the report", 0.92)
    writer = load_module("writers", "report")
    report = writer.Report(
        title="myoproof demo: an ALS cohort, from scans to evidence",
        simulated=True,
        results=[load_result(place) for place in results],
        evidence=pd.concat([evidence, *_claims(results), _shown_evidence()], ignore_index=True),
        images=images,
        agreement_pairs=pairs(measured, truth),
        measurements=cohort.measurements,
        provenance=_records(study, results),
        software={name: version(name) for name in PACKAGES},
        current=current_versions(),
    )
    page: Path = writer.write_bundle(report, out / "report")
    tell("done", 1.0)
    return page


def _shown_evidence() -> pd.DataFrame:
    """The evidence that ships about what the demo runs."""
    rows = shipped_evidence()
    return rows[rows["about"].str.split("@").str[0].isin(ABOUT)]


def joined(cohorts: list[Cohort], more_subjects: list[str]) -> Cohort:
    """Several cohorts as one, and subjects whose scans are still to be measured."""
    scanned = pd.DataFrame({"subject": more_subjects, "diagnosis": "simulated scan", "arm": "scan"})
    tables = ("subjects", "acquisitions", "measurements", "events", "covariates")
    stacked = {
        name: pd.concat([getattr(cohort, name) for cohort in cohorts], ignore_index=True) for name in tables
    }
    people = pd.concat([stacked["subjects"], scanned], ignore_index=True)
    return make_cohort(people, *(stacked[name] for name in tables[1:]))


def whole_muscles(measured: pd.DataFrame) -> pd.DataFrame:
    """The main rows of single sides: no slices, no sensitivity rows, no unions of sides."""
    main = measured[(measured["method"] == dixon.METHOD) & measured["side"].isin(["left", "right"])]
    return main[~main["at"].str.startswith("slice:")]


def pairs(measured: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Measured rows of whole muscles beside their true values."""
    key = [column for column in KEY if column not in ("method", "rater")]
    main = whole_muscles(measured)
    true = truth[[*key, "value"]].rename(columns={"value": "truth"})
    both = main.merge(true, on=key, how="inner")
    return both[both["value"].notna() & both["truth"].notna()].reset_index(drop=True)


def _measure_scans(
    scans: list[Any], study: Path, tell: Callable[[float], None]
) -> tuple[list[tuple[str, Path]], pd.DataFrame]:
    write = load_module("writers", "nifti").write
    images: list[tuple[str, Path]] = []
    tables = []
    for number, scan in enumerate(scans):
        tell(number / len(scans))
        acquisition = scan.acquisition
        volume = acquisition.payload
        assert isinstance(volume, Volume)
        stem = f"sub-{acquisition.subject}_ses-{acquisition.session}"
        raw = study / "raw" / f"sub-{acquisition.subject}" / f"ses-{acquisition.session}" / "dixon"
        for name, values in volume.channels.items():
            write(values, volume.affine, raw / f"{stem}_{name}.nii.gz")
        mask = study / "segmentations" / f"{stem}_desc-simulatedrater_dseg.nii.gz"
        write(scan.segmentation.labels, scan.segmentation.affine, mask)
        files = DixonFiles(
            fat=raw / f"{stem}_fat.nii.gz",
            water=raw / f"{stem}_water.nii.gz",
            segmentation=mask,
            labels="huashan11",
            subject=acquisition.subject,
            session=acquisition.session,
            rater=scan.segmentation.rater,
            run=acquisition.run,
        )
        picture = study / "delivery" / f"{stem}_qc.svg"
        rows = measure_dixon(
            files, qc=picture, options={"side_by_side": True}, into=study, finish=mark_simulated
        )
        tables.append(rows)
        images.append(
            (
                f"Thighs of {acquisition.subject}: three slices with the regions of the simulated rater",
                picture,
            )
        )
    return images, pd.concat(tables, ignore_index=True)


def _claims(results: list[Path]) -> list[pd.DataFrame]:
    return [read_frame(place / "evidence.parquet") for place in results]


def _records(study: Path, results: list[Path]) -> list[dict[str, Any]]:
    files = [study / "provenance" / f"{part}.json" for part in study_folder.active_parts(study)]
    files += [place / "provenance.json" for place in results]
    records = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return [{key: record[key] for key in RECORD} for record in records]


def _scaled(tell: Progress, start: float, width: float) -> Progress:
    return lambda what, share: tell(what, start + width * share)
