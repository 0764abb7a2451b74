"""The flow of an import: patients in the manner of CONSORT, rows of each form, every rule, as SVG and CSV."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from myoproof.core.atomic import atomic_path
from myoproof.core.result import estimates_frame
from myoproof.core.table import write_table
from myoproof.delivery.figures import Drawing
from myoproof.delivery.flow import flow_drawing


def write(tables: Mapping[str, pd.DataFrame], out: Path, *, simulated: bool = False) -> list[Path]:
    """Write the report of an import.

    Parameters
    ----------
    tables : mapping
        ``flow`` (step, patients, reason), ``forms`` (form, step, rows), ``rules`` and ``stages``.
    out : Path
        Folder; made where absent.
    simulated : bool
        Whether the data are simulated.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    paths = []
    for name, frame in tables.items():
        write_table(frame, out / f"{name}.csv")
        paths.append(out / f"{name}.csv")
    drawing = patients(tables["flow"], simulated=simulated)
    if drawing is not None:
        paths.append(out / "flow.svg")
        with atomic_path(paths[-1]) as temporary:
            temporary.write_text(drawing.svg, encoding="utf-8")
    return paths


def patients(flow: pd.DataFrame, *, simulated: bool) -> Drawing | None:
    """Patients at every step, and why the others are not there.

    Parameters
    ----------
    flow : DataFrame
        step, patients, reason.
    simulated : bool
        Whether the data are simulated.
    """
    rows = [
        {"analysis": "flow", "term": row["step"], "value": float(row["patients"]), "group": row["reason"]}
        for row in flow.to_dict("records")
    ]
    return flow_drawing(estimates_frame(rows), key="import", simulated=simulated, title="Patients imported")
