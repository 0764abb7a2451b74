"""The simulated two-arm trial: its truth, who leaves, and that seeds decide."""

import numpy as np
import pandas as pd

from myoproof.phantoms.trial import TrialParams, cohort, draw, simulate


def test_arms_are_alike_at_baseline_and_part_by_the_slowing() -> None:
    params = TrialParams(per_arm=1500, slowing=0.4, leave=False, die=False, stop=False)
    drawn = draw(rng=np.random.default_rng(1), params=params)
    start, lost = drawn.score[:, 0], drawn.score[:, 0] - drawn.score[:, -1]
    gap = start[drawn.active].mean() - start[~drawn.active].mean()
    assert abs(gap) < 0.6
    assert 0.56 < lost[drawn.active].mean() / lost[~drawn.active].mean() < 0.66


def test_slowing_is_exact_for_the_same_people() -> None:
    plain, slowed = (
        draw(
            rng=np.random.default_rng(4),
            params=TrialParams(per_arm=40, slowing=share, leave=False, die=False, stop=False),
        )
        for share in (0.0, 0.5)
    )
    kept = (plain.score[:, -1] > 0) & plain.active
    lost, less = (one.score[kept, 0] - one.score[kept, -1] for one in (plain, slowed))
    np.testing.assert_allclose(less, 0.5 * lost)


def test_visits_end_with_drop_out_and_death() -> None:
    held, truth = simulate(rng=np.random.default_rng(2))
    events = held.events
    deaths = events[(events["kind"] == "death") & (events["status"] == "observed")].set_index("subject")
    assert 5 <= len(deaths) <= 60
    visits = held.acquisitions.groupby("subject")["day"].max()
    assert (visits.reindex(deaths.index) <= deaths["end_day"]).all()
    assert set(events["kind"]) == {"death", "dropout", "treatment_stop"}
    scores = held.measurements[held.measurements["measure"] == "alsfrs_r"]
    assert scores["value"].between(0, 48).all()
    assert (scores["value"] % 1 == 0).all()
    assert "unscheduled" in set(scores["session"])
    assert len(truth) < 200 * 5
    assert set(held.subjects["arm"]) == {"active", "placebo"}


def test_one_seed_one_trial() -> None:
    one, other = (cohort(rng=np.random.default_rng(9)) for _ in range(2))
    pd.testing.assert_frame_equal(one.measurements, other.measurements)
    pd.testing.assert_frame_equal(one.events, other.events)
