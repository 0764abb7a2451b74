"""The ledger's files: one lock a folder, outputs kept by their content, and copies where people look."""

import fcntl
import hashlib
import os
import shutil
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from myoproof.errors import NotWritable

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Output:
    """One published file.

    Parameters
    ----------
    name : str
        Path below the output folder, with forward slashes.
    digest : str
        SHA-256 of its bytes.
    size : int
        Bytes.
    """

    name: str
    digest: str
    size: int


def sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces: memory does not grow with the file."""
    total = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK):
            total.update(piece)
    return total.hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a folder's lock; the system frees it when the process ends, however it ends.

    Parameters
    ----------
    path : Path
        The lock file.

    Raises
    ------
    NotWritable
        If another process holds it, or the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise NotWritable(f"cannot be written ({error.strerror})", where=str(path)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            what = f"another run is at work on this folder ({holder or 'unknown process'})"
            mend = "wait for it, or choose another output folder"
            raise NotWritable(what, where=str(path.parent.parent), mend=mend) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def take(staging: Path, objects: Path) -> list[Output]:
    """Move all files of a staging folder into the store, each under the digest of its bytes.

    Parameters
    ----------
    staging, objects : Path
        On one file system. A file that the store holds already is not written again.

    Returns
    -------
    list of Output
        By name.

    Raises
    ------
    NotWritable
        If the store cannot be written, for example on a full disk.
    """
    outputs = []
    try:
        for file in sorted(path for path in staging.rglob("*") if path.is_file()):
            _sync(file)
            digest, size = sha256(file), file.stat().st_size
            target = object_path(objects, digest)
            target.parent.mkdir(parents=True, exist_ok=True)
            file.chmod(0o444)
            file.replace(target)
            _sync(target.parent)
            outputs.append(Output(file.relative_to(staging).as_posix(), digest, size))
        if outputs:
            _sync(objects)
    except OSError as error:
        mend = "free space and run again: what is finished is kept"
        raise NotWritable(f"cannot be written ({error.strerror})", where=str(objects), mend=mend) from error
    return outputs


def object_path(objects: Path, digest: str) -> Path:
    """Where the store keeps bytes of a digest."""
    return objects / digest[:2] / digest


def damage(objects: Path, output: Output) -> str:
    """What is wrong with a stored output; "" where it is whole."""
    path = object_path(objects, output.digest)
    if not path.is_file():
        return f"{output.name} is missing"
    if path.stat().st_size != output.size or sha256(path) != output.digest:
        return f"{output.name} is damaged"
    return ""


def show(folder: Path, place: Path, output: Output, known: Collection[str]) -> str:
    """Put a copy of a stored output where people look for it.

    Parameters
    ----------
    folder, place : Path
        The output folder, and the ledger's own in it: copies are made there and renamed when they are whole,
        so that a kill leaves no piece where people look.
    output : Output
        What to show.
    known : collection of str
        Digests that were published under this name at any time. A file with other bytes was changed by hand:
        it is kept under another name.

    Returns
    -------
    str
        Where a file changed by hand was put; "" where there was none.

    Raises
    ------
    NotWritable
        If the folder cannot be written.
    """
    target = folder / output.name
    aside = ""
    if target.is_file():
        held = sha256(target)
        if held == output.digest:
            return ""
        if held not in known:
            stem, dot, suffix = target.name.partition(".")
            kept = target.with_name(f"{stem}.changed-{held[:8]}{dot}{suffix}")
            target.replace(kept)
            aside = kept.relative_to(folder).as_posix()
    try:
        copy = place / "staging" / output.digest
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(object_path(place / "objects", output.digest), copy)
        _sync(copy)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy.replace(target)
    except OSError as error:
        mend = "free space and run again: what is finished is kept"
        raise NotWritable(f"cannot be written ({error.strerror})", where=str(target), mend=mend) from error
    return aside


def hide(folder: Path, name: str, known: Collection[str]) -> None:
    """Remove a shown copy that stands for nothing any more; a file changed by hand stays."""
    target = folder / name
    if target.is_file() and sha256(target) in known:
        target.unlink()


def sweep(objects: Path, used: Collection[str]) -> int:
    """Remove stored bytes that no row names: what a run left that was killed before it wrote the row."""
    removed = 0
    for path in objects.glob("??/*"):
        if path.name not in used:
            path.unlink()
            removed += 1
    return removed


def clear(folder: Path, names: Collection[str]) -> None:
    """Remove the unfinished temporary files that a killed process left beside files of these names."""
    for path in folder.glob(".*"):
        if any(path.name.startswith(f".{name}.") for name in names):
            path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
