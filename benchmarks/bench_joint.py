"""The joint model on R JM's data sets: seconds of a fit as R JM does it, and with nodes recentred.

R is not needed. Where R and JM are there (``Rscript -e 'library(JM)'``), both are timed in one run and the
ratio is told; else R's 16.6 s (aids) and 10.0 s (pbc2), measured elsewhere, stand beside, marked so.
"""

import argparse
import shutil
import statistics
import subprocess
import time
from dataclasses import replace

from benchmarks.history import append
from benchmarks.joint_data import aids, pbc2, reachable
from myoproof.numerics.joint import fit_joint

ELSEWHERE = {"aids": 16.6, "pbc2": 10.0}
TARGET_S = 3.0
"""CPU seconds of one thread: what an idle machine needs."""
SCRIPT = {
    "aids": "l<-lme(CD4~obstime+obstime:drug,random=~obstime|patient,data=aids);"
    "s<-coxph(Surv(Time,death)~drug,data=aids.id,x=TRUE);v<-'obstime'",
    "pbc2": "pbc2$y<-log(pbc2$serBilir);l<-lme(y~year,random=~year|id,data=pbc2);"
    "s<-coxph(Surv(years,status!='alive')~drug,data=pbc2.id,x=TRUE);v<-'year'",
}


def r_seconds(name: str) -> float | None:
    """Seconds of R JM on this machine; None where it is not installed."""
    rscript = shutil.which("Rscript")
    if rscript is None:
        return None
    code = (
        f"suppressMessages(library(JM));{SCRIPT[name]};"
        "cat(system.time(jointModel(l,s,timeVar=v,method='piecewise-PH-aGH'))[['elapsed']])"
    )
    done = subprocess.run([rscript, "-e", code], capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 and done.stdout else None


def main() -> None:
    """Time both data sets and append to the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    if not reachable():
        print("aids and pbc2 are not here (MYOPROOF_DATA); nothing timed")
        return
    for name, data in (("aids", aids), ("pbc2", pbc2)):
        rows, survival, form = data()
        told: dict[str, object] = {"data": name}
        for way, one in (("as_jm", replace(form, knots_from="follow_up", recentred=0)), ("recentred", form)):
            walls, cpus = [], []
            for _ in range(repeats):
                wall, cpu = time.perf_counter(), time.process_time()
                fit = fit_joint(rows, survival, one)
                walls.append(time.perf_counter() - wall)
                cpus.append(time.process_time() - cpu)
            told[f"{way}_seconds"] = round(statistics.median(walls), 2)
            told[f"{way}_cpu_seconds"] = round(statistics.median(cpus), 2)
            told[f"{way}_association"] = round(fit.association["value"].value, 5)
        seconds = r_seconds(name)
        told["r_jm_seconds"] = ELSEWHERE[name] if seconds is None else round(seconds, 1)
        told["r_jm_measured"] = "elsewhere" if seconds is None else "in this run"
        told["times_faster"] = round(float(str(told["r_jm_seconds"])) / float(str(told["as_jm_seconds"])), 1)
        told["target_met"] = float(str(told["as_jm_cpu_seconds"])) <= TARGET_S
        append("joint", told)


if __name__ == "__main__":
    main()
