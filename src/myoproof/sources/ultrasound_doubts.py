"""What makes an image doubtful: two images or a trace on one screen, upside down, a photo of a screen."""

from collections.abc import Sequence

from myoproof.errors import Finding
from myoproof.sources.ultrasound_box import Tissue
from myoproof.sources.ultrasound_screen import Screen


def doubts(tissue: Tissue, where: str) -> Sequence[Finding]:
    """What is doubtful about an image; errors where it cannot be used."""
    found = []
    if tissue.others:
        message = f"the screen holds {1 + len(tissue.others)} images; the largest is taken"
        found.append(Finding("warning", "dual image", message, where, "export one image a file"))
    return found


def drawn_outside(screen: Screen, tissue: Tissue) -> bool:
    """Whether anything is drawn outside of the tissue, which may be a name."""
    outside = screen.content & ~tissue.region
    top, bottom, left, right = tissue.box
    outside[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = False
    return bool(outside.sum() > 20)
