"""Studies: strict files; unknown keys with the near miss; the outcome never a feature."""

from pathlib import Path

import pytest

from myoproof.core.study import parse_study, read_study
from myoproof.errors import InvalidInput, NotReadable

TEXT = """
name = "thin"
title = "A thin study"
question = "Is there anything?"
kind = "phenotypes"
seed = 7
features = [{ measure = "thickness", side = "mean" }]
outcome = { measure = "alsfrs_r", site = "total", side = "" }
"""


def test_a_study_reads_and_its_digest_is_its_content() -> None:
    study = parse_study(TEXT)
    assert study.features[0].site == "*"
    assert study.digest == parse_study(TEXT + "\n# a remark\n").digest
    assert study.digest != parse_study(TEXT.replace("seed = 7", "seed = 8")).digest


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 7", "sead = 7", "unknown key 'sead'; did you mean 'seed'"),
        ("side = \"mean\"", "modalty = \"mri\"", r"unknown key 'features.0.modalty'; did you mean 'modality'"),
        ("seed = 7", 'seed = "7"', "seed: input should be a valid integer"),
        ("alsfrs_r\", site = \"total\", side = \"\"", "thickness\"", "the outcome 'thickness' is also a feature"),
        ('name = "thin"', 'name = "Thin Study"', "name: string should match pattern"),
    ],
)  # fmt: skip
def test_a_faulty_study_says_what_and_the_mend(old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        parse_study(TEXT.replace(old, new))


def test_broken_toml_is_not_readable(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(NotReadable, match=r"study.toml: not valid TOML"):
        read_study(path)
    with pytest.raises(NotReadable, match="cannot be read"):
        read_study(tmp_path / "absent.toml")
