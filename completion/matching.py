"""How well a name matches what is typed."""

from __future__ import annotations

EXACT, FOLDED, HUMPS, SUBSEQUENCE = 3, 2, 1, 0


def match_quality(name: str, typed: str) -> int | None:
    """Rank of the match, or None for none.

    `EXACT` begins with the typed text, `FOLDED` but for case, `HUMPS` begins its words with it
    (``gC`` or ``gc`` and ``get_client``, ``getClient``), `SUBSEQUENCE` holds its letters in order,
    the first of them first.
    """
    if name.startswith(typed):
        return EXACT
    folded, wanted = name.lower(), typed.lower()
    if folded.startswith(wanted):
        return FOLDED
    if len(typed) < 2 or not folded.lstrip("_").startswith(wanted[0]):
        return None
    if humps(name).startswith(wanted):
        return HUMPS
    return SUBSEQUENCE if _is_subsequence(wanted, folded) else None


def humps(name: str) -> str:
    """The first letter of each word of a name, lower case: ``get_HTTPClient`` gives ``ghc``."""
    letters: list[str] = []
    before = "_"
    for index, letter in enumerate(name):
        after = name[index + 1 : index + 2]
        new_word = before == "_" or (letter.isupper() and (not before.isupper() or after.islower()))
        if new_word and letter != "_":
            letters.append(letter.lower())
        before = letter
    return "".join(letters)


def _is_subsequence(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)
