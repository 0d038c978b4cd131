"""Completion values as LSP values, for editors that can do much and little."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from lsprotocol import types
from lsprotocol.types import PositionEncodingKind as Encoding

from completion.request import Evidence, Origin, Popup, Suggestion, TextEdit
from lsp_server import editor as editors
from lsp_server.convert import completion_list, inline_item, rank_of, resolved
from lsp_server.documents import opened
from lsp_server.editor import Editor
from lsp_server.paths import name_in, path_of

DOCUMENT = opened("file:///a.py", "python", 1, "import os\n'👩' + os.pa")
END = len(DOCUMENT.text)
START = END - 2


def suggestion(label: str, **changes: object) -> Suggestion:
    edit = TextEdit(START, END, label)
    made = Suggestion(label, "function", Origin.MEMBER, edit, score=1.0)
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def editor(**completion: object) -> Editor:
    """An editor with these completion capabilities."""
    capabilities = types.ClientCapabilities(
        text_document=types.TextDocumentClientCapabilities(
            completion=types.CompletionClientCapabilities(**completion)  # type: ignore[arg-type]
        )
    )
    return editors.from_initialize(types.InitializeParams(capabilities=capabilities))


PLAIN = editor()
RICH = editor(
    completion_item=types.ClientCompletionItemOptions(
        snippet_support=True,
        label_details_support=True,
        tag_support=types.CompletionItemTagOptions([types.CompletionItemTag.Deprecated]),
        resolve_support=types.ClientCompletionItemResolveOptions(
            ["documentation", "detail", "additionalTextEdits"]
        ),
    ),
    completion_list=types.CompletionListCapabilities(["editRange", "insertTextFormat", "data"]),
)
ITEMS = (
    suggestion("path", detail="module", documentation="Paths.", deprecated=True),
    suggestion("PathLike", edit=TextEdit(START, END, "PathLike($0)"), snippet=True),
    suggestion(
        "pardir",
        extra_edits=(TextEdit(0, 0, "import x\n"),),
        evidence=(Evidence("use", 3, 0.5, "used 3 times"), Evidence("tie", 0, 0, "no tie")),
    ),
)
MARKDOWN = editor(
    completion_item=types.ClientCompletionItemOptions(
        documentation_format=[types.MarkupKind.Markdown, types.MarkupKind.PlainText]
    )
)
WORD = types.Range(types.Position(1, 10), types.Position(1, 12))


def test_what_is_promoted_is_starred_and_found_again() -> None:
    made = completion_list(Popup(ITEMS), 7, DOCUMENT, END, RICH, promoted=True)
    details = [item.label_details for item in made.items]
    assert details == [
        types.CompletionItemLabelDetails(" ★", "module"),
        types.CompletionItemLabelDetails(" ★"),
        types.CompletionItemLabelDetails(" ★"),
    ]
    assert [item.preselect for item in made.items] == [True, None, None]
    assert [rank_of(item.sort_text) for item in made.items] == [0, 1, 2]
    plain = completion_list(Popup(ITEMS), 7, DOCUMENT, END, RICH)
    assert [rank_of(item.sort_text) for item in plain.items] == [0, 1, 2]
    for alien in (None, "", "!", "09.9999.path", "-1", "!!1"):
        assert rank_of(alien) is None


def test_an_editor_without_abilities_gets_everything_in_every_item() -> None:
    made = completion_list(Popup(ITEMS), 7, DOCUMENT, END, PLAIN)
    assert made.is_incomplete
    assert made.item_defaults is None
    path, like, pardir = made.items
    assert path.text_edit == types.TextEdit(WORD, "path")
    assert (path.detail, path.documentation, path.tags) == ("module", "Paths.", None)
    assert like.insert_text_format == types.InsertTextFormat.Snippet
    assert pardir.documentation == "• used 3 times"
    assert pardir.additional_text_edits == [
        types.TextEdit(types.Range(types.Position(0, 0), types.Position(0, 0)), "import x\n")
    ]
    assert {item.data for item in made.items} == {7}


def test_documentation_is_markdown_where_the_editor_shows_that() -> None:
    item = suggestion("send", documentation="Send *args*.", evidence=WHY)
    (shown,) = completion_list(Popup((item,)), 7, DOCUMENT, END, MARKDOWN).items
    assert isinstance(shown.documentation, types.MarkupContent)
    assert shown.documentation.kind == types.MarkupKind.Markdown
    assert shown.documentation.value.startswith(r"Send \*args\*." + "\n\n• `c` is a `Client`  \n")
    (bare,) = completion_list(Popup((suggestion("x"),)), 7, DOCUMENT, END, MARKDOWN).items
    assert bare.documentation is None


def test_what_ties_an_item_to_its_place_is_told_first() -> None:
    (shown,) = completion_list(
        Popup((suggestion("send", evidence=WHY),)), 7, DOCUMENT, END, PLAIN
    ).items
    assert shown.documentation == "• `c` is a `Client`\n• n-gram 43 %\n• used 3 times"


WHY = (
    Evidence("ngram", 15, 6.1, "n-gram 43 %"),
    Evidence("member", 1, 1.2, "`c` is a `Client`"),
    Evidence("uses", 3, -0.5, "used 3 times"),
    Evidence("callable", 1, 1.1, ""),
)


def test_an_able_editor_gets_defaults_and_the_rest_on_resolve() -> None:
    made = completion_list(Popup(ITEMS), 7, DOCUMENT, END, RICH)
    assert made.item_defaults is not None
    assert made.item_defaults.edit_range == WORD
    assert made.item_defaults.data == 7
    path, like, pardir = made.items
    assert path.label_details == types.CompletionItemLabelDetails(description="module")
    assert path.tags == [types.CompletionItemTag.Deprecated]
    assert like.text_edit_text == "PathLike($0)"
    for item in made.items:
        assert (item.text_edit, item.documentation, item.detail, item.data) == (None,) * 4
        assert item.additional_text_edits is None
    assert resolved(path, ITEMS[0], DOCUMENT, RICH).documentation == "Paths."
    full = resolved(pardir, ITEMS[2], DOCUMENT, RICH)
    assert full.documentation == "• used 3 times"
    assert full.additional_text_edits is not None


def test_an_item_that_differs_from_the_defaults_says_so() -> None:
    other = suggestion("path", edit=TextEdit(END, END, "th"))
    made = completion_list(Popup((*ITEMS, other)), 1, DOCUMENT, END, RICH)
    assert made.items[3].text_edit == types.TextEdit(types.Range(WORD.end, WORD.end), "th")


@pytest.mark.parametrize("editor_", [PLAIN, RICH])
def test_our_order_survives_the_editors_own(editor_: Editor) -> None:
    made = completion_list(Popup(ITEMS * 4), 7, DOCUMENT, END, editor_)
    keys = [item.sort_text for item in made.items]
    assert keys == sorted(set(map(str, keys)))
    assert all((item.filter_text or item.label).startswith("pa") for item in made.items)


def test_an_empty_popup_is_an_empty_list() -> None:
    made = completion_list(Popup(()), 7, DOCUMENT, END, RICH)
    assert (list(made.items), made.item_defaults, made.is_incomplete) == ([], None, True)


def at(line: int, start: int, end: int) -> types.Range:
    return types.Range(types.Position(line, start), types.Position(line, end))


NEOVIM = dataclasses.replace(PLAIN, cursor_ranges=True)


@pytest.mark.parametrize(
    "edit", [TextEdit(END, END, "th.join()"), TextEdit(START, END, "path.join()")]
)
def test_ghost_text_has_the_range_its_editor_draws_well(edit: TextEdit) -> None:
    word = inline_item(edit, DOCUMENT, END, PLAIN)
    assert (word.insert_text, word.range) == ("path.join()", WORD)
    cursor = inline_item(edit, DOCUMENT, END, NEOVIM)
    assert (cursor.insert_text, cursor.range) == ("th.join()", at(1, 12, 12))


def test_ghost_text_that_replaces_what_follows_keeps_its_end() -> None:
    document = opened("file:///a.py", "python", 1, "f(é)")
    item = inline_item(TextEdit(2, 5, "éa)"), document, 4, PLAIN)
    assert (item.insert_text, item.range) == ("éa)", at(0, 2, 4))
    item = inline_item(TextEdit(4, 5, "a)"), document, 4, NEOVIM)
    assert (item.insert_text, item.range) == ("a)", at(0, 3, 4))


def test_ghost_text_that_changes_typed_bytes_is_left_alone() -> None:
    item = inline_item(TextEdit(START, END, "Path"), DOCUMENT, END, NEOVIM)
    assert (item.insert_text, item.range) == ("Path", WORD)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c/%C3%A9%23.py", "/a/b c/é#.py"),
        ("file://localhost/a.py", "/a.py"),
        ("file:///a/%FF.py", "/a/\udcff.py"),
        ("untitled:Untitled-1", None),
        ("vscode-remote://ssh-remote%2Bhost/home/a.py", None),
        ("file://[", None),
        ("", None),
    ],
)
def test_paths_of_uris(uri: str, path: str | None) -> None:
    assert path_of(uri) == (Path(path) if path else None)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:///project/pkg/mod.py", "pkg/mod.py"),
        ("file:///project/bin/tool", "bin/tool.py"),
        ("file:///project/stub.pyi", "stub.pyi"),
        ("file:///usr/lib/os.py", "file/usr/lib/os.py"),
        ("untitled:Untitled-1", "untitled/Untitled-1.py"),
        ("vscode-remote://host/home/a.py", "vscode-remote/host/home/a.py"),
    ],
)
def test_every_document_has_a_name(uri: str, name: str) -> None:
    assert name_in(Path("/project"), uri, "python") == name


@pytest.mark.parametrize(
    ("language", "uri", "name"),
    [
        ("java", "untitled:Untitled-1", "untitled/Untitled-1.java"),
        ("javascript", "file:///project/a.mjs", "a.mjs"),
        ("javascriptreact", "untitled:Untitled-1", "untitled/Untitled-1.jsx"),
        ("typescript", "file:///project/a.cts", "a.cts"),
        ("typescriptreact", "file:///project/a", "a.tsx"),
        ("plaintext", "file:///project/a", "a"),
    ],
)
def test_a_name_says_the_language(language: str, uri: str, name: str) -> None:
    assert name_in(Path("/project"), uri, language) == name


def test_a_workspace_behind_a_symbolic_link_is_the_same_workspace(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    uri = (tmp_path / "real" / "a.py").as_uri()
    assert name_in(tmp_path / "link", uri, "python") == "a.py"


def test_encodings_follow_the_editors_wish() -> None:
    general = types.GeneralClientCapabilities(position_encodings=[Encoding.Utf8, Encoding.Utf16])
    capabilities = types.ClientCapabilities(general=general)
    wishing = editors.from_initialize(types.InitializeParams(capabilities=capabilities))
    assert (wishing.encoding, PLAIN.encoding) == (Encoding.Utf8, Encoding.Utf16)
