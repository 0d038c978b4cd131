"""CodeFill's tables: what was measured with intervals, and the paper's figures beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from evaluation import report
from evaluation.codefill import paper
from evaluation.codefill.items import LENGTHS
from evaluation.codefill.leaves import Leaf
from evaluation.codefill.lexing import Class
from evaluation.codefill.scores import Answers, Scored, Written
from evaluation.statistics import Mean, Rate, Spread, mean, rate, spread

NOTES = (
    f"{paper.CAVEAT} Theirs: {paper.SOURCE}. Told: the share of items with an answer. Raw: nothing "
    "normalised. A line break is one lexeme here, right where the statement ends and the next line "
    "is indented as much; the paper does not say where it counts them. METEOR compares lexemes as "
    "they are. Times are from the prompt in text to the answer; nothing of it is cached but what "
    "the item before it in the same file left."
)

Group = Callable[[Scored], bool]


def _of_class(wanted: Class) -> Group:
    return lambda one: one.item.token is not None and one.item.token.token_class is wanted


def _of_leaf(wanted: Leaf) -> Group:
    return lambda one: one.item.token is not None and one.item.token.leaf is wanted


GROUPS: dict[str, Group] = {
    paper.ANY: lambda _: True,
    **{str(each): _of_class(each) for each in Class},
    paper.CARDINAL: lambda one: one.item.token is not None and one.item.token.cardinal,
    paper.LEAVES: lambda one: one.item.token is not None and one.item.token.leaf is not None,
    **{str(each): _of_leaf(each) for each in Leaf},
}
"""The rows of the token table, by the names that the paper's figures have."""


@dataclass(frozen=True, slots=True)
class TokenFigures:
    """How often the truth was first, and the mean of its reciprocal ranks (`TOP` at most)."""

    n: int
    answered: Rate
    accuracy: Rate
    mrr: Mean
    raw_accuracy: Rate
    raw_mrr: Mean
    ms: Spread


@dataclass(frozen=True, slots=True)
class StatementFigures:
    """Means over statements; all but ``ms`` are between 0 and 1."""

    n: int
    answered: Rate
    rouge: Mean
    meteor: Mean
    exact: Rate
    edits: Mean
    raw_rouge: Mean
    raw_meteor: Mean
    raw_exact: Rate
    raw_edits: Mean
    ms: Spread


def token_figures(chosen: Sequence[Scored]) -> TokenFigures:
    """Sum up lexemes."""
    ranks, raw_ranks = [one.rank for one in chosen], [one.raw_rank for one in chosen]
    return TokenFigures(
        n=len(chosen),
        answered=rate(sum(one.answered for one in chosen), len(chosen)),
        accuracy=rate(ranks.count(1), len(chosen)),
        mrr=mean(reciprocal(ranks)),
        raw_accuracy=rate(raw_ranks.count(1), len(chosen)),
        raw_mrr=mean(reciprocal(raw_ranks)),
        ms=spread([one.ms for one in chosen]),
    )


def statement_figures(chosen: Sequence[Written]) -> StatementFigures:
    """Sum up statements."""
    normal, raw = [one.normal for one in chosen], [one.raw for one in chosen]
    return StatementFigures(
        n=len(chosen),
        answered=rate(sum(one.answered for one in chosen), len(chosen)),
        rouge=mean([one.rouge for one in normal]),
        meteor=mean([one.meteor for one in normal]),
        exact=rate(sum(one.exact for one in normal), len(normal)),
        edits=mean([one.edits for one in normal]),
        raw_rouge=mean([one.rouge for one in raw]),
        raw_meteor=mean([one.meteor for one in raw]),
        raw_exact=rate(sum(one.exact for one in raw), len(raw)),
        raw_edits=mean([one.edits for one in raw]),
        ms=spread([one.ms for one in chosen]),
    )


def reciprocal(ranks: Sequence[int | None]) -> list[float]:
    """A miss counts as 0."""
    return [0.0 if each is None else 1 / each for each in ranks]


def of_length(answers: Answers, arm: str, length: int | None) -> list[Written]:
    """The statements of an arm that ``length`` lexemes were left of; all without a length."""
    return [
        one for one in answers.statements if one.arm == arm and length in (None, len(one.item.rest))
    ]


def of_group(answers: Answers, arm: str, group: str) -> list[Scored]:
    """The lexemes of an arm in one row of the token table."""
    return [one for one in answers.tokens if one.arm == arm and GROUPS[group](one)]


# --- for people ------------------------------------------------------------------------------

TOKEN_HEADER = ("", "n", "share", "told", "accuracy", "MRR@10", "paper", "raw")
PAPER_ROW = [
    f"paper, n = {paper.STATEMENT_LENGTH}",
    *("", "", str(paper.STATEMENT_ROUGE), str(paper.STATEMENT_METEOR), "", "", ""),
]
STATEMENT_HEADER = ("n", "items", "told", "ROUGE-L", "METEOR", "exact", "edits", "raw R-L/M/exact")
TIMES_HEADER = ("", "next lexeme", "rest of the statement")


