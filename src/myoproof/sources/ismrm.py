"""ISMRM fat-water toolbox files: imDataParams in a .mat becomes an Acquisition of complex echoes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from myoproof.core.acquisition import Acquisition, Echoes
from myoproof.core.provenance import digest_files
from myoproof.errors import Finding, InvalidInput, NotReadable, refuse
from myoproof.numerics.coils import combine

NEEDED = ("images", "te", "fieldstrength")
"""Fields without which there is nothing to separate, in lower case."""
MILLISECONDS = 0.5
"""Echo times above this are milliseconds."""
HDF5 = b"MATLAB 7.3"


@dataclass(frozen=True, slots=True)
class Scan:
    """What one .mat holds.

    Parameters
    ----------
    acquisition : Acquisition
        Modality ``multiecho``; identity affine, coils combined.
    mask : (x, y, z) bool, or None
        The file's own mask.
    n_coils : int
    findings : tuple of Finding
        Remarks that do not forbid the separation.
    """

    acquisition: Acquisition
    mask: npt.NDArray[np.bool_] | None
    n_coils: int
    findings: tuple[Finding, ...]


def read(path: Path, *, subject: str = "", session: str = "", run: str = "") -> Acquisition:
    """Read the echoes of a toolbox file; see :func:`read_scan`.

    Parameters
    ----------
    path, subject, session, run
        As of :func:`read_scan`.

    Returns
    -------
    Acquisition
        With an ``Echoes`` payload.

    Raises
    ------
    NotReadable, InvalidInput
        As :func:`read_scan`.
    """
    return read_scan(path, subject=subject, session=session, run=run).acquisition


def read_scan(path: Path, *, subject: str = "", session: str = "", run: str = "") -> Scan:
    """Read ``imDataParams``: images (x, y, z, coil, echo), TE (s), FieldStrength (T), PrecessionIsClockwise.

    Parameters
    ----------
    path : Path
        MATLAB v5 to v7; v7.3 (HDF5) is refused with the mend.
    subject, session, run : str
        Pseudonym, visit and repetition.

    Returns
    -------
    Scan
        Axes are kept, singletons too. ``PrecessionIsClockwise`` above 0 becomes ``precession_sign`` +1: fat,
        which precesses more slowly, turns as exp(-i 2 pi 3.4 ppm f0 t).

    Raises
    ------
    NotReadable
        If the file is absent, truncated or no MATLAB file that can be read.
    InvalidInput
        All faults of the content together.

    References
    ----------
    Hu HH et al. ISMRM workshop on fat-water separation. Magn Reson Med 2012;68:378 (toolbox conventions).
    """
    fields = _fields(Path(path))
    refuse(_faults(fields), where=str(path))
    images = _five(np.asarray(fields["images"]), int(np.size(fields["te"])))
    times = np.asarray(fields["te"], dtype=np.float64).ravel()
    remarks: list[Finding] = []
    if times.max() > MILLISECONDS:
        times = times / 1000.0
        remarks.append(Finding("warning", "echo times", "echo times were taken as milliseconds", str(path)))
    refuse(_echo_faults(images, times), where=str(path))
    remarks += _remarks(images, str(path))
    settings = {"field_strength_t": float(np.ravel(fields["fieldstrength"])[0])}
    if "precessionisclockwise" in fields and np.size(fields["precessionisclockwise"]):
        clockwise = float(np.ravel(fields["precessionisclockwise"])[0])
        settings["precession_sign"] = 1.0 if clockwise > 0 else -1.0
    acquisition = Acquisition(
        subject=subject,
        session=session,
        run=run,
        modality="multiecho",
        payload=Echoes(combine(images), times, np.eye(4)),
        digest=digest_files(Path(path)),
        settings=settings,
    )
    return Scan(acquisition, _mask(fields, images.shape[:3]), images.shape[3], tuple(remarks))


def _fields(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise NotReadable("there is no such file", where=str(path))
    with path.open("rb") as stream:
        head = stream.read(128)
    if head.startswith(HDF5) or head.startswith(b"\x89HDF"):
        raise NotReadable(
            "a MATLAB 7.3 (HDF5) file", where=str(path), mend="save it again in MATLAB with the option -v7"
        )
    try:
        content = loadmat(path)
    except (MatReadError, OSError, ValueError, TypeError, NotImplementedError, IndexError, KeyError) as fault:
        raise NotReadable(
            f"not a readable MATLAB file ({type(fault).__name__})", where=str(path), mend="copy it again"
        ) from fault
    except Exception as fault:
        if type(fault).__module__.partition(".")[0] not in {"zlib", "scipy", "struct"}:
            raise
        raise NotReadable("a truncated MATLAB file", where=str(path), mend="copy it again") from fault
    named = [content[name] for name in ("imDataParams", "data") if name in content]
    named += [value for name, value in content.items() if not name.startswith("_")]
    for value in named:
        record = (
            value.ravel()[0] if isinstance(value, np.ndarray) and value.dtype.names and value.size else None
        )
        if record is not None and "images" in {name.lower() for name in record.dtype.names}:
            return {name.lower(): record[name] for name in record.dtype.names}
    raise InvalidInput("holds no imDataParams with images", where=str(path), mend="give a toolbox file")


def _faults(fields: dict[str, Any]) -> list[Finding]:
    names = {"images": "images", "te": "TE", "fieldstrength": "FieldStrength"}
    found = [
        Finding("error", "missing", f"imDataParams has no {names[name]}", "", "add it and save again")
        for name in NEEDED
        if name not in fields or np.size(fields[name]) == 0
    ]
    if "images" in fields and np.asarray(fields["images"]).dtype.kind != "c":
        found.append(Finding("error", "values", "images are not complex", "", "keep the phase"))
    for name in ("te", "fieldstrength"):
        values = fields.get(name)
        if values is not None and np.size(values):
            array = np.asarray(values)
            if array.dtype.kind not in "iuf" or not np.isfinite(array.astype(np.float64)).all():
                found.append(Finding("error", "values", f"{names[name]} is no number", ""))
    return found


def _five(images: npt.NDArray[Any], n_echo: int) -> npt.NDArray[Any]:
    """Images with five axes: MATLAB drops trailing axes of length one, some files the coil axis."""
    if images.ndim == 4 and images.shape[3] == n_echo and n_echo > 1:
        return images[:, :, :, None, :]
    while images.ndim < 5:
        images = images[..., None]
    return images


def _echo_faults(images: npt.NDArray[Any], times: npt.NDArray[np.float64]) -> list[Finding]:
    found = []
    if images.ndim != 5:
        return [Finding("error", "dimensions", f"images have {images.ndim} axes {images.shape}, not 5")]
    if images.shape[4] != times.size:
        told = f"{times.size} echo times for {images.shape[4]} echoes"
        found.append(Finding("error", "echoes", told, "", "give one echo time per echo"))
    if (np.diff(times) <= 0).any() or (times < 0).any():
        found.append(Finding("error", "echoes", f"echo times do not increase: {times.tolist()} s"))
    size = np.nan_to_num(np.abs(images)).reshape(-1, images.shape[4]).max(axis=0) if images.size else []
    found += [
        Finding("error", "echoes", f"echo {number} holds no signal", "", "leave the echo and its time out")
        for number, most in enumerate(size, start=1)
        if most == 0
    ]
    return found


def _remarks(images: npt.NDArray[Any], where: str) -> list[Finding]:
    bad = ~np.isfinite(images).all(axis=(3, 4))
    if not bad.any():
        return []
    slices = [str(z) for z in np.flatnonzero(bad.any(axis=(0, 1)))]
    told = f"{int(bad.sum())} voxels of slices {', '.join(slices)} are not finite and count as background"
    return [Finding("warning", "values", told, where)]


def _mask(fields: dict[str, Any], shape: tuple[int, ...]) -> npt.NDArray[np.bool_] | None:
    if "mask" not in fields:
        return None
    mask = np.asarray(fields["mask"])
    while mask.ndim < 3:
        mask = mask[..., None]
    return np.asarray(mask > 0, dtype=bool) if mask.shape == shape else None
