"""How long queries and a phenotype study of 1,000 to 10,000 subjects take, and their memory."""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.history import append
from myoproof.phantoms.ultrasound import simulate
from myoproof.phantoms.ultrasound_model import UltrasoundParams
from myoproof.workflow.reading import take_cohort
from myoproof.workflow.templates import write_template

SIZES = (1_000, 3_000, 10_000)
THREADS = 2
QUERIES = (
    "SELECT centre, count(*) AS n FROM subjects GROUP BY centre ORDER BY centre",
    "SELECT site, side, avg(value) AS mean FROM measurements WHERE measure = 'echogenicity' "
    "GROUP BY site, side",
    "SELECT s.subject, m.value FROM subjects s JOIN measurements m USING (subject) "
    "WHERE m.measure = 'alsfrs_r' AND s.age_years > 60",
)
QUERY = """
import sys
from pathlib import Path
from myoproof.workflow.folder import query
for sql in sys.argv[2:]:
    assert len(query(Path(sys.argv[1]), sql))
"""
STUDY = """
import sys
from pathlib import Path
from myoproof.workflow.verbs import run_study
toml, cohort, out = map(Path, sys.argv[1:4])
assert len(run_study(toml, cohort, out, threads=int(sys.argv[4])).estimates)
"""


def timed(code: str, *arguments: object) -> tuple[float, float, float]:
    """Seconds, processor seconds and peak memory (GB) of a program in a process of its own."""
    program = f"{code}\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-c", program, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used, float(done.stdout.split()[-1])


def main() -> None:
    """Time cohorts of growing size; the first run on a machine compiles for some seconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int)
    for n in parser.parse_args().sizes or SIZES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            cohort = simulate(rng=np.random.default_rng(1), params=UltrasoundParams(n=n))[0]
            rows = len(cohort.measurements)
            take_cohort(cohort, folder / "study", act="simulate@1", inputs=("seed:1",))
            toml = write_template("als-nmus-phenotypes", folder / "study.toml")
            queries = timed(QUERY, folder / "study", *QUERIES)
            study = timed(STUDY, toml, folder / "study", folder / "result", THREADS)
        append(
            "cohort",
            {
                "subjects": n,
                "rows": rows,
                "threads": THREADS,
                "queries_s": round(queries[0], 2),
                "study_s": round(study[0], 1),
                "study_processor_s": round(study[1], 1),
                "memory_gb": round(max(queries[2], study[2]), 2),
            },
        )


if __name__ == "__main__":
    main()
