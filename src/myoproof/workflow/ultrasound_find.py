"""The ultrasound images of a folder, by a manifest or by their names, gathered into muscles and visits."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from myoproof.core.atomic import atomic_path
from myoproof.errors import InvalidInput, NotReadable
from myoproof.workflow import ultrasound_drawings as drawings
from myoproof.workflow.ultrasound_manifest import COLUMNS, Image, Usual, read
from myoproof.workflow.ultrasound_many import images_of
from myoproof.workflow.ultrasound_names import is_nerve, number_in, told_by

USUAL = Usual()
SHOWN = 12
"""Files of a message that are named; the template names all."""


@dataclass(frozen=True, slots=True)
class Look:
    """The images of one muscle of one visit in one view, in order: replicates.

    Parameters
    ----------
    key : str
        Name in the run: subject, session, site, side, view.
    images : tuple of Image
        At least one.
    """

    key: str
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a folder holds.

    Parameters
    ----------
    looks : tuple of Look
        What can be measured.
    unclear : mapping of str to str
        Images of which too little is known, and what.
    notes : tuple of str
        Remarks.
    """

    looks: tuple[Look, ...]
    unclear: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find(
    source: Path,
    *,
    manifest: Path | None = None,
    drawn: Path | None = None,
    usual: Usual = USUAL,
    without: Iterable[Path] = (),
) -> Findings:
    """Find the images of a folder and what each shows.

    Parameters
    ----------
    source : Path
        Folder, searched with all folders below it.
    manifest : Path, optional
        CSV with the columns ``file`` and any of :data:`COLUMNS`; files are relative to it or to the source.
        With a manifest only its files are measured.
    drawn : Path, optional
        Folder with a folder of masks for each reader; masks beside images are found without it.
    usual : Usual
        What holds where nothing is said.
    without : iterable of Path
        Folders that are no input.

    Returns
    -------
    Findings

    Raises
    ------
    NotReadable
        If the source holds no image, or the manifest cannot be read.
    InvalidInput
        If the manifest names what is not there or not known: all such rows at once.
    """
    if not source.is_dir():
        raise NotReadable("no such folder", where=str(source))
    inside = _images(source, without)
    masks = drawings.find(source, inside, drawn)
    taken = {mask.path for mask in masks}
    files = [path for path in inside if path not in taken]
    if manifest is None:
        images = [_by_name(path, source, usual) for path in files]
    else:
        images = read(manifest, source, usual)
    images = [
        replace(image, drawn=tuple(mask for mask in masks if mask.image == image.path)) for image in images
    ]
    images = [_nerves_across(image) for image in images]
    unclear = {image.name: lacks for image in images if (lacks := _lacks(image))}
    known = [image for image in images if image.name not in unclear]
    return Findings(tuple(_looks(known)), unclear, tuple(_notes(known, manifest)))


def refuse_unclear(found: Findings, template: Path) -> None:
    """Raise where images are unclear, all together; a manifest to fill in is written.

    Raises
    ------
    InvalidInput
        Naming them, and the template.
    """
    if not found.unclear:
        return
    named = [f"{name} ({lacks})" for name, lacks in list(found.unclear.items())[:SHOWN]]
    more = len(found.unclear) - len(named)
    listed = "\n  - ".join([*named, *([f"and {more} more"] if more > 0 else [])])
    raise InvalidInput(
        f"the names of {len(found.unclear)} images do not tell what they show:\n  - {listed}",
        mend=f"fill in {template} and give it as --manifest, or say --muscle, or --skip-unclear",
    )


def write_template(found: Findings, path: Path) -> None:
    """Write a manifest with what is known, and empty cells to fill in.

    Raises
    ------
    NotWritable
        If it cannot be written.
    """
    rows = [
        {
            "file": str(image.path.resolve()),
            "subject": image.subject,
            "session": image.session,
            "day": f"{image.day:g}",
            "muscle": image.site,
            "side": image.side,
            "view": image.view,
        }
        for look in found.looks
        for image in look.images
    ]
    rows += [{"file": name} for name in found.unclear]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["file"]))
    with atomic_path(path) as temporary:
        temporary.write_text(stream.getvalue(), encoding="utf-8")


def _images(source: Path, without: Iterable[Path]) -> list[Path]:
    left_out = [folder.resolve() for folder in without]
    return [
        path
        for path in images_of([source])
        if not any(folder in path.resolve().parents for folder in left_out)
    ]


def _by_name(path: Path, source: Path, usual: Usual) -> Image:
    name = path.relative_to(source)
    told = told_by(name)
    return Image(
        path=path,
        name=name.as_posix(),
        subject=told.subject,
        session=told.session or "m00",
        site=told.site or ("" if told.several else usual.site),
        side=told.side or usual.side,
        view=told.view or usual.view,
    )


def _nerves_across(image: Image) -> Image:
    """Nerves are measured across."""
    return replace(image, view="transverse") if image.site and is_nerve(image.site) else image


def _lacks(image: Image) -> str:
    """What is not known of an image and must be; "" where nothing."""
    if image.site and image.subject:
        return ""
    several = told_by(Path(image.name)).several
    muscle = f"{' and '.join(several)} are both named" if several else "which muscle or nerve"
    return ", ".join([*(["whose"] if not image.subject else []), *([muscle] if not image.site else [])])


def _looks(images: Sequence[Image]) -> list[Look]:
    def group(image: Image) -> tuple[str, ...]:
        view = "cine" if image.is_cine else image.view
        return image.subject, image.session, image.site, image.side, view

    ordered = sorted(images, key=lambda image: (group(image), number_in(image.path.name), image.name))
    return [Look(_key(parts), tuple(own)) for parts, own in groupby(ordered, key=group)]


def _key(parts: tuple[str, ...]) -> str:
    subject, session, site, side, view = parts
    return "_".join(part for part in (subject, f"ses-{session}", site, side, view) if part)


def _notes(images: Sequence[Image], manifest: Path | None) -> list[str]:
    if manifest is not None:
        return []
    named = sorted({image.subject for image in images if not any(map(str.isdigit, image.subject))})
    told = [f"subjects are named as their folders are: {', '.join(named[:SHOWN])}; are these pseudonyms?"]
    sides = sum(not image.side for image in images)
    unknown = [f"the side of {sides} images is not told by their names"] if sides else []
    return [*(told if named else []), *unknown]
