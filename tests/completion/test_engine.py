"""The main path, with helper processes played by fakes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from completion import confidence, engine, membership
from completion.context import Context, Place
from completion.engine import MAX_ITEMS, Options
from completion.ranker import forest
from completion.ranking import NAMES
from completion.request import (
    Code,
    GhostOptions,
    InsertCall,
    Known,
    LibraryAnswer,
    LibraryItem,
    Origin,
    Popup,
    Prompt,
    RawGhost,
    Reason,
    Request,
    Suggestion,
    TextEdit,
)
from indexing.build import build
from indexing.cache import ADAPTER, ADAPTER_MARK, workspace_folder
from indexing.index import Index
from tests.completion.test_candidates import FILES
from tests.completion.workspace import CURSOR, OPTIONS, SilentHelpers, asked

CLIENT = f"from depot import Client\n\n\ndef f(client: Client):\n    client.{CURSOR}\n"


class Model(SilentHelpers):
    """Answers ghost text, and remembers what it was asked."""

    def __init__(self, text: str = "", confidence: float = 0.9) -> None:
        self.raw = RawGhost(text, confidence, 3)
        self.prompts: list[Prompt] = []
        self.options: GhostOptions | None = None

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        self.prompts.append(prompt)
        self.options = options
        return self.raw


async def popup(
    text: str,
    folder: Path,
    helpers: engine.Helpers | None = None,
    options: Options = OPTIONS,
) -> Popup:
    request, snapshot = asked({**FILES, "m.py": text}, "m.py", folder)
    return await engine.popup(request, snapshot, helpers or SilentHelpers(), options)


async def ghost(
    text: str,
    folder: Path,
    helpers: engine.Helpers,
    *,
    options: Options = OPTIONS,
    selected: str | None = None,
) -> engine.Ghost:
    request, snapshot = asked({**FILES, "m.py": text}, "m.py", folder, selected=selected)
    return await engine.ghost(request, snapshot, helpers, options)


def applied(text: str, edits: Sequence[TextEdit]) -> str:
    data = text.replace(CURSOR, "").encode()
    for edit in sorted(edits, key=lambda each: -each.start):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data.decode()


def item(found: Popup, label: str) -> Suggestion:
    return next(each for each in found.items if each.label == label)


def codes(found: Popup) -> list[Code]:
    return [reason.code for reason in found.reasons]


async def test_a_popup_has_items_evidence_and_a_timeline(tmp_path: Path) -> None:
    found = await popup(CLIENT, tmp_path)
    fetch = item(found, "fetch")
    assert fetch.origin is Origin.MEMBER
    assert fetch.kind == "method"
    assert fetch.detail == "(number: int) -> Parcel"
    assert fetch.documentation == "One parcel by its number."
    assert fetch.location == ("depot/client.py", FILES["depot/client.py"].index("fetch("))
    assert "`client` is a `Client`" in [each.text for each in fetch.evidence]
    scores = [each.score for each in found.items]
    assert scores == sorted(scores, reverse=True)
    steps = [each.step for each in found.timeline]
    assert steps == ["context", "candidates", "ranking", "helpers", "items"]
    assert all(each.start <= each.end for each in found.timeline)


async def test_an_item_replaces_what_is_typed(tmp_path: Path) -> None:
    text = CLIENT.replace(CURSOR, f"fe{CURSOR}")
    found = await popup(text, tmp_path)
    assert "client.fetch\n" in applied(text, [item(found, "fetch").edit])


async def test_at_most_fifty_items(tmp_path: Path) -> None:
    body = "".join(f"    a{i} = {i}\n" for i in range(200))
    found = await popup(f"class A:\n{body}\n\nA.{CURSOR}", tmp_path)
    assert len(found.items) == MAX_ITEMS


@pytest.mark.parametrize("text", ["def na‸", "# na‸", "x = 'na‸", "x = 12‸"])
async def test_no_popup_where_no_name_belongs(text: str, tmp_path: Path) -> None:
    found = await popup(text, tmp_path)
    assert found.items == ()
    assert codes(found) == [Code.GATED]


async def test_nothing_found_is_said(tmp_path: Path) -> None:
    found = await popup(f"zzzzqqq{CURSOR}", tmp_path)
    assert Code.NO_CANDIDATES in codes(found)


async def test_an_unindexed_file_is_said(tmp_path: Path) -> None:
    _, snapshot = asked({"m.py": CURSOR}, "m.py", tmp_path)
    request = Request("elsewhere.py", b"zzzzqqq", 7)
    found = await engine.popup(request, snapshot, SilentHelpers(), OPTIONS)
    assert Code.NOT_INDEXED in codes(found)


class Library(SilentHelpers):
    def __init__(self, *names: str, delay: float = 0.0) -> None:
        self.names = names
        self.delay = delay
        self.asked: list[Place] = []

    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        self.asked.append(context.place)
        if self.delay:
            await asyncio.sleep(self.delay)
        return LibraryAnswer(tuple(LibraryItem(name, "function") for name in self.names))


async def test_the_library_completes_what_the_repository_does_not_define(tmp_path: Path) -> None:
    library = Library("dumps", "loads")
    found = await popup(f"import json\njson.{CURSOR}", tmp_path, library)
    assert {"dumps", "loads"} <= {each.label for each in found.items}
    assert item(found, "dumps").origin is Origin.LIBRARY


async def test_the_library_is_not_asked_about_the_repository(tmp_path: Path) -> None:
    library = Library("dumps")
    await popup(CLIENT, tmp_path, library)
    await popup(f"x = pa{CURSOR}", tmp_path, library)
    assert library.asked == []


async def test_a_late_library_is_left_out(tmp_path: Path) -> None:
    options = replace(OPTIONS, popup_deadline_ms=20)
    text = f"import json\njson.lines()\njson.{CURSOR}"
    found = await popup(text, tmp_path, Library("dumps", delay=60), options)
    assert Code.DEADLINE in codes(found)
    assert "lines" in {each.label for each in found.items}


UNKNOWN_BASE = f"import lib\nclass A(lib.B):\n    def own(self):\n        self.{CURSOR}"
PATIENT = replace(OPTIONS, popup_deadline_ms=60_000, model_scores=False)


@pytest.mark.parametrize(
    ("text", "name"),
    [(UNKNOWN_BASE, "own"), (f"import json\njson.lines()\njson.{CURSOR}", "lines")],
)
async def test_the_library_is_hardly_waited_for_where_names_are_known(
    text: str, name: str, tmp_path: Path
) -> None:
    library = Library("dumps", delay=60)
    async with asyncio.timeout(20):
        found = await popup(text, tmp_path, library, PATIENT)
    assert len(library.asked) == 1
    assert name in {each.label for each in found.items}
    assert "jedi's names come with the next letter" in {each.message for each in found.reasons}


async def test_what_the_library_said_before_is_ranked_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LIBRARY_WAIT_MS", 60_000.0)
    text = f"import json\njson.lines()\njson.{CURSOR}"
    at_once = await popup(text, tmp_path / "a", Library("dumps", "lines"), PATIENT)
    later = await popup(text, tmp_path / "b", Library("dumps", "lines", delay=0.001), PATIENT)
    assert [each.label for each in at_once.items] == [each.label for each in later.items]
    assert {"dumps", "lines"} <= {each.label for each in at_once.items}


async def test_what_the_library_says_at_once_is_taken_though_nobody_waits(tmp_path: Path) -> None:
    found = await popup(UNKNOWN_BASE, tmp_path, Library("inherited"), PATIENT)
    assert {"own", "inherited"} <= {each.label for each in found.items}
    assert found.reasons == ()


class Scores(SilentHelpers):
    def __init__(self, best: str) -> None:
        self.best = best
        self.prompts: list[Prompt] = []
        self.adapters: list[str | None] = []

    async def scores(
        self,
        request: Request,
        prompt: Prompt,
        names: Sequence[str],
        budget_ms: float,
        adapter: str | None = None,
    ) -> Sequence[float] | Reason:
        self.prompts.append(prompt)
        self.adapters.append(adapter)
        return [0.0 if name == self.best else -20.0 for name in names]


LIKED_BY_THE_MODEL = forest(
    [
        {
            "feature": ["model", "", ""],
            "threshold": [8.0, 0.0, 0.0],
            "at_most": [1, 1, 2],
            "more": [2, 1, 2],
            "value": [0.5, 0.0, 1.0],
        }
    ],
    NAMES,
)
"""A ranker that listens to the model alone."""


@pytest.mark.parametrize("best", ["describe", "pack", "wait"])
async def test_the_models_scores_count(
    best: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("completion.ranking.forest_for", lambda _place: LIKED_BY_THE_MODEL)
    monkeypatch.setattr("completion.engine.SCORED_NAMES", 200)
    helpers = Scores(best)
    with_model, without = await popup(CLIENT, tmp_path, helpers), await popup(CLIENT, tmp_path)
    assert with_model.items[0].label == best
    assert item(with_model, best).score > item(without, best).score
    assert item(with_model, "fetch").score == item(without, "fetch").score
    assert "model 100 %" in [each.text for each in item(with_model, best).evidence]
    assert helpers.prompts[0].prefix.endswith("client.")


async def test_scores_are_for_the_place_before_the_typed_letters(tmp_path: Path) -> None:
    helpers = Scores("fetch")
    await popup(CLIENT.replace(CURSOR, f"fe{CURSOR}"), tmp_path, helpers)
    assert helpers.prompts[0].prefix.endswith("client.")


async def test_missing_scores_are_a_reason_not_a_failure(tmp_path: Path) -> None:
    found = await popup(CLIENT, tmp_path)
    assert codes(found) == [Code.MODEL_MISSING]
    assert found.items
    silent = await popup(CLIENT, tmp_path, options=replace(OPTIONS, model_scores=False))
    assert codes(silent) == []


async def test_a_defect_is_logged_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(broken)

    broken = "at line 1: pelican = 1"

    monkeypatch.setattr(engine, "gather", fail)
    monkeypatch.setattr(engine, "prompt", fail)
    found = await popup(CLIENT, tmp_path)
    written = await ghost(CLIENT, tmp_path, Model("x"))
    assert "popup failed: RuntimeError" in caplog.text
    assert "pelican" not in caplog.text
    assert codes(found) == [Code.FAILED]
    assert written.reason is not None
    assert written.reason.code is Code.FAILED


@pytest.mark.parametrize(
    ("style", "text", "snippet"),
    [
        (InsertCall.NONE, "fetch", False),
        (InsertCall.PARENTHESES, "fetch($0)", True),
        (InsertCall.PARAMETERS, "fetch(${1:number})$0", True),
    ],
)
async def test_insert_styles(style: InsertCall, text: str, snippet: bool, tmp_path: Path) -> None:
    found = await popup(CLIENT, tmp_path, options=replace(OPTIONS, insert_call=style))
    assert (item(found, "fetch").edit.text, item(found, "fetch").snippet) == (text, snippet)
    assert item(found, "timeout").edit.text == "timeout"


async def test_calls_without_snippets_and_without_parameters(tmp_path: Path) -> None:
    options = replace(OPTIONS, insert_call=InsertCall.PARAMETERS)
    assert item(await popup(CLIENT, tmp_path, options=options), "wait").edit.text == "wait($0)"
    plain = await popup(CLIENT, tmp_path, options=replace(options, snippets=False))
    assert (item(plain, "fetch").edit.text, item(plain, "fetch").snippet) == ("fetch()", False)


@pytest.mark.parametrize("style", InsertCall)
async def test_no_second_parenthesis(style: InsertCall, tmp_path: Path) -> None:
    text = CLIENT.replace(CURSOR, f"fe{CURSOR}(3)")
    found = await popup(text, tmp_path, options=replace(OPTIONS, insert_call=style))
    assert "client.fetch(3)" in applied(text, [item(found, "fetch").edit])


async def test_imports_insert_no_call(tmp_path: Path) -> None:
    options = replace(OPTIONS, insert_call=InsertCall.PARENTHESES)
    found = await popup(f"from depot.models import Par{CURSOR}", tmp_path, options=options)
    assert item(found, "Parcel").edit.text == "Parcel"


async def test_an_importable_name_brings_its_import(tmp_path: Path) -> None:
    text = f"import os\n\nx = Parc{CURSOR}\n"
    parcel = item(await popup(text, tmp_path), "Parcel")
    assert applied(text, [parcel.edit, *parcel.extra_edits]) == (
        "import os\nfrom depot.models import Parcel\n\nx = Parcel\n"
    )


async def test_what_a_comment_asks_for_is_ready_to_use(tmp_path: Path) -> None:
    text = f"import os\n\ndef f():\n    # weigh the parcel, how heavy is it\n    {CURSOR}\n"
    found = await popup(text, tmp_path)
    first = found.items[0]
    assert (first.label, first.origin, first.kind) == ("parcel.weigh()", Origin.ASKED, "method")
    assert first.documentation == "How heavy it is."
    assert first.evidence
    assert first.edit.text == "${1:parcel}.weigh()$0"
    assert not first.extra_edits  # a variable of the class, not the class, is called
    assert [each.origin for each in found.items].count(Origin.ASKED) <= engine.ANSWERS
    assert len(found.items) <= engine.MAX_ITEMS


async def test_calls_that_a_comment_asks_for_have_fields(tmp_path: Path) -> None:
    text = f"# fetch one parcel by its number\n{CURSOR}"
    assert item(await popup(text, tmp_path), "client.fetch(number)").edit.text == (
        "${1:client}.fetch(${2:number})$0"
    )
    plain = await popup(text, tmp_path, options=replace(OPTIONS, snippets=False))
    assert item(plain, "client.fetch(number)").edit.text == "client.fetch(number)"


async def test_classes_that_a_comment_asks_for_bring_their_import(tmp_path: Path) -> None:
    text = f"import os\n# a crate of parcels\n{CURSOR}\n"
    crate = item(await popup(text, tmp_path), "Crate(parcels)")
    assert applied(text, [crate.edit, *crate.extra_edits]) == (
        "import os\nfrom depot.models import Crate\n# a crate of parcels\nCrate(${1:parcels})$0\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        f"# weigh the parcel\nx{CURSOR}\n",
        f"# weigh the parcel\n\n{CURSOR}\n",
        f"# weigh the parcel\n{CURSOR} + 1\n",
        f"# TODO\n{CURSOR}\n",
        f'"""\n# weigh the parcel\n{CURSOR}\n"""\n',
        CURSOR,
    ],
)
async def test_where_nothing_is_asked_for(text: str, tmp_path: Path) -> None:
    found = await popup(text, tmp_path)
    assert Origin.ASKED not in [each.origin for each in found.items]


