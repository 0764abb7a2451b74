"""What can go wrong: one error family that says what, where and the mend; findings for faults in data."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


class MyoproofError(Exception):
    """A fault that a user can mend.

    Parameters
    ----------
    what : str
        What was wrong, in one sentence.
    where : str
        The file, row or subject concerned; "" when there is none.
    mend : str
        What the user can do about it.

    Examples
    --------
    >>> print(InvalidInput("the mask holds label 14", where="mask.nii.gz", mend="add 14 to the scheme"))
    mask.nii.gz: the mask holds label 14; add 14 to the scheme
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.mend}" if self.mend else text


class InvalidInput(MyoproofError, ValueError):
    """The content of an input contradicts what it should hold."""


class UnknownName(MyoproofError, KeyError):
    """A name that no vocabulary, registry or table knows."""


class NotReadable(MyoproofError, OSError):
    """A file that is absent, truncated or not of the expected format."""


class NotWritable(MyoproofError, OSError):
    """An output that cannot be written, or would overwrite something else."""


class OutOfDomain(MyoproofError, ValueError):
    """A question outside what a method was made for."""


class MissingExtra(MyoproofError, ImportError):
    """An optional package that a feature needs is not installed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault or remark about data, as a value.

    Parameters
    ----------
    level : {"error", "warning", "info"}
        Only errors make :func:`refuse` raise.
    category : str
        A short word for the rule that found it.
    message : str
        What was found.
    where, mend : str
        The file, row or subject, and what would mend it.
    """

    level: Literal["error", "warning", "info"]
    category: str
    message: str
    where: str = ""
    mend: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}; {self.mend}" if self.mend else text


def refuse(findings: Iterable[Finding], *, where: str = "") -> None:
    """Raise once for all error-level findings together; return when there is none.

    Parameters
    ----------
    findings : iterable of Finding
        What the checks of one input found.
    where : str
        The input as a whole, for the first words of the message.

    Raises
    ------
    InvalidInput
        Naming every error-level finding, one a line.
    """
    errors = [finding for finding in findings if finding.level == "error"]
    if not errors:
        return
    if len(errors) == 1:
        only = errors[0]
        raise InvalidInput(only.message, where=only.where or where, mend=only.mend)
    lines = "".join(f"\n  - {finding}" for finding in errors)
    raise InvalidInput(f"{len(errors)} faults{lines}", where=where)
