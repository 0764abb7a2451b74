"""`myoproof norms`: norms learnt from controls, and rows held against them as z-scores."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import Into
from myoproof.cli.printing import print_frame, workflow

commands = typer.Typer(no_args_is_help=True, help="Norms of controls, and z-scores with their uncertainty.")
Cohort = Annotated[
    Path, typer.Argument(help="Study folder, or folder of plain CSVs (subjects, acquisitions, measurements).")
]
Rows = Annotated[Path | None, typer.Option(help="Rows (CSV or Parquet) instead of the cohort's own.")]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@commands.command("fit")
def fit(
    cohort: Cohort,
    out: Annotated[Path, typer.Option(help="The norm file, JSON.")],
    terms: Annotated[
        str,
        typer.Option(
            help="Covariates by commas: age_years, age_years^2, log(weight_kg), height_cm, sex, side."
        ),
    ] = "age_years,sex",
    measures: Annotated[str, typer.Option(help="Measures by commas; all that have a z by default.")] = "",
    methods: Annotated[
        str, typer.Option(help="Methods by commas, such as echogenicity:whole; all by default.")
    ] = "",
    controls: Annotated[
        str, typer.Option(help="COLUMN=WORD of the subjects table; empty: everybody.")
    ] = "arm=control",
    log: Annotated[bool, typer.Option("--log", help="Logarithm of the value.")] = False,
    gain_sd_db: Annotated[
        str, typer.Option(help="How far the gain strays (SD, dB): 1.5, or DEVICE=1.5,OTHER=1.")
    ] = "",
    dynamic_range_db: Annotated[
        str, typer.Option(help="Dynamic range of the grey scale (dB), likewise.")
    ] = "",
    fewest: Annotated[int, typer.Option(min=4, help="Fewer controls give no norm.")] = 20,
    title: Annotated[str, typer.Option(help="Title kept in the file.")] = "",
    source: Annotated[str, typer.Option(help="Whose controls, kept in the file.")] = "",
    checks: Annotated[Path | None, typer.Option(help="Fit checks (CSV).")] = None,
    rows: Rows = None,
) -> None:
    """Learn norms from controls: a regression per measure, muscle, view, rule, device and preset.

    Example: `myoproof norms fit controls --terms age_years,sex,weight_kg --out norms.json`
    """
    work = workflow("norms")
    column, _, word = controls.partition("=")
    params = work.zscores_fit.Params(
        measures=_words(measures),
        methods=_words(methods),
        terms=_words(terms),
        log=log,
        controls={column.strip(): word.strip()} if controls.strip() else {},
        gain_sd_db=work.device_numbers(gain_sd_db, "--gain-sd-db"),
        dynamic_range_db=work.device_numbers(dynamic_range_db, "--dynamic-range-db"),
        fewest=fewest,
        title=title,
        source=source,
    )
    learnt = work.fit_norms(cohort, out, params=params, rows_path=rows, checks=checks)
    print_frame(work.norm_frame(learnt.file), title="norms")
    print_frame(work.shown(learnt.checks), title="checks (z of controls left out in turn)")
    for finding in work.file_findings(learnt):
        print(f"{finding.level}: {finding}")
    print(f"next: myoproof norms apply {out} --cohort STUDY --out zscores.csv")


@commands.command("apply")
def apply(
    norms: Annotated[list[Path], typer.Argument(help="Norm files.")],
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")],
    out: Annotated[Path, typer.Option(help="Rows: .csv or .parquet.")],
    gain_sd_db: Annotated[
        float | None, typer.Option(help="How far the gain strays (SD, dB), instead of what the norms state.")
    ] = None,
    into: Into = None,
    rows: Rows = None,
) -> None:
    """Hold rows against norms; a device or preset without a norm has no z.

    Example: `myoproof norms apply norms.json --cohort study --out zscores.csv`
    """
    done = workflow("norms").apply_norms(norms, cohort, out, rows_path=rows, gain_sd_db=gain_sd_db, into=into)
    print_frame(done.summary, title="z-scores")
    print(f"{len(done.rows)} rows: {out}")