async def test_answers_that_come_late_are_left_out_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ANSWERS_WAIT_MS", 1.0)
    monkeypatch.setattr(engine.retrieval, "ask", lambda *_: time.sleep(0.1))
    options = replace(OPTIONS, popup_deadline_ms=1)
    found = await popup(f"# weigh the parcel\n{CURSOR}\n", tmp_path, options=options)
    assert Code.DEADLINE in codes(found)
    assert Origin.ASKED not in [each.origin for each in found.items]


async def test_names_are_kept_where_answering_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(engine.retrieval, "ask", broken)
    found = await popup(f"import os\n# weigh the parcel\n{CURSOR}\n", tmp_path)
    assert "os" in [each.label for each in found.items]
    assert Code.FAILED in codes(found)


async def test_answers_bring_no_import_where_that_is_switched_off(tmp_path: Path) -> None:
    options = replace(OPTIONS, auto_import=False)
    found = await popup(f"# a crate of parcels\n{CURSOR}\n", tmp_path, options=options)
    assert not item(found, "Crate(parcels)").extra_edits


async def test_a_comment_is_answered_in_its_own_language(tmp_path: Path) -> None:
    files = {**FILES, "web/scale.ts": "export function weighParcel(parcel: number) {}\n"}
    files["m.py"] = f"# weigh the parcel\n{CURSOR}\n"
    request, snapshot = asked(files, "m.py", tmp_path)
    found = await engine.popup(request, snapshot, SilentHelpers(), OPTIONS)
    assert "weighParcel(parcel)" not in [each.label for each in found.items]
    files = {**files, "m.py": "", "web/use.ts": f"// weigh the parcel\n{CURSOR}\n"}
    request, snapshot = asked(files, "web/use.ts", tmp_path)
    found = await engine.popup(request, snapshot, SilentHelpers(), OPTIONS)
    assert found.items[0].label == "weighParcel(parcel)"
    assert 'from "./scale"' in found.items[0].extra_edits[0].text


