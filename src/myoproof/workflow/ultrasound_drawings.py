"""Masks that readers drew on ultrasound images: found beside the images, or in a folder for each reader."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from myoproof.errors import InvalidInput, NotReadable

READER = re.compile(r"[A-Za-z0-9-]{1,20}")
"""What a reader may be called: a pseudonym in letters, numbers and hyphens."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A mask, the image that it was drawn on, and who drew it."""

    path: Path
    image: Path
    reader: str


def find(source: Path, images: Sequence[Path], folder: Path | None = None) -> list[Drawing]:
    """Find the masks of images.

    Parameters
    ----------
    source : Path
        The images' folder.
    images : sequence of Path
        All images found there, masks among them.
    folder : Path, optional
        Holds a folder for each reader; in it a mask bears the path, or the name, of its image.

    Returns
    -------
    list of Drawing
        ``NAME.READER.png`` beside ``NAME.png`` (or another ending), and ``READER/.../NAME.png``.

    Raises
    ------
    NotReadable
        If the folder does not exist.
    InvalidInput
        If a mask in it belongs to no image, or to several.
    """
    stems = {(image.parent, image.stem): image for image in images}
    found = []
    for path in images:
        name, dot, reader = path.stem.rpartition(".")
        image = stems.get((path.parent, name)) if dot and READER.fullmatch(reader) else None
        if image is not None and path.suffix.lower() == ".png":
            found.append(Drawing(path, image, reader))
    if folder is not None:
        beside = {drawing.path for drawing in found}
        found += _in_folders(source, [image for image in images if image not in beside], folder)
    return found


def _in_folders(source: Path, images: Sequence[Path], folder: Path) -> list[Drawing]:
    if not folder.is_dir():
        raise NotReadable("no such folder", where=str(folder))
    found = []
    for path in sorted(folder.rglob("*.png")):
        reader, *below = path.relative_to(folder).with_suffix("").parts
        fits = [image for image in images if image.relative_to(source).with_suffix("").parts == tuple(below)]
        fits = fits or [image for image in images if below and image.stem == below[-1]]
        if len(fits) != 1 or not READER.fullmatch(reader):
            which = "no image" if not fits else f"{len(fits)} images"
            raise InvalidInput(
                f"the mask belongs to {which}",
                where=str(path),
                mend="put it in READER/ under the path and name of its image",
            )
        found.append(Drawing(path, fits[0], reader))
    return found
