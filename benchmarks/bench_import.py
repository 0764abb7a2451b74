"""How long a registry of 1,000 to 100,000 patients with 10 visits takes to Parquet, and its memory."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.history import append
from myoproof.numerics import encals
from myoproof.phantoms.proact import ProactParams, export, write

FORMS = ("DEMOGRAPHICS", "ALSHISTORY", "ALSFRS", "FVC", "VITALSIGNS")
VISITS = 10
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
THREADS = 2
PATIENTS = 100_000

CODE = """
import sys
from pathlib import Path
from myoproof.workflow.importing import Settings, run
settings = Settings(out=Path(sys.argv[2]), go_on=True, threads=int(sys.argv[3]))
found = run("proact", Path(sys.argv[1]), settings)
assert found.act
"""


def once(patients: int, folder: Path) -> dict[str, float]:
    """Import one simulated export in a process of its own."""
    params = ProactParams(patients=patients, visits=VISITS, each=0, forms=FORMS)
    write(export(rng=np.random.default_rng(1), params=params), folder / "in")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-c", CODE, str(folder / "in"), str(folder / "out"), str(THREADS)]
    subprocess.run(command, check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (part,) = (folder / "out" / "tables" / "measurements").glob("*.parquet")
    return {
        "rows": pq.ParquetFile(part).metadata.num_rows,
        "seconds": wall,
        "processor_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "memory_gb": after.ru_maxrss / 1e6,
        "parquet_mb": part.stat().st_size / 1e6,
    }


def formula() -> float:
    """Seconds for the predictor and the median survival of 100,000 patients."""
    rng = np.random.default_rng(0)
    n = PATIENTS
    patient = encals.Patient(
        rng.uniform(30, 80, n), rng.uniform(2, 40, n), rng.uniform(0.1, 2, n), rng.uniform(0.4, 1.2, n)
    )
    start = time.perf_counter()
    encals.months_until(encals.linear_predictor(patient))
    return time.perf_counter() - start


def main() -> None:
    """Import exports of growing size; print and keep seconds, rows and memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    sizes = parser.parse_args().sizes or list(SIZES)
    for patients in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found = once(patients, Path(folder))
        append(
            "import",
            {
                "patients": patients,
                "visits": VISITS,
                "threads": THREADS,
                "rows": int(found["rows"]),
                "seconds": round(found["seconds"], 2),
                "processor_seconds": round(found["processor_seconds"], 2),
                "memory_gb": round(found["memory_gb"], 2),
                "parquet_mb": round(found["parquet_mb"], 1),
                "encals_100000_seconds": round(formula(), 3),
            },
        )


if __name__ == "__main__":
    main()
