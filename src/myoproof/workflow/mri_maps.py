"""Maps of a scan kept on disk: muscle-BIDS derivatives, one image and one sidecar a map."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Volume
from myoproof.numerics.limbs import body
from myoproof.registry import load
from myoproof.sources import bids_names
from myoproof.workflow.folder import write_json
from myoproof.workflow.mri_find import contrast, from_json
from myoproof.workflow.mri_steps import Desk

FOLDER = "derivatives"
SEPARATED = ("water", "fat", "fat_fraction", "fat_fraction_sd", "r2star", "field_hz", "confidence")
T2_SUFFIXES = {"water_t2_ms": "T2", "water_t2_sd_ms": "T2SD", "b1": "B1", "fat_share": "FF"}
"""Channel of the T2 maps -> suffix; T2 and B1 as in ORMIR-MIDS, the SD is ours."""
UNITS = {"water_t2_ms": "ms", "water_t2_sd_ms": "ms", "b1": "1", "fat_share": "1"}
ABOUT = {
    "water": "Water signal at echo time 0",
    "fat": "Fat signal at echo time 0",
    "fat_fraction": "Fat fraction of the signals; values slightly outside 0-1 are kept",
    "fat_fraction_sd": "Standard deviation of the fat fraction of a voxel",
    "r2star": "Effective transverse relaxation rate",
    "field_hz": "Off-resonance",
    "confidence": "Confidence that fat and water are not exchanged and the fit holds, 0 in air",
    "water_t2_ms": "T2 of water, fat separated; NaN in air",
    "water_t2_sd_ms": "Standard deviation of a voxel's water T2",
    "b1": "Transmit field, 1 = nominal",
    "fat_share": "Share of fat in the signal of the spin echoes",
    "fat_change": "Fat fraction of the signals, this visit less the earlier one, within the carried mask",
    "certainty": "Calibrated probability that the region given to a voxel is right",
}


@dataclass(frozen=True, slots=True)
class _Map:
    """One map: what it is called, by which step, its values and grid."""

    channel: str
    suffix: str
    step: str
    values: npt.NDArray[np.float32]
    affine: npt.NDArray[np.float64]
    unit: str


def write(desk: Desk, staging: Path) -> list[str]:
    """Write the maps of a scan.

    Parameters
    ----------
    desk : Desk
        Of a measured scan.
    staging : Path
        The scan's own folder; files take their place in ``derivatives/SUBJECT/SESSION/mr-quant/``.

    Returns
    -------
    list of str
        Names of the images below ``staging``.

    Raises
    ------
    NotWritable
        If a file cannot be written.
    """
    written = []
    for one in _maps(desk):
        image = _place(desk, one)
        path = staging / image
        load("writers", "nifti")(one.values, one.affine, path)
        write_json(_sidecar(desk, one), path.with_name(f"{bids_names.stem_of(path)}.json"))
        written.append(image.as_posix())
    if written:
        write_json(
            {
                "Name": "myoproof", "BIDSVersion": "1.8.0", "DatasetType": "derivative",
                "GeneratedBy": [{"Name": "myoproof"}],
            },
            staging / FOLDER / "dataset_description.json",
        )  # fmt: skip
    return written


def _maps(desk: Desk) -> Iterator[_Map]:
    volume = desk.images.payload
    assert isinstance(volume, Volume)

    def one(channel: str, suffix: str, step: str) -> _Map:
        unit = bids_names.UNITS.get(channel, "1" if channel in ("fat_change", "certainty") else "")
        return _Map(channel, suffix, step, volume.channels[channel], volume.affine, unit)

    if desk.separation is not None:
        yield from (one(name, bids_names.DIXON[name], "") for name in SEPARATED)
    elif desk.has_fat and "fat_fraction" not in volume.channels:
        yield _Map("fat_fraction", "FF", "", _ratio(volume), volume.affine, "1")
    if "certainty" in volume.channels:
        yield one("certainty", "CONF", "regions")
    if "fat_change" in volume.channels:
        yield one("fat_change", "FF", "change")
    if desk.t2 is not None:
        found = desk.t2.maps
        for name, suffix in T2_SUFFIXES.items():
            if name in found.channels:
                yield _Map(name, suffix, "relaxation", found.channels[name], found.affine, UNITS[name])


def _ratio(volume: Volume) -> npt.NDArray[np.float32]:
    """Fat over fat and water in tissue, 0 in air."""
    axis = volume.slice_axis
    signal = np.nan_to_num(volume.channels["fat"] + volume.channels["water"])
    tissue = np.moveaxis(body(np.moveaxis(signal, axis, 2)), 2, axis) & (signal > 0)
    out = np.zeros(signal.shape, dtype=np.float32)
    np.divide(volume.channels["fat"], signal, out=out, where=tissue)
    return out


def _place(desk: Desk, one: _Map) -> Path:
    """``derivatives/sub-01/ses-m00/mr-quant/sub-01_ses-m00_desc-multiecho_FF.nii.gz``."""
    scan = desk.scan
    words = [f"sub-{bids_names.label(scan.subject)}"]
    folder = Path(FOLDER) / words[0]
    if scan.session:
        words.append(f"ses-{bids_names.label(scan.session)}")
        folder /= words[-1]
    words += [f"run-{bids_names.label(scan.run)}"] if scan.run else []
    kind = contrast(from_json(desk.task.work["scan"])) or scan.modality
    words += [f"desc-{bids_names.label(kind + one.step)}", one.suffix]
    return folder / bids_names.QUANT / f"{'_'.join(words)}.nii.gz"


def _sidecar(desk: Desk, one: _Map) -> dict[str, Any]:
    said: dict[str, Any] = {"Description": ABOUT[one.channel], "Provenance": desk.task.id}
    said |= {"Units": one.unit} if one.unit else {}
    said |= {"Sources": list(desk.task.inputs)}
    return said | ({"Simulated": True} if desk.options["simulated"] else {})
