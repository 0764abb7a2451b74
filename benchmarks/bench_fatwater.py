"""Time, memory and accuracy of the fat-water separation at 320 x 320 x 60 x 6, beside a plain peer."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.history import append
from myoproof.numerics.fatwater import separate

TIMES = 1.15e-3 + 0.96e-3 * np.arange(6)
PEAKS_PPM = np.array([-3.80, -3.40, -2.60, -1.94, -0.39, 0.60])
SHARES = np.array([0.087, 0.693, 0.128, 0.004, 0.039, 0.048])
TESLA = 3.0
PEER_SLICES = 2


def thighs(
    shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float32]]:
    """Simulated echoes of two thighs at SNR 50, field within 300 Hz, R2* 20-200 1/s; true fractions."""
    fat = np.exp(2j * np.pi * np.outer(TIMES, PEAKS_PPM * 42.577478518 * TESLA)) @ (SHARES / SHARES.sum())
    x, y = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape[:2]), indexing="ij")
    values = np.empty((*shape, TIMES.size), np.complex64)
    truth = np.zeros(shape, np.float32)
    for z in range(shape[2]):
        part = np.zeros_like(x)
        tissue = np.zeros(x.shape, bool)
        for centre in (-0.5, 0.5):
            radius = np.hypot((x - centre) / 0.42, y / 0.62)
            tissue |= radius < 1
            streaks = 0.12 + 0.11 * np.sin(31 * x + z) * np.cos(23 * y)
            part = np.where(radius < 1, 0.95, part)
            part = np.where(radius < 0.8, np.clip(streaks, 0, 1), part)
            part = np.where(radius < 0.15, 0.9, part)
        field = 300 * (0.55 * x + 0.45 * y * y - 0.3 * x * y + 0.1 * np.sin(z / 9.0))
        rate = 110 + 90 * np.cos(5 * x) * np.cos(4 * y + z / 7.0)
        for e, t in enumerate(TIMES):
            clean = tissue * ((1 - part) + part * fat[e]) * np.exp((2j * np.pi * field - rate) * t)
            noise = rng.standard_normal(x.shape) + 1j * rng.standard_normal(x.shape)
            values[:, :, z, e] = 1000 * (clean + noise / 50)
        truth[:, :, z] = np.where(tissue, part, np.nan)
    return values, truth


def _peer(values: npt.NDArray[np.complex64], folder: Path) -> tuple[float, npt.NDArray[np.float32]] | None:
    python = os.environ.get("MYOPROOF_PEER_PYTHON")
    if not python:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "echoes.npy", values)
    np.save(folder / "times.npy", TIMES)
    script = Path(__file__).with_name("peer_fatwater.py")
    done = subprocess.run(
        [python, str(script), str(folder), str(TESLA)], capture_output=True, text=True, check=True
    )
    return float(done.stdout), np.load(folder / "fraction.npy")


def main() -> None:
    """Time both; print the ratio per voxel, the share of exchanged voxels and the bias."""
    slices = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    values, truth = thighs((320, 320, slices), np.random.default_rng(1))
    separate(values[:64, :64, :2], TIMES, field_strength_t=TESLA)
    start, used = time.perf_counter(), time.process_time()
    found = separate(values, TIMES, field_strength_t=TESLA, threads=2)
    wall, cpu = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    tissue = np.isfinite(truth)
    off = (found.pdff - truth)[tissue]
    low = off[truth[tissue] <= 0.05]
    record: dict[str, object] = {
        "voxels": int(truth.size),
        "tissue_voxels": int(tissue.sum()),
        "seconds_wall_2_threads": round(wall, 2),
        "seconds_cpu": round(cpu, 2),
        "load": round(os.getloadavg()[0], 1),
        "peak_memory_gb": round(peak, 2),
        "exchanged_percent": round(100 * float((np.abs(off) > 0.3).mean()), 4),
        "bias_points_below_5": round(100 * float(low.mean()), 4) if low.size else "",
        "flagged_percent": round(100 * float(found.swap_risk[tissue].mean()), 4),
    }
    peer = _peer(values[:, :, :PEER_SLICES], Path("build") / "bench_fatwater")
    if peer is not None:
        seconds = peer[0] * slices / PEER_SLICES
        inside = np.isfinite(truth[:, :, :PEER_SLICES])
        wrong = np.abs(peer[1] - truth[:, :, :PEER_SLICES])[inside] > 0.3
        record |= {
            "seconds_peer_scaled": round(seconds, 1),
            "ratio_peer_over_cpu": round(seconds / cpu, 1),
            "exchanged_percent_peer": round(100 * float(wrong.mean()), 4),
        }
    append("fatwater", record)


if __name__ == "__main__":
    main()
