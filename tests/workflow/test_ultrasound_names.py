"""Names of ultrasound files: what they tell, and what they do not."""

from pathlib import Path

import pytest

from myoproof.errors import UnknownName
from myoproof.workflow.ultrasound_names import is_nerve, number_in, site_of, told_by


@pytest.mark.parametrize(
    ("name", "subject", "session", "site", "side", "view"),
    [
        ("sub-01/ses-m06/VL_left_2.png", "sub-01", "m06", "vastus_lateralis", "left", ""),
        ("P01 Biceps links quer 1.jpg", "sub-P01", "", "biceps_brachii", "left", "transverse"),
        ("p7/m12/TA_R_long_3.dcm", "sub-p7", "m12", "tibialis_anterior", "right", "longitudinal"),
        ("p3/right/biceps femoris long head/2.png", "sub-p3", "", "biceps_femoris_long_head", "right", ""),
        ("p2/gastrocMedialis_r_2.png", "sub-p2", "", "medial_gastrocnemius", "right", ""),
        ("S3_median_wrist_left_1.png", "sub-S3", "", "median_wrist", "left", ""),
        ("left/img.png", "", "", "", "left", ""),
        ("img_001.png", "", "", "", "", ""),
    ],
)
def test_names_tell(name: str, subject: str, session: str, site: str, side: str, view: str) -> None:
    told = told_by(Path(name))
    assert (told.subject, told.session, told.site, told.side, told.view) == (
        subject,
        session,
        site,
        side,
        view,
    )


def test_a_name_of_two_muscles_or_both_sides_tells_neither() -> None:
    told = told_by(Path("p1/VL_TA_left_right.png"))
    assert told.several == ("tibialis_anterior", "vastus_lateralis")
    assert (told.site, told.side) == ("", "")


def test_sites_are_muscles_and_nerves() -> None:
    assert is_nerve(site_of("ulnar nerve at the elbow"))
    assert not is_nerve(site_of("FDI"))
    with pytest.raises(UnknownName, match="vastus_lateralis"):
        site_of("vastus laterals")


def test_frames_are_ordered_by_their_numbers() -> None:
    assert sorted(["a_10.png", "a_9.png"], key=number_in) == ["a_9.png", "a_10.png"]
