"""Identity: pseudonyms hold nothing, days replace dates, and only what is listed stays."""

import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myoproof.core.acquisition import Acquisition, Volume
from myoproof.errors import InvalidInput, NotReadable
from myoproof.sources import identity
from myoproof.sources.identity import Person

JANE = Person("MRN-55231", "Doe^Jane^Quentin", "19500607", "20240102", ("1.2.840.99.1",))


def scan(**changes: object) -> Acquisition:
    volume = Volume({"image": np.ones((2, 2, 2), np.float32)}, np.eye(4))
    return Acquisition(
        **({"subject": "", "session": "", "run": "", "modality": "muscle_mri", "payload": volume} | changes)
    )


def test_a_person_is_never_shown() -> None:
    assert "Jane" not in repr(JANE)
    assert "55231" not in repr(JANE)
    assert {"Doe", "Jane"} - set(JANE.secrets) == {"Doe"}
    assert {"Quentin", "1950-06-07", "20240102", "1.2.840.99.1"} <= set(JANE.secrets)


def test_only_what_is_listed_stays() -> None:
    told = scan(
        centre="Clinic X",
        preset="knee",
        device="Siemens Prisma",
        protocol="3D GR",
        settings={"flip_angle_deg": 3.0, "patient_weight_kg": 70.0},
    )
    clean, findings = identity.clean(told, subject="sub-001", session="m06", day=182, persons=[JANE])
    assert (clean.subject, clean.session, clean.day) == ("sub-001", "m06", 182.0)
    assert (clean.centre, clean.preset, clean.device, clean.protocol) == ("", "", "Siemens Prisma", "3D GR")
    assert dict(clean.settings) == {"flip_angle_deg": 3.0}
    assert findings == []


@pytest.mark.parametrize("text", ["Jane scan", "MRN-55231", "scan of 20240102"])
@pytest.mark.parametrize("field", ["device", "protocol"])
def test_texts_that_name_the_patient_are_left_out_and_told(field: str, text: str) -> None:
    clean, findings = identity.clean(
        scan(**{field: text}), subject="sub-001", session="m00", day=0, persons=[JANE]
    )
    assert getattr(clean, field) == ""
    assert field in findings[0].message
    assert text not in str(findings[0])


def test_a_pseudonym_that_is_no_pseudonym_is_an_error() -> None:
    _, findings = identity.clean(scan(), subject="sub-jane", session="m00", day=0, persons=[JANE])
    assert [one.level for one in findings] == ["error"]


@given(st.text(min_size=1), st.text(min_size=1))
def test_hashed_pseudonyms_are_labels_and_hold_no_number(number: str, salt: str) -> None:
    made = identity.hashed(number, salt)
    assert made == identity.hashed(number, salt)
    assert made.removeprefix("sub-").isalnum()
    assert len(made) == 14


@given(st.dates(), st.integers(-2000, 20000))
def test_days_and_dates_are_inverse(start, days: int) -> None:
    text = start.strftime("%Y%m%d").zfill(8)
    try:
        later = identity.shifted(text, days)
    except OverflowError:
        return
    assert identity.days_between(text, later.zfill(8)) == days


def test_an_unknown_date_gives_no_days() -> None:
    assert identity.days_between("", "20240102") is None
    assert identity.days_between("20241301", "20240102") is None


def test_visits_of_one_month_get_names_of_their_own() -> None:
    taken: list[str] = []
    for day in (0, 2, 91, 183, 365, 370):
        taken.append(identity.session_name(day, taken))
    assert taken == ["m00", "d0002", "m03", "m06", "m12", "d0370"]


ROW = {
    "subject": "sub-001",
    "patient_id": "MRN-55231",
    "session": "m00",
    "study_date": "20240102",
    "baseline_date": "20240102",
}


def test_the_key_file_grows_and_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    key, study = tmp_path / "keys" / "key.csv", tmp_path / "study"
    identity.write_key([ROW], key, study)
    identity.write_key([ROW, ROW | {"session": "m06", "study_date": "20240704"}], key, study)
    assert [row["session"] for row in identity.read_key(key)] == ["m00", "m06"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert identity.read_key(tmp_path / "absent.csv") == []


def test_the_key_file_never_lies_in_the_study(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="inside the study folder"):
        identity.write_key([ROW], tmp_path / "study" / "raw" / "key.csv", tmp_path / "study")


def test_another_table_is_no_key_file(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(NotReadable, match="is no key file"):
        identity.read_key(tmp_path / "rows.csv")
