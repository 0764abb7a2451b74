"""Water T2 as one act: echoes, mask and companions read, rows, maps and their provenance written."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.core.table import Table, read_frame
from myoproof.errors import InvalidInput
from myoproof.measures import relaxation
from myoproof.numerics.epg_pulse import SliceProfile
from myoproof.registry import load
from myoproof.sources import bids, bids_nifti, nifti
from myoproof.workflow import folder as study_folder
from myoproof.workflow import regions

PERCENT, TENTHS = 2.0, 200.0
"""Fat fractions whose upper end is above these are per cent, or tenths of a per cent."""
USUAL = frozenset({"muscle_cut_by_stack_end", "sides_split_by_geometry"})
"""Flags of nearly every scan, left out of the summary."""
PROFILE = ("excitation_deg", "refocusing_deg")


@dataclass(frozen=True, slots=True)
class RelaxationFiles:
    """The files of one water T2 measurement, and whose they are.

    Parameters
    ----------
    echoes : tuple of Path
        A BIDS or NIfTI folder, or files: one 4-D image or one 3-D image an echo, with JSON sidecars.
    segmentation : Path
        Mask on any grid: NIfTI, DICOM SEG or RTSTRUCT.
    labels : str
        A label scheme of the vocabulary or the path of a CSV; "" as :func:`myoproof.workflow.regions.read`.
    fat, water : Path, optional
        Companion Dixon images, on any grid.
    fat_fraction : Path, optional
        Or a fat fraction map (0-1, per cent or tenths of it).
    b1 : Path, optional
        Map of the transmit field, 1 = nominal (or per cent).
    profile : Path, optional
        CSV with the columns ``excitation_deg`` and ``refocusing_deg`` across the slice, evenly spaced.
    echo_times_s : tuple of float
        In place of what the sidecars say.
    subject, session, rater, run : str
        Pseudonym, visit, who drew the mask, and which repetition.
    """

    echoes: tuple[Path, ...]
    segmentation: Path
    labels: str = ""
    fat: Path | None = None
    water: Path | None = None
    fat_fraction: Path | None = None
    b1: Path | None = None
    profile: Path | None = None
    echo_times_s: tuple[float, ...] = ()
    subject: str = "subject"
    session: str = "m00"
    rater: str = "drawn"
    run: str = ""


def measure_relaxation(
    files: RelaxationFiles,
    *,
    out: Path | None = None,
    maps: Path | None = None,
    options: Mapping[str, Any] | None = None,
    jobs: int = 1,
    into: Path | None = None,
    finish: Callable[[pd.DataFrame], Table] = Table,
) -> Table:
    """Measure the water T2 of a scan: one row per muscle, side, measure and slice.

    Parameters
    ----------
    files : RelaxationFiles
        What to measure.
    out : Path, optional
        Rows as CSV or Parquet; a provenance record is written beside it.
    maps : Path, optional
        Folder for the maps ``water_t2_ms``, ``water_t2_sd_ms``, ``b1`` and ``fat_share`` as NIfTI.
    options : mapping, optional
        Parameters of the measure, for example ``{"skip": 1}``.
    jobs : int
        Threads; the answer is the same for any number.
    into : Path, optional
        A study folder that the rows are added to.
    finish : callable
        Last hand on the rows before they are kept.

    Returns
    -------
    Table
        Rows with provenance.

    Raises
    ------
    NotReadable, InvalidInput, OutOfDomain, NotWritable
        For faulty files or outputs; nothing half-written remains.
    """
    if into is not None:
        study_folder.refuse_foreign(into, "study folder")
    who = bids.Who(files.subject, files.session, files.run)
    scan = bids.read_echoes(
        *files.echoes, echo_times_s=files.echo_times_s or None, who=who, modality="t2_mapping"
    )
    found = regions.read(files.segmentation, scan, labels=files.labels, rater=files.rater, any_grid=True)
    context = relaxation.Context(_fat(files), _field(files), threads=jobs)
    params = relaxation.Params(**(_profile(files) | dict(options or {})))
    rows = relaxation.measure(scan, found.segmentation, context=context, params=params)
    companions = [path for path in (files.fat, files.water, files.fat_fraction, files.b1) if path is not None]
    inputs = (scan.digest, *found.inputs, *([bids_nifti.digest(companions)] if companions else []))
    key = {name: getattr(files, name) for name in ("subject", "session", "run", "rater")}
    settings = json.loads(json.dumps(asdict(params), default=lambda array: array.tolist()))
    act = study_folder.Act(f"{relaxation.METHOD}@{relaxation.METHOD_VERSION}", key | settings, inputs)
    rows = finish(rows.assign(provenance=act.id))
    if maps is not None:
        volume = relaxation.maps(scan, context=context, params=params)
        for name, values in volume.channels.items():
            load("writers", "nifti")(values, volume.affine, maps / f"{name}.nii.gz")
    study_folder.keep(rows, act, scan, out=out, into=into)
    return rows


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Water T2 with its interval, transmit field and flags: a line per muscle and side."""
    main = rows[(rows["method"] == relaxation.METHOD) & (rows["at"] == "")]
    water = main[main["measure"] == "water_t2"].set_index(["site", "side"])
    field = main[main["measure"] == "b1"].set_index(["site", "side"])["value"]
    shown = water[["value", "low", "high"]].rename(columns={"value": "water_t2_ms"})
    flags = water["flags"].str.split(";").map(lambda words: " ".join(w for w in words if w not in USUAL))
    told = water["absent"].where(water["absent"] != "", flags)
    return pd.DataFrame(shown.assign(b1=field, told=told).reset_index())


