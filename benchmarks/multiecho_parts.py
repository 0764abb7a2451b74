"""What the multi-echo calibration simulates and measures: one function a part, one call a subject."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from myoproof.core.acquisition import Volume
from myoproof.core.segmentation import Segmentation
from myoproof.measures import multiecho
from myoproof.measures.dixon_regions import find_regions
from myoproof.measures.dixon_swaps import CERTAIN, find_swaps
from myoproof.measures.multiecho_maps import Correction
from myoproof.measures.multiecho_params import DOUBLE_BONDS
from myoproof.measures.multiecho_spectrum import shift_of, triglyceride
from myoproof.numerics.fatwater import separate
from myoproof.numerics.t1_weighting import (
    Protocol,
    Relaxation,
    corrected,
    fat_over_water,
    ratio_interval,
    steady_state,
    weighted,
)
from myoproof.phantoms.dixon import ThighParams
from myoproof.phantoms.multiecho import COARSE, MultiechoParams, MultiechoPhantom, thighs
from myoproof.phantoms.multiecho_images import Swap, scanner_images
from myoproof.phantoms.multiecho_physics import Physics, Tissue, echo, fat_dephasing
from myoproof.registry import load

Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
STRESS = Physics(repetition_time_s=0.0, field_hz=300.0, r2star_per_s=(20.0, 200.0), snr=50.0)
HARD = replace(STRESS, echo_times_s=(0.00345, 0.00460, 0.00575), snr=12.0)
LITTLE_FAT = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05)
DECAYS = (20.0, 60.0, 120.0, 200.0)
SWAPPED = 0.3
"""A voxel this far from its true fat fraction counts as swapped, where a swap would carry it that far."""
FATTY = {"als": 0.045, "dystrophy": 0.3}
MEASURES = (
    ("fat_fraction", ""),
    ("fat_fraction_signal", ""),
    ("volume", ""),
    ("functional_remaining_volume", ""),
    ("cross_sectional_area", "maximum"),
    ("functional_remaining_area", "maximum"),
)


def voxels(rng: np.random.Generator, i: int, segmenter: str) -> pd.DataFrame:
    """One scene of uniform patches of little fat in a ring of fat, with a smooth field of +-300 Hz."""
    del i, segmenter
    size, n_slices = 108, len(DECAYS)
    column = np.minimum(np.arange(size) * len(LITTLE_FAT) // size, len(LITTLE_FAT) - 1)
    fat = np.broadcast_to(np.asarray(LITTLE_FAT)[column][:, None, None], (size, size, n_slices)).copy()
    edge = np.ones((size, size), dtype=bool)
    edge[10:-10, 10:-10] = False
    fat[edge] = 0.937
    decay = np.broadcast_to(np.asarray(DECAYS), fat.shape).astype(np.float32)
    x, y = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    turn = rng.uniform(0, 2 * np.pi)
    field = np.cos(turn) * x + np.sin(turn) * y + rng.normal(0, 0.3) * (x**2 + y**2) + rng.normal(0, 0.3)
    field = 300 * field / np.abs(field).max()
    field = np.broadcast_to(field[:, :, None], fat.shape).astype(np.float32)
    tissue = Tissue((1 - fat).astype(np.float32), fat.astype(np.float32), decay, field)
    physics = replace(STRESS, snr=50.0)
    clean = np.stack([echo(tissue, k, physics) for k in range(len(physics.echo_times_s))], axis=-1)
    pad = ((16, 16), (16, 16), (0, 0), (0, 0))
    clean = np.pad(clean, pad) * np.exp(1j * rng.uniform(0, 2 * np.pi))
    noise = rng.standard_normal((*clean.shape, 2)).view(np.complex128)[..., 0] / physics.snr
    times = np.asarray(physics.echo_times_s)
    found = separate((clean + noise).astype(np.complex64), times, field_strength_t=3.0)
    inner = (slice(16, -16), slice(16, -16))
    error, stated = found.pdff[inner] - fat, found.pdff_sd[inner]
    rows = []
    for part in LITTLE_FAT:
        for k, rate in enumerate(DECAYS):
            chosen = ~edge & (fat[:, :, k] == part)
            own = error[:, :, k][chosen].astype(np.float64)
            bound = len(own) * cramer_rao(part, rate, physics) ** 2
            row: Row = {
                "fat": part,
                "r2star": rate,
                "n": len(own),
                "sum": own.sum(),
                "squared": (own**2).sum(),
            }
            rows.append(
                {**row, "bound": bound, "stated": (stated[:, :, k][chosen].astype(np.float64) ** 2).sum()}
            )
    return pd.DataFrame(rows)


def cramer_rao(fat: float, r2star_per_s: float, physics: Physics) -> float:
    """Least SD of the fat fraction: water, fat, phase, field and R2* free, amplitude 1, noise 1 / SNR.

    Water and fat share one phase. Fisher information of complex Gaussian noise
    (Kay, Fundamentals of Statistical Signal Processing I, 15.7).
    """
    times = np.asarray(physics.echo_times_s)
    peak = fat_dephasing(physics)
    decay = np.exp(-r2star_per_s * times)
    water = 1 - fat
    signal = (water + fat * peak) * decay
    slopes = np.stack(
        [decay, peak * decay, 1j * signal, 2j * np.pi * times * signal, -times * signal]
    )  # water, fat, phase, field, R2*
    information = physics.snr**2 * (slopes.conj() @ slopes.T).real
    covariance = np.linalg.inv(information)
    gradient = np.array([-fat, 1 - fat, 0.0, 0.0, 0.0])
    return float(np.sqrt(gradient @ covariance @ gradient))


def muscles(rng: np.random.Generator, i: int, segmenter: str) -> pd.DataFrame:
    """Whole muscles of one scan within the true masks: error, swapped voxels and flags."""
    del segmenter
    return _within_true_masks(rng, i, STRESS)


def hard(rng: np.random.Generator, i: int, segmenter: str) -> pd.DataFrame:
    """The same from three echoes at SNR 12: scans in which swaps occur."""
    del segmenter
    return _within_true_masks(rng, i, HARD)


def _within_true_masks(rng: np.random.Generator, i: int, physics: Physics) -> pd.DataFrame:
    thigh = replace(COARSE, pattern="als" if i % 3 == 0 else "dystrophy", n_slices=4, gap_mm=10.0)
    scan = thighs(rng=rng, params=MultiechoParams(thigh, physics=physics))
    times = scan.acquisition.payload.echo_times_s
    found = separate(scan.acquisition.payload.values, times, field_strength_t=3.0)
    true = np.nan_to_num(scan.maps.signal_fraction)
    error = found.pdff - true
    wrong = (np.abs(error) > SWAPPED) & (scan.exact.labels > 0)
    middle = true.shape[0] // 2
    rows = []
    for side, half in (("left", slice(0, middle)), ("right", slice(middle, None))):
        for label, (site, _) in scan.exact.names.items():
            mask = scan.exact.labels[half] == label
            if mask.any():
                bad, flag = wrong[half][mask], found.swap_risk[half][mask]
                rows.append(
                    {
                        "site": site,
                        "side": side,
                        "n": int(mask.sum()),
                        "error": float(error[half][mask].mean(dtype=np.float64)),
                        "swapped": int(bad.sum()),
                        "swapped_flagged": int((bad & flag).sum()),
                        "flagged_correct": int((~bad & flag).sum()),
                    }
                )
    return pd.DataFrame(rows)


def subject_physics(rng: np.random.Generator, flip_angle_deg: float = 3.0) -> Physics:
    """A usual protocol, and one subject's T1, B1 and fat, drawn as the measure doubts them."""
    plain, bonds = Relaxation(), multiecho.Params().double_bonds_sd
    return Physics(
        flip_angle_deg=flip_angle_deg,
        t1_water_s=float(rng.normal(plain.t1_water_s, plain.t1_water_sd_s)),
        t1_fat_s=float(rng.normal(plain.t1_fat_s, plain.t1_fat_sd_s)),
        b1=float(np.clip(rng.normal(1.0, plain.b1_sd), 0.3, 1.7)),
        double_bonds=float(rng.normal(1.92, bonds)),
        r2star_per_s=(25.0, 60.0),
        field_hz=float(rng.uniform(80, 250)),
        snr=50.0,
    )


