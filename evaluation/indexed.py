"""``lancefill index``: build the index of a repository and say what was found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.text import Text

from evaluation import report
from indexing.build import Progress, Summary, build

PHASES = {"walk": "looking for files", "parse": "reading files", "ngrams": "counting tokens"}


def run(root: Path, console: Console) -> Summary:
    """Index ``root`` with visible progress. Raises indexing.build.BusyError."""
    with report.progress(console) as bar:
        task = bar.add_task(PHASES["walk"], total=None)

        def show(latest: Progress) -> None:
            words = PHASES.get(latest.phase, latest.phase)
            bar.update(task, description=words, completed=latest.done, total=latest.total or None)

        summary = build(root, report=show)
    console.print(
        f"{summary.files:,} files in {summary.seconds:.1f} s: {summary.parsed:,} new or changed, "
        f"{summary.removed:,} gone, {len(summary.skipped):,} skipped"
    )
    for reason, count in Counter(skipped.reason for skipped in summary.skipped).most_common():
        console.print(f"  {count:,} {reason}", style="dim")
    console.print(Text(f"the index is in {summary.folder}", style="dim"))
    if summary.warning:
        console.print(Text(summary.warning, style="yellow"))
    return summary
