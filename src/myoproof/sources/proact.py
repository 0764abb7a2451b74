"""PRO-ACT: an export's forms become one cohort on the stage, with every trap counted."""

from collections.abc import Callable
from pathlib import Path

from myoproof.sources.proact_forms import MAIN, files, load_form
from myoproof.sources.proact_people import people
from myoproof.sources.proact_rows import cohort
from myoproof.sources.proact_tests import laboratory, last_days, neurofilament, strength
from myoproof.sources.proact_visits import alsfrs, capacity, slow_only, vitals
from myoproof.sources.stage import Stage, name_people

Told = Callable[[str, float], None]


def read(stage: Stage, folder: Path, *, progress: Told = lambda _what, _share: None) -> tuple[str, ...]:
    """Bring a PRO-ACT export onto the stage.

    Parameters
    ----------
    stage : Stage
        An open stage (:func:`myoproof.sources.stage.opened`), empty.
    folder : Path
        Holds ``PROACT_*.csv`` or ``F_PROACT_*.csv``; case, byte order mark and spelling of columns do not
        matter.
    progress : callable
        Told what is done, and the share of the whole.

    Returns
    -------
    tuple of str
        Digests of the files read. The stage then holds ``subjects``, ``visits``, ``events``, ``covariates``,
        ``alsfrs`` (items, one row a visit), ``long_rows`` (every other row but scores) and ``hits``.

    Raises
    ------
    NotReadable
        If there is no export, or a file is no text table.

    References
    ----------
    Atassi N et al. The PRO-ACT database. Neurology 83:1719 (2014).
    """
    found = files(folder)
    present = {name: path.name for name, path in found.items()}
    digests = []
    for place, (name, path) in enumerate(found.items()):
        progress(f"reading {path.name}", 0.35 * place / len(found))
        digests.append(load_form(stage, name, path).digest)
    for name in MAIN:
        if name not in found:
            stage.hit_once("form_missing", "", name)
    stage.hit_once("trial_unknown")
    name_people(stage)
    progress("who they are", 0.4)
    people(stage, present)
    progress("ALSFRS", 0.45)
    alsfrs(stage, present.get("alsfrs", ""))
    progress("vital capacity", 0.5)
    for form in ("fvc", "svc"):
        capacity(stage, form, present.get(form, ""))
    slow_only(stage, present.get("svc", ""))
    progress("vital signs", 0.55)
    vitals(stage, present.get("vitalsigns", ""))
    progress("strength and laboratory", 0.6)
    for form in ("handgripstrength", "musclestrength"):
        strength(stage, form, present.get(form, ""))
    laboratory(stage, present.get("labs", ""))
    neurofilament(stage, present.get("neurofilament", ""))
    last_days(stage, present)
    progress("one cohort", 0.65)
    cohort(stage, present)
    return tuple(sorted(digests))