def _fat(files: RelaxationFiles) -> Acquisition | None:
    pair = (files.fat is not None, files.water is not None)
    if pair[0] != pair[1] or (files.fat_fraction is not None and any(pair)):
        raise InvalidInput("give fat and water together, or a fat fraction alone", where="measure relaxation")
    if files.fat is not None and files.water is not None:
        return nifti.read(files.fat, files.water, subject=files.subject)
    if files.fat_fraction is None:
        return None
    volume = _image(files.fat_fraction, "fat_fraction")
    top = float(np.nanpercentile(np.abs(volume.channels["fat_fraction"]), 99.5))
    return _companion(_scaled(volume, 1.0 if top <= PERCENT else 0.01 if top <= TENTHS else 0.001), files)


def _field(files: RelaxationFiles) -> Acquisition | None:
    if files.b1 is None:
        return None
    volume = _image(files.b1, "b1")
    values = volume.channels["b1"]
    middle = float(np.median(values[values > 0])) if (values > 0).any() else 1.0
    return _companion(_scaled(volume, 1.0 if middle < PERCENT else 0.01 if middle < TENTHS else 0.001), files)


def _companion(volume: Volume, files: RelaxationFiles) -> Acquisition:
    return Acquisition(files.subject, files.session, files.run, "muscle_mri", volume)


def _scaled(volume: Volume, factor: float) -> Volume:
    if factor == 1.0:
        return volume
    channels = {name: values * np.float32(factor) for name, values in volume.channels.items()}
    return Volume(channels, volume.affine)


def _image(path: Path, channel: str) -> Volume:
    volume = nifti.read_image(path).payload
    assert isinstance(volume, Volume)
    return Volume({channel: volume.channels["image"]}, volume.affine)


def _profile(files: RelaxationFiles) -> dict[str, Any]:
    if files.profile is None:
        return {}
    frame = read_frame(files.profile)
    missing: Sequence[str] = [name for name in PROFILE if name not in frame]
    if missing or len(frame) < 3:
        what = f"a slice profile needs the columns {', '.join(PROFILE)} and at least three rows"
        raise InvalidInput(what, where=str(files.profile))
    return {"profile": SliceProfile(*(frame[name].to_numpy(dtype=np.float64) for name in PROFILE))}