# Ghost text


@pytest.mark.parametrize("path", ["credentials.py", ".env.py", "home/.ssh/m.py"])
async def test_the_model_does_not_see_files_that_may_hold_secrets(
    tmp_path: Path, path: str
) -> None:
    request, snapshot = asked({**FILES, path: CLIENT}, path, tmp_path)
    model = Model("fetch(3)")
    written = await engine.ghost(request, snapshot, model, OPTIONS)
    assert written.reason == engine.SECRET_FILE
    assert model.prompts == []
    assert snapshot.symbols(path) is None
    listed = await engine.popup(request, snapshot, SilentHelpers(), OPTIONS)
    assert "fetch" in [each.label for each in listed.items]


async def test_nothing_of_an_open_file_with_secrets_is_in_the_prompt_of_another(
    tmp_path: Path,
) -> None:
    text = f"from {{}} import Vault\n\n\ndef f(vault: Vault):\n    vault.{CURSOR}\n"
    body = "class Vault:\n    def unlock(self, code): ...\n"
    for module, seen in (("depot.credentials", False), ("depot.vault", True)):
        files = {f"{module.replace('.', '/')}.py": body, "m.py": text.format(module)}
        request, snapshot = asked({**FILES, **files}, "m.py", tmp_path)
        model = Model("x")
        await engine.ghost(request, snapshot, model, OPTIONS)
        assert ("unlock" in model.prompts[0].header) is seen


