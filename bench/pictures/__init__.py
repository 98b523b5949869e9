"""The pictures of the cases, a file for each subject. Drawn on request: matplotlib is an extra."""

from pathlib import Path

from cases import heinsen, int8_threads
from cases.peers import logsumexp, softmax
from lib.report import Table

from pictures import heinsen as heinsen_picture
from pictures import peers as peers_picture
from pictures import threads as threads_picture
from pictures import variants

#: The cases whose subject the pictures of variants are.
STUDIES = {"update", "rows", "error"}


def draw(folder: Path, heading: str, tables: dict[str, list[Table]]) -> list[Path]:
    """Draw the pictures of the cases that ran into `folder` and return their paths.

    The heading names the machine, in small print under a measured picture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    found = {table.title: table for case in tables.values() for table in case}
    if softmax.EACH in found:
        drawn.append(folder / "peers.png")
        peers_picture.draw(drawn[0], heading, found[softmax.EACH], found.get(logsumexp.EACH))
    if heinsen.GROWTH in found:
        drawn.append(folder / "heinsen.png")
        heinsen_picture.draw(drawn[-1], heading, found[heinsen.GROWTH])
    if int8_threads.CASE.name in tables:
        drawn.append(folder / "int8_threads.png")
        threads_picture.draw(drawn[-1], heading, tables[int8_threads.CASE.name][0])
    if tables.keys() & STUDIES:
        drawn += variants.draw(folder, heading)
    return drawn
