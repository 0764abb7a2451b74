"""`myoproof impute`: missing values drawn several times, and a regression pooled over the draws."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.printing import print_frame, workflow


def impute(
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")],
    out: Annotated[Path, typer.Option(help="Folder: new, empty or an earlier imputation.")],
    columns: Annotated[str, typer.Option(help="Columns, by commas; all that hold anything by default.")] = "",
    features: Annotated[str, typer.Option(help="Measures, by commas: measure/site/side.")] = "",
    completions: Annotated[int, typer.Option("-m", "--completions", min=2, help="Completed data sets.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Passes over the columns.")] = 10,
    outcome: Annotated[str, typer.Option(help="Column to regress, pooled by Rubin's rules.")] = "",
    on: Annotated[str, typer.Option(help="Terms of the regression, by commas.")] = "",
    seed: Annotated[int, typer.Option(help="The one seed.")] = 0,
) -> None:
    """Complete missing values by chained equations; the spread between completions is what is not known.

    Example: `myoproof impute --cohort study --features alsfrs_r/total --outcome alsfrs_r/total --on sex
    --out imputed`
    """
    work = workflow("impute")
    words = [[part.strip() for part in text.split(",") if part.strip()] for text in (columns, features, on)]
    question = work.Question(words[0], words[1], outcome, words[2], seed)
    missing, pooled, findings = work.impute_cohort(
        cohort, out, question=question, settings=work.Settings(m=completions, rounds=rounds)
    )
    for finding in findings:
        print(f"{finding.level}: {finding}")
    print_frame(missing, title=f"imputed {completions} times")
    if len(pooled):
        shown = pooled[pooled["analysis"] == "pooled_regression"]
        print_frame(shown[["term", "value", "se", "df", "low", "high", "p"]], title=f"{outcome}, pooled")
    print(f"completed tables: {out / 'completed.csv'}")
