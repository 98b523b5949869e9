"""The cases by name. To add one: a module with a `CASE`, and its name here."""

from study import Case

from cases import error, int8, peers, rows, topk, update

CASES: dict[str, Case] = {
    case.name: case
    for case in (update.CASE, rows.CASE, error.CASE, peers.CASE, int8.CASE, topk.CASE)
}
