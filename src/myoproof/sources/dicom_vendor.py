"""What a frame shows, by the words each vendor uses: contrast, complex part, maker and device."""

import re
from collections.abc import Sequence
from math import isnan

VENDORS = {"siemens": "siemens", "philips": "philips", "ge ": "ge", "canon": "canon", "toshiba": "canon"}
"""Beginning of a word in Manufacturer (0008,0070), lower case -> vendor."""

PARTS = {
    "M": "magnitude",
    "MAGNITUDE": "magnitude",
    "M_FFE": "magnitude",
    "M_SE": "magnitude",
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "R": "real",
    "REAL": "real",
    "R_FFE": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
    "I_FFE": "imaginary",
}
"""Word of the image type after the first two, or complex image component (0008,9208) -> part."""

GE_PARTS = {0: "magnitude", 1: "phase", 2: "real", 3: "imaginary"}
"""GE (0043,102F) -> part; GE DICOM conformance statement, private group 0043."""

_WORDS = {
    "water": ("WATER", "W"),
    "fat": ("FAT", "F"),
    "in_phase": ("IN_PHASE", "INPHASE", "IN-PHASE", "IP"),
    "opposed_phase": (
        "OUT_PHASE",
        "OPP_PHASE",
        "OPPOSED_PHASE",
        "OUTPHASE",
        "OUT_OF_PHASE",
        "OPPOSED",
        "OPP",
        "OP",
    ),
    "fat_fraction": ("FAT_FRACTION", "FATFRACTION", "FAT_FRAC", "FATFRAC", "FAT FRACTION", "PDFF", "FF"),
    "r2star": ("R2_STAR", "R2STAR", "R2*", "R2*_MAP", "R2_STAR_MAP", "R2STAR_MAP", "R2* MAP", "R2_STAR MAP"),
    "t2star": ("T2_STAR", "T2STAR", "T2*", "T2*_MAP", "T2_STAR_MAP", "T2STAR_MAP", "T2* MAP", "T2_STAR MAP"),
    "t2_ms": ("T2_MAP", "T2MAP", "T2 MAP", "T2"),
    "field_hz": ("B0", "B0_MAP", "B0 MAP", "FIELD_MAP"),
    "b1": ("B1", "B1_MAP", "B1 MAP"),
    "other": ("T1_MAP", "T1MAP", "T1 MAP", "T1", "WATER_FRACTION", "WF", "ADC", "FA", "GOODNESS_OF_FIT"),
}

CONTRASTS = {word: contrast for contrast, words in _WORDS.items() for word in words}
"""Word of the image type after the first two -> contrast; other = known, and not read."""

WEIGHTINGS = {"T1", "T2", "T2_STAR"}
"""Words that name a map in a derived image, but a weighting in an original one (PS3.3 C.8.13.3.1.1)."""

DESCRIPTIONS = (
    (r"^fat\s?frac(tion)?\b\s*:|(?:^|[_ -])(ff|pdff|fat_?frac(tion)?|fat fraction)$", "fat_fraction"),
    (r"^r2\*\s*:|(?:^|[_ -])r2(\*|star|_star)$", "r2star"),
    (r"^t2\*\s*:|(?:^|[_ -])t2(\*|star|_star)$", "t2star"),
    (r"^water\s*:|(?:^|[_ -])(w|water)$", "water"),
    (r"^fat\s*:|(?:^|[_ -])(f|fat)$", "fat"),
    (r"^in\s?phase\s*:|(?:^|[_ -])(in|ip|in_?phase)$", "in_phase"),
    (r"^(out|opp)\w*\s?phase\s*:|(?:^|[_ -])(opp|op|out|opp_?phase|out_?phase)$", "opposed_phase"),
)
"""Series description, lower case -> contrast: GE writes a first word and a colon, Siemens a last word."""

DIXON = ("water", "fat", "in_phase", "opposed_phase", "fat_fraction", "r2star", "t2star", "field_hz")
"""Contrasts that make one Dixon scan."""

SKIP_WORDS = ("MOSAIC", "MIP", "PROJECTION IMAGE", "CSA 3D EDITOR", "LOCALIZER", "SCREEN SAVE")
"""Words of the image type of what is not a measured slice stack."""


def vendor_of(manufacturer: str) -> str:
    """The vendor's short name, or ""; "SIEMENS / MIM Software" is siemens."""
    text = f"{manufacturer.strip().lower()} "
    return next((vendor for start, vendor in VENDORS.items() if re.search(rf"\b{start}", text)), "")


def device_of(manufacturer: str, model: str, field_strength_t: float) -> str:
    """Maker, model and field strength in one line, words not repeated."""
    maker = manufacturer.strip()
    name = model.strip() if model.strip().lower().startswith(maker.lower()) else f"{maker} {model.strip()}"
    field = f" {field_strength_t:.3g} T" if not isnan(field_strength_t) else ""
    return " ".join(f"{name}{field}".split())


def part_of(image_type: Sequence[str], component: str, ge_code: int | None) -> str:
    """Magnitude, phase, real or imaginary; magnitude where nothing says otherwise.

    Parameters
    ----------
    image_type : sequence of str
        Image type, or frame type of an enhanced file.
    component : str
        Complex image component (0008,9208), "" where absent.
    ge_code : int or None
        GE (0043,102F).
    """
    if ge_code in GE_PARTS:
        return GE_PARTS[ge_code]
    if component in PARTS:
        return PARTS[component]
    words = [word for word in image_type[2:] if word in PARTS]
    told = [PARTS[word] for word in words]
    return next((part for part in told if part != "magnitude"), "magnitude")


def contrast_of(image_type: tuple[str, ...], description: str, vendor: str) -> tuple[str, str]:
    """Water, fat, ... and what told it: the image type, else the series description.

    Returns
    -------
    contrast, told_by : str
        "" and "" for a plain image.
    """
    maps = image_type[:1] == ("DERIVED",)
    words = [word for word in image_type[2:] if word in CONTRASTS and (maps or word not in WEIGHTINGS)]
    named = [CONTRASTS[word] for word in words]
    if named:
        return named[0], "image_type"
    dixon = "DIXON" in image_type or "dixon" in description.lower() or "ideal" in description.lower()
    if vendor in {"siemens", "ge"} and (dixon or ":" in description):
        text = description.strip().lower()
        for pattern, contrast in DESCRIPTIONS:
            if re.search(pattern, text):
                return contrast, "description"
    return "", ""


def name_base(text: str) -> str:
    """A protocol or series name without what tells the contrast, for comparing.

    Examples
    --------
    >>> name_base("t1_vibe_dixon_tra_W") == name_base("t1_vibe_dixon_tra_opp")
    True
    >>> name_base("WATER: Ax IDEAL IQ") == name_base("FatFrac: Ax IDEAL IQ")
    True
    """
    text = text.strip().lower()
    for pattern, _ in DESCRIPTIONS:
        text = re.sub(pattern, "", text)
    return re.sub(
        r"[\s_]+", "_", re.sub(r"(?:^|[_ -])(ph|pha|phase|mag|magnitude|real|imag|imaginary)$", "", text)
    ).strip("_")