async def test_keys_in_other_files_are_masked_in_the_prompt(tmp_path: Path) -> None:
    vault = "class Vault:\n    def unlock(self, key='AKIAIOSFODNN7EXAMPLE'): ...\n"
    text = f"from depot.vault import Vault\n\n\ndef f(vault: Vault):\n    vault.{CURSOR}\n"
    request, snapshot = asked({**FILES, "depot/vault.py": vault, "m.py": text}, "m.py", tmp_path)
    model = Model("x")
    await engine.ghost(request, snapshot, model, OPTIONS)
    assert "def unlock(self, key='...')" in model.prompts[0].header


async def test_a_key_is_not_suggested(tmp_path: Path) -> None:
    written = await ghost(CLIENT, tmp_path, Model("fetch('AKIAIOSFODNN7EXAMPLE')"))
    assert written.edit is None
    assert written.reason is not None
    assert written.reason.code is Code.SECRET


async def test_ghost_text_continues_at_the_cursor(tmp_path: Path) -> None:
    model = Model("fetch(3)")
    written = await ghost(CLIENT, tmp_path, model)
    assert written.reason is None
    assert written.edit is not None
    assert "client.fetch(3)\n" in applied(CLIENT, [written.edit])
    assert written.confidence == confidence.shipped().probability(written.signs)
    assert written.signs["mean"] == pytest.approx(math.log(0.9))
    assert written.prompt == model.prompts[0]
    assert [each.step for each in written.timeline] == ["context", "prompt", "model", "filters"]


