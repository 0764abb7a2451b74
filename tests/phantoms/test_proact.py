"""The simulated export: possible items, whole days, and traps in patients of their own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from myoproof.phantoms.proact import FORMS, ProactParams, export, write


def test_items_fall_and_totals_are_their_sums() -> None:
    made = export(rng=np.random.default_rng(3), params=ProactParams(patients=200, visits=5, each=0))
    assert made.items.min() >= 0
    assert made.items.max() <= 4
    assert (np.diff(made.items.sum(axis=2), axis=1) <= 0).all(), "nobody recovers"
    assert made.items[:, 0].sum(axis=1).mean() > made.items[:, -1].sum(axis=1).mean() + 3
    frame = made.forms["ALSFRS"]
    assert (frame["ALSFRS_R_Total"].to_numpy() == made.items.sum(axis=2).ravel()).all()
    assert (np.diff(made.days, axis=1) > 0).all()
    assert (made.days[:, 0] == 0).all()


def test_traps_lie_in_patients_of_their_own_and_leave_the_others_alone() -> None:
    rng, clean_rng = np.random.default_rng(7), np.random.default_rng(7)
    made = export(rng=rng)
    clean = export(rng=clean_rng, params=ProactParams(each=0))
    assert len(made.touched) % ProactParams().each == 0
    for form in ("VITALSIGNS", "HANDGRIPSTRENGTH", "DEMOGRAPHICS"):
        columns = list(clean.forms[form].columns)
        one, two = (
            frame[~frame["subject_id"].isin(made.touched)].reset_index(drop=True)[columns].astype(str)
            for frame in (made.forms[form], clean.forms[form])
        )
        pd.testing.assert_frame_equal(one, two)


def test_same_seed_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(export(rng=np.random.default_rng(1)), tmp_path / name, prefix="F_PROACT_", mark=True)
    for form in FORMS:
        one, two = (tmp_path / name / f"F_PROACT_{form}.csv" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes().startswith(b"\xef\xbb\xbf")


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="too few patients"):
        export(rng=np.random.default_rng(1), params=ProactParams(patients=20))
