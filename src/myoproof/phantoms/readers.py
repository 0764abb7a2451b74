"""A simulated reader study: three readers measure two muscles of each subject on both sides."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from myoproof.core.cohort import Cohort, make_cohort

READERS = ("reader-1", "reader-2", "reader-3")
SITES = {"vastus_lateralis": (22.0, 4.5), "medial_gastrocnemius": (17.0, 3.2)}
"""Mean and SD of thickness over subjects, mm: proposals near the published 15-25 mm."""


@dataclass(frozen=True, slots=True)
class ReadersParams:
    """How readers differ.

    Parameters
    ----------
    n : int
        Subjects.
    bias_mm : tuple of float
        What each reader adds to every thickness.
    error_sd_mm : float
        SD of a reading, one reader, one side.
    side_sd_mm : float
        SD of what a side differs from its subject.
    """

    n: int = 24
    bias_mm: tuple[float, ...] = (0.0, 0.3, -0.2)
    error_sd_mm: float = 0.6
    side_sd_mm: float = 0.8


def cohort(*, rng: np.random.Generator, params: ReadersParams = ReadersParams()) -> Cohort:
    """The simulated reader study as tables.

    Parameters
    ----------
    rng : numpy.random.Generator
        The only source of randomness.
    params : ReadersParams
        Size, biases and errors.

    Returns
    -------
    Cohort
        Thickness (mm) of two muscles, left and right, by three raters; flags ``simulated``.

    Notes
    -----
    True ICC(A,1) of one side: (between subjects + side) / (that + biases + error), variances each.
    """
    subjects = [f"sim-{place:03d}" for place in range(1, params.n + 1)]
    rows = []
    for site, (mean, spread) in SITES.items():
        true = mean + spread * rng.standard_normal((params.n, 1))
        true = true + params.side_sd_mm * rng.standard_normal((params.n, 2))
        for reader, bias in zip(READERS, params.bias_mm, strict=True):
            read = true + bias + params.error_sd_mm * rng.standard_normal(true.shape)
            for place, subject in enumerate(subjects):
                for column, side in enumerate(("left", "right")):
                    rows.append(
                        {
                            "subject": subject,
                            "session": "m00",
                            "modality": "ultrasound",
                            "site": site,
                            "side": side,
                            "measure": "thickness",
                            "method": "drawn",
                            "rater": reader,
                            "value": float(read[place, column]),
                            "flags": "simulated",
                        }
                    )
    scans = pd.DataFrame({"subject": subjects, "session": "m00", "modality": "ultrasound", "day": 0.0})
    people = pd.DataFrame({"subject": subjects, "diagnosis": "ALS", "arm": "als"})
    return make_cohort(people, scans, pd.DataFrame(rows))