async def test_what_the_model_process_did_is_in_the_answer(tmp_path: Path) -> None:
    model = Model("fetch(3)")
    model.raw = RawGhost("fetch(3)", 0.9, 3, "line", 7, {"prefill": 2.0, "decode": 30.0})
    written = await ghost(CLIENT, tmp_path, model)
    assert (written.stop, written.reused) == ("line", 7)
    waited, prefill, decode = written.timeline[2:5]
    assert [each.step for each in (waited, prefill, decode)] == [
        "model", "model: prefill", "model: decode"
    ]  # fmt: skip
    assert (prefill.start, decode.start) == (waited.start, prefill.end)
    assert decode.end - decode.start == pytest.approx(30.0)


async def test_the_prompt_tells_what_the_variables_are(tmp_path: Path) -> None:
    model = Model("x")
    await ghost(CLIENT, tmp_path, model)
    prompt = model.prompts[0]
    assert prompt.header.startswith("# depot/client.py\n")
    assert "\nclass Client(Base)\n" in prompt.header
    assert "def fetch(self, number: int) -> Parcel\n" in prompt.header
    assert prompt.sources == ("depot/client.py",)
    assert prompt.prefix.endswith("def f(client: Client):\n    client.")
    assert prompt.suffix == "\n"
    assert model.options is not None
    told = replace(model.options, names={}, known=Known())
    assert told == GhostOptions(OPTIONS.max_tokens, None)
    assert "fetch" in (model.options.known.here or ())


async def test_behind_a_dot_the_model_is_told_what_the_popup_offers(tmp_path: Path) -> None:
    model = Model("x")
    await ghost(CLIENT, tmp_path, model)
    listed = await popup(CLIENT, tmp_path, model)
    assert model.options is not None
    names = model.options.names
    assert list(names)[:3] == [item.label for item in listed.items[:3]]
    assert sum(names.values()) == pytest.approx(1)
    await ghost(CLIENT, tmp_path, model, selected="fetch")
    assert not model.options.names


async def test_the_repositorys_adapter_is_named_for_text_and_for_names(tmp_path: Path) -> None:
    folder = workspace_folder(tmp_path, tmp_path / "cache") / ADAPTER
    for named in (None, str(folder)):
        model, scores = Model("x"), Scores("fetch")
        await ghost(CLIENT, tmp_path, model)
        await popup(CLIENT, tmp_path, scores)
        assert model.options is not None
        assert model.options.adapter == named
        assert scores.adapters == [named]
        folder.mkdir(exist_ok=True)
        (folder / ADAPTER_MARK).touch()


async def test_the_prompt_does_not_change_while_the_statement_is_typed(tmp_path: Path) -> None:
    model = Model("x")
    for typed in ("", "fe", "fetch(", "fetch(num"):
        await ghost(CLIENT.replace(CURSOR, typed + CURSOR), tmp_path, model)
    assert len({(each.header, each.suffix) for each in model.prompts}) == 1
    for shorter, longer in zip(model.prompts, model.prompts[1:], strict=False):
        assert longer.prefix.startswith(shorter.prefix)


