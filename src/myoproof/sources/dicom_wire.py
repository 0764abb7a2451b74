"""What a child process says of a DICOM file, as plain JSON: packed there, checked and unpacked here."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from myoproof.sources.dicom_files import UNREADABLE
from myoproof.sources.dicom_header import frames_of
from myoproof.sources.dicom_types import Frame, Origin, Skipped

ORIGIN: TypeAdapter[Origin] = TypeAdapter(Origin)
FRAMES: TypeAdapter[tuple[Frame, ...]] = TypeAdapter(tuple[Frame, ...])


def parse(argument: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Parse files; the act of a child process.

    Parameters
    ----------
    argument : mapping
        ``paths``, a list of str.

    Returns
    -------
    list of dict
        For each file what :func:`received` takes.
    """
    return [packed(frames_of(Path(path))) for path in argument["paths"]]


def packed(found: tuple[Frame, ...] | Skipped) -> dict[str, Any]:
    """What was found in one file, as plain JSON: its origin once, then its frames."""
    if isinstance(found, Skipped):
        return {"category": found.category, "reason": found.reason}
    if not found:
        return {"origin": None, "frames": []}
    origin = asdict(found[0].origin) | {"path": str(found[0].origin.path)}
    plain = [asdict(replace(frame, origin=None)) for frame in found]  # type: ignore[arg-type]
    return {"origin": origin, "frames": plain}


def received(said: Mapping[str, Any], path: Path) -> tuple[Frame, ...] | Skipped:
    """What a child process said of one file.

    Parameters
    ----------
    said : mapping
        From :func:`packed`.
    path : Path
        The file that was asked for.

    Returns
    -------
    tuple of Frame, or Skipped
        An answer that is none counts as an unreadable file.
    """
    try:
        if "category" in said:
            return Skipped(path, str(said["category"]), str(said["reason"]))
        if not said["frames"]:
            return ()
        origin = replace(ORIGIN.validate_python(said["origin"]), path=path)
        return FRAMES.validate_python([{**frame, "origin": origin} for frame in said["frames"]])
    except (ValidationError, *UNREADABLE) as fault:
        return Skipped(path, "unreadable", f"its header cannot be used ({type(fault).__name__})")
