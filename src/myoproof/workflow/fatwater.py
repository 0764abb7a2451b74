"""Fat-water separation as one act: echoes read, separated, maps written with their provenance."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from myoproof.core.acquisition import Acquisition, Echoes
from myoproof.core.contracts import Progress, silent
from myoproof.delivery import nifti
from myoproof.errors import Finding, InvalidInput, NotReadable, UnknownName
from myoproof.measures.multiecho_bias import budget
from myoproof.numerics.fatwater import FatWaterParams, Separation, separate
from myoproof.numerics.fatwater_model import SPECTRA
from myoproof.sources import bids, ismrm
from myoproof.workflow.folder import Act, write_json

METHOD = "fatwater@1"
MAPS = ("water", "fat", "pdff", "r2star", "field", "sd", "confidence")
"""Files written, ``NAME.nii.gz`` each."""
LOW_CONFIDENCE = 0.5
SIGNS = {"find": 0, "+1": 1, "-1": -1, "1": 1}


@dataclass(frozen=True, slots=True)
class FatWaterOptions:
    """What a user may say about the separation.

    Parameters
    ----------
    spectrum : str
        Fat spectrum by name.
    precession : {"find", "+1", "-1"}
        ``find`` takes it from the data; what the file says decides where the data are silent.
    pdff : {"auto", "phase", "magnitude"}
        How noise is treated.
    bipolar : {"find", "yes", "no"}
        Whether readouts alternate; ``find`` takes it from the file and the data.
    echo_times_s : tuple of float
        In place of what the files say.
    settings : mapping
        Settings that the files lack, for example ``field_strength_t``.
    """

    spectrum: str = "hamilton"
    precession: str = "find"
    pdff: str = "auto"
    bipolar: str = "find"
    echo_times_s: tuple[float, ...] = ()
    settings: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class FatWaterRun:
    """What was done and found.

    Parameters
    ----------
    summary : DataFrame
        Columns what, value: for people.
    budget : DataFrame
        Bias budget of the scan, points of fat fraction.
    notes : tuple of str
    files : tuple of Path
    """

    summary: pd.DataFrame
    budget: pd.DataFrame
    notes: tuple[str, ...]
    files: tuple[Path, ...]


def fatwater(
    paths: Sequence[Path],
    out: Path,
    *,
    options: FatWaterOptions = FatWaterOptions(),
    jobs: int = 1,
    progress: Progress = silent,
) -> FatWaterRun:
    """Separate one scan and write its maps.

    Parameters
    ----------
    paths : sequence of Path
        An ISMRM toolbox .mat; or a BIDS or NIfTI folder; or NIfTI files with their JSON.
    out : Path
        Folder; made where absent. Each file is written whole or not at all, ``fatwater.json`` last.
    options : FatWaterOptions
    jobs : int
        Threads; the answer is the same for any number.
    progress : callable
        Told what is done and the share done.

    Returns
    -------
    FatWaterRun

    Raises
    ------
    NotReadable, InvalidInput, NotWritable, UnknownName
        For faulty files, options or outputs.
    """
    params = _params(options)
    scan, n_coils, remarks = _read(paths, options)
    payload = scan.payload
    if not isinstance(payload, Echoes):
        raise InvalidInput("these images are no echoes", where=str(paths[0]))
    strength = scan.settings.get("field_strength_t")
    if strength is None:
        raise InvalidInput(
            "the field strength is not known",
            where=str(paths[0]),
            mend="give --field-strength (tesla), or MagneticFieldStrength in the JSON",
        )
    params = _with_scan(params, options, scan, payload)
    found = separate(
        payload.values,
        payload.echo_times_s,
        field_strength_t=strength,
        params=params,
        threads=jobs,
        progress=progress,
    )
    parameters = json.loads(json.dumps(asdict(params) | {"settings": dict(scan.settings)}))
    act = Act(METHOD, parameters | {"echo_times_s": payload.echo_times_s.tolist()}, (scan.digest,))
    files = _write(found, payload.affine, out)
    summary = _summary(found, payload, n_coils, strength)
    record = act.record | {"found": dict(zip(summary["what"], summary["value"], strict=True))}
    write_json(record | {"notes": list(found.notes)}, out / "fatwater.json")
    notes = tuple(str(remark) for remark in remarks) + found.notes
    return FatWaterRun(
        summary, budget(scan, phase_kept=found.phase_kept), notes, (*files, out / "fatwater.json")
    )


def _params(options: FatWaterOptions) -> FatWaterParams:
    for value, known, what in (
        (options.spectrum, tuple(SPECTRA), "spectrum"),
        (options.precession, tuple(SIGNS), "precession sign"),
        (options.pdff, ("auto", "phase", "magnitude"), "treatment of noise"),
        (options.bipolar, ("find", "yes", "no"), "answer to bipolar"),
    ):
        if value not in known:
            raise UnknownName(f"no {what} {value!r}", mend=f"known: {', '.join(known)}")
    return FatWaterParams(
        spectrum=options.spectrum, precession_sign=SIGNS[options.precession], pdff=options.pdff
    )


def _with_scan(
    params: FatWaterParams, options: FatWaterOptions, scan: Acquisition, payload: Echoes
) -> FatWaterParams:
    """Parameters with what the scan says: slice axis, hint of the precession, bipolar readouts."""
    told = scan.settings.get("bipolar")
    bipolar = {"yes": True, "no": False}.get(options.bipolar, None if told is None else bool(told))
    parts = {name: getattr(params, name) for name in ("spectrum", "precession_sign", "pdff")}
    return FatWaterParams(
        **parts,
        precession_hint=int(scan.settings.get("precession_sign", 0)),
        bipolar=bipolar,
        slice_axis=payload.slice_axis,
    )


def _read(paths: Sequence[Path], options: FatWaterOptions) -> tuple[Acquisition, int, list[Finding]]:
    if not paths:
        raise NotReadable("no echoes were given", mend="give a .mat, a folder or NIfTI files")
    if any(Path(path).suffix.lower() == ".mat" for path in paths):
        if len(paths) != 1:
            raise InvalidInput(f"{len(paths)} files were given", mend="give one .mat alone")
        held = ismrm.read_scan(Path(paths[0]))
        given = dict(held.acquisition.settings) | dict(options.settings or {})
        scan = Acquisition(
            subject="",
            session="",
            run="",
            modality="multiecho",
            payload=_timed(held.acquisition.payload, options.echo_times_s),
            digest=held.acquisition.digest,
            settings=given,
        )
        return scan, held.n_coils, list(held.findings)
    remarks: list[Finding] = []
    scan = bids.read_echoes(
        *(Path(path) for path in paths),
        echo_times_s=options.echo_times_s or None,
        settings=options.settings,
        tell=remarks.append,
    )
    return scan, 1, remarks


def _timed(payload: Any, echo_times_s: tuple[float, ...]) -> Echoes:
    if not echo_times_s:
        return Echoes(payload.values, payload.echo_times_s, payload.affine)
    return Echoes(payload.values, np.asarray(echo_times_s, dtype=np.float64), payload.affine)


def _write(found: Separation, affine: npt.NDArray[np.float64], out: Path) -> list[Path]:
    arrays: dict[str, npt.NDArray[Any]] = {
        "water": np.abs(found.water),
        "fat": np.abs(found.fat),
        "pdff": found.pdff,
        "r2star": found.r2star,
        "field": found.field_hz,
        "sd": found.pdff_sd,
        "confidence": found.confidence,
        "swap_risk": found.swap_risk.astype(np.uint8),
    }
    files = []
    for name, values in arrays.items():
        path = Path(out) / f"{name}.nii.gz"
        nifti.write(values, affine, path)
        files.append(path)
    return files


def _summary(found: Separation, payload: Echoes, n_coils: int, strength: float) -> pd.DataFrame:
    inside = found.confidence > 0
    times = ", ".join(f"{1000 * time:.3g}" for time in payload.echo_times_s)
    signs = set(found.slice_signs)
    sign = f"{found.precession_sign:+d}" + ("" if len(signs) == 1 else " (alternates between slices)")
    median = {
        name: float(np.median(values[inside])) if inside.any() else float("nan")
        for name, values in (("r2star", found.r2star), ("field", found.field_hz), ("sd", found.pdff_sd))
    }
    kept = "kept" if found.phase_kept else "magnitudes (noise lifts low fat fractions)"
    rows = [
        ("grid", " x ".join(str(length) for length in payload.shape)),
        (
            "echoes",
            f"{payload.echo_times_s.size} at {times} ms, {'complex' if payload.is_complex else 'magnitude'}",
        ),
        ("coils combined", str(n_coils)),
        ("field strength", f"{strength:g} T"),
        ("precession sign", sign),
        ("tissue", f"{int(inside.sum())} voxels ({100 * inside.mean():.1f} %)"),
        ("fat fraction and noise", kept),
        ("fat fraction, median SD", f"{100 * median['sd']:.2f} points"),
        ("R2*, median", f"{median['r2star']:.1f} 1/s"),
        ("field, median", f"{median['field']:.1f} Hz"),
        ("noise SD of a real channel", f"{found.noise_sd:.4g}"),
        ("model error", f"{100 * found.model_error:.1f} % of the signal"),
        (
            "at risk of exchange",
            f"{100 * found.swap_risk[inside].mean() if inside.any() else 0:.2f} % of tissue",
        ),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])
