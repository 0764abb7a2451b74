"""How long water T2 of two million voxels takes, its memory and precision, beside a plain script."""

import resource
import time

import numpy as np
import numpy.typing as npt

from benchmarks.history import append
from myoproof.numerics.water_t2 import Known, cramer_rao, fit
from myoproof.numerics.water_t2_dictionary import Dictionary, Train, build, signals

Images = npt.NDArray[np.float32]

VOXELS, PEER_VOXELS = 2_000_000, 20_000
SNR = 50.0
THREADS = 2
KINDS = 200
"""Different voxels; each is repeated with its own noise."""


def simulated(train: Train) -> tuple[Images, Images, Images, Images]:
    """Echoes, true T2 (ms), fat share and transmit field of random voxels."""
    rng = np.random.default_rng(12)
    t2, b1 = rng.uniform(0.028, 0.060, KINDS), rng.uniform(0.7, 1.2, KINDS)
    share = rng.uniform(0.0, 0.4, KINDS)
    clean = np.empty((KINDS, train.n_echo), dtype=np.float32)
    for i in range(KINDS):
        water = signals(train, [t2[i]], [b1[i]], t1_s=train.t1_water_s)[0, 0]
        fat = signals(train, [train.t2_fat_s], [b1[i]], t1_s=train.t1_fat_s)[0, 0]
        clean[i] = SNR * ((1 - share[i]) * water + share[i] * fat)
    values = np.repeat(clean, VOXELS // KINDS, axis=0)
    for start in range(0, VOXELS, 100_000):
        part = values[start : start + 100_000]
        noise = rng.standard_normal((2, *part.shape), dtype=np.float32)
        np.hypot(part + noise[0], noise[1], out=part)
    spread = (np.repeat(x.astype(np.float32), VOXELS // KINDS) for x in (1e3 * t2, share, b1))
    return values, *spread


def plain(values: Images, share: Images, b1: Images, dictionary: Dictionary) -> Images:
    """The peer: the best of a grid of 1200 atoms (60 T2 x 20 B1), fat known, one matrix product a field."""
    times = np.linspace(0.020, 0.080, 60)
    fields = np.linspace(0.6, 1.25, 20)
    nodes = [int(np.abs(dictionary.log_t2 - np.log(t)).argmin()) for t in times]
    columns = [int(np.abs(dictionary.b1 - f).argmin()) for f in fields]
    nearest = np.abs(b1[:, None] - fields[None, :]).argmin(axis=1)
    out = np.empty(len(values), dtype=np.float32)
    for i in np.unique(nearest):
        rows = np.flatnonzero(nearest == i)
        water = dictionary.water[nodes, columns[i], 0]
        atoms = (1 - share[rows, None, None]) * water + share[rows, None, None] * dictionary.fat[
            columns[i], 0
        ]
        along = np.einsum("re,rae->ra", values[rows], atoms)
        out[rows] = 1e3 * times[(along**2 / (atoms**2).sum(axis=2)).argmax(axis=1)]
    return out


def main() -> None:
    """Time both; print seconds, memory, bias, and the spread over the bound."""
    train = Train(echo_spacing_s=0.010, n_echo=17)
    start = time.perf_counter()
    dictionary = build(train)
    built = time.perf_counter() - start
    values, t2, share, b1 = simulated(train)
    known = Known(fat_share=share, fat_share_sd=0.013, b1=b1, b1_sd=0.0)
    fit(values[:100], dictionary, noise_sd=1.0, known=Known(fat_share=0.1, fat_share_sd=0.013))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, busy = time.perf_counter(), time.process_time()
    found = fit(values, dictionary, noise_sd=1.0, known=known, threads=THREADS)
    seconds, used = time.perf_counter() - start, time.process_time() - busy
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    every = VOXELS // PEER_VOXELS
    start = time.perf_counter()
    peer = plain(values[::every], share[::every], b1[::every], dictionary)
    peer_seconds = (time.perf_counter() - start) * every
    step = VOXELS // KINDS
    told = Known(fat_share_sd=0.013, b1_sd=0.0)
    ratios = []
    for i in range(0, VOXELS, step):
        point = {"t2_s": t2[i] / 1e3, "b1": float(b1[i]), "fat_share": float(share[i])}
        bound = 1e3 * cramer_rao(train, **point, snr=SNR, known=told)["t2_s"]
        ratios.append(float(np.nanstd(1e3 * found.t2_s[i : i + step])) / bound)
    append(
        "relaxation",
        {
            "voxels": VOXELS,
            "threads": THREADS,
            "seconds": round(seconds, 2),
            "processor_seconds": round(used, 2),
            "dictionary_seconds": round(built, 2),
            "peer_seconds": round(peer_seconds, 1),
            "peer_ratio": round(peer_seconds / seconds, 1),
            "extra_memory_gb": round((after - before) / 1e6, 2),
            "bias_ms": round(float(np.nanmean(1e3 * found.t2_s - t2)), 3),
            "peer_bias_ms": round(float(np.mean(peer - t2[::every])), 3),
            "median_sd_over_bound": round(float(np.median(ratios)), 3),
        },
    )


if __name__ == "__main__":
    main()
