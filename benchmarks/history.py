"""The history of a benchmark: one CSV line a run, with the machine it ran on."""

import csv
import datetime
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from myoproof import __version__

FOLDER = Path(__file__).parent / "history"


def machine() -> str:
    """Processor model and cores, as far as the system tells."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {os.cpu_count()} cores"


def append(name: str, record: Mapping[str, object]) -> None:
    """Print a record and append it to ``history/NAME.csv``."""
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    line = {"date": day, "version": __version__, "machine": machine(), **record}
    for key, value in line.items():
        print(f"{key:28s} {value}")
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.csv"
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(line), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow(line)
