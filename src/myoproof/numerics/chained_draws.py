"""One draw of a column's missing values given the others: by matched predictions, or by a logistic model."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RIDGE = 1e-5  # as in the mice package: relative, so that near-copies among predictors leave the inverse tame
NEWTON_STEPS = 25
LARGEST_STEP = 5.0


def draw_match(y: Floats, seen: Floats, lost: Floats, *, rng: np.random.Generator, donors: int = 5) -> Floats:
    """Predictive mean matching: each missing value is that of an observed row with a like prediction.

    Parameters
    ----------
    y : (n,) float64
        Observed values.
    seen, lost : (n, q), (m, q) float64
        Predictors of observed and missing rows, standardised.
    rng : numpy.random.Generator
        For the parameters and the donors.
    donors : int
        Nearest observed rows that one is drawn from.

    Returns
    -------
    (m,) float64
        Values that occur in ``y``.

    References
    ----------
    Little 1988, J Bus Econ Stat 6:287; van Buuren 2018, Flexible imputation of missing data, algorithm 3.3
    (matching of type 1: fitted coefficients for the observed, drawn ones for the missing).
    """
    x = np.column_stack([np.ones(len(y)), seen])
    moment = x.T @ x
    moment[np.diag_indices_from(moment)] *= 1 + RIDGE
    inverse = np.linalg.inv(moment)
    fitted = inverse @ (x.T @ y)
    rest = y - x @ fitted
    sigma = np.sqrt(rest @ rest / rng.chisquare(max(len(y) - x.shape[1], 1)))
    root = np.linalg.cholesky((inverse + inverse.T) / 2)
    drawn = fitted + sigma * (root @ rng.standard_normal(len(fitted)))
    near = nearest(x @ fitted, np.column_stack([np.ones(len(lost)), lost]) @ drawn, donors, rng=rng)
    return y[near[np.arange(len(lost)), rng.integers(near.shape[1], size=len(lost))]]


def nearest(of: Floats, to: Floats, count: int, *, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """The ``count`` values nearest to each target; ties in an order that chance decides.

    Parameters
    ----------
    of, to : (n,), (m,) float64
        Values and targets.
    count : int
        How many; all where there are fewer.
    rng : numpy.random.Generator
        For ties.

    Returns
    -------
    (m, count) int
        Indices into ``of``.

    Examples
    --------
    >>> nearest(np.array([0.0, 1.0, 5.0]), np.array([4.0]), 2, rng=np.random.default_rng(0)).tolist()
    [[2, 1]]
    """
    n, count = len(of), min(count, len(of))
    shuffled = rng.permutation(n)
    order = shuffled[np.argsort(of[shuffled], kind="stable")]
    ranked = of[order]
    place = np.searchsorted(ranked, to)
    window = place[:, None] + np.arange(-count, count)
    valid = (window >= 0) & (window < n)
    window = np.clip(window, 0, n - 1)
    distance = np.where(valid, np.abs(ranked[window] - to[:, None]), np.inf)
    best = np.argsort(distance, axis=1, kind="stable")[:, :count]
    return np.asarray(order[np.take_along_axis(window, best, axis=1)])


def draw_category(y: Floats, seen: Floats, lost: Floats, *, rng: np.random.Generator) -> Floats:
    """A draw from a multinomial logistic model with parameters drawn from their posterior.

    A few weighted rows around the mean keep the fit finite where a predictor separates the categories.

    Parameters
    ----------
    y : (n,) float64
        Observed codes.
    seen, lost : (n, q), (m, q) float64
        Predictors of observed and missing rows, standardised.
    rng : numpy.random.Generator
        For the parameters and the categories.

    Returns
    -------
    (m,) float64
        Codes that occur in ``y``.

    References
    ----------
    White, Daniel & Royston 2010, Comput Stat Data Anal 54:2267 (augmentation).
    """
    codes, at = np.unique(y, return_inverse=True)
    if len(codes) == 1:
        return np.full(len(lost), codes[0])
    x, member, weight = _augmented(at, seen, len(codes))
    beta, root = _logistic(x, member, weight)
    drawn = (beta.ravel() + root @ rng.standard_normal(beta.size)).reshape(beta.shape)
    chance = _chances(np.column_stack([np.ones(len(lost)), lost]), drawn)
    pick = (rng.random((len(lost), 1)) > chance.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return np.asarray(codes[pick])


def _augmented(at: npt.NDArray[np.intp], seen: Floats, k: int) -> tuple[Floats, Floats, Floats]:
    q = seen.shape[1]
    member = np.eye(k)[at]
    x = np.column_stack([np.ones(len(at)), seen])
    if q == 0:
        return x, member, np.ones(len(at))
    offsets = np.concatenate([np.eye(q) / 2, -np.eye(q) / 2])
    extra = np.repeat(np.column_stack([np.ones(2 * q), seen.mean(axis=0) + offsets]), k, axis=0)
    weight = np.concatenate([np.ones(len(at)), np.full(len(extra), (q + 1) / len(extra))])
    return np.concatenate([x, extra]), np.concatenate([member, np.tile(np.eye(k), (2 * q, 1))]), weight


def _logistic(x: Floats, member: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Coefficients (k - 1, q) against the first category by Newton steps, and a root of their covariance."""
    k, q = member.shape[1], x.shape[1]
    beta = np.zeros((k - 1, q))
    information = np.eye((k - 1) * q)
    for _ in range(NEWTON_STEPS):
        chance = _chances(x, beta)[:, 1:]
        gradient = ((member[:, 1:] - chance) * weight[:, None]).T @ x
        information = _information(x, chance, weight)
        step = np.linalg.solve(information, gradient.ravel()).reshape(beta.shape)
        beta = beta + np.clip(step, -LARGEST_STEP, LARGEST_STEP)
        if np.abs(step).max() < 1e-8:
            break
    covariance = np.linalg.inv(information)
    root: Floats = np.asarray(np.linalg.cholesky((covariance + covariance.T) / 2), dtype=np.float64)
    return beta, root


def _information(x: Floats, chance: Floats, weight: Floats) -> Floats:
    k, q = chance.shape[1], x.shape[1]
    out = np.empty((k, q, k, q))
    for a in range(k):
        for b in range(k):
            own = weight * chance[:, a] * ((a == b) - chance[:, b])
            out[a, :, b] = x.T @ (own[:, None] * x)
    flat = out.reshape(k * q, k * q)
    flat[np.diag_indices_from(flat)] += RIDGE * max(float(weight.sum()), 1.0) / 100
    return flat


def _chances(x: Floats, beta: Floats) -> Floats:
    score = np.column_stack([np.zeros(len(x)), x @ beta.T])
    score -= score.max(axis=1, keepdims=True)
    raised = np.exp(score)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