async def test_long_files_are_cut_at_line_starts(tmp_path: Path) -> None:
    lines = "".join(f"name_{i} = 'é{i}'\n" for i in range(1000))
    model = Model("x")
    await ghost(f"{lines}a = {CURSOR}\n{lines}", tmp_path, model)
    prompt = model.prompts[0]
    assert prompt.prefix.startswith("name_")
    assert len(prompt.prefix.encode()) <= 3000
    assert 900 <= len(prompt.suffix.encode()) <= 1000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("# say ‸", Code.GATED),
        ("x = 'say ‸'", Code.GATED),
        ("na‸me", Code.GATED),
        ("  \n‸", Code.GATED),
    ],
)
async def test_no_ghost_text_where_it_would_disturb(text: str, code: Code, tmp_path: Path) -> None:
    model = Model("x")
    written = await ghost(text, tmp_path, model)
    assert written.reason is not None
    assert (written.edit, written.reason.code, model.prompts) == (None, code, [])


FINISHED = ("x = f(a)‸", "x = [1]‸", "x = {1}‸", "x = 'a'‸", "x = 12‸", "def f(): ...‸")
"""Places right behind something finished, where only a mark or a line end could follow."""
GOING_ON = (
    *("x = f(‸", "x = a.‸", "x = f(a) ‸", "x = y‸", "return ‸", "x =‸", "a = 1\n‸", "f(\n    ‸"),
    *("x = f'{f(a).‸", "x = '''\n(a)'''\n‸", "x = f(a)\r\n    ‸"),
)


@pytest.mark.parametrize("text", FINISHED)
async def test_nobody_is_disturbed_behind_what_is_finished(text: str, tmp_path: Path) -> None:
    request, snapshot = asked({"m.py": text}, "m.py", tmp_path)
    model = Model("more_text")
    by_itself = replace(request, automatic=True)
    written = await engine.ghost(by_itself, snapshot, model, OPTIONS)
    assert (written.edit, written.reason, model.prompts) == (None, engine.NOTHING_BEGINS, [])
    await engine.ghost(request, snapshot, model, OPTIONS)
    assert len(model.prompts) == 1


@pytest.mark.parametrize("text", GOING_ON)
async def test_ghost_text_comes_by_itself_where_something_begins(text: str, tmp_path: Path) -> None:
    request, snapshot = asked({"m.py": text}, "m.py", tmp_path)
    model = Model("more_text")
    await engine.ghost(replace(request, automatic=True), snapshot, model, OPTIONS)
    assert len(model.prompts) == 1


async def test_ghost_text_extends_an_item_that_is_previewed_anywhere(tmp_path: Path) -> None:
    request, snapshot = asked({"m.py": "x = f(a)‸"}, "m.py", tmp_path, selected="some_name")
    model = Model("more_text")
    await engine.ghost(replace(request, automatic=True), snapshot, model, OPTIONS)
    assert len(model.prompts) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("m.py", "value = 1\nvalue = ...‸"),
        ("m.py", "value = 1\nf(value)‸"),
        ("m.ts", "const value = 1;\nf(value)‸"),
        ("M.java", "class M { int value;‸"),
    ],
)
async def test_no_list_opens_by_itself_behind_what_is_finished(
    path: str, text: str, tmp_path: Path
) -> None:
    request, snapshot = asked({path: text}, path, tmp_path)
    by_itself = replace(request, automatic=True)
    found = await engine.popup(by_itself, snapshot, SilentHelpers(), OPTIONS)
    assert (found.items, found.reasons) == ((), (engine.NOTHING_BEGINS,))
    assert (await engine.popup(request, snapshot, SilentHelpers(), OPTIONS)).items


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("m.py", "class A:\n    b = 1\n\nA.‸"),
        ("m.py", "class A:\n    b = 1\n\nx = f'{A.‸"),
        ("m.py", "class A: ...\n@‸"),
        ("m.py", "import ‸"),
        ("m.ts", "class A { static b = 1 }\nA.‸"),
        ("m.ts", "class A { static b = 1 }\nA?.‸"),
        ("M.java", "class M { int x; void f() { this.‸"),
    ],
)
async def test_lists_open_by_themselves_where_names_follow(
    path: str, text: str, tmp_path: Path
) -> None:
    request, snapshot = asked({path: text}, path, tmp_path)
    by_itself = replace(request, automatic=True)
    assert (await engine.popup(by_itself, snapshot, SilentHelpers(), OPTIONS)).items


@pytest.mark.parametrize(("option", "text"), [("in_comments", "# say ‸"), ("in_strings", "'say ‸")])
async def test_gates_that_are_options(option: str, text: str, tmp_path: Path) -> None:
    options = replace(OPTIONS, **{option: True})
    assert (await ghost(text, tmp_path, Model("more words"), options=options)).edit is not None


