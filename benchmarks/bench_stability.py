"""Cluster stability against a scikit-learn loop: time, memory and quality of the partitions, in one run.

454 x 30, k = 2..5, 1,000 resamples of 80 % each, adjusted Rand index included, compilation excluded. The
loop clusters the very subsets that we drew, so that within sums of squares compare pair by pair.
"""

import argparse
import resource
import statistics
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from benchmarks.history import append
from myoproof.numerics.cluster import partitions
from myoproof.numerics.kmeans import stream_key
from myoproof.numerics.resampling import Resampling, Stability, stability
from myoproof.phantoms.ultrasound_model import ANALYSED, draw

Floats = npt.NDArray[np.float64]
CLUSTERS = (2, 3, 4, 5)
TARGETS = {1: (1.1, 10.0), 10: (5.0, 8.0)}
"""Starts -> (seconds at most, times faster than the loop at least)."""


@dataclass(frozen=True, slots=True)
class Loop:
    """What the scikit-learn loop found: seconds, and arrays (resamples, k)."""

    seconds: float
    agreement: Floats
    inertia: Floats


def cohort() -> tuple[Floats, npt.NDArray[np.int32]]:
    """A simulated cohort, standardised, and its partitions for each number of clusters."""
    drawn = draw(rng=np.random.default_rng(1))
    x = drawn.complete_features[:, :ANALYSED]
    rows = np.ascontiguousarray((x - x.mean(axis=0)) / x.std(axis=0))
    labels = np.empty((len(CLUSTERS), len(rows)), np.int32)
    partitions(rows, np.array(CLUSTERS), 20, stream_key(np.random.default_rng(2)), labels)
    return rows, labels


def ours(
    rows: Floats, labels: npt.NDArray[np.int32], how: Resampling, threads: int
) -> tuple[float, Stability]:
    """Median seconds of three runs, and the result."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = stability(rows, labels, rng=np.random.default_rng(3), how=how, threads=threads)
        times.append(time.perf_counter() - start)
    return statistics.median(times), found


def loop(rows: Floats, labels: npt.NDArray[np.int32], found: Stability, n_init: int) -> Loop:
    """The same subsets by scikit-learn, one thread (on data this small more threads slow it down)."""
    agreement, inertia = np.empty_like(found.agreement), np.empty_like(found.inertia)
    with threadpool_limits(1):
        start = time.perf_counter()
        for r in range(len(agreement)):
            for q, k in enumerate(CLUSTERS):
                drawn = found.labels[r, q] >= 0
                model = KMeans(k, n_init=n_init, tol=0.0, random_state=r).fit(rows[drawn])
                agreement[r, q] = adjusted_rand_score(labels[q][drawn], model.labels_)
                inertia[r, q] = model.inertia_
        seconds = time.perf_counter() - start
    return Loop(seconds, agreement, inertia)


def main() -> None:
    """Time one start and ten starts, compare with the loop, and append to the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--resamples", type=int, default=1000)
    asked = parser.parse_args()
    rows, labels = cohort()
    stability(rows, labels, rng=np.random.default_rng(4), how=Resampling(4, standardise=False))
    for starts, (seconds_target, ratio_target) in TARGETS.items():
        how = Resampling(asked.resamples, n_starts=starts, standardise=False)
        seconds, found = ours(rows, labels, how, asked.threads)
        other = loop(rows, labels, found, starts)
        ratio = found.inertia / other.inertia - 1
        times = other.seconds / seconds
        append(
            "stability",
            {
                "starts": starts,
                "threads": asked.threads,
                "resamples": asked.resamples,
                "seconds": round(seconds, 3),
                "sklearn_seconds": round(other.seconds, 2),
                "times_faster": round(times, 1),
                "targets_met": seconds <= seconds_target and times >= ratio_target,
                "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
                "inertia_mean_excess": f"{ratio.mean():+.2e}",
                "inertia_worst_5_percent": f"{np.quantile(ratio, 0.95):+.2e}",
                "inertia_best_5_percent": f"{np.quantile(ratio, 0.05):+.2e}",
                "ari_mean": " ".join(f"{value:.3f}" for value in found.agreement.mean(axis=0)),
                "sklearn_ari_mean": " ".join(f"{value:.3f}" for value in other.agreement.mean(axis=0)),
            },
        )


if __name__ == "__main__":
    main()
