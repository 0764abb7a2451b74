"""The face of the package: every verb and noun it promises is there, and nothing is imported before it is asked for."""

import subprocess
import sys

import pytest

import myoproof


@pytest.mark.parametrize("name", myoproof.__all__)
def test_every_promised_name_resolves(name: str) -> None:
    assert getattr(myoproof, name).__doc__ or name == "__version__"
    assert name in dir(myoproof)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'diagnose'"):
        _ = myoproof.diagnose


def test_importing_is_light() -> None:
    code = "import sys, myoproof; assert not {'numpy', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