def tables(answers: Answers) -> Iterator[Table]:
    """The token table of every arm, the AST types, the statement table of every arm, and times."""
    for arm in answers.arms:
        yield report.table(f"next lexeme: {arm}", TOKEN_HEADER, _token_rows(answers, arm))
    if any(one.typed for one in answers.tokens):
        yield _types(answers)
    for arm in answers.arms:
        if of_length(answers, arm, None):
            rows = [*_statement_rows(answers, arm), PAPER_ROW]
            yield report.table(f"rest of the statement: {arm}", STATEMENT_HEADER, rows)
    yield report.table("p50/p95 ms of an answer", TIMES_HEADER, _time_rows(answers))


def _token_rows(answers: Answers, arm: str) -> Iterator[list[str]]:
    total = len(of_group(answers, arm, paper.ANY))
    for group in GROUPS:
        chosen = of_group(answers, arm, group)
        if not chosen:
            continue
        found = token_figures(chosen)
        yield [
            group,
            str(found.n),
            f"{found.n / total:.0%}",
            f"{found.answered.value:.0%}",
            _percent(found.accuracy),
            _percent(found.mrr),
            _theirs(group),
            _values(found.raw_accuracy, found.raw_mrr),
        ]


def _types(answers: Answers) -> Table:
    rows = []
    for arm in answers.arms:
        ranks = [one.type_rank for one in answers.tokens if one.arm == arm and one.typed]
        if ranks:
            accuracy, mrr = rate(ranks.count(1), len(ranks)), mean(reciprocal(ranks))
            theirs = _theirs(paper.TYPE)
            rows.append([arm, str(len(ranks)), _percent(accuracy), _percent(mrr), theirs])
    return report.table(
        "AST type of the next lexeme, by the type head", ("", "n", "accuracy", "MRR@10", "paper"),
        rows,
    )  # fmt: skip


def _statement_rows(answers: Answers, arm: str) -> Iterator[list[str]]:
    for length in (*LENGTHS, None):
        found = statement_figures(of_length(answers, arm, length))
        if not found.n:
            continue
        yield [
            "all" if length is None else str(length),
            str(found.n),
            f"{found.answered.value:.0%}",
            *map(_percent, (found.rouge, found.meteor)),
            _values(found.exact),
            _values(found.edits),
            _values(found.raw_rouge, found.raw_meteor, found.raw_exact),
        ]


def _time_rows(answers: Answers) -> Iterator[list[str]]:
    for arm in answers.arms:
        tokens, written = of_group(answers, arm, paper.ANY), of_length(answers, arm, None)
        yield [arm, *(_times(one) for one in (tokens, written))]


def _percent(found: Rate | Mean) -> str:
    return f"{100 * found.value:.1f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def _values(*found: Rate | Mean) -> str:
    return "/".join(f"{100 * each.value:.1f}" for each in found)


def _theirs(group: str) -> str:
    found = paper.TOKENS.get(group)
    return "" if found is None else f"{found.accuracy}/{found.mrr}"


def _times(chosen: Sequence[Scored] | Sequence[Written]) -> str:
    if not chosen:
        return ""
    ms = spread([one.ms for one in chosen])
    return f"{ms.p50:.0f}/{ms.p95:.0f}"


# --- for programs ----------------------------------------------------------------------------


def result(answers: Answers) -> dict[str, Any]:
    """All figures as plain values; ``summary`` is what fits one line."""
    arms = {arm: _figures(answers, arm) for arm in answers.arms}
    return {"arms": arms, "paper": _paper(), "summary": _summary(answers)}


def _figures(answers: Answers, arm: str) -> dict[str, Any]:
    tokens = {group: of_group(answers, arm, group) for group in GROUPS}
    lengths = {str(length or "all"): of_length(answers, arm, length) for length in (*LENGTHS, None)}
    ranks = [one.type_rank for one in answers.tokens if one.arm == arm and one.typed]
    return {
        "tokens": {group: asdict(token_figures(found)) for group, found in tokens.items() if found},
        "types": {
            "accuracy": asdict(rate(ranks.count(1), len(ranks))),
            "mrr": asdict(mean(reciprocal(ranks))),
        },
        "statements": {
            length: asdict(statement_figures(found)) for length, found in lengths.items() if found
        },
    }


def _paper() -> dict[str, Any]:
    return {
        "source": paper.SOURCE,
        "caveat": paper.CAVEAT,
        "tokens": {group: found._asdict() for group, found in paper.TOKENS.items()},
        "statements": {
            str(paper.STATEMENT_LENGTH): {
                "rouge": paper.STATEMENT_ROUGE,
                "meteor": paper.STATEMENT_METEOR,
            }
        },
    }


def _summary(answers: Answers) -> dict[str, dict[str, float]]:
    found = {}
    for arm in answers.arms:
        any_token = token_figures(of_group(answers, arm, paper.ANY))
        found[arm] = {"accuracy": any_token.accuracy.value, "mrr": any_token.mrr.value}
        statements = of_length(answers, arm, paper.STATEMENT_LENGTH)
        if statements:
            four = statement_figures(statements)
            found[arm] |= {"rouge_4": four.rouge.value, "meteor_4": four.meteor.value}
    return found
