"""How long radiomics take beside mirp on one muscle, how far both agree; and the docs' table of features."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.history import append
from myoproof.core.acquisition import Volume
from myoproof.delivery.nifti import write
from myoproof.measures.radiomics_features import Image, features
from myoproof.measures.radiomics_params import Params
from myoproof.phantoms.dixon import ThighParams, thigh
from myoproof.vocabulary.lookup import words

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "radiomics.md"
BEGIN, END = "<!-- features: begin -->", "<!-- features: end -->"
BINS = 32
PEER = """
import json, sys, time
from mirp import extract_features
folder = sys.argv[1]
def run():
    start = time.perf_counter()
    found = extract_features(image=folder + "/image.nii.gz", mask=folder + "/mask.nii.gz",
        base_discretisation_method="fixed_bin_number", base_discretisation_n_bins=int(sys.argv[2]),
        glcm_spatial_method=["2.5d_volume_merge"], glrlm_spatial_method=["2.5d_volume_merge"],
        glszm_spatial_method=["2.5d"], gldzm_spatial_method=["2.5d"], ngtdm_spatial_method=["2.5d"],
        ngldm_spatial_method=["2.5d"])
    return time.perf_counter() - start, found[0]
if __name__ == "__main__":
    seconds, frame = min((run() for _ in range(3)), key=lambda one: one[0])
    values = {}
    for name in frame.columns:
        try:
            values[name] = float(frame[name].iloc[0])
        except (TypeError, ValueError):
            pass
    print("RESULT" + json.dumps({"seconds": seconds, "values": values}))
"""
PAIRS = {
    "intensity_mean": "stat_mean",
    "intensity_kurtosis": "stat_kurt",
    "glcm_joint_entropy": f"cm_joint_entr_d1_2.5d_v_mrg_fbn_n{BINS}",
    "glcm_information_correlation_1": f"cm_info_corr1_d1_2.5d_v_mrg_fbn_n{BINS}",
    "glrlm_run_entropy": f"rlm_rl_entr_2.5d_v_mrg_fbn_n{BINS}",
    "glszm_zone_size_variance": f"szm_zs_var_2.5d_fbn_n{BINS}",
    "gldzm_large_distance_emphasis": f"dzm_lde_2.5d_fbn_n{BINS}",
    "ngtdm_strength": f"ngt_strength_2.5d_fbn_n{BINS}",
    "ngldm_dependence_count_entropy": f"ngl_dc_entr_d1_a0.0_2.5d_fbn_n{BINS}",
}
"""Features of ours and their names at mirp: one or two of each family."""


def feature_table() -> str:
    """The features as a Markdown table, from the vocabulary."""
    lines = ["| feature | unit | IBSI id | |", "|---|---|---|---|"]
    for name, row in words("measures").items():
        if row["code"].startswith("IBSI "):
            lines.append(f"| `{name}` | {row['unit']} | {row['code'][5:]} | {row['description']} |")
    return "\n".join(lines)


def write_page() -> None:
    """Put the table between its marks in the docs."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{feature_table()}\n{END}{after}", encoding="utf-8")


def peer(python: str, folder: Path) -> dict[str, object]:
    """The peer in its own interpreter, imports and first call not counted."""
    script = folder / "peer.py"
    script.write_text(PEER, encoding="utf-8")
    command = [python, str(script), str(folder), str(BINS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    found: dict[str, object] = json.loads(line.removeprefix("RESULT"))
    return found


def main() -> None:
    """One simulated vastus lateralis: seconds of both, ratio and largest relative difference."""
    folder = ROOT / "build" / "bench_radiomics"
    folder.mkdir(parents=True, exist_ok=True)
    scan = thigh(rng=np.random.default_rng(1), params=ThighParams(n_slices=24, gap_mm=0.0))
    volume = scan.acquisition.payload
    assert isinstance(volume, Volume)
    fat, water = volume.channels["fat"], volume.channels["water"]
    label = next(label for label, name in scan.exact.names.items() if name[0] == "vastus_lateralis")
    mask = scan.exact.labels == label
    fraction = np.divide(fat, fat + water, out=np.zeros_like(fat), where=fat + water > 0)
    write(fraction, volume.affine, folder / "image.nii.gz")
    write(mask.astype(np.uint8), volume.affine, folder / "mask.nii.gz")
    image = Image(fraction, volume.spacing_mm)
    params = Params(bins=BINS)
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        found, _ = features(image, mask, params)
        seconds.append(time.perf_counter() - start)
    record: dict[str, object] = {"voxels": int(mask.sum()), "seconds": round(min(seconds), 4)}
    theirs = peer(sys.argv[1], folder) if len(sys.argv) > 1 else None
    if theirs is not None:
        own = {name: value for group in found.values() for name, value in group.items()}
        values = theirs["values"]
        assert isinstance(values, dict)
        away = [
            abs(own[name] - values[tag]) / abs(values[tag]) for name, tag in PAIRS.items() if tag in values
        ]
        record |= {
            "seconds_mirp": round(float(str(theirs["seconds"])), 3),
            "ratio": round(min(seconds) / float(str(theirs["seconds"])), 4),
            "features_compared": len(away),
            "largest_relative_difference": float(max(away)),
        }
    append("radiomics", record)


if __name__ == "__main__":
    write_page() if sys.argv[1:] == ["--page"] else main()
