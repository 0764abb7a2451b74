"""Smooth random fields: variance 1 everywhere, and the stated correlation length."""

import numpy as np

from myoproof.phantoms.smooth import smooth_field


def test_variance_is_one_at_every_point_and_correlation_falls_to_1_over_e_at_the_length() -> None:
    axis = np.arange(0.0, 40.0, 1.0)
    fields = [smooth_field([axis], [8.0], rng=np.random.default_rng(seed)) for seed in range(4000)]
    values = np.stack(fields).astype(float)
    # 4000 draws: SD of a variance is 2.2 %
    np.testing.assert_allclose(values.var(axis=0), 1.0, atol=0.12)
    correlation = np.corrcoef(values[:, 15], values[:, 23])[0, 1]
    assert abs(correlation - np.exp(-1)) < 0.06


def test_same_seed_same_bytes() -> None:
    axis = np.linspace(0, 30, 20)
    one, two = (smooth_field([axis, axis], [5.0, 9.0], rng=np.random.default_rng(4)) for _ in range(2))
    assert one.tobytes() == two.tobytes()
    assert one.dtype == np.float32
