"""Lines with errors in both coordinates: Pearson's data, simulated truth, doubt by people."""

import numpy as np
import pytest

from myoproof.errors import InvalidInput
from myoproof.numerics.devices import deming, moved, replicate_sd, york

# Pearson's data with York's weights: slope -0.480 533 (0.058), intercept 5.479 910 (0.295), S / (n - 2) 1.4833;
# York D. Can J Phys 1966;44:1079 and York et al. Am J Phys 2004;72:367.
X = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
Y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
WX = np.array([1000.0, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1])
WY = np.array([1.0, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])


def test_pearsons_data_with_yorks_weights() -> None:
    line = york(X, Y, 1 / np.sqrt(WX), 1 / np.sqrt(WY), np.zeros(10, dtype=np.int64))
    assert line.slope == pytest.approx(-0.480533, abs=5e-7)
    assert line.intercept == pytest.approx(5.479910, abs=5e-7)
    scale = np.sqrt(1.4833)  # S / (n - 2) of the same table
    assert np.sqrt(line.covariance[1, 1]) == pytest.approx(0.0579850 * scale, rel=1e-3)
    assert np.sqrt(line.covariance[0, 0]) == pytest.approx(0.2949707 * scale, rel=1e-3)


def travelling(seed: int, *, quirk: float = 0.0, n: int = 40) -> tuple[np.ndarray, ...]:
    """Ten muscles of n people on two devices: true slope 1.25 from x to y, errors 6 and 7.5."""
    rng = np.random.default_rng(seed)
    true = 50 + rng.normal(0, 9, (n, 10))
    x = true + rng.normal(0, np.hypot(6, quirk), true.shape)
    y = 3 + 1.25 * true + rng.normal(0, 1.25 * np.hypot(6, quirk), true.shape)
    return x.ravel(), y.ravel(), np.repeat(np.arange(n), 10)


def test_errors_in_both_coordinates_do_not_flatten_the_line() -> None:
    found = []
    for seed in range(60):
        x, y, people = travelling(seed)
        flat = np.polyfit(x, y, 1)[0]
        line = york(x, y, np.full(400, 6.0), np.full(400, 7.5), people)
        found.append((line.slope, deming(x, y, 1.25**2, people).slope, flat, np.sqrt(line.covariance[1, 1])))
    slopes = np.mean(found, axis=0)
    assert slopes[0] == pytest.approx(1.25, abs=0.04)
    assert slopes[1] == pytest.approx(1.25, abs=0.04)
    assert slopes[2] < 0.95
    assert slopes[3] == pytest.approx(np.std([one[0] for one in found], ddof=1), rel=0.3)


@pytest.mark.parametrize("quirk", [0.0, 4.0])
def test_moved_values_hold_the_reference_within_their_doubt(quirk: float) -> None:
    held, scatters = [], []
    for seed in range(150):
        x, y, people = travelling(seed, quirk=quirk, n=20)
        line = york(x, y, np.full(200, 6.0), np.full(200, 7.5), people)
        rng = np.random.default_rng([9, seed])
        true = 50 + rng.normal(0, 9)
        shown = 3 + 1.25 * (true + rng.normal(0, quirk))
        value, sd = moved(line, np.array([true + rng.normal(0, np.hypot(6, quirk))]), np.array([6.0]))
        held.append(abs(value[0] - shown) < 1.96 * sd[0])
        scatters.append(line.scatter_sd)
    assert 0.9 <= np.mean(held) <= 0.99
    assert np.mean(scatters) == pytest.approx(1.25 * quirk * np.sqrt(2), abs=1.6)


def test_a_line_through_exact_values_is_exact() -> None:
    x = np.linspace(20, 80, 9)
    line = york(x, 5 + 0.8 * x, np.ones(9), np.ones(9))
    value, sd = moved(line, np.array([50.0]), np.array([2.0]))
    assert value[0] == pytest.approx(45)
    assert sd[0] == pytest.approx(0.8 * 2, rel=0.1)
    assert line.scatter_sd == 0


def test_replicates_tell_the_error() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), 2)
    sd, df = replicate_sd(rng.normal(0, 9, 300)[groups] + rng.normal(0, 4, 600), groups)
    assert df == 300
    assert sd == pytest.approx(4, rel=0.1)
    assert np.isnan(replicate_sd(np.ones(3), np.arange(3))[0])


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(InvalidInput, match="2 pairs"):
        york(X[:2], Y[:2], np.ones(2), np.ones(2))
    with pytest.raises(InvalidInput, match="do not vary beyond their errors"):
        york(X, Y, np.full(10, 5.0), np.ones(10))
    with pytest.raises(InvalidInput, match="must be positive"):
        deming(X, Y, 0.0)
