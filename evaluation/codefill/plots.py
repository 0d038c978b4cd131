"""CodeFill's tables as pictures: statements over n, and accuracy by class of token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.codefill import paper
from evaluation.codefill.items import LENGTHS
from evaluation.codefill.leaves import Leaf
from evaluation.codefill.lexing import Class
from evaluation.codefill.scores import Answers
from evaluation.codefill.tables import of_group, of_length, statement_figures, token_figures
from evaluation.plots import PlotsError

THEIRS = "#1b1b1b"
BARS = (paper.ANY, *map(str, Class), paper.CARDINAL, *map(str, Leaf))


def draw(answers: Answers, folder: Path) -> list[Path]:
    """Draw both pictures into ``folder``; return the files. Raises PlotsError."""
    try:
        import matplotlib
    except ImportError as error:
        raise PlotsError("plots need matplotlib: pip install 'lancefill[eval]'") from error
    matplotlib.use("Agg")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_statements(answers, folder), _classes(answers, folder)]
    except OSError as error:
        raise PlotsError(f"cannot draw into {folder}: {error.strerror}") from error


def _statements(answers: Answers, folder: Path) -> Path:
    from matplotlib import pyplot

    figure, grid = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    published = {"rouge": paper.STATEMENT_ROUGE, "meteor": paper.STATEMENT_METEOR}
    for axes, measure, words in zip(grid, published, ("ROUGE-L", "METEOR"), strict=True):
        for arm in answers.arms:
            lengths = [each for each in LENGTHS if of_length(answers, arm, each)]
            found = [statement_figures(of_length(answers, arm, each)) for each in lengths]
            means = [getattr(each, measure) for each in found]
            if not means:
                continue
            (line,) = axes.plot(lengths, [100 * each.value for each in means], label=arm)
            low, high = ([100 * getattr(each, end) for each in means] for end in ("low", "high"))
            axes.fill_between(lengths, low, high, color=line.get_color(), alpha=0.12, lw=0)
        axes.plot(
            [paper.STATEMENT_LENGTH], [published[measure]], "*", ms=11, color=THEIRS,
            label="CodeFill's paper (py150)",
        )  # fmt: skip
        axes.set_title(words, fontsize=9)
        axes.set_xlabel("lexemes left of the statement", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylim(0, 100)
    grid[0].legend(fontsize=7, frameon=False, loc="lower left")
    return _saved(figure, folder / "statements.png")


def _classes(answers: Answers, folder: Path) -> Path:
    from matplotlib import pyplot

    arms = answers.arms
    shown = [group for group in BARS if of_group(answers, arms[0], group)]
    figure, axes = pyplot.subplots(figsize=(8, 0.9 + 0.16 * len(shown) * (len(arms) + 2)))
    height = 0.8 / len(arms)
    for number, arm in enumerate(arms):
        places = [place + (number + 0.5) * height - 0.4 for place in range(len(shown))]
        found = [token_figures(of_group(answers, arm, group)).accuracy for group in shown]
        errors = [
            [100 * (each.value - each.low) for each in found],
            [100 * (each.high - each.value) for each in found],
        ]
        values = [100 * each.value for each in found]
        axes.barh(places, values, height, xerr=errors, label=arm, error_kw={"lw": 0.7})
    _mark_published(axes, shown)
    names = [f"{group} ({len(of_group(answers, arms[0], group))})" for group in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)  # the first on top
    axes.set_xlim(0, 100)
    axes.set_title("the next lexeme is first, in percent", fontsize=9)
    axes.legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes.spines[["top", "right"]].set_visible(False)
    return _saved(figure, folder / "classes.png")


def _mark_published(axes: object, shown: Sequence[str]) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    known = [(paper.TOKENS[group].accuracy, at) for at, group in enumerate(shown)
             if group in paper.TOKENS]  # fmt: skip
    axes.plot(
        [accuracy for accuracy, _ in known], [at for _, at in known], "*", ms=8, color=THEIRS,
        label="CodeFill's paper (py150)", ls="",
    )  # fmt: skip


def _saved(figure: object, file: Path) -> Path:
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    figure.tight_layout()
    figure.savefig(file, dpi=130)
    pyplot.close(figure)
    return file
