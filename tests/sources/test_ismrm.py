"""ISMRM toolbox files: axes kept, settings read, faults named together."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources.ismrm import read, read_scan

TIMES = np.array([1.2e-3, 2.2e-3, 3.2e-3])


def mat(path: Path, **changes) -> Path:
    rng = np.random.default_rng(1)
    images = rng.normal(size=(6, 5, 1, 2, 3)) + 1j * rng.normal(size=(6, 5, 1, 2, 3))
    fields = {
        "images": images.astype(np.complex64),
        "TE": TIMES,
        "FieldStrength": 3.0,
        "PrecessionIsClockwise": 1.0,
    }
    fields |= changes
    savemat(path, {"imDataParams": {name: value for name, value in fields.items() if value is not None}})
    return path


def test_axes_and_settings_are_kept(tmp_path: Path) -> None:
    scan = read_scan(mat(tmp_path / "a.mat", mask=np.ones((6, 5))))
    payload = scan.acquisition.payload
    assert payload.values.shape == (6, 5, 1, 3)
    assert (payload.affine == np.eye(4)).all()
    np.testing.assert_allclose(payload.echo_times_s, TIMES)
    assert scan.acquisition.settings == {"field_strength_t": 3.0, "precession_sign": 1.0}
    assert scan.n_coils == 2
    assert scan.mask is not None
    assert scan.mask.shape == (6, 5, 1)


def test_precession_flag_zero_or_negative_is_minus_and_may_lack(tmp_path: Path) -> None:
    assert read(mat(tmp_path / "a.mat", PrecessionIsClockwise=-1.0)).settings["precession_sign"] == -1.0
    assert "precession_sign" not in read(mat(tmp_path / "b.mat", PrecessionIsClockwise=None)).settings


def test_milliseconds_are_understood_and_said(tmp_path: Path) -> None:
    scan = read_scan(mat(tmp_path / "a.mat", TE=1000 * TIMES))
    np.testing.assert_allclose(scan.acquisition.payload.echo_times_s, TIMES)
    assert "milliseconds" in scan.findings[0].message


def test_voxels_that_are_not_finite_are_named_by_slice(tmp_path: Path) -> None:
    images = np.ones((4, 4, 3, 1, 3), np.complex64)
    images[0, 0, 1] = np.nan
    scan = read_scan(mat(tmp_path / "a.mat", images=images))
    assert "slices 1" in scan.findings[0].message
    assert np.isfinite(scan.acquisition.payload.values).all()


def test_faults_are_refused_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"(?s)no TE.*no FieldStrength"):
        read(mat(tmp_path / "a.mat", TE=None, FieldStrength=None))
    with pytest.raises(InvalidInput, match="2 echo times for 3 echoes"):
        read(mat(tmp_path / "b.mat", TE=TIMES[:2]))
    with pytest.raises(InvalidInput, match="not complex"):
        read(mat(tmp_path / "c.mat", images=np.ones((2, 2, 2, 1, 3))))
    images = np.ones((4, 4, 3, 1, 3), np.complex64)
    images[..., 2] = 0
    with pytest.raises(InvalidInput, match="echo 3 holds no signal"):
        read(mat(tmp_path / "d.mat", images=images))


def test_other_files_are_not_readable(tmp_path: Path) -> None:
    with pytest.raises(NotReadable, match="no such file"):
        read(tmp_path / "none.mat")
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform" + bytes(200))
    with pytest.raises(NotReadable, match="-v7"):
        read(tmp_path / "new.mat")
    whole = mat(tmp_path / "whole.mat").read_bytes()
    (tmp_path / "half.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotReadable, match="MATLAB"):
        read(tmp_path / "half.mat")
    savemat(tmp_path / "other.mat", {"x": np.ones(3)})
    with pytest.raises(InvalidInput, match="no imDataParams"):
        read(tmp_path / "other.mat")
