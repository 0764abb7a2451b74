"""Atomic writing: a file appears whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from myoproof.errors import NotWritable


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it is synced and renamed to ``path``.

    On any failure or interrupt the temporary file is removed and an earlier ``path`` stays as it was.

    Parameters
    ----------
    path : Path
        The file to write. Missing parent folders are made.

    Raises
    ------
    NotWritable
        If the folder cannot be made or the file cannot be written, for example on a full disk.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_path(folder / "rows.csv") as temporary:
    ...     _ = temporary.write_text("a,b")
    >>> [entry.name for entry in folder.iterdir()]
    ['rows.csv']
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise NotWritable(_reason(error), where=str(path), mend="choose another place") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, NotWritable):
            raise
        raise NotWritable(
            _reason(error), where=str(path), mend="free space or choose another place"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; on success it takes the place of ``path``.

    An earlier folder is moved aside, replaced and only then removed.

    Raises
    ------
    NotWritable
        If the folder cannot be made or put in place.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise NotWritable(_reason(error), where=str(path), mend="choose another place") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        aside = temporary.with_name(temporary.name + ".old")
        if path.exists():
            path.replace(aside)
        try:
            temporary.replace(path)
        except OSError:
            if aside.exists():
                aside.replace(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        if isinstance(error, NotWritable):
            raise
        raise NotWritable(
            _reason(error), where=str(path), mend="free space or choose another place"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _reason(error: OSError) -> str:
    return f"cannot be written ({error.strerror or error})"
