"""Run every heavy calibration: each writes a dated evidence table that ships with the product."""

import subprocess
import sys

CALIBRATIONS = (
    "calibrate_architecture",
    "calibrate_cohorts",
    "calibrate_dixon",
    "calibrate_derived",
    "calibrate_design",
    "calibrate_devices",
    "calibrate_echogenicity",
    "calibrate_fasciculation",
    "calibrate_followup",
    "calibrate_harmonise",
    "calibrate_imputation",
    "calibrate_joint",
    "calibrate_mmrm",
    "calibrate_multiecho",
    "calibrate_norms",
    "calibrate_nerve",
    "calibrate_phenotypes",
    "calibrate_relaxation",
    "calibrate_ultrasound",
)


def main() -> None:
    """Run the calibrations one after another; stop at the first that breaks."""
    for name in CALIBRATIONS:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]], check=True)
    subprocess.run([sys.executable, "-m", "benchmarks.evidence_page"], check=True)


if __name__ == "__main__":
    main()