def coverage(rng: np.random.Generator, i: int, segmenter: str) -> pd.DataFrame:
    """Intervals beside the truth of the 22 muscles of one subject."""
    stack = {"n_slices": 6, "gap_mm": 11.0} if i % 2 else {"n_slices": 8, "gap_mm": 1.0}
    pattern = "als" if i % 4 == 0 else "dystrophy"
    thigh = replace(COARSE, pattern=pattern, subject=f"sim-{i:03d}", **stack)
    own_rng, scan_rng = rng.spawn(2)
    scan = thighs(rng=scan_rng, params=MultiechoParams(thigh, physics=subject_physics(own_rng)))
    echoes = scan.acquisition.payload
    found = separate(echoes.values, echoes.echo_times_s, field_strength_t=3.0)
    masks = scan.segmentation
    if segmenter != "drawn":
        images = {"fat": np.abs(found.fat), "water": np.abs(found.water)}
        masks = predicted(scan, Volume(images, echoes.affine), segmenter)
    rows = multiecho.measure(scan.acquisition, masks, context=multiecho.Context(separation=found))
    rows = rows[rows["method"] == multiecho.METHOD]
    key = ["site", "side", "measure", "at"]
    wanted = pd.DataFrame(MEASURES, columns=["measure", "at"])
    truth = scan.truth[[*key, "value"]].merge(wanted, on=["measure", "at"])
    both = truth.merge(rows[[*key, "value", "low", "high"]], on=key, suffixes=("_true", ""))
    both = both[both["side"] != "both"].rename(columns={"value_true": "true"})
    fat, size = (
        truth[truth["measure"] == name].set_index(["site", "side"])["value"]
        for name in ("fat_fraction", "volume")
    )
    places = list(zip(both["site"], both["side"], strict=True))
    own = size[size.index.isin(set(places))]
    small = set(own[own <= own.median()].index)
    return both.assign(
        fat_true=[fat[place] for place in places], small=[int(place in small) for place in places]
    ).dropna(subset=["value"])


