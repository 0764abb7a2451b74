"""Run every benchmark: each prints time, peak memory and accuracy and appends to its history."""

import subprocess
import sys

BENCHMARKS = (
    "bench_stability",
    "bench_cohort",
    "bench_dixon",
    "bench_relaxation",
    "bench_mmrm",
    "bench_joint",
    "bench_nerve",
    "bench_ultrasound",
    "bench_demo",
)


def main() -> None:
    """Run the benchmarks one after another."""
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
