"""NIfTI files opened and written volume by volume, so that memory does not grow with the number of echoes."""

import gzip
import hashlib
import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.openers import ImageOpener

from myoproof.errors import NotReadable
from myoproof.sources.nifti import MILLIMETRES, UNREADABLE

COMPRESSION = 4
"""gzip level of written images: on a Dixon thigh 6 % larger than level 6, in a third of its time."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a NIfTI file says before its voxels are read.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Three numbers, or four where it holds several volumes.
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    kind : str
        NumPy kind of the voxels: "i", "u", "f", "c" for complex, others for what is no image.
    oriented : bool
        Whether it states an orientation.
    """

    path: Path
    shape: tuple[int, ...]
    affine: npt.NDArray[np.float64]
    kind: str
    oriented: bool

    @property
    def grid(self) -> tuple[int, int, int]:
        """Voxels along the three axes."""
        x, y, z = (*self.shape, 1, 1, 1)[:3]
        return x, y, z

    @property
    def n_volumes(self) -> int:
        """Volumes in the file; trailing dimensions of length one count as none."""
        return int(np.prod(self.shape[3:], dtype=np.int64))


def header(path: Path) -> Header:
    """Read a NIfTI header alone.

    Raises
    ------
    NotReadable
        If the file is absent or no NIfTI.
    """
    image = _open(path)
    codes = (int(image.header["sform_code"]), int(image.header["qform_code"]))
    affine = np.array(image.affine, dtype=np.float64)
    affine[:3] *= MILLIMETRES.get(image.header.get_xyzt_units()[0], 1.0)
    shape = tuple(int(length) for length in image.shape)
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    return Header(Path(path), shape, affine, image.get_data_dtype().kind, any(codes))


def volumes(path: Path) -> Iterator[npt.NDArray[Any]]:
    """The volumes of a NIfTI file one after another, scaled, in one pass over the file.

    Yields
    ------
    ndarray, shape (x, y, z)
        float32, or complex64 where the file is complex.

    Raises
    ------
    NotReadable
        If the file is truncated or no NIfTI.
    """
    image = _open(path)
    proxy = image.dataobj
    dtype = image.get_data_dtype()
    grid = (*image.shape, 1, 1, 1)[:3]
    size = int(np.prod(grid, dtype=np.int64)) * dtype.itemsize
    wanted = np.complex64 if dtype.kind == "c" else np.float32
    try:
        with ImageOpener(proxy.file_like) as stream:
            stream.seek(proxy.offset)
            for _ in range(int(np.prod(image.shape[3:], dtype=np.int64))):
                raw = stream.read(size)
                if len(raw) < size:
                    raise _unreadable(path, "truncated")
                stored = np.frombuffer(raw, dtype=dtype).reshape(grid, order="F")
                yield _scaled(stored, float(proxy.slope), float(proxy.inter), wanted)
    except UNREADABLE as fault:
        if isinstance(fault, NotReadable):
            raise
        raise _unreadable(path, type(fault).__name__) from fault


def write(
    parts: Iterable[npt.NDArray[Any]], affine: npt.NDArray[np.float64], path: Path, *, n_volumes: int = 1
) -> None:
    """Write volumes one after another as compressed NIfTI-1 with the same bytes for the same content.

    Parameters
    ----------
    parts : iterable of ndarray, shape (x, y, z)
        The volumes, all of one shape and type; ``n_volumes`` of them, 3-D file where that is 1.
    affine : ndarray, shape (4, 4)
        Voxel indices to RAS+ millimetres.
    path : Path
        ``NAME.nii.gz``; not atomic by itself.
    n_volumes : int
        How many volumes follow.
    """
    with path.open("wb") as file, gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as stream:
        for number, part in enumerate(parts):
            if number == 0:
                stream.write(_header_bytes(part.shape, part.dtype, affine, n_volumes))
            stream.write(np.asfortranarray(part).tobytes(order="F"))


def digest(paths: Iterable[Path]) -> str:
    """Digest of the bytes of files of any size; the same as :func:`myoproof.core.provenance.digest_files`."""
    total = hashlib.sha256()
    for path in paths:
        with Path(path).open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()[:16]


def _header_bytes(
    grid: Sequence[int], dtype: np.dtype[Any], affine: npt.NDArray[np.float64], n_volumes: int
) -> bytes:
    shape = (*grid, n_volumes) if n_volumes > 1 else tuple(grid)
    stored = nib.Nifti1Image(np.broadcast_to(np.zeros((), dtype), shape), affine)
    stored.header.set_xyzt_units("mm", "sec")
    stored.set_sform(affine, code=1)
    stored.set_qform(affine, code=1)
    stored.header["vox_offset"] = 352
    stored.header["magic"] = b"n+1"
    stored.header.set_slope_inter(1.0, 0.0)
    stream = io.BytesIO()
    stored.header.write_to(stream)
    return stream.getvalue().ljust(352, b"\0")


def _open(path: Path) -> Any:
    if not Path(path).is_file():
        raise NotReadable("there is no such file", where=str(path))
    try:
        image = nib.load(path)
        if not hasattr(image.header, "get_xyzt_units"):
            raise _unreadable(path, f"a {type(image).__name__}")
    except (*UNREADABLE, KeyError, struct.error) as fault:
        if isinstance(fault, NotReadable):
            raise
        raise _unreadable(path, type(fault).__name__) from fault
    return image


def _scaled(stored: npt.NDArray[Any], slope: float, inter: float, wanted: type) -> npt.NDArray[Any]:
    if (slope, inter) == (1.0, 0.0):
        return stored.astype(wanted)
    exact = stored.astype(np.complex128 if wanted is np.complex64 else np.float64)
    scaled: npt.NDArray[Any] = (exact * slope + inter).astype(wanted)
    return scaled


def _unreadable(path: Path, reason: str) -> NotReadable:
    return NotReadable(
        f"not a readable NIfTI image ({reason})", where=str(path), mend="copy or convert the file again"
    )
