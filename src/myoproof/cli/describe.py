"""`myoproof describe`: Table 1, flow, missing values, visits, balance and plots of a cohort."""

from pathlib import Path
from typing import Annotated

import typer

from myoproof.cli.printing import print_frame, workflow


def describe(
    cohort: Annotated[Path, typer.Option(help="Study folder, or folder of plain CSVs.")],
    out: Annotated[Path, typer.Option(help="Folder for the page, its SVG figures and CSV tables.")],
    by: Annotated[str, typer.Option(help="Column that makes the groups: arm, sex, centre ...")] = "arm",
    clusters: Annotated[
        Path | None, typer.Option(help="Result of a phenotype study: its clusters are the groups.")
    ] = None,
    columns: Annotated[str, typer.Option(help="Variables of Table 1, by commas; all by default.")] = "",
    features: Annotated[
        str, typer.Option(help="Measures, by commas: measure/site/side; a few by default.")
    ] = "",
    window: Annotated[
        float, typer.Option(min=0, help="Days around its nominal month within which a visit is on time.")
    ] = 30.0,
) -> None:
    """Describe a cohort: Table 1, who took part, what is missing, when and where, and every measure.

    Example: `myoproof describe --cohort study --by arm --out description`
    """
    words = [[part.strip() for part in text.split(",") if part.strip()] for text in (columns, features)]
    page, table = workflow("describe").describe_cohort(
        cohort, out, by=by, columns=words[0], features=words[1], clusters=clusters, window_days=window
    )
    shown = table[table["group"] == "all"]
    print_frame(shown[["variable", "level", "n", "missing", "mean", "sd", "count", "difference"]])
    print(f"report: {page}")