def predicted(scan: MultiechoPhantom, images: Volume, segmenter: str) -> Segmentation:
    """The masks of a shipped segmenter on the separated images."""
    made: Segmentation = load("segmenters", segmenter)(
        replace(scan.acquisition, modality="dixon", payload=images)
    )
    return made


def swaps(rng: np.random.Generator, i: int, segmenter: str) -> pd.DataFrame:
    """Planted swaps in scanner-made images of one subject: lean, usual and fatty legs in turn."""
    del segmenter
    kind = ("ALS", "dystrophy", "dystrophy, four slices")[i % 3]
    n_slices = 4 if kind.endswith("slices") else 8
    pattern = "als" if kind == "ALS" else "dystrophy"
    thigh = ThighParams(pattern=pattern, voxel_mm=2.0, matrix=(96, 90), n_slices=n_slices, gap_mm=15.0)
    scan_rng, *noise_rngs = rng.spawn(1 + len(PLANTED))
    physics = Physics(echo_times_s=(0.001,), flip_angle_deg=10.0)
    scan = thighs(rng=scan_rng, params=MultiechoParams(thigh, physics=physics))
    rows = []
    for (pattern_name, planted), noise_rng in zip(PLANTED.items(), noise_rngs, strict=True):
        images = scanner_images(scan, rng=noise_rng, snr=30.0, swaps=planted)
        volume = images.acquisition.payload
        probability = find_swaps(volume, find_regions(volume, scan.segmentation)).probability
        middle = images.swapped.shape[0] // 2
        for way, half in enumerate((images.swapped[:middle], images.swapped[middle:])):
            for k in range(n_slices):
                found = int(probability[way, k] >= CERTAIN)
                row: Row = {"legs": kind, "pattern": pattern_name, "slice": k, "leg": way, "found": found}
                rows.append({**row, "planted": int(half[:, :, k].any())})
    return pd.DataFrame(rows)


PLANTED: Mapping[str, tuple[Swap, ...]] = {
    "none": (),
    "one whole leg": (Swap("left"),),
    "both whole legs": (Swap("both"),),
    "two slices of a leg": (Swap("right", (1, 2)),),
    "one slice of both legs": (Swap("both", (2,)),),
    "an end slice of a leg": (Swap("left", (0,)),),
}


