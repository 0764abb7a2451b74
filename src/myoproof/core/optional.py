"""The door to optional packages: import one, or say which extra is missing and for what."""

import importlib
from types import ModuleType

from myoproof.errors import MissingExtra


def require(package: str, *, extra: str, feature: str) -> ModuleType:
    """Import an optional package.

    Parameters
    ----------
    package : str
        Import name.
    extra : str
        The extra of myoproof that installs it.
    feature : str
        What needs it, for the message.

    Raises
    ------
    MissingExtra
        If the package is not installed.

    Examples
    --------
    >>> require("no_such_package", extra="ai", feature="muscle segmentation")
    Traceback (most recent call last):
        ...
    myoproof.errors.MissingExtra: muscle segmentation needs no_such_package; pip install 'myoproof[ai]'
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtra(f"{feature} needs {package}", mend=f"pip install 'myoproof[{extra}]'") from error
