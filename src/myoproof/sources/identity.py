"""Identity removed: pseudonyms, days in place of dates, what may leave, and the key on request."""

import csv
import hmac
import io
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pydicom

from myoproof.core.acquisition import Acquisition
from myoproof.core.atomic import atomic_path
from myoproof.errors import Finding, InvalidInput, NotReadable
from myoproof.sources.bids_sidecar import SETTINGS, TECHNIQUE

METHOD = (
    "PS3.15 Basic Application Confidentiality Profile by allow-list; days since baseline in place of dates"
)
CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113109": "Retain Device Identity Option",
}
"""DICOM PS3.16 CID 7050: what was done. Of the device, maker and model stay; serial and station do not."""

KEY_COLUMNS = ("subject", "patient_id", "session", "study_date", "baseline_date")
DAYS_PER_MONTH = 365.25 / 12
SHORTEST_SECRET = 4
"""Shorter values (an initial, a month) cannot be told from chance."""
DEVICE = re.compile(r"[A-Za-z0-9 ._+/-]{0,60}")


@dataclass(frozen=True, slots=True)
class Person:
    """Who was scanned and when, as the file says; never shown, never written but into a key file.

    Parameters
    ----------
    patient_id, name, birth_date, study_date : str
        Dates as YYYYMMDD, "" unknown.
    others : tuple of str
        Further identifying texts that must not leave: UIDs, accession number.
    """

    patient_id: str = field(repr=False)
    name: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    study_date: str = field(default="", repr=False)
    others: tuple[str, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """What tells persons apart."""
        return self.patient_id or self.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must not occur in an output."""
        names = re.split(r"[\^ =,]+", self.name)
        texts = {self.patient_id, self.name, self.birth_date, self.study_date, *self.others, *names}
        dates = {_spelt(text) for text in (self.birth_date, self.study_date)}
        return tuple(sorted(text for text in texts | dates if len(text) >= SHORTEST_SECRET))


def hashed(patient_id: str, salt: str) -> str:
    """A pseudonym that is the same wherever the same salt is used, and says nothing without it.

    Examples
    --------
    >>> hashed("4711", "a secret of the study") == hashed("4711", "a secret of the study")
    True
    >>> hashed("4711", "one") == hashed("4711", "two")
    False
    """
    return "sub-" + hmac.new(salt.encode(), patient_id.encode(), "sha256").hexdigest()[:10]


def numbered(taken: Iterable[str]) -> str:
    """The next pseudonym of a counted study.

    Examples
    --------
    >>> numbered(["sub-001", "sub-004", "sub-pilot"])
    'sub-005'
    """
    numbers = [int(found.group(1)) for one in taken if (found := re.fullmatch(r"sub-(\d+)", one))]
    return f"sub-{max(numbers, default=0) + 1:03d}"


def days_between(baseline: str, later: str) -> int | None:
    """Days from one YYYYMMDD date to another; None where one is unknown.

    Examples
    --------
    >>> days_between("20200131", "20200301")
    30
    """
    dates = [_date(text) for text in (baseline, later)]
    if dates[0] is None or dates[1] is None:
        return None
    return (dates[1] - dates[0]).days


def shifted(start: str, days: float) -> str:
    """A YYYYMMDD date some days later.

    Examples
    --------
    >>> shifted("20200301", -30)
    '20200131'
    """
    found = _date(start)
    return (found + timedelta(days=round(days))).strftime("%Y%m%d") if found else ""


def session_name(day: float, taken: Iterable[str] = ()) -> str:
    """The name of a visit by its day: m00, m06, or d0047 where the month has a visit already.

    Examples
    --------
    >>> session_name(0), session_name(183), session_name(185, ["m00", "m06"])
    ('m00', 'm06', 'd0185')
    """
    month = round(day / DAYS_PER_MONTH)
    name = f"m{month:02d}" if day >= 0 else f"before{-day:04.0f}"
    return name if name not in set(taken) else f"d{day:04.0f}"


def clean(
    acquisition: Acquisition, *, subject: str, session: str, day: float, persons: Sequence[Person]
) -> tuple[Acquisition, list[Finding]]:
    """The same images without identity: only listed settings, maker and model, technique stay.

    Parameters
    ----------
    acquisition : Acquisition
        As it was read.
    subject, session : str
        Pseudonym and visit.
    day : float
        Days since the subject's baseline.
    persons : sequence of Person
        Whose texts must not leave: a device or technique that holds one of them is left out and told.

    Returns
    -------
    acquisition : Acquisition
    findings : list of Finding
        An error where the pseudonym itself is a text of the patient.

    References
    ----------
    DICOM PS3.15 2024, Annex E, Table E.1-1 (Basic Application Level Confidentiality Profile).
    """
    secrets = [text.lower() for person in persons for text in person.secrets]
    kept: dict[str, str] = {}
    findings = []
    for name, text, allowed in (
        ("device", acquisition.device, DEVICE),
        ("protocol", acquisition.protocol, TECHNIQUE),
    ):
        held = any(secret in text.lower() for secret in secrets)
        kept[name] = text if allowed.fullmatch(text) and not held else ""
        if held:
            findings.append(Finding("warning", "identity", f"the {name} names the patient: left out"))
    for name, text in (("subject", subject), ("session", session)):
        if any(secret in text.lower() for secret in secrets):
            what = f"the {name} {text!r} is a text of the patient's identity"
            findings.append(Finding("error", "identity", what, mend="choose a pseudonym"))
    settings = {name: value for name, value in acquisition.settings.items() if name in SETTINGS}
    return replace(
        acquisition,
        subject=subject,
        session=session,
        day=float(day),
        centre="",
        preset="",
        device=kept["device"],
        protocol=kept["protocol"],
        settings=settings,
    ), findings


def burnt_in(path: Path) -> bool:
    """Whether a DICOM file says that a name may be burnt into its pixels."""
    tags = ["BurnedInAnnotation", "RecognizableVisualFeatures"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
            return any(str(header.get(tag, "")).upper() == "YES" for tag in tags)
        except (OSError, EOFError, ValueError, KeyError, NotImplementedError, AttributeError):
            return False


def read_key(path: Path) -> list[dict[str, str]]:
    """The rows of a key file; none where it is absent.

    Raises
    ------
    NotReadable
        If it is no key file.
    """
    if not path.is_file():
        return []
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise NotReadable("not a readable key file", where=str(path)) from fault
    if rows and set(KEY_COLUMNS) - set(rows[0]):
        raise NotReadable(f"is no key file (columns {', '.join(KEY_COLUMNS)})", where=str(path))
    return rows


def write_key(rows: Sequence[Mapping[str, str]], path: Path, study: Path) -> None:
    """Write who is who: the only file with identity, readable by its owner alone, outside of the study.

    Raises
    ------
    InvalidInput
        If it would lie inside the study folder.
    NotWritable
        If it cannot be written.
    """
    if study.resolve() in (path.resolve(), *path.resolve().parents):
        raise InvalidInput(
            "the key file would lie inside the study folder",
            where=str(path),
            mend="keep it elsewhere, apart from the data",
        )
    merged = {tuple(row[name] for name in KEY_COLUMNS): None for row in (*read_key(path), *rows)}
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([KEY_COLUMNS, *merged])
    path.chmod(0o600)


def _date(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def _spelt(text: str) -> str:
    found = _date(text)
    return found.isoformat() if found else ""
