"""`myoproof study`: run a study that was written down before the answer."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.options import CORES, Threads
from myoproof.cli.printing import print_frame, workflow
from myoproof.cli.printing import progress as progress_bar

commands = typer.Typer(no_args_is_help=True, help="Run a study that was written down before the answer.")


@commands.command("run")
def study_run(
    study: Annotated[Path, typer.Argument(help="Study TOML.")],
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")],
    out: Annotated[Path, typer.Option(help="Result folder: new, empty or an earlier result.")],
    threads: Threads = CORES,
    amend: Annotated[
        str, typer.Option(help="Why a changed study or moved numbers may replace the answer that stands.")
    ] = "",
) -> None:
    """Run a study on a cohort; save estimates, predictions and the evidence for its claims.

    An answer stands once it is given: the same study again must give the same numbers, or the run fails with
    the difference. A changed study, or changed rows, replace it only with `--amend "why"`, which is kept.
    """
    verbs = workflow("verbs")
    with progress_bar() as progress:
        result = verbs.run_study(study, cohort, out, threads=threads, amend=amend, progress=progress)
    print(f"{len(result.estimates)} estimates, {len(result.predictions)} predictions: {out}")
    print(f"next: myoproof deliver {out}")


@commands.command("null")
def study_null(
    study: Annotated[Path, typer.Argument(help="Study TOML.")],
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the page and tables: new, empty or an earlier null run.")
    ],
    cohorts: Annotated[int, typer.Option(help="How many null cohorts.")] = 20,
    threads: Threads = CORES,
) -> None:
    """Run the whole study where there is nothing to find, and show what it would have found there.

    Phenotypes: features drawn from the study's null. Progression: each subject's whole change gets a sign by
    chance, or arm labels are dealt out anew. Design: no effect.
    """
    nulls = workflow("study_null")
    with progress_bar() as progress:
        run = nulls.run_null(study, cohort, out, replicates=cohorts, threads=threads, progress=progress)
    columns = ["analysis", "tests", "found_really", "found_under_null", "share_of_cohorts"]
    print_frame(run.summary[columns], title=f"findings where there is nothing: {run.what}")
    print(f"page: {out / 'null.html'}")


@commands.command("assign")
def study_assign(
    result: Annotated[Path, typer.Argument(help="Result folder of a phenotype study.")],
    cohort: Annotated[Path, typer.Option(help="New patients: study folder, or folder of plain CSVs.")],
    out: Annotated[Path, typer.Option(help="Prediction rows (CSV or Parquet).")],
) -> None:
    """Put new patients into the groups and on the severity axis of a study, or abstain.

    A patient far from the study's own, on a device it did not know, or with too few features gets an empty
    value with its reason.
    """
    verbs = workflow("verbs")
    rows = verbs.assign_patients(result, cohort, out)
    print(f"{rows['subject'].nunique()} patients, {(rows['support'] == 'outside').sum()} abstentions: {out}")


@commands.command("template")
def study_template(
    name: Annotated[str, typer.Argument(help="A template of `myoproof study list`.")],
    out: Annotated[Path | None, typer.Option(help="Write the TOML here instead of printing it.")] = None,
    example: Annotated[
        Path | None, typer.Option(help="Write a filled set that runs (simulated cohort).")
    ] = None,
) -> None:
    """A ready study: print it, write it, or write it with a simulated cohort that runs."""
    templates = workflow("templates")
    if example is not None:
        written = templates.write_example(name, example)
        print(f"next: myoproof study run {written} --cohort {example / 'cohort'} --out {example / 'result'}")
    elif out is not None:
        print(templates.write_template(name, out))
    else:
        print(templates.template(name).text, end="")


@commands.command("list")
def study_list() -> None:
    """The ready studies."""
    for template in workflow("templates").TEMPLATES.values():
        print(f"{template.name:24s} {template.title}")
