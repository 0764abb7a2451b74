"""What a child process read of an ultrasound file: packed there as JSON and plain arrays, unpacked here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.errors import Finding, InvalidInput, MyoproofError, NotReadable
from myoproof.sources.ultrasound import UltrasoundReading, reading

FINDINGS: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])
FAULTS = {kind.__name__: kind for kind in (InvalidInput, NotReadable)}
ARRAYS = ("pixels", "tissue", "times_s")
TEXTS = ("subject", "session", "run", "modality", "device", "preset", "digest")


def parse(argument: Mapping[str, Any]) -> dict[str, Any]:
    """Read one file; the act of a child process.

    Parameters
    ----------
    argument : mapping
        ``path``; ``options``, the keywords of :func:`myoproof.sources.ultrasound.reading`; ``out``, a folder
        for the arrays.

    Returns
    -------
    dict
        What :func:`received` takes.
    """
    options = dict(argument["options"])
    if isinstance(options.get("spacing_mm"), list):
        options["spacing_mm"] = tuple(options["spacing_mm"])
    try:
        return packed(reading(argument["path"], **options), Path(argument["out"]))
    except (InvalidInput, NotReadable) as fault:
        return {
            "fault": type(fault).__name__,
            "what": fault.what,
            "where": fault.where,
            "mend": fault.mend,
        }


def packed(found: UltrasoundReading, out: Path) -> dict[str, Any]:
    """A reading as plain JSON, its arrays as files."""
    acquisition, picture = found.acquisition, found.acquisition.payload
    assert isinstance(picture, Picture)
    for name in ARRAYS:
        array = getattr(picture, name)
        if array is not None:
            np.save(out / f"{name}.npy", array, allow_pickle=False)
    return {
        **{name: getattr(acquisition, name) for name in TEXTS},
        "settings": dict(acquisition.settings),
        "spacing_mm": picture.spacing_mm,
        "spacing_source": picture.spacing_source,
        "findings": FINDINGS.dump_python(found.findings, mode="json"),
        "box": found.box,
        "shape": found.shape,
        "secrets": found.secrets,
    }


def received(answer: Mapping[str, Any], out: Path) -> UltrasoundReading:
    """Unpack what :func:`parse` gave.

    Raises
    ------
    NotReadable, InvalidInput
        The fault that the child met.
    """
    if "fault" in answer:
        kind: type[MyoproofError] = FAULTS[answer["fault"]]
        raise kind(str(answer["what"]), where=str(answer["where"]), mend=str(answer["mend"]))
    arrays: dict[str, Any] = {
        name: np.load(path, allow_pickle=False) if (path := out / f"{name}.npy").exists() else None
        for name in ARRAYS
    }
    texts: dict[str, Any] = {name: str(answer[name]) for name in TEXTS}
    spacing = answer["spacing_mm"]
    picture = Picture(
        arrays["pixels"],
        None if spacing is None else (float(spacing[0]), float(spacing[1])),
        str(answer["spacing_source"]),
        times_s=arrays["times_s"],
        tissue=arrays["tissue"],
    )
    acquisition = Acquisition(
        **texts,
        payload=picture,
        settings={str(name): float(value) for name, value in answer["settings"].items()},
    )
    top, bottom, left, right = (int(edge) for edge in answer["box"])
    return UltrasoundReading(
        acquisition,
        FINDINGS.validate_python(answer["findings"]),
        (top, bottom, left, right),
        str(answer["shape"]),
        bool(answer["secrets"]),
    )
