"""Text tables looked at before they are read: digest, encoding, delimiter, columns; in bounded memory."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from myoproof.errors import NotReadable

CHUNK_BYTES = 8 << 20
DELIMITERS = (",", ";", "\t", "|")
FALLBACK = "cp1252"
"""What text that is not UTF-8 is read as: Windows, Western Europe."""
HEADER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Sheet:
    """A text table on disk, ready to be read.

    Parameters
    ----------
    path : Path
        The UTF-8 file: the original, or a copy turned into UTF-8.
    name : str
        The original's file name.
    digest : str
        First 16 hexadecimal digits of the SHA-256 of the original.
    delimiter : str
        One of comma, semicolon, tab, bar.
    columns : tuple of str
        As the header has them.
    has_rows : bool
        Whether anything follows the header.
    faults : tuple of (rule, row, detail)
        What was found on the way, named as in ``traps.csv``.
    """

    path: Path
    name: str
    digest: str
    delimiter: str
    columns: tuple[str, ...]
    has_rows: bool
    faults: tuple[tuple[str, int, str], ...] = field(default=())


def look(path: Path, scratch: Path) -> Sheet:
    """Look at a text table.

    Parameters
    ----------
    path : Path
        CSV, TSV or another delimited text with one header line.
    scratch : Path
        Folder for a copy in UTF-8 where the file is something else.

    Raises
    ------
    NotReadable
        If it is absent, empty, or no text.
    """
    path = Path(path)
    try:
        digest, clean, wide = _survey(path)
        faults: list[tuple[str, int, str]] = []
        source = path
        if not clean:
            source = scratch / f"{len(list(scratch.glob('utf8-*')))}".join(("utf8-", ".csv"))
            faults = _transcode(path, source, wide)
        head = _header(source)
    except OSError as error:
        raise NotReadable(f"cannot be read ({error.strerror or error})", where=str(path)) from error
    line, has_rows = head
    if not line.strip():
        raise NotReadable("is empty", where=str(path), mend="a header line and rows are needed")
    delimiter = max(DELIMITERS, key=lambda mark: len(_fields(line, mark)))
    columns = tuple(text.strip() for text in _fields(line, delimiter))
    if delimiter != ",":
        faults.append(("delimiter", 0, {"\t": "tab"}.get(delimiter, delimiter)))
    lowered = [name.lower() for name in columns]
    faults += [
        ("column_repeated", 0, name)
        for place, name in enumerate(columns)
        if lowered[place] in lowered[:place]
    ]
    if not has_rows:
        faults.append(("form_empty", 0, ""))
    return Sheet(source, path.name, digest, delimiter, columns, has_rows, tuple(faults))


def _survey(path: Path) -> tuple[str, bool, str]:
    """Digest, whether the whole is UTF-8, and the UTF-16 kind where its mark says so."""
    total = hashlib.sha256()
    clean, rest, wide = True, b"", ""
    with path.open("rb") as stream:
        first = True
        while chunk := stream.read(CHUNK_BYTES):
            total.update(chunk)
            if first and chunk[:2] in (b"\xff\xfe", b"\xfe\xff"):
                wide, clean = "utf-16", False
            elif first and b"\x00" in chunk[:HEADER_BYTES]:
                raise NotReadable("holds binary data, not text", where=str(path))
            first = False
            if (clean and not chunk.isascii() | bool(rest)) or (clean and rest):
                clean, rest = _utf8(rest + chunk)
    return total.hexdigest()[:16], clean and not rest, wide


def _utf8(data: bytes) -> tuple[bool, bytes]:
    """Whether bytes are UTF-8, and the incomplete letter at their end."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as fault:
        if fault.reason == "unexpected end of data" and len(data) - fault.start < 4:
            return True, data[fault.start :]
        return False, b""
    return True, b""


def _transcode(path: Path, out: Path, wide: str) -> list[tuple[str, int, str]]:
    """Write a copy in UTF-8, line by line where encodings are mixed."""
    if wide:
        with (
            path.open(encoding=wide, newline="") as stream,
            out.open("w", encoding="utf-8", newline="") as copy,
        ):
            while text := stream.read(CHUNK_BYTES):
                copy.write(text)
        return [("encoding_other", 0, wide)]
    foreign: list[int] = []
    native = False
    with path.open("rb") as stream, out.open("w", encoding="utf-8", newline="") as copy:
        for number, line in enumerate(stream):
            try:
                text = line.decode("utf-8")
                native |= not line.isascii() and number > 0
            except UnicodeDecodeError:
                text = line.decode(FALLBACK, errors="replace")
                foreign.append(number)
            copy.write(text)
    if native:
        return [("encoding_mixed", row, FALLBACK) for row in foreign]
    return [("encoding_other", 0, FALLBACK)]


def _header(path: Path) -> tuple[str, bool]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        line = stream.readline(HEADER_BYTES)
        rest = stream.read(HEADER_BYTES)
    return line.rstrip("\r\n"), bool(rest.strip())


def _fields(line: str, delimiter: str) -> list[str]:
    """The cells of a header line; quotes are taken off."""
    mark = re.escape(delimiter)
    cells = re.findall(rf'(?:^|{mark})(?:"((?:[^"]|"")*)"|([^{mark}]*))', line)
    return [quoted.replace('""', '"') or plain for quoted, plain in cells]
