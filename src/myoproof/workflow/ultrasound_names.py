"""What names of folders and files tell of an ultrasound image: whose, when, muscle, side and view."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from myoproof.errors import UnknownName
from myoproof.vocabulary.lookup import words
from myoproof.vocabulary.muscles import muscle

SIDES = {
    "left": ("left", "l", "lt", "li", "links", "sin", "sn", "lft"),
    "right": ("right", "r", "rt", "re", "rechts", "dex", "dx", "rgt"),
}
VIEWS = {
    "longitudinal": ("longitudinal", "long", "lon", "longi", "lax", "sagittal", "laengs", "lgs"),
    "transverse": ("transverse", "transversal", "trans", "tra", "trv", "sax", "axial", "cross", "quer"),
}
SIDE_OF = {word: side for side, told in SIDES.items() for word in told}
VIEW_OF = {word: view for view, told in VIEWS.items() for word in told}
VISIT = re.compile(r"(?:ses)?([mvwydt]\d{1,3}|visit\d+|baseline|followup\d*)", re.IGNORECASE)
SUBJECT = re.compile(
    r"(?:sub|subject|subj|patient|pat|proband|p|s|id|als|ctrl|control|hc)?\d+[a-z]?", re.IGNORECASE
)
LONGEST = 5
"""Words of the longest name of a muscle."""
SHORTEST = 2
"""Letters of the shortest abbreviation."""


@dataclass(frozen=True, slots=True)
class Told:
    """What names tell; "" where they do not.

    Parameters
    ----------
    subject, session, site, side, view : str
        Pseudonym, visit, muscle or nerve, side of the body, how the probe lay.
    several : tuple of str
        Sites that are named at once, where the name cannot mean all.
    """

    subject: str = ""
    session: str = ""
    site: str = ""
    side: str = ""
    view: str = ""
    several: tuple[str, ...] = ()


def site_of(name: str) -> str:
    """The site of a muscle or a nerve, as people write it.

    Raises
    ------
    UnknownName
        If neither is called so.

    Examples
    --------
    >>> site_of("VL"), site_of("Median wrist"), site_of("median nerve at the forearm")
    ('vastus_lateralis', 'median_wrist', 'median_forearm')
    """
    plain = " ".join(re.split(r"[\W_]+", name.casefold())).strip()
    for site, row in words("sites").items():
        if row["kind"] == "nerve":
            known = {site.replace("_", " "), row["label"].casefold(), row["abbreviation"].casefold()}
            if plain in known or f"{plain} nerve" in known:
                return site
    return muscle(name)


def is_nerve(site: str) -> bool:
    """Whether a site is a nerve."""
    return words("sites")[site]["kind"] == "nerve"


def told_by(path: Path) -> Told:
    """What a path below the source folder tells.

    Parameters
    ----------
    path : Path
        Relative to the source.

    Examples
    --------
    >>> told_by(Path("sub-07/ses-m06/biceps_L_trans_2.png"))
    Told(subject='sub-07', session='m06', site='biceps_brachii', side='left', view='transverse', several=())
    >>> told_by(Path("P12/VL re 1.jpg"))
    Told(subject='sub-P12', session='', site='vastus_lateralis', side='right', view='', several=())
    >>> told_by(Path("S3_median_wrist_left_1.png")).site
    'median_wrist'
    """
    parts = [*path.parts[:-1], path.stem]
    read = [_sites(_tokens(part)) for part in parts]
    nearest = next((sites for sites, _ in reversed(read) if sites), [])
    left = [others for _, others in read]
    return Told(
        subject=_subject(parts),
        session=_session(parts),
        site=nearest[0] if len(set(nearest)) == 1 else "",
        side=_first(SIDE_OF, left),
        view=_first(VIEW_OF, left),
        several=tuple(sorted(set(nearest))) if len(set(nearest)) > 1 else (),
    )


def number_in(name: str) -> tuple[int, ...]:
    """The numbers in a name, for the order of frames of one muscle."""
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _tokens(part: str) -> list[str]:
    """Words of a name: parted at signs, from lower to upper case, and before numbers at the end."""
    spaced = re.sub(r"(?<=[a-zäöü])(?=[A-Z])", " ", part)
    split = [token for token in re.split(r"[\W_]+", spaced) if token]
    return [word for token in split for word in re.findall(r"[^\W\d_]+|\d+[a-z]?", token) or [token]]


def _sites(tokens: Sequence[str]) -> tuple[list[str], list[str]]:
    """Sites named in a run of words, longest names taken first, none inside another; and the words left."""
    found: list[str] = []
    left: list[str] = []
    place = 0
    while place < len(tokens):
        for length in range(min(LONGEST, len(tokens) - place), 0, -1):
            gram = tokens[place : place + length]
            site = _site(gram)
            if site:
                found.append(site)
                place += length
                break
        else:
            left.append(tokens[place])
            place += 1
    return found, left


def _site(gram: Sequence[str]) -> str:
    text = " ".join(gram)
    if any(word.isdigit() for word in gram) or len(text.replace(" ", "")) < SHORTEST:
        return ""
    if len(gram) == 1 and text.casefold() in {**SIDE_OF, **VIEW_OF}:
        return ""
    if gram[0].casefold() in SIDE_OF or gram[-1].casefold() in SIDE_OF:
        return ""
    try:
        return site_of(text)
    except UnknownName:
        return ""


def _first(known: dict[str, str], parts: Sequence[Sequence[str]]) -> str:
    """What the last part that says it says; "" where it says both."""
    for tokens in reversed(parts):
        said = {known[token.casefold()] for token in tokens if token.casefold() in known}
        if len(said) == 1:
            return said.pop()
    return ""


def _subject(parts: Sequence[str]) -> str:
    for part in parts:
        if found := re.match(r"sub-([A-Za-z0-9]+)", part):
            return f"sub-{found.group(1)}"
    if len(parts) > 1 and _may_be_a_subject(parts[0]):
        return "sub-" + re.sub(r"[^A-Za-z0-9]", "", parts[0])
    for token in re.split(r"[\W_]+", parts[-1])[:1]:
        if SUBJECT.fullmatch(token):
            return f"sub-{token}"
    return ""


def _may_be_a_subject(name: str) -> bool:
    known = {**SIDE_OF, **VIEW_OF}
    return (
        name.casefold() not in known
        and not _sites(_tokens(name))[0]
        and not VISIT.fullmatch(name.replace("-", ""))
    )


def _session(parts: Sequence[str]) -> str:
    for part in reversed(parts):
        if found := re.search(r"ses-([A-Za-z0-9]+)", part):
            return found.group(1)
    for part in parts[1:]:
        for token in _visits(part):
            return token
    return ""


def _visits(part: str) -> Iterator[str]:
    for token in re.split(r"[\W_]+", part):
        if VISIT.fullmatch(token):
            yield token.lower()
