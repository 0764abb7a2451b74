"""Time of a mixed model for repeated measures, 200 subjects by 4 visits, beside R in the same run.

Unstructured covariance, REML, Satterthwaite for every contrast. R's ``mmrm`` is the peer where it is
installed; else ``nlme::gls`` with the same model (which has no such degrees of freedom); else none, and that
is said. Kenward-Roger, ten visits and other structures are timed for ourselves.
"""

import argparse
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.history import append
from myoproof.numerics.mmrm import fit_mmrm
from myoproof.numerics.mmrm_inference import DfMethod, estimate, infer
from myoproof.numerics.mmrm_layout import Observations
from myoproof.numerics.mmrm_structures import Name

TARGET_S = 0.3
RUNS = 15
PEER = """
d <- read.csv("{path}"); d$visit <- factor(d$visit); d$subject <- factor(d$subject)
has <- requireNamespace("mmrm", quietly = TRUE)
if (has) {{
  f <- function() {{ m <- mmrm::mmrm(value ~ 0 + visit + visit:arm + baseline + us(visit | subject), d,
                                     method = "Satterthwaite"); summary(m) }}
}} else {{
  suppressMessages(library(nlme)); d$place <- as.integer(d$visit)
  f <- function() gls(value ~ 0 + visit + visit:arm + baseline, d,
                      correlation = corSymm(form = ~ place | subject), weights = varIdent(form = ~ 1 | visit))
}}
invisible(f())
t <- sapply(1:5, function(i) system.time(f())[["elapsed"]])
last <- if (has) NA else as.numeric(-2 * logLik(f()))
cat(if (has) "mmrm" else "nlme::gls", median(t), last, "\\n")
"""


def trial(n: int = 200, visits: int = 4) -> pd.DataFrame:
    """A simulated trial with drop-out, one row a value."""
    rng = np.random.default_rng(7)
    arm = np.arange(n) % 2
    baseline = rng.normal(37, 5, n)
    covariance = 36 * 0.8 ** np.abs(np.subtract.outer(np.arange(visits), np.arange(visits)))
    values = rng.multivariate_normal(np.zeros(visits), covariance, size=n) + 0.8 * baseline[:, None]
    gone = rng.random((n, visits)).cumsum(axis=1) > rng.uniform(1, 2 * visits, n)[:, None]
    who, visit = np.nonzero(~gone)
    return pd.DataFrame(
        {
            "subject": who,
            "visit": visit,
            "arm": arm[who],
            "baseline": baseline[who],
            "value": values[who, visit],
        }
    )


def observations(frame: pd.DataFrame) -> Observations:
    """Visits, arm by visit, and baseline."""
    visit = frame["visit"].to_numpy()
    steps = np.eye(visit.max() + 1)[visit]
    design = np.column_stack([steps, steps * frame[["arm"]].to_numpy(), frame["baseline"].to_numpy()])
    return Observations(frame["value"].to_numpy(), design, frame["subject"].to_numpy(), visit)


def fitted(rows: Observations, name: Name = "UN", df: DfMethod = "satterthwaite") -> float:
    """Fit and every coefficient's test; the deviance."""
    fit = fit_mmrm(rows, structure_name=name)
    judged = infer(fit, df)
    for row in np.eye(rows.design.shape[1]):
        estimate(judged, row)
    return fit.deviance


def seconds(task: Callable[[], object]) -> float:
    """Median of some runs after one to warm up."""
    task()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peer(frame: pd.DataFrame) -> tuple[str, float, float] | None:
    """Name, seconds and deviance of the same model in R; None without R."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        frame.to_csv(path, index=False)
        done = subprocess.run(
            ["Rscript", "-e", PEER.format(path=path)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        return None
    name, took, deviance = done.stdout.split()[-3:]
    return name, float(took), float(deviance.replace("NA", "nan"))


def main() -> None:
    """Time, print, append to the history."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    frame = trial()
    rows = observations(frame)
    deviance = fitted(rows)
    took = seconds(lambda: fitted(rows))
    lines = [
        ("UN, Satterthwaite", took),
        ("UN, Kenward-Roger", seconds(lambda: fitted(rows, df="kenward_roger"))),
        ("TOEPH, Satterthwaite", seconds(lambda: fitted(rows, "TOEPH"))),
        ("UN, 10 visits", seconds(lambda: fitted(observations(trial(visits=10))))),
    ]
    weighted = replace(rows, groups=frame["arm"].to_numpy())
    lines.append(("UN by arm, Satterthwaite", seconds(lambda: fitted(weighted))))
    for name, value in lines:
        print(f"{name:28s} {1000 * value:8.1f} ms")
    print(f"target {1000 * TARGET_S:.0f} ms: {'met' if took < TARGET_S else 'missed'}; {len(frame)} rows")
    record: dict[str, object] = {"rows": len(frame)}
    record |= {f"{name}, s": round(value, 5) for name, value in lines}
    record |= {"peer": "none", "peer, s": "", "times faster": "", "deviance difference": ""}
    other = peer(frame)
    if other is None:
        print("no R here: no peer in this run")
    else:
        name, theirs, their_deviance = other
        print(f"{name} in the same run: {1000 * theirs:.0f} ms, {theirs / took:.0f} times ours")
        print(f"deviance ours {deviance:.6f}, theirs {their_deviance:.6f}")
        gap = f"{abs(deviance - their_deviance):.1e}"
        record |= {"peer": name, "peer, s": theirs, "times faster": round(theirs / took, 1)}
        record["deviance difference"] = gap
    append("mmrm", record)


if __name__ == "__main__":
    main()
