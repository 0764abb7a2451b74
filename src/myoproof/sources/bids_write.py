"""A muscle-BIDS study written: images and sidecars put in place whole, and never rewritten."""

import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from myoproof.core.acquisition import Acquisition, Echoes, Volume
from myoproof.core.provenance import digest_arrays
from myoproof.errors import Finding, InvalidInput, NotWritable, refuse
from myoproof.sources import bids_names, bids_nifti, bids_sidecar

HIDDEN = ".writing-"
STALE_S = 86400.0
"""A hidden folder as old as this belongs to no living process."""

_Output = tuple[Path, str, Callable[[], Iterator[npt.NDArray[np.float32]]]]
"""Place below the root without extension, unit, and a function giving the volumes."""


def settled(acquisition: Acquisition, root: Path) -> tuple[Acquisition, bool]:
    """Which run of its session an acquisition is in a study.

    Parameters
    ----------
    acquisition : Acquisition
        With subject and session; an empty run is chosen, another one kept.
    root : Path
        The study's raw folder.

    Returns
    -------
    acquisition : Acquisition
        With its run and digest.
    known : bool
        Whether the study holds this very scan already.
    """
    payload = acquisition.payload
    if not acquisition.digest and isinstance(payload, Volume | Echoes):
        arrays = payload.channels.values() if isinstance(payload, Volume) else [payload.values]
        acquisition = replace(acquisition, digest=digest_arrays(*arrays))
    held = _held(acquisition, Path(root))
    for run, digests in held.items():
        if acquisition.digest in digests and acquisition.run in ("", run):
            candidate = replace(acquisition, run=run)
            return candidate, _complete(candidate, Path(root))
    if acquisition.run in held:
        if acquisition.run:
            what = f"run {acquisition.run} of {acquisition.subject} {acquisition.session} holds another scan"
            raise NotWritable(what, where=str(root), mend="leave the run out to get the next one")
        free = (f"{number:02d}" for number in itertools.count(2))
        acquisition = replace(acquisition, run=next(run for run in free if run not in held))
    return acquisition, False


def _complete(acquisition: Acquisition, root: Path) -> bool:
    """Whether every file of a scan took its place; a killed process may have left some behind."""
    return all(
        (root / f"{place}{extension}").is_file()
        for place, *_ in _outputs(acquisition)
        for extension in (".nii.gz", ".json")
    )


def sweep(root: Path) -> None:
    """Remove the hidden folders that processes killed more than a day ago left behind."""
    for hidden in Path(root).glob(f"{HIDDEN}*"):
        if time.time() - hidden.stat().st_mtime > STALE_S:
            shutil.rmtree(hidden, ignore_errors=True)


def _held(acquisition: Acquisition, root: Path) -> dict[str, set[str]]:
    """Run -> digests of the finished scans of the same modality in the same session."""
    place = _outputs(acquisition)[0][0]
    held: dict[str, set[str]] = {}
    for sidecar in sorted((root / place).parent.parent.glob("mr-*/*.json")):
        name = bids_names.parse(sidecar.with_suffix(".nii.gz"))
        if name is not None and bids_names.kind_and_role(name)[0] == acquisition.modality:
            held.setdefault(name.run, set()).add(bids_sidecar.read(sidecar).digest)
    return held


def write(acquisition: Acquisition, root: Path) -> list[Path]:
    """Write an acquisition into a muscle-BIDS folder; what is there is never rewritten.

    The images are written beside their place under hidden names, then renamed, sidecars last: a scan without
    its sidecar was never finished. Complex echoes become magnitude and phase.

    Parameters
    ----------
    acquisition : Acquisition
        Payload Volume or Echoes; subject ``sub-001`` or ``001``. An empty run takes the next free one.
    root : Path
        The study's raw folder; made where absent.

    Returns
    -------
    list of Path
        The images; those already there where the study holds the very scan (same digest).

    Raises
    ------
    InvalidInput
        If the payload is no image, or subject or session are no BIDS labels.
    NotWritable
        If a file cannot be written, or a run given by name holds another scan.
    """
    return list(enter(acquisition, root).images)


@dataclass(frozen=True, slots=True)
class Entered:
    """A scan in its study: the acquisition with its run, its images, and whether it was new."""

    acquisition: Acquisition
    images: tuple[Path, ...]
    new: bool