def relaxation(rng: np.random.Generator, draws: int) -> pd.DataFrame:
    """T1 correction of noise-free fat fractions: exact, with published T1 and B1, and with a B1 map."""
    protocol, plain = Protocol(0.010, 10.0), Relaxation()
    water = rng.normal(plain.t1_water_s, plain.t1_water_sd_s, draws)
    fat = rng.normal(plain.t1_fat_s, plain.t1_fat_sd_s, draws)
    field = np.maximum(rng.normal(1.0, plain.b1_sd, draws), 0.1)
    measured = field + rng.normal(0.0, multiecho.Params().b1_map_sd, draws)
    true_ratio = steady_state(fat, protocol, field) / steady_state(water, protocol, field)
    frames = []
    for part in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        shown = weighted(part, true_ratio)
        exact = corrected(shown, true_ratio) - part
        for case, ratio, (low, high) in (
            ("published T1, no B1 map", fat_over_water(protocol, plain), ratio_interval(protocol, plain)),
            ("published T1, B1 map", fat_over_water(protocol, plain, measured), (np.nan, np.nan)),
        ):
            if case.endswith("no B1 map"):
                bounds = corrected(shown, high), corrected(shown, low)
            else:
                bounds = mapped_bounds(shown, measured, protocol)
            value = corrected(shown, ratio)
            frames.append(
                pd.DataFrame(
                    {
                        "case": case,
                        "fat": part,
                        "subject": np.arange(draws),
                        "error": value - part,
                        "before": shown - part,
                        "exact": exact,
                        "held": ((bounds[0] <= part) & (part <= bounds[1])).astype(int),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def doubts(rng: np.random.Generator, draws: int) -> pd.DataFrame:
    """The interval of T1, B1 and fat spectrum together, no border or noise: TR 10 ms, 3 and 10 degrees."""
    plain, params = Relaxation(), multiecho.Params()
    times, level = np.asarray(Physics().echo_times_s), params.border.level
    half = float(stats.norm.ppf(0.5 + level / 2)) * params.double_bonds_sd
    bonds = np.linspace(0.6, 3.3, 28)
    curves = [shift_of(triglyceride(b), times, field_strength_t=3.0, spectrum="hamilton") for b in bonds]
    ends = tuple(
        shift_of(triglyceride(DOUBLE_BONDS + step), times, field_strength_t=3.0, spectrum="hamilton")
        for step in (-half, half)
    )
    frames = []
    for angle in (3.0, 10.0):
        protocol = Protocol(0.010, angle)
        field = np.maximum(rng.normal(1.0, plain.b1_sd, draws), 0.1)
        fat = steady_state(rng.normal(plain.t1_fat_s, plain.t1_fat_sd_s, draws), protocol, field)
        ratio = fat / steady_state(rng.normal(plain.t1_water_s, plain.t1_water_sd_s, draws), protocol, field)
        own = rng.normal(DOUBLE_BONDS, params.double_bonds_sd, draws)
        nominal = fat_over_water(protocol, plain)
        low, high = (end / float(nominal) for end in ratio_interval(protocol, plain))
        correction = Correction(nominal, (low, high), ends, known=True)
        for part in (0.1, 0.3, 0.5, 0.7):
            shown = weighted(part, ratio)
            table = np.array([np.interp(shown, curve.true, curve.found) for curve in curves])
            place = np.clip((own - bonds[0]) / (bonds[1] - bonds[0]), 0, len(bonds) - 1.001)
            first, rest = place.astype(int), place - place.astype(int)
            each = np.arange(draws)
            found = (1 - rest) * table[first, each] + rest * table[first + 1, each]
            value = correction.fraction(found)
            moved = [np.array(pair) - value for pair in correction.ends(found)]
            down, up = (
                np.sqrt(sum(way(np.vstack([pair, np.zeros(draws)]), axis=0) ** 2 for pair in moved))
                for way in (np.min, np.max)
            )
            held = (value - down <= part) & (part <= value + up)
            frames.append(
                pd.DataFrame({"angle": angle, "fat": part, "subject": each, "held": held.astype(int)})
            )
    return pd.concat(frames, ignore_index=True)


def mapped_bounds(shown: Floats, measured: Floats, protocol: Protocol) -> tuple[Floats, Floats]:
    """Interval of each draw whose transmit field was measured with the declared SD."""
    sd = multiecho.Params().b1_map_sd
    grid = np.linspace(0.2, 1.9, 60)
    ends = np.array([ratio_interval(protocol, replace(Relaxation(), b1=b1, b1_sd=sd)) for b1 in grid])
    low, high = (np.interp(measured, grid, ends[:, side]) for side in (0, 1))
    return corrected(shown, high), corrected(shown, low)