@pytest.mark.parametrize(
    ("raw", "confidence", "code"),
    [
        ("fetch(1)", 0.01, Code.LOW_CONFIDENCE),
        ("   ", 0.9, Code.EMPTY),
        ("no_such_name(1)", 0.9, Code.UNKNOWN_NAME),
    ],
)
async def test_reasons_for_nothing(raw: str, confidence: float, code: Code, tmp_path: Path) -> None:
    written = await ghost(CLIENT, tmp_path, Model(raw, confidence))
    assert written.reason is not None
    assert (written.edit, written.reason.code) == (None, code)


async def test_the_threshold_is_a_probability(tmp_path: Path) -> None:
    sure = (await ghost(CLIENT, tmp_path, Model("fetch(1)"))).confidence
    assert 0 < sure < 1
    for least, shown in ((sure, True), (sure + 0.001, False)):
        options = replace(OPTIONS, min_confidence=least)
        written = await ghost(CLIENT, tmp_path, Model("fetch(1)"), options=options)
        assert (written.edit is not None) is shown
        assert written.confidence == sure


async def test_what_is_filtered_out_has_no_confidence(tmp_path: Path) -> None:
    written = await ghost(CLIENT, tmp_path, Model("no_such_name(1)"))
    assert (written.confidence, written.signs) == (0.0, {})


async def test_the_ngram_has_its_say(tmp_path: Path) -> None:
    """A repository in which ``fetch`` follows ``client.`` again and again."""
    files = {**FILES, "use.py": "client.fetch(1)\n" * 30}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    build(tmp_path, tmp_path / "cache")
    index = Index.open(tmp_path, tmp_path / "cache")
    before, _, after = CLIENT.partition(CURSOR)
    index.update("m.py", (before + after).encode())
    request = Request("m.py", (before + after).encode(), len(before.encode()))
    written = await engine.ghost(request, index.snapshot(), Model("fetch(1)"), OPTIONS)
    assert written.signs["n-gram asked"] == 1.0
    assert written.signs["n-gram"] > math.log(0.01)  # proposed, not unknown
    silent = await ghost(CLIENT, tmp_path / "empty", Model("fetch(1)"))
    assert silent.signs["n-gram asked"] == 0.0


async def test_giving_up_gives_the_model_up(tmp_path: Path) -> None:
    """A request that the editor takes back leaves no question behind."""
    left: list[str] = []

    class Waiting(SilentHelpers):
        async def ghost(
            self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
        ) -> RawGhost | Reason:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                left.append("given up")
                raise
            raise AssertionError

    task = asyncio.create_task(ghost(CLIENT, tmp_path, Waiting()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert left == ["given up"]


async def test_a_models_reason_is_passed_on(tmp_path: Path) -> None:
    written = await ghost(CLIENT, tmp_path, SilentHelpers())
    assert written.reason is not None
    assert written.reason.code is Code.MODEL_MISSING


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("fetch(1).weigh()", "fetch(1).weigh()"),
        ("fetch(1).weight()", "fetch(1)"),
        ("fetch(1).address.one_line()", "fetch(1).address.one_line()"),
        ("fetch(1).address.two_lines()", "fetch(1).address"),
        ("new_attribute = 3", "new_attribute = 3"),
        ("url.upper().whatever()", "url.upper()"),
        ("fetch(given().whatever())", "fetch(given().whatever())"),
        ("disk.load('client.nothing')", "disk.load('client.nothing')"),
    ],
)
async def test_names_that_do_not_exist_are_cut(
    raw: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "STORES_MS", 10_000.0)  # however busy the machine is
    monkeypatch.setattr(membership, "READING_MS", 10_000.0)
    written = await ghost(CLIENT, tmp_path, Model(raw))
    assert written.edit is not None
    assert written.edit.text == kept


async def test_ghost_text_extends_the_selected_item(tmp_path: Path) -> None:
    text = CLIENT.replace(CURSOR, f"fe{CURSOR}")
    model = Model("(3)")
    written = await ghost(text, tmp_path, model, selected="fetch_all")
    assert model.prompts[0].prefix.endswith("client.fetch_all")
    assert written.edit is not None
    assert "client.fetch_all(3)\n" in applied(text, [written.edit])


class Writer(SilentHelpers):
    """Calls whatever stands at the cursor, or the first member where none does."""

    def __init__(self) -> None:
        self.budgets: list[float] = []

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        self.budgets.append(budget_ms)
        await asyncio.sleep(0.02)
        text = "fetch(1)" if prompt.prefix.endswith("client.") else "(2)"
        return RawGhost(text, 0.9, 3, "line")


