"""What calibration programs share: rows stamped, printed and written as the table that ships."""

import argparse
import datetime
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from myoproof import __version__
from myoproof.core.evidence import evidence_frame
from myoproof.core.table import write_table

NUMBERS = ["value", "low", "high"]


def four_decimals(value: float) -> float:
    """Rounded to four decimals."""
    return float(np.round(value, 4))


def write(
    rows: Callable[[], Iterable[Mapping[str, Any]]],
    *,
    about: str,
    table: Path,
    digits: Callable[[float], float] = four_decimals,
) -> None:
    """Compute, print and write calibration rows; ``--out`` names another file.

    Parameters
    ----------
    rows : callable
        Makes the evidence rows; called once the command line is read.
    about : str
        ``method@version``.
    table : Path
        The table that ships.
    digits : callable
        How numbers are rounded.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=table)
    out = parser.parse_known_args()[0].out
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = {"about": about, "kind": "calibration", "date": day, "version": __version__}
    frame = evidence_frame([{**made, **row} for row in rows()])
    frame[NUMBERS] = frame[NUMBERS].map(digits)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_table(frame, out)
    print(frame[["metric", *NUMBERS, "n", "criterion", "verdict"]].to_string(index=False))
