"""Names of files in a muscle-BIDS study: entities, suffixes, folders, and what each suffix holds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

QUANT, ANAT = "mr-quant", "mr-anat"
"""Folders of quantitative maps and of images, as in ORMIR-MIDS 0.1.11 (Apache-2.0)."""

KINDS = {"MEGRE": "multiecho", "MESE": "t2_mapping"}
"""Suffix of raw multi-echo data -> modality."""

PARTS = {"": "magnitude", "phase": "phase", "real": "real", "imag": "imaginary"}
"""Value of the entity ``part`` -> role."""

DIXON = {
    "fat": "FAT",
    "water": "WATER",
    "fat_fraction": "FF",
    "fat_fraction_sd": "FFSD",
    "r2star": "R2star",
    "field_hz": "B0",
    "confidence": "CONF",
    "in_phase": "IP",
    "opposed_phase": "OP",
}
"""Channel of a Dixon volume -> suffix; FF, B0 and B1 as in ORMIR-MIDS, the others are ours."""

SINGLE = {"t1": "T1w", "t2": "T2w", "pd": "PDw", "stir": "STIR", "": "MRI"}
"""Contrast of a single image -> suffix."""

MAPS = {"b1": "B1", "t2_ms": "T2", "t1_ms": "T1"}
"""Channel of a stand-alone map -> suffix."""

UNITS = {
    "fat_fraction": "1",
    "fat_fraction_sd": "1",
    "r2star": "1/s",
    "field_hz": "Hz",
    "confidence": "1",
    "b1": "1",
    "phase": "rad",
    "t2_ms": "ms",
    "t1_ms": "ms",
}
"""Unit of what is no arbitrary signal."""

_CHANNELS = {suffix: channel for channel, suffix in (DIXON | MAPS).items()}

_OLD_PARTS = {"ph": "phase", "phase": "phase", "real": "real", "imag": "imag", "mag": ""}
"""Trailing suffixes of muscle-BIDS before it took the entity ``part``."""

_SYNONYMS = {
    "wat": "WATER",
    "water": "WATER",
    "fat": "FAT",
    "ff": "FF",
    "pdff": "FF",
    "r2star": "R2star",
    "r2starmap": "R2star",
    "inphase": "IP",
    "outphase": "OP",
    "b0": "B0",
    "b1": "B1",
    "tb1map": "B1",
    "t2map": "T2",
    "t1map": "T1",
}

_SUFFIXES = {
    suffix.lower(): suffix for suffix in (*KINDS, *DIXON.values(), *SINGLE.values(), *MAPS.values())
} | _SYNONYMS


@dataclass(frozen=True, slots=True)
class Name:
    """One file name taken apart: ``sub-01_ses-m00_part-phase_MEGRE.nii.gz``."""

    entities: Mapping[str, str]
    suffix: str

    @property
    def part(self) -> str:
        """Role of the file within its scan: magnitude, phase, real or imaginary."""
        return PARTS.get({"mag": ""}.get(self.entities.get("part", ""), self.entities.get("part", "")), "")

    @property
    def echo(self) -> int:
        """Number of the echo in the name; 0 where the file holds all."""
        text = self.entities.get("echo", "")
        return int(text) if text.isdecimal() else 0

    @property
    def run(self) -> str:
        """What tells apart scans of one session and suffix: every entity besides these, in order."""
        rest = {
            key: value for key, value in self.entities.items() if key not in {"sub", "ses", "part", "echo"}
        }
        return rest.get("run", "") if set(rest) <= {"run"} else "-".join(rest.values())


def parse(path: Path) -> Name | None:
    """Take a file name apart.

    Returns
    -------
    Name or None
        None where the name is no muscle-BIDS name of ours.

    Examples
    --------
    >>> name = parse(Path("sub-01_ses-m00_part-phase_MEGRE.nii.gz"))
    >>> (name.suffix, name.part, name.entities["ses"])
    ('MEGRE', 'phase', 'm00')
    >>> parse(Path("patient7_megre_ph.nii.gz")).part
    'phase'
    """
    stem = stem_of(path)
    words = stem.split("_")
    entities = dict(word.split("-", 1) for word in words if "-" in word)
    plain = [word for word in words if "-" not in word]
    if len(plain) > 1 and plain[-1].lower() in _OLD_PARTS and plain[-2].lower() in _SUFFIXES:
        entities["part"] = _OLD_PARTS[plain.pop().lower()]
    if not plain or plain[-1].lower() not in _SUFFIXES or len(words) == 1:
        return None
    if "sub" not in entities:
        label = re.sub(r"[^A-Za-z0-9]", "", "".join(plain[:-1]))
        if not label:
            return None
        entities["sub"] = label
    return Name(entities, _SUFFIXES[plain[-1].lower()])


def kind_and_role(name: Name) -> tuple[str, str]:
    """Modality of the scan that a file belongs to, and the file's role or channel in it."""
    if name.suffix in KINDS:
        return KINDS[name.suffix], name.part
    channel = _CHANNELS.get(name.suffix, "image")
    if channel == "t2_ms":
        return "t2_mapping", channel
    return ("dixon" if channel in DIXON else "muscle_mri"), channel


def stem_of(path: Path) -> str:
    """A file's name without ``.nii``, ``.nii.gz``, ``.img`` or ``.hdr``."""
    return re.sub(r"\.(nii|img|hdr)(\.gz)?$", "", Path(path).name, flags=re.IGNORECASE)


def label(text: str) -> str:
    """A label as BIDS allows it: letters and digits alone.

    Examples
    --------
    >>> label("sub-00 7")
    '007'
    """
    return re.sub(r"[^A-Za-z0-9]", "", text.removeprefix("sub-").removeprefix("ses-"))


def place(subject: str, session: str, run: str, suffix: str, part: str = "") -> Path:
    """Path of an image below the study's raw folder, without its extension.

    Examples
    --------
    >>> place("sub-001", "m00", "", "MEGRE", "phase").as_posix()
    'sub-001/ses-m00/mr-anat/sub-001_ses-m00_part-phase_MEGRE'
    """
    quantitative = suffix in {*DIXON.values(), *MAPS.values()}
    words = [f"sub-{label(subject)}"]
    folder = Path(words[0])
    if session:
        words.append(f"ses-{label(session)}")
        folder /= words[-1]
    words += [f"run-{label(run)}"] if run else []
    words += [f"part-{part}"] if part else []
    return folder / (QUANT if quantitative else ANAT) / "_".join([*words, suffix])
