"""Ultrasound files of strangers parsed and decoded in a child process: what kills it is told and left out."""

import resource
import tempfile
from pathlib import Path
from typing import Self

from myoproof.errors import NotReadable
from myoproof.sources import ultrasound_wire
from myoproof.sources.ultrasound import UltrasoundReading
from myoproof.workflow.executors import Job, Limits, Pool

PARSE = "myoproof.sources.ultrasound_wire:parse"
MEMORY_GIB = 4.0
"""Memory of the child (proposal): a cine of 1 GiB and what looking at it takes."""
TIME_S = 120.0
"""Time for one file (proposal)."""


class Reader:
    """A child process that reads ultrasound files one after the other.

    Examples
    --------
    >>> with Reader() as reader:
    ...     reader.read("no such file.png")
    Traceback (most recent call last):
        ...
    myoproof.errors.NotReadable: no such file.png: No such file or directory
    """

    def __init__(self) -> None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        memory = MEMORY_GIB if most == resource.RLIM_INFINITY else min(MEMORY_GIB, most / 2**30)
        self._pool = Pool(1, limits=Limits(memory_gib=memory, time_s=TIME_S))

    def __enter__(self) -> Self:
        """Nothing is started before the first file."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the child."""
        self.close()

    def close(self) -> None:
        """Stop the child."""
        self._pool.close()

    def read(
        self,
        path: Path | str,
        *,
        spacing_mm: float | tuple[float, float] | None = None,
        depth_mm: float | None = None,
        pixels_only: bool = False,
        subject: str = "",
        session: str = "m00",
        run: str = "",
    ) -> UltrasoundReading:
        """Read a file as :func:`myoproof.sources.ultrasound.reading` does, in the child.

        Parameters
        ----------
        path : Path or str
            DICOM, PNG, JPEG, TIFF, BMP, MP4 or AVI.
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

        Raises
        ------
        NotReadable
            As there, and where the file ends, stalls or fills the child.
        InvalidInput
            As there.
        """
        options = {
            "spacing_mm": spacing_mm,
            "depth_mm": depth_mm,
            "pixels_only": pixels_only,
            "subject": subject,
            "session": session,
            "run": run,
        }
        with tempfile.TemporaryDirectory(prefix="myoproof-") as folder:
            self._pool.submit(Job("file", PARSE, {"path": str(path), "options": options, "out": folder}))
            outcome = self._pool.wait()
            if outcome.kind != "done":
                raise NotReadable(
                    f"cannot be read: {outcome.reason}",
                    where=Path(path).name,
                    mend="copy or export the file again",
                )
            return ultrasound_wire.received(outcome.value, Path(folder))
