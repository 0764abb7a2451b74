"""Ultrasound exported as PNG, JPEG, TIFF or BMP: pages of one size to grey frames."""

import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from myoproof.errors import Finding, NotReadable
from myoproof.sources.ultrasound_colour import grey_and_colour, tinge
from myoproof.sources.ultrasound_types import Grey, Mask, Raw

PIXELS_LIMIT = 2**26
"""Largest rows x columns of one page (proposal): 8192 x 8192."""
BYTES_LIMIT = 2**30
"""Largest total of all frames (proposal)."""
SMALLEST = 16
"""Fewest rows and columns of a picture."""
LOSSY = {"JPEG", "MPO", "WEBP", "JPEG2000", "AVIF"}
DEEP = {"I", "F", "I;16", "I;16B", "I;16L"}
"""Pillow's modes of more than 8 bits."""
CAMERA = (ExifTags.Base.ExposureTime, ExifTags.Base.FNumber, ExifTags.Base.FocalLength)
"""What cameras write beside a photo, and no ultrasound machine or screenshot does."""
PHOTO_MEND = "export the image from the ultrasound machine; grey levels and lengths of photos mean nothing"


@dataclass(frozen=True, slots=True)
class _Page:
    grey: Grey
    colour: Mask | None = None
    tinge: Grey | None = None
    remarks: tuple[tuple[str, str], ...] = ()


def load(data: bytes, *, where: str) -> Raw:
    """Decode a still picture.

    Parameters
    ----------
    data : bytes
        The file.
    where : str
        Its name, for messages.

    Returns
    -------
    Raw
        Pages of the first page's size as frames.

    Raises
    ------
    NotReadable
        If it is no picture that Pillow reads, is cut short, or is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data)) as image:
                return _decoded(image, where)
    except UnidentifiedImageError as fault:
        raise NotReadable(
            "is no DICOM, picture or video that can be read", where=where, mend="export it again"
        ) from fault
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError, Image.DecompressionBombError) as fault:
        if isinstance(fault, NotReadable):
            raise
        mend = "copy or export the file again"
        raise NotReadable(f"the picture is cut short or damaged ({fault})", where=where, mend=mend) from fault


def _decoded(image: Image.Image, where: str) -> Raw:
    pages = int(getattr(image, "n_frames", 1))
    columns, rows = image.size
    if min(rows, columns) < SMALLEST:
        raise NotReadable(f"a picture of {rows} x {columns} pixels is too small", where=where)
    if rows * columns > PIXELS_LIMIT or rows * columns * pages > BYTES_LIMIT:
        raise NotReadable(f"claims {pages} pages of {rows} x {columns} pixels", where=where)
    findings = list(_photo(image, where))
    frames: list[Grey] = []
    colour: Mask | None = None
    hue: Grey | None = None
    others = 0
    for page in range(pages):
        if pages > 1:
            image.seek(page)
        found = _page(image)
        if frames and found.grey.shape != frames[0].shape:
            others += 1
            continue
        frames.append(found.grey)
        if not page:
            hue = found.tinge
            findings += [Finding("info", *remark, where) for remark in found.remarks]
        if found.colour is not None:
            colour = found.colour if colour is None else colour | found.colour
    if others:
        message = f"{others} of {pages} pages have another size than the first; left out"
        findings.append(Finding("warning", "pages", message, where))
    return Raw(
        "picture",
        np.stack(frames),
        colour,
        lossy=image.format in LOSSY or _jpeg_in_tiff(image),
        tinge=hue,
        findings=tuple(findings),
    )


def _page(image: Image.Image) -> _Page:
    if image.mode in DEEP:
        grey, bits = _shallow(np.asarray(image))
        return _Page(grey, remarks=(("deep", f"{bits} bits a pixel, of which the 8 highest are taken"),))
    if image.mode in {"1", "L"}:
        return _Page(np.asarray(_upright(image).convert("L")))
    remarks: tuple[tuple[str, str], ...] = ()
    if "A" in image.getbands() or "transparency" in image.info:
        flat = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(flat, image.convert("RGBA"))
        remarks = (("transparent", "transparent pixels are taken as black"),)
    upright = _upright(image)
    rgb = np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
    grey, colour = grey_and_colour(rgb)
    return _Page(
        grey, colour, None if colour is None else tinge(np.ascontiguousarray(rgb[::2, ::2])), remarks
    )


def _shallow(values: npt.NDArray[np.generic]) -> tuple[Grey, int]:
    """More than 8 bits to 8 by whole bits, so that grey levels of several files stay comparable."""
    numbers = np.nan_to_num(np.asarray(values, dtype=np.float64))
    most = float(numbers.max(initial=0.0))
    if values.dtype.kind == "f" and most <= 1:
        return np.clip(numbers * 255, 0, 255).astype(np.uint8), 32
    bits = next((bits for bits in (8, 10, 12, 14, 16) if most < 2**bits), 16)
    return np.clip(numbers * 2.0 ** (8 - bits), 0, 255).astype(np.uint8), bits


def _upright(image: Image.Image) -> Image.Image:
    if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return image
    turned = ImageOps.exif_transpose(image)
    return image if turned is None else turned


def _jpeg_in_tiff(image: Image.Image) -> bool:
    return image.format == "TIFF" and "jpeg" in str(image.info.get("compression", ""))


def _photo(image: Image.Image, where: str) -> list[Finding]:
    exif = image.getexif()
    inner = exif.get_ifd(ExifTags.IFD.Exif) if exif else {}
    if any(tag in inner for tag in CAMERA):
        message = "a camera took this: a photo of a screen"
        return [Finding("error", "photo", message, where, PHOTO_MEND)]
    return []
