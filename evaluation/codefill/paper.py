"""What CodeFill's authors print (Izadi, Gismondi, Gousios, ICSE 2022, arXiv 2202.06689).

All in percent. Theirs are 10 % of py150 after pre-training on other code of the same age; ours are
files of packages that are younger than the training data: the same measures, not the same items.
"""

from __future__ import annotations

from typing import NamedTuple

SOURCE = "CodeFill, ICSE 2022, arXiv 2202.06689; 258M parameters, on py150"
CAVEAT = (
    "The paper's figures are of py150 files, ours of recent packages: the same measures and "
    "normalisation, other items."
)


class Published(NamedTuple):
    """Accuracy and MRR@10, and the share of all tokens, or of all leaves, where it is given."""

    accuracy: float
    mrr: float
    share: float | None = None


ANY = "any token"
CARDINAL = "cardinal points"
TYPE = "AST type"
LEAVES = "AST leaf, any"

TOKENS: dict[str, Published] = {
    ANY: Published(80.6, 81.7),
    "identifier": Published(54.4, 56.0, 21),
    "keyword": Published(97.3, 98.1, 28),
    "punctuation": Published(98.0, 98.0, 33),
    "literal": Published(65.8, 66.1, 5),
    "operator": Published(71.4, 74.4, 13),
    CARDINAL: Published(70.0, 70.9),
    LEAVES: Published(66.3, 69.5),
    "attribute": Published(64.0, 72.0, 32),
    "name": Published(67.3, 69.7, 13),
    "function name": Published(72.2, 76.9, 33),
    "number": Published(53.1, 56.0, 22),
    TYPE: Published(83.8, 87.2),
}

STATEMENT_LENGTH = 4
STATEMENT_ROUGE = 63.7
STATEMENT_METEOR = 70.2
"""Of the statement task only n = 4 is given in figures; n = 2 to 8 is a plot."""