def enter(
    acquisition: Acquisition, root: Path, *, lock: AbstractContextManager[Any] | None = None
) -> Entered:
    """Write as :func:`write` does, and say where.

    Parameters
    ----------
    acquisition, root
        As in :func:`write`.
    lock : context manager, optional
        Held while a run is chosen and the files take their place, where several threads write at a time.

    Raises
    ------
    InvalidInput, NotWritable
        As :func:`write`.
    """
    root = Path(root)
    refuse(_label_faults(acquisition))
    settled_one, known = settled(acquisition, root)
    if known:
        return Entered(settled_one, _images(settled_one, root), False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=root))
    except OSError as fault:
        raise NotWritable(f"cannot be written ({fault.strerror})", where=str(root)) from fault
    try:
        _write_hidden(settled_one, hidden)
        with lock or nullcontext():
            settled_one, known = settled(acquisition, root)
            if not known:
                _publish(_outputs(settled_one), hidden, root)
    except OSError as fault:
        if isinstance(fault, NotWritable):
            raise
        raise NotWritable(f"cannot be written ({fault.strerror or fault})", where=str(root)) from fault
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return Entered(settled_one, _images(settled_one, root), not known)


def _images(acquisition: Acquisition, root: Path) -> tuple[Path, ...]:
    return tuple(root / f"{place}.nii.gz" for place, *_ in _outputs(acquisition))


def _outputs(acquisition: Acquisition) -> list[_Output]:
    payload = acquisition.payload
    who = (acquisition.subject, acquisition.session, acquisition.run)
    if isinstance(payload, Echoes):
        suffix = "MESE" if acquisition.modality == "t2_mapping" else "MEGRE"
        parts = (
            [("", np.abs, ""), ("phase", np.angle, "rad")] if payload.is_complex else [("", np.asarray, "")]
        )
        return [
            (bids_names.place(*who, suffix, part), unit, partial(_each_echo, payload, make))
            for part, make, unit in parts
        ]
    if not isinstance(payload, Volume):
        raise InvalidInput(f"a {type(payload).__name__} is no image")
    return [
        (
            bids_names.place(*who, _suffix(name, acquisition.protocol)),
            bids_names.UNITS.get(name, ""),
            partial(_one, payload, name),
        )
        for name in payload.channels
    ]


def _each_echo(payload: Echoes, make: Any) -> Iterator[npt.NDArray[np.float32]]:
    for number in range(payload.values.shape[3]):
        yield np.asarray(make(payload.values[..., number]), dtype=np.float32)


def _one(payload: Volume, name: str) -> Iterator[npt.NDArray[np.float32]]:
    yield np.asarray(payload.channels[name], dtype=np.float32)


def _suffix(channel: str, protocol: str) -> str:
    known: Mapping[str, str] = bids_names.DIXON | bids_names.MAPS
    if channel == "image":
        contrast = protocol.lower().removesuffix("w")
        return bids_names.SINGLE.get(contrast, bids_names.SINGLE[""])
    if channel not in known:
        raise InvalidInput(f"the channel {channel!r} has no name in a muscle-BIDS study")
    return known[channel]


def _write_hidden(acquisition: Acquisition, hidden: Path) -> None:
    payload = acquisition.payload
    assert isinstance(payload, Volume | Echoes)
    times = payload.echo_times_s.tolist() if isinstance(payload, Echoes) else []
    for number, (_, unit, volumes) in enumerate(_outputs(acquisition)):
        said = bids_sidecar.content(
            settings=acquisition.settings,
            echo_times_s=times,
            unit=unit,
            day=acquisition.day,
            digest=acquisition.digest,
            device=acquisition.device,
            technique=acquisition.protocol,
        )
        bids_nifti.write(volumes(), payload.affine, hidden / f"{number}.nii.gz", n_volumes=max(1, len(times)))
        (hidden / f"{number}.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def _publish(outputs: Sequence[_Output], hidden: Path, root: Path) -> None:
    done: list[Path] = []
    try:
        for extension in (".nii.gz", ".json"):
            for number, (place, *_) in enumerate(outputs):
                target = root / f"{place}{extension}"
                target.parent.mkdir(parents=True, exist_ok=True)
                (hidden / f"{number}{extension}").replace(target)
                done.append(target)
    except BaseException:
        for target in done:
            target.unlink(missing_ok=True)
        raise


def _label_faults(acquisition: Acquisition) -> list[Finding]:
    said = {"subject": acquisition.subject, "session": acquisition.session, "run": acquisition.run}
    findings = []
    for name, text in said.items():
        bare = text.removeprefix("sub-") if name == "subject" else text
        if bids_names.label(text) != bare or (name == "subject" and not bare):
            what = f"the {name} {text!r} is no BIDS label"
            findings.append(Finding("error", name, what, mend="use letters and digits alone"))
    return findings
