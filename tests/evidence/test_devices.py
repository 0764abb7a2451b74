"""Before and after a transfer: areas by hand, a person once, confounding told."""

import numpy as np
import pandas as pd
import pytest

from myoproof.core.table import from_rows
from myoproof.evidence.devices import check


def tables(
    shift: float, *, n: int = 40, ill_on_b: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, bool]]:
    """Two muscles of 2 n people, half of them on b, where values are lower by shift; after: without it."""
    rng = np.random.default_rng(0)
    rows, people, machines = [], {}, []
    for k in range(2 * n):
        machine = "b" if k % 2 else "a"
        ill = (machine == "b") if ill_on_b else k % 4 < 2
        people[f"s{k}"] = ill
        for site in ("biceps_brachii", "deltoid"):
            value = 60 + rng.normal(0, 5) + 8 * ill
            machines.append(machine)
            rows.append({"subject": f"s{k}", "session": "m00", "modality": "ultrasound", "site": site, "side": "left",
                         "measure": "echogenicity", "method": "echogenicity:whole", "value": value})  # fmt: skip
    after = from_rows(rows)
    machine = pd.Series(machines)
    before = after.assign(value=after["value"] - shift * (machine == "b"), machine=machine)
    moved = after.assign(
        method=after["method"] + ":device_transfer", low=after["value"] - 4, high=after["value"] + 4
    )
    return before, moved, people


def test_a_shift_costs_area_on_all_devices_and_none_on_each() -> None:
    made = check(*tables(20.0), reference="a")
    rows = made.evidence.set_index(["metric", made.evidence["population"].str.split(" on ").str[1]])["value"]
    assert rows["AUC before", "all devices"] < 0.75
    assert rows["AUC after", "all devices"] > 0.85
    assert rows["AUC after less before", "b"] == pytest.approx(0)
    shares = made.evidence[made.evidence["metric"].str.startswith("share")]["value"].tolist()
    assert shares[0] > 0.6
    assert abs(shares[1]) < 0.1
    assert made.evidence.set_index("metric")["value"][
        "median half-width of a carried value"
    ] == pytest.approx(4)
    assert not made.findings


def test_no_shift_changes_nothing() -> None:
    made = check(*tables(0.0), reference="a").evidence
    assert (made.loc[made["metric"] == "AUC after less before", "value"] == 0).all()


def test_confounded_devices_give_no_area() -> None:
    made = check(*tables(20.0, ill_on_b=True), reference="a")
    assert not made.evidence["metric"].str.startswith("AUC").any()
    assert any("device and disease are confounded" in str(finding) for finding in made.findings)


def test_nothing_in_common_is_a_finding() -> None:
    before, after, people = tables(1.0)
    made = check(before, after.iloc[:0], people, reference="a")
    assert made.evidence.empty
    assert made.findings[0].category == "empty"
