"""How long the demo takes and how much memory: the whole chain in a fresh process (targets: 90 s, 2 GB)."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.history import append


def main() -> None:
    """Run ``myoproof demo`` in a fresh folder; print time, peak memory and the size of the report."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        start = time.perf_counter()
        command = [sys.executable, "-m", "myoproof.cli", "demo", "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
        peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
        report = Path(done.stdout.strip().removeprefix("report: "))
        append(
            "demo",
            {
                "seconds": round(seconds, 1),
                "peak_memory_gb": round(peak_gb, 2),
                "report_mb": round(report.stat().st_size / 1e6, 2),
            },
        )


if __name__ == "__main__":
    main()
