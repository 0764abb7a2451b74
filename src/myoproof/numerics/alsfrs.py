"""Arithmetic of ALSFRS-R: totals, subscores, King's and MiToS stages, progression rate."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ITEMS = (
    "speech", "salivation", "swallowing", "handwriting", "cutting", "dressing", "turning", "walking",
    "climbing", "dyspnea", "orthopnea", "respiratory_insufficiency",
)  # fmt: skip
"""The order of the twelve items in every array here."""
SUBSCORES = {"bulbar": (0, 3), "fine_motor": (3, 6), "gross_motor": (6, 9), "respiratory": (9, 12)}
HIGHEST = 48


def total(items: Floats) -> Floats:
    """The sum of twelve items; NaN where one is missing.

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        Scores 0 to 4, NaN missing, in the order of ``ITEMS``. Higher is better.

    Examples
    --------
    >>> total(np.full((1, 12), 4.0))
    array([48.])
    """
    return np.asarray(items.sum(axis=1), dtype=np.float64)


def ten_item_total(items: Floats, respiratory: Floats) -> Floats:
    """The sum of ALSFRS: items 1 to 9 and its own item 10, 0 to 40; items 10 to 12 of ALSFRS-R never count.

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        As in :func:`total`; only the first nine are used.
    respiratory : ndarray, shape (n,)
        Item 10 of the ten-item scale.
    """
    return np.asarray(items[:, :9].sum(axis=1) + respiratory)


def subscores(items: Floats) -> dict[str, Floats]:
    """Bulbar, fine motor, gross motor and respiratory subscore, each 0 to 12.

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        As in :func:`total`.
    """
    return {name: items[:, low:high].sum(axis=1) for name, (low, high) in SUBSCORES.items()}


def progression_rate(totals: Floats, months: Floats, *, shortest_months: float = 1.0) -> Floats:
    """Points lost a month since onset: (48 - total) / months.

    Parameters
    ----------
    totals : ndarray, shape (n,)
        ALSFRS-R totals.
    months : ndarray, shape (n,)
        Since onset.
    shortest_months : float
        Below it the rate is not defined (NaN): it explodes near zero.

    Examples
    --------
    >>> progression_rate(np.array([36.0, 47.0]), np.array([12.0, 0.1]))
    array([ 1., nan])
    """
    usable = np.where(months >= shortest_months, months, np.nan)
    return np.asarray((HIGHEST - totals) / usable)


def kings(items: Floats, gastrostomy: Flags, *, without_region: int = 1) -> Floats:
    """King's stage 1 to 4 estimated from ALSFRS-R (5 is death, which the items do not tell).

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        As in :func:`total`.
    gastrostomy : ndarray of bool, shape (n,)
        Whether item 5 was answered with a gastrostomy.
    without_region : {0, 1}
        The stage of a patient in whom no region is affected. Public implementations differ.

    Returns
    -------
    ndarray, shape (n,)
        Stage, NaN where a missing item leaves it open. Higher is worse.

    References
    ----------
    Balendra R et al. Amyotroph Lateral Scler Frontotemporal Degener 15:279 (2014).
    """
    failing = gastrostomy | (items[:, 9] == 0) | (items[:, 11] < 4)
    regions = _regions(items)
    count = regions.sum(axis=1)
    known = ~np.isnan(items[:, [9, 11]]).any(axis=1)
    stage = np.where(known, np.where(count == 0, float(without_region), count), np.nan)
    return np.asarray(np.where(failing, 4.0, stage))


def affected_regions(items: Floats) -> Floats:
    """How many of the bulbar, upper and lower limb regions are affected; NaN where that is open.

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        As in :func:`total`.
    """
    return np.asarray(_regions(items).sum(axis=1))


def mitos(items: Floats, *, communication: str = "and") -> Floats:
    """MiToS stage 0 to 4: domains of function lost (5 is death, which the items do not tell).

    Parameters
    ----------
    items : ndarray, shape (n, 12)
        As in :func:`total`.
    communication : {"and", "or"}
        Whether communication is lost where speech and handwriting are both at most 1 (Chio 2015), or where
        one of them is (another public implementation).

    Returns
    -------
    ndarray, shape (n,)
        Stage, NaN where a missing item leaves it open. Higher is worse.

    Raises
    ------
    ValueError
        If ``communication`` is neither.

    References
    ----------
    Chio A et al. J Neurol Neurosurg Psychiatry 86:38 (2015).
    """
    if communication not in ("and", "or"):
        raise ValueError(f"communication is 'and' or 'or', not {communication!r}")
    low = {name: _at_most(items[:, ITEMS.index(name)], 1) for name in ITEMS}
    said = low["speech"], low["handwriting"]
    domains = [
        _either(low["walking"], low["dressing"]),
        low["swallowing"],
        _both(*said) if communication == "and" else _either(*said),
        _either(low["dyspnea"], _at_most(items[:, 11], 2)),
    ]
    return np.asarray(np.sum(domains, axis=0))


def _regions(items: Floats) -> Floats:
    """Affected: bulbar (1 + 2 + 3 < 12), upper limb (4 + 5 < 8), lower limb (8 < 4); NaN where open."""
    groups = ((0, 1, 2), (3, 4), (7,))
    return np.stack([_any([_at_most(items[:, place], 3) for place in group]) for group in groups], axis=1)


def _at_most(values: Floats, limit: float) -> Floats:
    """1 where at most, 0 where above, NaN where missing."""
    return np.where(np.isnan(values), np.nan, (values <= limit).astype(np.float64))


def _any(parts: list[Floats]) -> Floats:
    """1 where one is 1 whatever is missing, NaN where that is open."""
    stacked = np.stack(parts)
    held = np.isnan(stacked).any(axis=0)
    one = (stacked == 1).any(axis=0)
    return np.where(one, 1.0, np.where(held, np.nan, 0.0))


def _either(first: Floats, second: Floats) -> Floats:
    return _any([first, second])


def _both(first: Floats, second: Floats) -> Floats:
    """1 where both are 1, 0 where one is 0 whatever is missing, NaN where that is open."""
    return 1 - _any([1 - first, 1 - second])
