"""Manual muscle grades as people write them, on the scale of 0 to 10."""

GRADES = {
    "0": 0.0, "1": 0.5, "t": 0.5, "trace": 0.5, "2-": 1.0, "p-": 1.0, "2": 2.0, "p": 2.0,
    "2+": 3.0, "p+": 3.0, "3-": 4.0, "f-": 4.0, "3": 5.0, "f": 5.0, "3+": 6.0, "f+": 6.0,
    "4-": 7.0, "g-": 7.0, "4": 8.0, "g": 8.0, "4+": 9.0, "g+": 9.0, "5-": 9.0, "n-": 9.0,
    "5": 10.0, "n": 10.0,
}  # fmt: skip
"""MRC grade, or Kendall's letter, -> 0 to 10 after Kendall 1993. The scale has no number for a trace,
which lies between 0 and 1: 0.5 is a proposal. Kendall knows no 5-: it counts as 4+."""


def grade(text: str) -> float | None:
    """The grade of 0 to 10 that a text stands for; None where it is no grade.

    Parameters
    ----------
    text : str
        ``4+``, ``4 +``, ``G+`` ...

    Examples
    --------
    >>> grade("4 +"), grade("5"), grade("6")
    (9.0, 10.0, None)
    """
    return GRADES.get("".join(text.lower().split()))
