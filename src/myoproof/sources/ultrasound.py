"""Ultrasound files (DICOM, pictures, video) to an Acquisition: one grey band, tissue, scale with source."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from myoproof.core.acquisition import Acquisition, Picture
from myoproof.errors import Finding, NotReadable, refuse
from myoproof.sources import (
    ultrasound_box,
    ultrasound_dicom,
    ultrasound_doubts,
    ultrasound_marks,
    ultrasound_picture,
    ultrasound_ruler,
    ultrasound_scale,
    ultrasound_screen,
    ultrasound_video,
)
from myoproof.sources.ultrasound_box import Tissue
from myoproof.sources.ultrasound_scale import Asked, Scale
from myoproof.sources.ultrasound_types import Box, Grey, Mask, Raw

__all__ = ["UltrasoundReading", "read", "reading"]

FRAMES_LOOKED_AT = 5
"""Frames of a cine on which the tissue is looked for (proposal)."""
WORTH_A_FLAG = 0.002
"""Part of the tissue, left out as colour, from which rows are flagged (proposal)."""
FLAGS = {
    "text": "text_masked",
    "colour": "colour_masked",
    "dual image": "dual_image",
    "frames dropped": "frames_dropped",
}
"""Findings that are flags of every row of the image."""
SOURCES = {"": "uncalibrated", "ruler": "scale_from_ruler", "user": "scale_given"}
LEAST_LEFT = 0.25
"""Part of the image that must be left under colour and marks (proposal)."""
NO_TISSUE = "export the ultrasound image itself, or crop the screen to it"


@dataclass(frozen=True, slots=True)
class UltrasoundReading:
    """An ultrasound file that was read.

    Parameters
    ----------
    acquisition : Acquisition
        Modality ``ultrasound``, payload ``Picture`` with one grey band.
    findings : tuple of Finding
        What was odd, masked or refused; no errors.
    box : tuple of int
        Rows and columns of the tissue, half-open; depths count from its first row.
    shape : str
        ``rectangle``, ``trapezoid``, ``sector`` or ``free``.
    secrets : bool
        Whether text or a name may be burnt into the pixels.
    """

    acquisition: Acquisition
    findings: tuple[Finding, ...]
    box: Box
    shape: str
    secrets: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """Words of the vocabulary ``flags`` that hold for every row of this image, sorted."""
        assert isinstance(self.acquisition.payload, Picture)
        words = {FLAGS[finding.category] for finding in self.findings if finding.category in FLAGS}
        words |= {
            word for source, word in SOURCES.items() if source == self.acquisition.payload.spacing_source
        }
        return tuple(sorted(words))


def read(
    path: Path | str,
    *,
    spacing_mm: float | tuple[float, float] | None = None,
    depth_mm: float | None = None,
    pixels_only: bool = False,
    subject: str = "",
    session: str = "m00",
    run: str = "",
) -> Acquisition:
    """Read an ultrasound image or cine.

    Parameters
    ----------
    path : Path or str
        DICOM, PNG, JPEG, TIFF, BMP, MP4 or AVI, told by content.
    spacing_mm : float or tuple of float, optional
        Size of a pixel, or of rows and columns; used where the file itself tells nothing that holds.
    depth_mm : float, optional
        Depth of the image as printed on it; says what ruler ticks mean.
    pixels_only : bool
        Use no scale at all: lengths in pixels.
    subject, session, run : str
        Pseudonym, visit and repetition; nothing of the file takes their place.

    Returns
    -------
    Acquisition
        Modality ``ultrasound``; its ``Picture`` has one grey band, the tissue, and a scale with its source or
        none. The file's identity is not in it, text burnt into the pixels is.

    Raises
    ------
    NotReadable
        If the file is missing, cut short, or none of these.
    InvalidInput
        If it shows no tissue or is a photo of a screen, or a number given is not positive.

    References
    ----------
    DICOM PS3.3, C.8.5.5 (ultrasound region calibration), C.8.5.6 (ultrasound image).
    """
    return reading(
        path,
        spacing_mm=spacing_mm,
        depth_mm=depth_mm,
        pixels_only=pixels_only,
        subject=subject,
        session=session,
        run=run,
    ).acquisition


def reading(
    path: Path | str,
    *,
    spacing_mm: float | tuple[float, float] | None = None,
    depth_mm: float | None = None,
    pixels_only: bool = False,
    subject: str = "",
    session: str = "m00",
    run: str = "",
) -> UltrasoundReading:
    """Read an ultrasound image or cine as :func:`read` does, with what was found on the way.

    Parameters
    ----------
    path : Path or str
        DICOM, PNG, JPEG, TIFF, BMP, MP4 or AVI, told by content.
    spacing_mm : float or tuple of float, optional
        Size of a pixel, or of rows and columns.
    depth_mm : float, optional
        Depth of the image as printed on it.
    pixels_only : bool
        Use no scale at all.
    subject, session, run : str
        Pseudonym, visit and repetition.

    Returns
    -------
    UltrasoundReading
        Acquisition, findings, tissue box.

    Raises
    ------
    NotReadable
        If the file is missing, cut short, or none of these.
    InvalidInput
        If it shows no tissue or is a photo of a screen, or a number given is not positive.
    """
    name = Path(path).name
    wish = ultrasound_scale.asked(spacing_mm, depth_mm, pixels_only, name)
    data = _bytes(Path(path))
    raw = _load(data, name)
    refuse(raw.findings)
    return _looked_at(raw, wish, name, _acquisition(raw, data, subject, session, run))


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise NotReadable(fault.strerror or "cannot be read", where=str(path)) from fault
    if not data:
        raise NotReadable("the file is empty", where=path.name, mend="copy it again")
    return data


def _load(data: bytes, name: str) -> Raw:
    """By content, since names lie."""
    group = data[:4]
    if data[128:132] == b"DICM" or group in {b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00"}:
        return ultrasound_dicom.load(data, where=name)
    video = data[4:8] == b"ftyp" and data[8:12] not in {b"avif", b"heic", b"mif1"}
    if video or (group == b"RIFF" and data[8:11] == b"AVI") or group == b"\x1a\x45\xdf\xa3":
        return ultrasound_video.load_bytes(data, where=name)
    return ultrasound_picture.load(data, where=name)


def _acquisition(raw: Raw, data: bytes, subject: str, session: str, run: str) -> Acquisition:
    return Acquisition(
        subject=subject,
        session=session,
        run=run,
        modality="ultrasound",
        payload=Picture(raw.frames[..., None], None, times_s=raw.times_s),
        device=raw.device,
        preset=raw.preset,
        digest=hashlib.sha256(data).hexdigest()[:16],
        settings=raw.settings,
    )


def _looked_at(raw: Raw, wish: Asked, name: str, bare: Acquisition) -> UltrasoundReading:
    bright, dark = _stays(raw.frames)
    screen = ultrasound_screen.survey(bright, lossy=raw.lossy)
    tissue = ultrasound_box.find(screen, within=_within(raw, bright.shape))
    if tissue is None:
        refuse([Finding("error", "no tissue", "no ultrasound image is found on it", name, NO_TISSUE)])
    assert tissue is not None
    tissue = ultrasound_doubts.parted(bright, tissue)
    doubts = ultrasound_doubts.doubts(raw, dark, screen, tissue, name)
    refuse(doubts)
    photo = any(doubt.category == "photo" for doubt in doubts)
    rulers = (None, None) if photo else ultrasound_ruler.find(dark, screen, tissue.box)
    scale = ultrasound_scale.scale(
        raw.stated, rulers, wish, box=tissue.box, shape=(bright.shape[0], bright.shape[1]), where=name
    )
    shown, masked = _without_marks(raw, dark, tissue, name)
    if shown.sum() < LEAST_LEFT * tissue.region.sum():
        refuse(
            [
                Finding(
                    "error", "no tissue", "hardly any tissue is left under colour and marks", name, NO_TISSUE
                )
            ]
        )
    picture = Picture(
        raw.frames[..., None], scale.spacing_mm, scale.source, times_s=raw.times_s, tissue=shown
    )
    return UltrasoundReading(
        acquisition=replace(bare, payload=picture),
        findings=(*raw.findings, *doubts, *scale.findings, *_uncalibrated(scale, wish, name), *masked),
        box=tissue.box,
        shape=tissue.shape,
        secrets=raw.secrets or ultrasound_doubts.drawn_outside(screen, tissue),
    )


def _stays(frames: Grey) -> tuple[Grey, Grey]:
    """The brightest and the darkest of several frames: where tissue is, and what never moves."""
    if len(frames) == 1:
        return frames[0], frames[0]
    some = frames[np.linspace(0, len(frames) - 1, min(FRAMES_LOOKED_AT, len(frames))).astype(int)]
    return some.max(0), some.min(0)


def _within(raw: Raw, shape: Sequence[int]) -> Box | None:
    """The one tissue region of the file, where it fits the image."""
    told = ultrasound_scale.tissue_regions(raw.stated.regions)
    if len(told) != 1 or not ultrasound_scale.fits(told[0].box, (shape[0], shape[1])):
        return None
    top, bottom, left, right = told[0].box
    return top, min(bottom + 1, shape[0]), left, min(right + 1, shape[1])


def _without_marks(raw: Raw, dark: Grey, tissue: Tissue, name: str) -> tuple[Mask, Sequence[Finding]]:
    found = []
    shown = tissue.region
    whole = int(shown.sum())
    if raw.colour is not None:
        shown = shown & ~ultrasound_marks.widened(raw.colour & shown)
        if share := 1 - shown.sum() / whole:
            message = f"coloured pixels on {share:.1%} of the tissue are left out"
            found.append(Finding("info", "colour" if share > WORTH_A_FLAG else "specks", message, name))
    marks = ultrasound_marks.marks(dark, shown)
    if share := marks.sum() / whole:
        message = f"letters or marks on {share:.1%} of the tissue are left out"
        kind = "text" if ultrasound_marks.legible(marks, tissue.box) else "specks"
        found.append(Finding("info", kind, message, name))
        shown = shown & ~marks
    return shown, found


def _uncalibrated(scale: Scale, wish: Asked, name: str) -> Sequence[Finding]:
    if scale.spacing_mm is not None or wish.pixels_only or scale.findings:
        return []
    return [Finding("info", "scale", "the file tells no scale; lengths stay in pixels", name)]
