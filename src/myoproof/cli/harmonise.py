"""`myoproof harmonise`: site differences learnt from one set of subjects and taken out of rows."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli import harmonise_devices
from myoproof.cli.options import Into
from myoproof.cli.printing import print_frame, workflow

commands = typer.Typer(
    no_args_is_help=True, help="Take differences between sites or devices out of rows (ComBat)."
)
commands.add_typer(harmonise_devices.commands, name="devices")
Cohort = Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")]
Rows = Annotated[Path | None, typer.Option(help="Rows (CSV or Parquet) instead of the cohort's own.")]


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@commands.command("fit")
def fit(
    cohort: Cohort,
    out: Annotated[Path, typer.Option(help="The model, as JSON.")],
    site: Annotated[str, typer.Option(help="What is harmonised over: centre or device.")] = "centre",
    preserve: Annotated[
        str, typer.Option(help="Columns whose effects are kept, by commas: age_years,sex,diagnosis.")
    ] = "",
    modality: Annotated[str, typer.Option(help="Modalities, by commas; all by default.")] = "",
    session: Annotated[str, typer.Option(help="Visit to learn from; each subject's first by default.")] = "",
    reference: Annotated[str, typer.Option(help="Site whose values stay as they are.")] = "",
    non_parametric: Annotated[
        bool, typer.Option("--non-parametric", help="Priors from the features themselves.")
    ] = False,
    no_bayes: Annotated[
        bool, typer.Option("--no-bayes", help="Site estimates as they are, not drawn together.")
    ] = False,
    mean_only: Annotated[bool, typer.Option("--mean-only", help="Location alone, no scale.")] = False,
    allow_unbalanced: Annotated[
        bool,
        typer.Option(
            "--allow-unbalanced", help="Go on where diagnosis or arm differs by site and is not kept."
        ),
    ] = False,
    rows: Rows = None,
) -> None:
    """Learn site effects; refuses where site and diagnosis cannot be told apart.

    Example: `myoproof harmonise fit --cohort study --site device --preserve age_years,sex --out combat.json`
    """
    work = workflow("harmonise")
    params = work.params_of(
        site,
        _words(preserve),
        _words(modality),
        session,
        variant=(not non_parametric, not no_bayes, mean_only, reference),
        allow_unbalanced=allow_unbalanced,
    )
    model, findings = work.fit_model(cohort, out, params=params, rows_path=rows)
    for finding in findings:
        print(f"{finding.level}: {finding}")
    print_frame(work.summary(model), title=f"ComBat over {site}")
    print(f"next: myoproof harmonise apply {out} --cohort {cohort} --out harmonised.csv")


@commands.command("apply")
def apply(
    model: Annotated[Path, typer.Argument(help="A model that `harmonise fit` wrote.")],
    cohort: Cohort,
    out: Annotated[Path, typer.Option(help="Rows: .csv or .parquet; their method ends in :combat.")],
    figure: Annotated[Path | None, typer.Option(help="Before/after figure (SVG).")] = None,
    evidence: Annotated[Path | None, typer.Option(help="Evidence rows (CSV).")] = None,
    into: Into = None,
    rows: Rows = None,
) -> None:
    """Take learnt site effects out of rows; a site the model has not seen is refused.

    Example: `myoproof harmonise apply combat.json --cohort study --out rows.csv --figure change.svg`
    """
    done = workflow("harmonise").apply_model(
        model, cohort, out, rows_path=rows, figure=figure, evidence=evidence, into=into
    )
    for finding in done.findings:
        print(f"{finding.level}: {finding}")
    print_frame(done.evidence[["metric", "value", "low", "high", "n", "verdict"]])
    print(f"{len(done.rows)} rows: {', '.join(str(path) for path in done.written)}")