async def alternatives(
    text: str, folder: Path, helpers: engine.Helpers, options: Options = OPTIONS, **how: object
) -> list[str]:
    """The line at the cursor with each of the texts that are given there."""
    request, snapshot = asked({**FILES, "m.py": text}, "m.py", folder)
    found = await engine.ghosts(replace(request, **how), snapshot, helpers, options)  # type: ignore[arg-type]
    edits = [each.edit for each in found]
    return [applied(text, [edit]).splitlines()[-1].strip() for edit in edits if edit is not None]


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alternatives have time also on a machine that does other things too."""
    monkeypatch.setattr(engine, "ALTERNATIVES_MS", 10_000.0)


@pytest.mark.usefixtures("unhurried")
async def test_by_hand_up_to_three_texts_come_each_with_another_word(tmp_path: Path) -> None:
    texts = await alternatives(CLIENT, tmp_path, Writer())
    assert texts[0] == "client.fetch(1)"
    listed = [each.label for each in (await popup(CLIENT, tmp_path)).items]
    others = [name for name in listed if name != "fetch"][:2]
    assert set(texts[1:]) == {f"client.{name}(2)" for name in others}
    assert len(texts) == 1 + engine.ALTERNATIVES == 3
    begun = await alternatives(CLIENT.replace(CURSOR, "f" + CURSOR), tmp_path, Writer())
    assert all(text.startswith("client.f") for text in begun)


async def test_what_comes_by_itself_is_one_text(tmp_path: Path) -> None:
    assert len(await alternatives(CLIENT, tmp_path, Writer(), automatic=True)) == 1
    assert len(await alternatives(CLIENT, tmp_path, Writer(), selected="fetch")) == 1
    assert await alternatives(CLIENT, tmp_path, SilentHelpers()) == []


@pytest.mark.usefixtures("unhurried")
async def test_alternatives_share_the_time_with_the_first_text(tmp_path: Path) -> None:
    writer = Writer()
    await alternatives(CLIENT, tmp_path, writer)
    assert len(writer.budgets) == 3
    assert writer.budgets == sorted(writer.budgets, reverse=True)
    assert writer.budgets[0] - writer.budgets[-1] >= 2 * 20
    soon = replace(OPTIONS, ghost_deadline_ms=10)
    assert len(await alternatives(CLIENT, tmp_path, Writer(), soon)) == 1


async def test_alternatives_have_a_time_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ALTERNATIVES_MS", 0.0)
    assert await alternatives(CLIENT, tmp_path, Writer()) == ["client.fetch(1)"]


async def test_alternatives_may_be_less_sure_and_the_first_may_not(tmp_path: Path) -> None:
    picky = replace(OPTIONS, min_confidence=1.0)
    assert await alternatives(CLIENT, tmp_path, Writer(), picky) == []


async def test_a_defect_leaves_the_first_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def damaged(*_: object) -> None:
        raise IndexError

    monkeypatch.setattr(engine, "_other_words", damaged)
    assert await alternatives(CLIENT, tmp_path, Writer()) == ["client.fetch(1)"]
    assert "looking for alternatives failed" in caplog.text


async def test_explain_tells_everything(tmp_path: Path) -> None:
    request, snapshot = asked({**FILES, "m.py": CLIENT}, "m.py", tmp_path)
    told = await engine.explain(request, snapshot, Model("fetch()"), OPTIONS)
    assert told.context is not None
    assert told.context.receiver == "client"
    assert told.popup.items
    assert told.ghost.prompt is not None


async def test_preparing_a_file_changes_no_popup(tmp_path: Path) -> None:
    request, snapshot = asked({**FILES, "m.py": CLIENT}, "m.py", tmp_path / "prepared")
    engine.prepare(request.path, request.text, snapshot)
    prepared = await engine.popup(request, snapshot, SilentHelpers(), OPTIONS)
    fresh = await popup(CLIENT, tmp_path / "fresh")
    assert prepared.items == fresh.items


def test_preparing_survives_what_it_meets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    request, snapshot = asked({"m.py": "x = 1\n"}, "m.py", tmp_path)
    words = " ".join(("secret", "words"))  # the log may quote our own source, so not as a literal

    def damaged(_path: str) -> None:
        raise IndexError(words)

    monkeypatch.setattr(snapshot, "bindings", damaged)
    engine.prepare(request.path, request.text, snapshot)
    assert "preparing a file failed" in caplog.text
    assert words not in caplog.text
