"""The command line: one short function per subcommand.

Everything but click is imported inside the functions, so that ``--help`` and ``--version`` answer
at once and ``serve`` loads only the server. What the commands do lives in the rooms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from completion.engine import Explanation
    from lsp_server.settings import Settings

FOLDER = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT = click.Path(dir_okay=False, writable=True, path_type=Path)


class Problem(click.ClickException):
    """Bad input: one line on stderr, exit status 2."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Position:
    """A place as people write it: line and column count from 1, the column in characters."""

    file: Path
    line: int
    column: int

    def offset(self, data: bytes) -> int:
        """Return the byte offset of the place in UTF-8 ``data``. Raises Problem."""
        lines = (data + b"|").splitlines(keepends=True)  # b"|": an empty last line is a line too
        lines[-1] = lines[-1][:-1]
        if self.line > len(lines):
            raise Problem(f"{self.file} has {len(lines)} lines: there is no line {self.line}")
        text = lines[self.line - 1].decode("utf-8").rstrip("\r\n")
        if self.column > len(text) + 1:
            raise Problem(
                f"line {self.line} of {self.file} has {len(text)} characters: "
                f"its last column is {len(text) + 1}, not {self.column}"
            )
        return sum(map(len, lines[: self.line - 1])) + len(text[: self.column - 1].encode("utf-8"))


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what may fail outside of us, the network, the disk and the server, into one line."""
    from evaluation.client import ServerEndedError
    from evaluation.headless import AbsentModelError
    from evaluation.repositories import FetchError
    from indexing.cache import told
    from indexing.store import StoreError

    try:
        yield
    except StoreError as error:
        raise Problem(f"the index cannot be written: {told(error)}") from error
    except (FetchError, AbsentModelError) as error:
        raise Problem(str(error)) from error
    except (ServerEndedError, TimeoutError) as error:
        raise click.ClickException(str(error) or "the server did not answer in time") from error


class PositionType(click.ParamType[Position]):
    """Reads ``FILE:LINE:COL``."""

    name = "FILE:LINE:COL"

    def convert(
        self, value: str, _param: click.Parameter | None, _ctx: click.Context | None
    ) -> Position:
        """Return the Position that ``value`` names. Raises Problem."""
        name, line, column = (["", "", "", *value.rsplit(":", 2)])[-3:]
        if not (name and line.isdecimal() and column.isdecimal() and int(line) and int(column)):
            raise Problem(f"{value!r} is not FILE:LINE:COL, with line and column counted from 1")
        if not Path(name).is_file():
            raise Problem(f"there is no file {name}")
        return Position(Path(name), int(line), int(column))


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has its own --help. Settings, limits, editors: see the README.",
)
@click.version_option(package_name="lancefill", message="lancefill %(version)s")
def main() -> None:
    """Code completion that knows your repository and runs on your machine.

    \b
    See it work, on a real repository or on your own:
      lancefill demo
      lancefill demo --repo ~/code/project
    Connect an editor (the editor starts this by itself):
      lancefill serve
    Ask in plain words which API of the repository to use:
      lancefill ask "open a connection and run one query"
    Ask without an editor what would be suggested, and why:
      lancefill complete src/app.py:12:9
      lancefill explain  src/app.py:12:9
    When something is wrong:
      lancefill doctor
    """


@main.command()
@click.option("--stdio", is_flag=True, hidden=True, help="Accepted because editors append it.")
@click.option("--own-model", is_flag=True, help="Share no model process with other editors.")
def serve(stdio: bool, own_model: bool) -> None:  # noqa: ARG001
    """Run the language server over stdin and stdout.

    \b
    Neovim 0.11 or newer:
      vim.lsp.config("lancefill", {cmd = {"lancefill", "serve"}, filetypes = {"python"},
                                   root_markers = {"pyproject.toml", ".git"}})
      vim.lsp.enable("lancefill")
    """
    # Editors start servers inside the workspace: -I keeps the workspace's own modules, and what
    # PYTHONPATH names, from being imported in place of ours.
    arguments = [sys.executable, "-I", "-X", "utf8", "-m", "lsp_server"]
    arguments += ["--own-model"] if own_model else []
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter, no shell


@main.command()
@click.argument("path", type=FOLDER, default=".")
def index(path: Path) -> None:
    """Index the repository at PATH, as the server does by itself, and say what was found.

    The index lies in your cache folder; the next time only changed files are read.
    """
    from evaluation.indexed import run
    from evaluation.report import console
    from indexing.build import BusyError

    try:
        with one_line():
            run(path, console())
    except BusyError as error:
        raise Problem(f"{error}: an editor keeps its index up to date") from error


ROOT = click.option(
    "--root", type=FOLDER, help="The workspace; by default the nearest with .git or so."
)
CUT = click.option("--cut", is_flag=True, help="As if the rest of the line were not typed yet.")
NO_GHOST = click.option("--no-ghost", is_flag=True, help="Popup only: start no model.")


@main.command()
@click.argument("position", type=PositionType())
@ROOT
@CUT
@NO_GHOST
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a picture.")
def complete(
    position: Position, root: Path | None, cut: bool, no_ghost: bool, as_json: bool
) -> None:
    """Complete at FILE:LINE:COL: the popup and the ghost text, without an editor.

    LINE and COL count from 1, COL in characters; it names the character behind the cursor.
    The same engine and helper processes as in an editor, but without its deadlines.

    \b
      lancefill complete src/app.py:12:9 --cut
    """
    from evaluation import explanation
    from evaluation.report import console

    show = explanation.print_answer_json if as_json else explanation.print_answer
    show(console(), _explain(position, root, cut=cut, ghost=not no_ghost))


@main.command()
@click.argument("position", type=PositionType())
@ROOT
@CUT
@NO_GHOST
@click.option("--prompt", is_flag=True, help="Only what reached the model, with its files.")
def explain(position: Position, root: Path | None, cut: bool, no_ghost: bool, prompt: bool) -> None:
    """Show all that leads to the answer at FILE:LINE:COL.

    The context that was read, the candidates with every feature of their rank, each byte of the
    model's prompt and the files it came from, both timelines, and the reason for what is missing.
    """
    from evaluation import explanation
    from evaluation.report import console

    show = explanation.print_prompt if prompt else explanation.print_explanation
    show(console(), _explain(position, root, cut=cut, ghost=not no_ghost))


@main.command()
@click.argument("request", nargs=-1, required=True)
@ROOT
@click.option("--limit", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--near", type=FILE, help="The file you write in: its imports are not repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a picture.")
def ask(
    request: tuple[str, ...], root: Path | None, limit: int, near: Path | None, as_json: bool
) -> None:
    """Find the repository's APIs that fit a REQUEST in plain words, ready to use.

    Each with its signature, what it does, where it is used, a call and the import it needs.

    \b
      lancefill ask "open a connection pool and run one query"
      lancefill ask --root ~/code/project parse a date
    """
    from evaluation import asking
    from evaluation.headless import workspace_of
    from evaluation.report import console

    folder = root or workspace_of((near or Path.cwd() / "file").resolve())
    if near is not None and not near.resolve().is_relative_to(folder):
        raise Problem(f"{near} is not in {folder}")
    path = near.resolve().relative_to(folder).as_posix() if near else ""
    found = asking.ask(folder, " ".join(request), limit, path, console())
    show = asking.print_json if as_json else asking.print_answers
    show(console(), found)


@main.command()
@click.argument("workspaces", nargs=-1, type=click.Path(resolve_path=True))
@click.option("--all", "every", is_flag=True, help="Delete the indexes of all workspaces.")
@click.option(
    "--cap",
    metavar="MB",
    type=click.IntRange(min=0),
    help="Delete the least recently used until this holds.",
)
def clean(workspaces: tuple[str, ...], every: bool, cap: int | None) -> None:
    """List the indexes in your cache folder, or delete those of WORKSPACES.

    The cache keeps itself below a cap; nothing in it cannot be built again.
    """
    from indexing import cache

    known = cache.entries()
    unknown = set(workspaces) - {entry.workspace for entry in known}
    if unknown:
        raise Problem(f"there is no index of {', '.join(sorted(unknown))}")
    doomed = [entry for entry in known if every or entry.workspace in workspaces]
    failed = [entry for entry in doomed if not cache.delete(entry.folder)]
    if cap is not None:
        doomed += cache.trim(cap=cap * 2**20)
    for entry in known:
        state = "could not be deleted" if entry in failed else "deleted" if entry in doomed else ""
        click.echo(f"{entry.size / 2**20:8.1f} MB  {entry.workspace}  {state}".rstrip())
    kept = sum(entry.size for entry in known if entry not in doomed or entry in failed)
    click.echo(f"{kept / 2**20:8.1f} MB  in {cache.cache_root()}")
    sys.exit(1 if failed else 0)


CORPUS = click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default="corpus",
    show_default=True,
    help="Where the sources are downloaded to.",
)


@main.command()
@click.option(
    "--run",
    "run_folder",
    type=click.Path(path_type=Path),
    default="runs/default",
    show_default=True,
    help="Where the run is kept; a run found there goes on.",
)
@CORPUS
@click.option(
    "--tokens",
    type=click.IntRange(min=1),
    help="How many tokens to train on; the learning rate follows it.  [default: 30 million; "
    "with --adapt 300,000]",
)
@click.option(
    "--depth",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Layers of the network; its width and all else follow.",
)
@click.option(
    "--arm",
    default="joint",
    show_default=True,
    help="joint, plain, parallel or 'joint without grams': what the ablation compares.",
)
@click.option(
    "--target",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the model goes; by default into the run's folder.",
)
@click.option(
    "--adapt",
    "repository",
    type=FOLDER,
    metavar="REPO",
    help="Instead: adapt the model that ships to this repository, in some minutes.",
)
@click.option("--remove", is_flag=True, help="With --adapt: delete what was learnt of REPO.")
@click.pass_context
def train(
    context: click.Context,
    run_folder: Path,
    corpus: Path,
    tokens: int | None,
    depth: int,
    arm: str,
    target: Path | None,
    repository: Path | None,
    remove: bool,
) -> None:
    """Train the model that ships, from downloading the corpus to the exported weights.

    Stop it with Ctrl-C and start it again: it goes on where it was. With --adapt the model that
    ships learns your repository's ways; editors use that in this repository from then on.

    \b
      lancefill train --tokens 30000000
      lancefill train --run runs/small --tokens 500000
      torchrun --nproc-per-node 4 $(command -v lancefill) train    (several GPUs)
      lancefill train --adapt ~/code/project
      lancefill train --adapt ~/code/project --remove
    """
    _refuse_together(context)
    if repository is not None:
        _adapt(repository, tokens, remove=remove)
        return
    from completion.model.checkpoint import CheckpointError
    from completion.model.codefill import Config
    from training.corpus import CorpusError
    from training.team import TeamError
    from training.train import run
    from training.trainer import Plan, TrainingError

    try:
        folder = run(
            run_folder,
            corpus,
            tokens=tokens,
            target=target,
            plan=Plan(arm=arm),
            config=Config.of_depth(depth),
        )
    except (TrainingError, CorpusError, TeamError, CheckpointError) as error:
        raise Problem(str(error)) from error
    if folder is not None:
        click.echo(f"the model is in {folder}")


def _refuse_together(context: click.Context) -> None:
    """Raise Problem where options of ``train`` were given that do not go together."""
    given = {
        parameter.name: parameter.opts[0]
        for parameter in context.command.params
        if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    }
    if "repository" not in given:
        wrong, why = given.keys() & {"remove"}, "needs --adapt"
    elif "remove" in given:
        wrong, why = given.keys() - {"repository", "remove"}, "cannot be used with --remove"
    else:
        wrong, why = given.keys() - {"repository", "tokens"}, "cannot be used with --adapt"
    if wrong:
        raise Problem(f"{', '.join(sorted(given[name] for name in wrong))} {why}")


def _adapt(root: Path, tokens: int | None, *, remove: bool) -> None:
    """Adapt the model to ``root``, or remove what was learnt of it. Raises Problem."""
    from rich.console import Console

    from completion.model.adapter import AdapterError
    from completion.model.checkpoint import CheckpointError
    from training import adapt
    from training.trainer import TrainingError

    try:
        if remove:
            there = adapt.remove(root)
            click.echo(f"{'removed the' if there else 'there is no'} adapter to {root}")
            return
        plan = adapt.Plan() if tokens is None else adapt.Plan(tokens=tokens)
        folder = adapt.run(root, Console(), plan=plan)
    except (TrainingError, CheckpointError, AdapterError) as error:
        raise Problem(str(error)) from error
    if folder is not None:
        click.echo(f"the adapter is in {folder}; editors use it from the next request on")


@main.command()
@click.option(
    "--run",
    "run_folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="study",
    show_default=True,
    help="Where the runs are kept; what is there is not done again.",
)
@CORPUS
@click.option("--tokens", type=click.IntRange(min=1), default=1_600_000, show_default=True)
@click.option(
    "--arm",
    "arms",
    multiple=True,
    default=("joint", "joint without grams", "plain", "parallel"),
    show_default=True,
    help="What to train at the depth; repeat it. The first is trained at the other depths, too.",
)
@click.option("--depth", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option(
    "--against",
    "depths",
    type=click.IntRange(1, 64),
    multiple=True,
    default=(3, 6),
    show_default=True,
    help="Other depths, each with as many operations; repeat it.",
)
@click.option(
    "--plots", type=click.Path(file_okay=False, path_type=Path), help="Draw loss over size into."
)
def study(
    run_folder: Path,
    corpus: Path,
    tokens: int,
    arms: tuple[str, ...],
    depth: int,
    depths: tuple[int, ...],
    plots: Path | None,
) -> None:
    """Compare arms of the model, and sizes at equal cost, in short training runs.

    \b
      lancefill study
      lancefill study --tokens 3000000 --arm joint --against 2 --against 3 --against 6
    """
    from completion.model.checkpoint import CheckpointError
    from evaluation import report
    from training.corpus import CorpusError
    from training.study import draw, plan_runs, run, table
    from training.team import TeamError
    from training.trainer import TrainingError

    try:
        results = run(run_folder, corpus, plan_runs(arms, depths, depth, tokens))
    except (TrainingError, CorpusError, TeamError, CheckpointError) as error:
        raise Problem(str(error)) from error
    report.console().print(table(results))
    if plots is not None:
        draw(results, plots)


@main.command()
@click.option("--repo", type=FOLDER, help="Your repository; by default one that nobody here wrote.")
@click.option(
    "--per-place",
    type=click.IntRange(1, 50),
    default=2,
    show_default=True,
    help="Positions of each kind.",
)
@click.option(
    "--seed", type=int, default=1, show_default=True, help="Another seed, other positions."
)
@click.option("--svg", type=OUTPUT, help="Also write the picture to this file.")
@one_line()
def demo(repo: Path | None, per_place: int, seed: int, svg: Path | None) -> None:
    """Watch the language server complete code in a real repository.

    It is started over stdio, as by an editor. Positions are drawn from the repository's own call
    sites and the rest of their lines cut away; nothing on disk is changed.
    """
    from evaluation.demo import main as show
    from evaluation.report import console

    show(repo, console(record=svg is not None), per_place=per_place, seed=seed, svg=svg)


@main.group(name="eval")
def evaluate() -> None:
    """Measure quality and speed of what is installed.

    Each command prints a table and, last, one line of JSON. Repositories are real ones, pinned by
    version, downloaded once into your cache folder.
    """


REPOSITORY = click.option(
    "--repo",
    "name",
    default="openai-agents",
    show_default=True,
    help="Name of a pinned repository.",
)
COUNT = click.option(
    "--count", type=click.IntRange(1), default=200, show_default=True, help="Items."
)
SEED = click.option(
    "--seed", type=int, default=1, show_default=True, help="Another seed, other items."
)
ITEMS = click.option(
    "--items", type=OUTPUT, help="Write every item with its outcome to this file, as JSONL."
)


SOURCES = click.option(
    "--repo",
    "names",
    multiple=True,
    metavar="NAME|PATH",
    help="A pinned repository or a folder (repeat it); by default those of --role.",
)
ROLE = click.option(
    "--role",
    type=click.Choice(["report", "seen", "dev"]),
    default="report",
    show_default=True,
    help="Which pinned repositories: reported on, reported on but looked at, or tuned on.",
)
DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default="../shared/data",
    show_default=True,
    help="The folder of the outside sets.",
)
WEIGHTS = click.option("--weights", type=FOLDER, help="Another model than the shipped one.")
PLOTS = click.option("--plots", type=click.Path(path_type=Path), help="Draw into this folder.")
DEADLINE = click.option(
    "--deadline-ms",
    type=click.IntRange(20, 10_000),
    help="Another deadline than an editor's, to see quality apart from speed.",
)
MEMBER = click.option(
    "--member", type=click.IntRange(0), default=180, show_default=True, help="Items after a dot."
)
BARE = click.option(
    "--bare", type=click.IntRange(0), default=80, show_default=True, help="Items at bare names."
)


@evaluate.command()
@SOURCES
@ROLE
@click.option(
    "--language",
    type=click.Choice(["python", "java", "typescript"]),
    default="python",
    show_default=True,
    help="Of the items of a folder; Java needs a JDK, TypeScript Node.",
)
@MEMBER
@BARE
@SEED
@click.option("--from", "given", type=FILE, help="Items from this file, of the folder --repo.")
@click.option("--items", type=OUTPUT, help="Write the items to this file, as JSONL.")
@click.option("--label-only", is_flag=True, help="Label and write the items, ask nobody.")
@click.option(
    "--arm",
    "arm_names",
    multiple=True,
    help="Arms: lancefill, lancefill+model, LANCE, LANCE+model, alphabetical (repeat it).",
)
@click.option("--peer", "peer_names", multiple=True, help="basedpyright, pyrefly, ty or jedi.")
@click.option("--server", "commands", multiple=True, help="Any language server, by its command.")
@click.option(
    "--peer-count",
    type=click.IntRange(1),
    default=25,
    show_default=True,
    help="Items per repository and shape that other servers are asked about.",
)
@click.option("--above", is_flag=True, help="Also with the code below the cut line gone.")
@click.option("--failures", type=click.IntRange(0), default=0, help="Show this many of each kind.")
@click.option("--json", "json_file", type=OUTPUT, help="Write all figures to this file.")
@click.option("--answers", type=OUTPUT, help="Write every answer to this file, as JSONL.")
@click.option("--plots", type=click.Path(path_type=Path), help="Draw pictures into this folder.")
@one_line()
def apieval(**chosen: Any) -> None:  # noqa: ANN401 - click checks them, apirun.Choice names them
    """Are the repository's own APIs ranked first where they are called?

    Calls of APIs that another file defines, by the word of two independent resolvers or of the
    language's compiler, cut after the dot and at bare names, with 0, 1 and 3 letters typed;
    everything that is learnt from a repository is learnt from the cut text. Top 1, top 5, MRR and
    milliseconds, beside others'.

    \b
      lancefill eval apieval
      lancefill eval apieval --peer pyrefly --peer ty --plots plots
      lancefill eval apieval --repo ~/code/project --server "my-server --stdio"
      lancefill eval apieval --repo ~/code/jsoup --language java
    """
    from evaluation import apirun, report

    console = report.console()
    report.print_json(console, apirun.run(apirun.Choice(**chosen), console))


@evaluate.command()
@SOURCES
@ROLE
@MEMBER
@BARE
@SEED
@click.option(
    "--reads",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    help="Attributes, and as many names, that are read.",
)
@click.option(
    "--own",
    type=click.IntRange(0),
    default=40,
    show_default=True,
    help="Calls of what their own file defines, after dots and at bare names.",
)
@click.option("--model", is_flag=True, help="With the model's scores of the best names.")
@click.option("--out", type=OUTPUT, required=True, help="The file to write, .npz.")
@one_line()
def samples(
    names: tuple[str, ...], role: str, member: int, bare: int, seed: int, reads: int,
    own: int, model: bool, out: Path,
) -> None:  # fmt: skip
    """Write down popups with the features of their candidates, to fit the ranker to.

    \b
      lancefill eval samples --role dev --out samples.npz
      lancefill train-ranker samples.npz
    """
    from evaluation import apirun, report
    from evaluation import samples as sampling

    console = report.console()
    counts = apirun.counts(member, bare)
    found = apirun.sources(names, role)
    sampling.run(found, counts, seed, reads, own, out, console, model=model)


@evaluate.command(name="ask")
@SOURCES
@ROLE
@click.option("--count", type=click.IntRange(1), default=40, show_default=True, help="Per kind.")
@SEED
@ITEMS
@one_line()
def evaluate_ask(
    names: tuple[str, ...], role: str, count: int, seed: int, items: Path | None
) -> None:
    """Does a request in plain words find the API that it means?

    Requests are docstring sentences with the docstring hidden, the same without the API's own
    words, and comments above calls with the call cut away.
    """
    from evaluation import apirun, askeval, report

    console = report.console()
    asked = askeval.run(apirun.sources(names, role), count, seed, console)
    if items is not None:
        report.write_jsonl(items, asked)
    report.print_json(console, askeval.result(asked, seed))


@evaluate.command()
@SOURCES
@ROLE
@click.option(
    "--count", type=click.IntRange(1), default=40, show_default=True, help="Literals of each."
)
@SEED
@click.option(
    "--trained",
    type=click.IntRange(0),
    default=2,
    show_default=True,
    help="Beside this many pinned repositories that the model was trained on.",
)
@ITEMS
@one_line()
def contamination(
    names: tuple[str, ...], role: str, count: int, seed: int, trained: int, items: Path | None
) -> None:
    """Has the model seen the repositories that it is measured on?

    The rest of messages and numbers that a repository holds once, hidden and asked for word for
    word, beside chance and beside packages that the model was trained on (TS-Guessing).
    """
    from evaluation import apirun, report
    from evaluation import contamination as check

    console = report.console()
    try:
        chosen = apirun.sources(names, role)
        known = {source.title for source in chosen}
        beside = apirun.sources(check.trained_on(trained), role) if trained else []
        chosen += [source for source in beside if source.title not in known]
        result, guesses = check.run(chosen, count, seed, console)
    except check.ModelError as error:
        raise click.ClickException(str(error)) from error
    if items is not None:
        report.write_jsonl(items, guesses)
    report.print_json(console, result)


@evaluate.command()
@click.option("--data", type=FILE, required=True, help="The set, as JSONL.")
@click.option("--repos", type=FOLDER, help="A folder with its repositories at their commits.")
@one_line()
def dotprompts(data: Path, repos: Path | None) -> None:
    """Is the next identifier right after a dot in Java? DotPrompts, an outside set.

    Without --repos each file is a workspace of its own.
    """
    from evaluation import dotprompts as prompts
    from evaluation import report
    from evaluation.items import ItemsError

    console = report.console()
    try:
        result = prompts.run(prompts.read(data), repos, console)
    except ItemsError as error:
        raise Problem(str(error)) from error
    report.print_json(console, result)


@evaluate.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default="../shared/data/crosscodeeval/python.jsonl",
    show_default=True,
    help="The set's Python file, as JSONL.",
)
@click.option("--count", type=click.IntRange(1), help="Items; by default all.")
@SEED
@ITEMS
@WEIGHTS
@click.option("--whole", is_flag=True, help="Through all guesses to the end of the statement.")
@one_line()
def crosscodeeval(
    data: Path, count: int | None, seed: int, items: Path | None, weights: Path | None, whole: bool
) -> None:
    """Is what comes after a dot in Python right? CrossCodeEval, an outside set.

    Popup and ghost text, in the file alone and beside the set's chunks of other files.
    """
    from functools import partial

    from evaluation import crosscodeeval as outside
    from evaluation import report
    from evaluation.items import ItemsError

    console = report.console()
    writing = partial(outside.whole if whole else outside.shipped, weights)
    try:
        prompted = outside.sample(outside.read(data), count, seed)
        result, answered = outside.run(prompted, console, writing=writing)
    except ItemsError as error:
        raise Problem(str(error)) from error
    if items is not None:
        report.write_jsonl(items, answered)
    report.print_json(console, result | {"seed": seed, "whole": whole})


@evaluate.command()
@SOURCES
@ROLE
@click.option(
    "--weights",
    multiple=True,
    metavar="NAME=FOLDER",
    help="A model to measure (repeat it); by default the one that ships.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=1500,
    show_default=True,
    help="Lexemes; for each length of a statement a twenty-fifth of it.",
)
@SEED
@click.option("--suffix", is_flag=True, help="Also give what follows the cursor's statement.")
@click.option("--reranker", is_flag=True, help="Also with the paper's re-ranker behind each model.")
@click.option("--json", "json_file", type=OUTPUT, help="Write all figures to this file.")
@ITEMS
@click.option("--plots", type=click.Path(path_type=Path), help="Draw pictures into this folder.")
@one_line()
def codefill(names: tuple[str, ...], role: str, **chosen: Any) -> None:  # noqa: ANN401
    """Are the next token and the rest of the statement right? The tables of the CodeFill paper.

    Accuracy and MRR@10 by class of token, AST leaf and cardinal point, AST types, and statements
    with 2 to 8 tokens left by ROUGE-L and METEOR. Compared as the paper compares, with strings,
    numbers and imported names normalised, and raw; the repository's n-gram alone, and each model
    with the file alone and with the repository.

    \b
      lancefill eval codefill
      lancefill eval codefill --role dev --count 300
      lancefill eval codefill --weights old=runs/a/export --weights new=runs/b/export --plots plots
    """
    from evaluation import apirun, report
    from evaluation.codefill import run as tables

    console = report.console()
    choice = tables.Choice(**chosen)
    report.print_json(console, tables.run(apirun.sources(names, role), choice, console))


@evaluate.command(name="bytes")
@SOURCES
@ROLE
@click.option(
    "--section",
    "sections",
    multiple=True,
    type=click.Choice(["exactness", "vocabularies", "cost", "quality", "infilling"]),
    help="Only this section (repeat it).",
)
@click.option("--cases", type=click.IntRange(1), default=2000, show_default=True, help="Toy texts.")
@click.option(
    "--splits",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="Texts written in tokens at random, for each real vocabulary.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="Cursors, and identifiers; a third as many short ones.",
)
@click.option(
    "--spans", type=click.IntRange(1), default=400, show_default=True, help="Random spans."
)
@SEED
@DATA
@WEIGHTS
@click.option("--peers/--no-peers", default=True, help="Beside genlm-bytes, where it is installed.")
@click.option("--install-peers", is_flag=True, help="Install genlm-bytes into your cache folder.")
@click.option(
    "--run-tests", is_flag=True, help="RUN what the model wrote, in a limited process: pass@1."
)
@click.option("--json", "json_file", type=OUTPUT, help="Write all figures to this file.")
@ITEMS
@PLOTS
@click.option("--tree", "text", help="Only draw the cover tree of this text's end into --plots.")
@one_line()
def evaluate_bytes(
    names: tuple[str, ...],
    role: str,
    text: str | None,
    **chosen: Any,  # noqa: ANN401
) -> None:
    """Is the boundary exact where the cursor stands inside a token, and what does that cost?

    Log-probabilities against enumeration; canonical encodings of the vocabularies in the data
    folder's tokenizers/ against full re-encoding; passes, nodes and milliseconds at cursors in
    code; the rest of identifiers cut at every byte; HumanEval's random spans. Beside no repair, one
    token taken back, transformers' token_healing and genlm-bytes.

    \b
      lancefill eval bytes --install-peers --plots docs/images --json bytes.json
      lancefill eval bytes --role dev --section quality --count 60
      lancefill eval bytes --tree os.pa --plots plots
    """
    from evaluation import apirun, report
    from evaluation.bytes import run as checks

    console = report.console()
    choice = checks.Choice(**chosen)
    if text is not None:
        if choice.plots is None:
            raise apirun.ChoiceError("--tree needs a folder to draw into: --plots FOLDER")
        click.echo(checks.draw_tree(text, choice.weights, choice.plots))
        return
    report.print_json(console, checks.run(apirun.sources(names, role), choice, console))


@evaluate.command()
@REPOSITORY
@COUNT
@SEED
@ITEMS
@WEIGHTS
@DEADLINE
@one_line()
def ghost(
    name: str,
    count: int,
    seed: int,
    items: Path | None,
    weights: Path | None,
    deadline_ms: int | None,
) -> None:
    """Is the ghost text right at identifier edges and inside identifiers?

    Next identifier right, rest of the line right, share answered; with and without the n-gram.
    """
    from evaluation import ghost, report
    from evaluation.apieval import Source
    from evaluation.headless import AbsentModelError

    root, title = _pinned(name)
    console = report.console()
    try:
        result, written = ghost.run(
            Source(title, root), console, count, seed, _deadline(deadline_ms), weights
        )
    except AbsentModelError as error:
        raise Problem(str(error)) from error
    if items is not None:
        report.write_jsonl(items, written)
    report.print_json(console, result)


@evaluate.command()
@SOURCES
@ROLE
@click.option(
    "--count", type=click.IntRange(1), default=100, show_default=True, help="Per repository."
)
@SEED
@ITEMS
@WEIGHTS
@DEADLINE
@PLOTS
@click.option("--from", "given", type=FILE, help="Judge what --items wrote, ask nobody.")
@click.option("--fit", is_flag=True, help="Fit, cross-validate, and write the fitted model.")
@click.option("--out", type=OUTPUT, help="Where to; by default into the package.")
@one_line()
def confidence(
    names: tuple[str, ...], role: str, count: int, seed: int, items: Path | None,
    weights: Path | None, deadline_ms: int | None, plots: Path | None, given: Path | None,
    fit: bool, out: Path | None,
) -> None:  # fmt: skip
    """Is ghost text right as often as its confidence says?

    Calibration error, Brier score, and what thresholds show: of 100 requests accepted, rejected,
    nothing. Repositories that the model was trained on are left out.

    \b
      lancefill eval confidence
      lancefill eval confidence --role dev --fit
    """
    from evaluation import apirun, report
    from evaluation import confidence as check
    from evaluation.contamination import ModelError
    from evaluation.plots import PlotsError

    if fit and role != "dev" and not names and given is None:
        raise Problem("the confidence is fitted to development repositories: --role dev")
    console = report.console()
    facts = report.machine()
    try:
        if given is not None:
            written = check.read(given)
        else:
            found = check.unread(apirun.sources(names, role), weights)
            chosen = _deadline(deadline_ms)
            written = check.collect(found, count, seed, chosen, console, weights)
        if items is not None:
            report.write_jsonl(items, written)
        target = (out or check.packaged()) if fit else None
        result = check.run(written, console, out=target, seed=seed, weights=weights, plots=plots)
    except (check.SamplesError, ModelError, PlotsError) as error:
        raise Problem(str(error)) from error
    report.print_json(console, result | {"machine": facts})


@evaluate.command()
@SOURCES
@ROLE
@click.option(
    "--count", type=click.IntRange(1), default=60, show_default=True, help="Dots per repository."
)
@SEED
@ITEMS
@WEIGHTS
@DEADLINE
@click.option(
    "--with-dependencies",
    is_flag=True,
    help="Install what each repository declares (wheels, once, into the cache folder), to be read.",
)
@click.option(
    "--why",
    is_flag=True,
    help="Without a model: how often a receiver's members are known, and why the others are not.",
)
@one_line()
def members(
    names: tuple[str, ...], role: str, count: int, seed: int, items: Path | None,
    weights: Path | None, deadline_ms: int | None, with_dependencies: bool, why: bool,
) -> None:  # fmt: skip
    """Does ghost text behind a dot name members that exist?

    With and without holding it to the members that are known; how often they are known.
    """
    from evaluation import apirun, dependencies, receivers, report
    from evaluation import members as dots
    from evaluation.headless import AbsentModelError

    console = report.console()
    found = apirun.sources(names, role)
    packages = dependencies.declared if with_dependencies else dependencies.nothing_installed
    written: Sequence[object]
    try:
        if why:
            result, written = receivers.run(found, console, count, seed, packages)
        else:
            chosen = _deadline(deadline_ms)
            result, written = dots.run(found, console, count, seed, chosen, weights, packages)
    except (AbsentModelError, dependencies.DependenciesError) as error:
        raise Problem(str(error)) from error
    if items is not None:
        report.write_jsonl(items, written)
    report.print_json(console, result)


@evaluate.command()
@SOURCES
@ROLE
@click.option(
    "--count", type=click.IntRange(1), default=100, show_default=True, help="Lines, of all."
)
@SEED
@ITEMS
@WEIGHTS
@DEADLINE
@one_line()
def keystrokes(
    names: tuple[str, ...], role: str, count: int, seed: int, items: Path | None,
    weights: Path | None, deadline_ms: int | None,
) -> None:  # fmt: skip
    """How many keystrokes are saved while real lines are typed again?

    Popup and ghost text at every character, under an editor's deadlines; what is shown and wrong.
    """
    from evaluation import apirun, report
    from evaluation import keystrokes as typing

    console = report.console()
    found = apirun.sources(names, role)
    result, lines = typing.run(found, count, seed, _deadline(deadline_ms), console, weights)
    if items is not None:
        report.write_jsonl(items, lines)
    report.print_json(console, result)


@evaluate.command()
@DATA
@click.option(
    "--set",
    "kinds",
    multiple=True,
    help="single-line, random-span, devbench-python, -java, -javascript or -typescript (repeat "
    "it); by default all.",
)
@click.option("--count", type=click.IntRange(1), help="Items of each set; by default all.")
@SEED
@ITEMS
@WEIGHTS
@click.option("--prefix-only", is_flag=True, help="Also without the text behind the hole.")
@click.option(
    "--run-tests", is_flag=True, help="RUN what the model wrote, in a limited process: pass@1."
)
@one_line()
def infilling(
    data: Path, kinds: tuple[str, ...], count: int | None, seed: int, items: Path | None,
    weights: Path | None, prefix_only: bool, run_tests: bool,
) -> None:  # fmt: skip
    """Does the model fill holes in code? HumanEval-Infilling and DevBench, outside sets.

    Whole text, first line, similarity of edits. pass@1 needs --run-tests, which runs generated
    code: as a process without network or input, with limits of time and memory, that may change
    nothing outside a folder of its own; that guards against accidents, not against malice.

    \b
      lancefill eval infilling --set single-line --set random-span --count 50 --run-tests
    """
    from evaluation import blanks, report
    from evaluation import infilling as holes
    from evaluation.items import ItemsError

    unknown = set(kinds) - set(blanks.KINDS)
    if unknown:
        known = ", ".join(blanks.KINDS)
        raise Problem(f"there is no set {', '.join(sorted(unknown))}; there are: {known}")
    console = report.console()
    try:
        sets = {
            name: blanks.sample(blanks.KINDS[name].read(_data(data)), count, seed)
            for name in kinds or blanks.KINDS
        }
        result, filled = holes.run(
            sets, console, weights=weights, prefix_only=prefix_only, run_tests=run_tests
        )
    except ItemsError as error:
        raise Problem(str(error)) from error
    if items is not None:
        report.write_jsonl(items, filled)
    report.print_json(console, result | {"seed": seed})


@evaluate.command()
@click.option(
    "--row",
    "rows",
    multiple=True,
    metavar="ROW",
    help="Only this row (repeat it): index, warm, edit, popup, popup100k, ghost, decode, start, "
    "memory.",
)
@click.option(
    "--samples", type=click.IntRange(10), default=200, show_default=True, help="Requests per row."
)
@SEED
@one_line()
def latency(rows: tuple[str, ...], samples: int, seed: int) -> None:
    """Measure speed and memory on 750k and 100k lines and judge them against the goals.

    Exit status 1 when a row could not be measured.
    """
    from evaluation import latency, report

    console = report.console()
    try:
        result = latency.run(console, rows, samples, seed)
    except latency.UnknownRowError as error:
        raise Problem(str(error)) from error
    report.print_json(console, result)
    sys.exit(1 if result["failed"] else 0)


@main.command(name="train-ranker")
@click.argument("samples", type=FILE, nargs=-1, required=True)
@click.option("--target", type=OUTPUT, help="Where the ranker goes; by default into the package.")
@click.option("--ablate", is_flag=True, help="Also leave out each group of features in turn.")
def train_ranker(samples: tuple[Path, ...], target: Path | None, ablate: bool) -> None:
    """Fit the ranker of popups to SAMPLES (`lancefill eval samples`), cross-validated.

    Every repository is ranked by trees that were fitted without it; the trees that are written are
    fitted to all.
    """
    from training.ranker import SamplesError, run

    try:
        click.echo(f"the ranker is in {run(samples, target, click.echo, ablate=ablate)}")
    except SamplesError as error:
        raise Problem(str(error)) from error


@main.group(name="model")
def model_group() -> None:
    """The models that write: what ships, and bigger ones beside it."""


@contextmanager
def _model_problems() -> Iterator[None]:
    """Turn what may be wrong with a model, its files or the registry into one line."""
    from completion.model.registry import RegistryError

    try:
        yield
    except (RegistryError, ValueError) as error:
        raise Problem(str(error)) from error


@model_group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of a table.")
def model_list(as_json: bool) -> None:
    """Show the installed models; a star marks the one in use."""
    from completion.model import registry
    from evaluation import models
    from evaluation.report import console

    show = models.print_json if as_json else models.print_table
    with _model_problems():
        show(console(), registry.read())


@model_group.command(name="add")
@click.argument("given", metavar="NAME_OR_FOLDER")
@click.option("--name", default="", help="What to call it; by default its name or the folder's.")
@click.option("--revision", help="A branch, tag or commit; what it means now is kept.")
@click.option("--family", default="", help="How to ask it, where that is not found out rightly.")
@click.option("--eight-bits", is_flag=True, help="Read weights as one byte each, on a processor.")
@click.option("--trust-remote-code", is_flag=True, help="RUN code that comes with the model.")
@click.option("--use", "use_it", is_flag=True, help="Use it at once.")
def model_add(
    given: str, name: str, revision: str | None, family: str, eight_bits: bool,
    trust_remote_code: bool, use_it: bool,
) -> None:  # fmt: skip
    """Install a causal language model of the Hugging Face hub, or of a folder, and check it.

    The only command of these that opens a connection. Weights are read from safetensors and nothing
    else; a folder is used where it is.

    \b
      lancefill model add Qwen/Qwen2.5-Coder-1.5B --use
      lancefill model add ~/models/starcoder2-3b
    """
    from completion.model import registry
    from completion.model.causal import NetworkError
    from completion.model.downloading import DownloadError
    from completion.model.installing import Wish, add
    from evaluation import models
    from evaluation.report import console

    wish = Wish(given, name, revision, family, trust_remote_code, eight_bits)
    shown = console()
    try:
        with _model_problems():
            found = add(wish, shown)
            if use_it:
                registry.change(lambda known: known.using(found.entry.name))
    except (NetworkError, DownloadError) as error:
        raise Problem(str(error)) from error
    models.print_added(shown, found, used=use_it)


@model_group.command(name="use")
@click.argument("name")
def model_use(name: str) -> None:
    """Use the model NAME from the next start of the editor on; "shipped" is the one that ships."""
    from completion.model import registry

    with _model_problems():
        registry.change(lambda known: known.using(name))
    click.echo(f"{name} is in use; editors take it when they start their server again")


@model_group.command(name="remove")
@click.argument("name")
def model_remove(name: str) -> None:
    """Forget the model NAME; what was downloaded is deleted, a folder of yours is not."""
    from completion.model import registry

    with _model_problems():
        entry = registry.remove(name)
    kept = "" if entry.downloaded else f"; {entry.folder} is left as it is"
    click.echo(f"removed {name}{kept}")


@model_group.command(name="export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--from", "source", type=FOLDER, help="A trained model; by default what ships.")
def model_export(folder: Path, source: Path | None) -> None:
    """Write the model to FOLDER, to be loaded with transformers.

    Weights, configuration, tokenizer and model card; the card says how to load and use them.

    \b
      lancefill model export codefill
      lancefill model export --from runs/small/model codefill-small
    """
    from transformers.utils import logging

    from completion.model.checkpoint import CheckpointError
    from completion.model.hub_export import export

    logging.disable_progress_bar()
    try:
        click.echo(f"the model is in {export(folder, source)}")
    except CheckpointError as error:
        raise Problem(str(error)) from error


@main.command()
def doctor() -> None:
    """Check the installation and say what to do about each problem.

    Exit status 1 when something must be done.
    """
    from evaluation.doctor import run
    from evaluation.report import console

    sys.exit(run(console()))


def _data(folder: Path) -> Path:
    """The folder of outside sets. Raises Problem where there is none."""
    if not folder.is_dir():
        raise Problem(f"there is no folder {folder} with the sets: name one with --data")
    return folder


def _deadline(deadline_ms: int | None) -> Settings:
    from lsp_server.settings import Settings

    return Settings() if deadline_ms is None else Settings(max_latency_ms=deadline_ms)


def _pinned(name: str) -> tuple[Path, str]:
    """Return a pinned repository's folder and its name with version. Raises FetchError."""
    from evaluation.repositories import fetch, repositories

    return fetch(name), f"{name} {repositories()[name].version}"


def _explain(position: Position, root: Path | None, *, cut: bool, ghost: bool) -> Explanation:
    """Ask at ``position``. Raises Problem where the file is no text or lies outside ``root``."""
    from evaluation import explanation
    from evaluation.cuts import without_rest
    from evaluation.headless import workspace_of

    file = position.file.resolve()
    root = root or workspace_of(file)
    if not file.is_relative_to(root):
        raise Problem(f"{file} is not in {root}")
    data = _read(position.file)
    offset = position.offset(data)
    text = without_rest(data, offset) if cut else data
    path = file.relative_to(root).as_posix()
    with one_line():
        return explanation.ask(root, path, text, offset, ghost=ghost)


def _read(file: Path) -> bytes:
    try:
        data = file.read_bytes()
        data.decode("utf-8")
    except OSError as error:
        raise Problem(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{file} is not UTF-8 at byte {error.start}") from error
    return data


if __name__ == "__main__":
    main()
