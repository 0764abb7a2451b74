"""Provenance: where a number came from, as a hash of code, parameters, raw inputs and parents."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from myoproof import __version__


def digest_bytes(*parts: bytes) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the parts, in order.

    Examples
    --------
    >>> digest_bytes(b"abc")
    'ba7816bf8f01cfea'
    """
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


def digest_files(*paths: Path) -> str:
    """Digest of the bytes of files, in the order given."""
    return digest_bytes(*(Path(path).read_bytes() for path in paths))


def digest_arrays(*arrays: np.ndarray[Any, Any]) -> str:
    """Digest of arrays that came from raw files: shape, type and bytes."""
    parts: list[bytes] = []
    for array in arrays:
        parts += [str((array.shape, array.dtype.str)).encode(), np.ascontiguousarray(array).tobytes()]
    return digest_bytes(*parts)


def provenance_id(
    *, act: str, parameters: Mapping[str, Any], inputs: Iterable[str], parents: Iterable[str] = ()
) -> str:
    """Twelve hexadecimal digits that name an act on inputs.

    Parameters
    ----------
    act : str
        What was done, as ``method@version``.
    parameters : mapping
        All parameters, defaults included; JSON-like values.
    inputs : iterable of str
        Digests of raw files. Never of computed floats, paths or times.
    parents : iterable of str
        Provenance ids this act builds on.

    Examples
    --------
    >>> one = provenance_id(act="dixon@1", parameters={"level": 0.95}, inputs=["a1"])
    >>> one == provenance_id(act="dixon@1", parameters={"level": 0.95}, inputs=["a1"])
    True
    >>> one == provenance_id(act="dixon@1", parameters={"level": 0.90}, inputs=["a1"])
    False
    """
    record = {
        "code": __version__,
        "act": act,
        "parameters": parameters,
        "inputs": sorted(inputs),
        "parents": sorted(parents),
    }
    text = json.dumps(record, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
