"""LSP values from completion values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lsprotocol import types

from completion.ranking import telling
from completion.request import Popup, Suggestion, TextEdit
from indexing.symbols import Kind
from lsp_server.documents import Document, Encoding, position_at, word_before
from lsp_server.editor import Editor
from lsp_server.markdown import from_plain

_KINDS = {
    Kind.MODULE: types.CompletionItemKind.Module,
    Kind.CLASS: types.CompletionItemKind.Class,
    Kind.FUNCTION: types.CompletionItemKind.Function,
    Kind.METHOD: types.CompletionItemKind.Method,
    Kind.PROPERTY: types.CompletionItemKind.Property,
    Kind.ATTRIBUTE: types.CompletionItemKind.Field,
    Kind.CONSTANT: types.CompletionItemKind.Constant,
    Kind.VARIABLE: types.CompletionItemKind.Variable,
    "keyword": types.CompletionItemKind.Keyword,
    "parameter": types.CompletionItemKind.Variable,
}
_SHOWN_EVIDENCE = 5
_ON_TOP = "!"
"""Begins the sort text of promoted items: it sorts before the digits, letters and underscores that
other servers' begin with."""
_STAR = " ★"


def completion_list(
    popup: Popup,
    number: int,
    document: Document,
    offset: int,
    editor: Editor,
    *,
    promoted: bool = False,
) -> types.CompletionList:
    """The popup as a list whose order and content survive the editor's own sorting and filtering.

    ``number`` names the popup in the items' ``data``, so that resolve finds it again. The list is
    marked incomplete: the editor asks again after every keystroke. A ``promoted`` list stands on
    top of another server's, starred and its first item preselected.
    """
    items = popup.items
    spans = Counter((item.edit.start, item.edit.end) for item in items)
    ranges = {span: range_of(document, *span, editor.encoding) for span in spans}
    formats = Counter(_format(item) for item in items)
    defaults = types.CompletionItemDefaults()
    if items and "editRange" in editor.item_defaults:
        defaults.edit_range = ranges[spans.most_common(1)[0][0]]
    if items and "insertTextFormat" in editor.item_defaults:
        defaults.insert_text_format = formats.most_common(1)[0][0]
    if items and "data" in editor.item_defaults:
        defaults.data = number
    return types.CompletionList(
        is_incomplete=True,
        item_defaults=defaults if editor.item_defaults and items else None,
        items=[
            _item(
                rank,
                item,
                ranges[item.edit.start, item.edit.end],
                number,
                document,
                offset,
                defaults,
                editor,
                promoted=promoted,
            )
            for rank, item in enumerate(items)
        ],
    )


def _item(
    rank: int,
    item: Suggestion,
    range_: types.Range,
    number: int,
    document: Document,
    offset: int,
    defaults: types.CompletionItemDefaults,
    editor: Editor,
    *,
    promoted: bool,
) -> types.CompletionItem:
    shown = types.CompletionItem(
        label=item.label,
        kind=_KINDS.get(item.kind, types.CompletionItemKind.Text),
        sort_text=f"{_ON_TOP if promoted else ''}{rank:03}",
        preselect=True if promoted and rank == 0 else None,
        filter_text=_filter_text(item, document, offset),
    )
    if editor.label_details and (promoted or item.detail):
        star = _STAR if promoted else None
        shown.label_details = types.CompletionItemLabelDetails(star, item.detail or None)
    if item.deprecated and editor.deprecated_tag:
        shown.tags = [types.CompletionItemTag.Deprecated]
    if defaults.edit_range == range_:
        shown.text_edit_text = item.edit.text if item.edit.text != item.label else None
    else:
        shown.text_edit = types.TextEdit(range_, item.edit.text)
    if (defaults.insert_text_format or types.InsertTextFormat.PlainText) != _format(item):
        shown.insert_text_format = _format(item)
    if defaults.data is None:
        shown.data = number
    return _with_lazy(shown, item, document, editor, eager=True)


def rank_of(sort_text: str | None) -> int | None:
    """The place of an item in its popup, from 0; None for an item that is none of ours."""
    digits = (sort_text or "").removeprefix(_ON_TOP)
    return int(digits) if digits.isdecimal() else None


def resolved(
    shown: types.CompletionItem, item: Suggestion, document: Document, editor: Editor
) -> types.CompletionItem:
    """The item with what the list left out; ``document`` is the one that the list was for."""
    return _with_lazy(shown, item, document, editor, eager=False)


def _with_lazy(
    shown: types.CompletionItem,
    item: Suggestion,
    document: Document,
    editor: Editor,
    *,
    eager: bool,
) -> types.CompletionItem:
    """Fill in the properties that must be in the list (``eager``), or those that could wait."""
    if ("detail" in editor.lazy) != eager and item.detail:
        shown.detail = item.detail
    if ("documentation" in editor.lazy) != eager:
        shown.documentation = _documentation(item, markdown=editor.markdown)
    if ("additionalTextEdits" in editor.lazy) != eager and item.extra_edits:
        shown.additional_text_edits = text_edits(item.extra_edits, document, editor.encoding)
    return shown


def _documentation(item: Suggestion, *, markdown: bool) -> types.MarkupContent | str | None:
    """The docstring, then why the item stands where it stands."""
    why = "\n".join(f"• {one.text}" for one in telling(item.evidence)[:_SHOWN_EVIDENCE])
    text = "\n\n".join(part for part in (item.documentation, why) if part)
    if not text or not markdown:
        return text or None
    return types.MarkupContent(types.MarkupKind.Markdown, from_plain(text))


def _filter_text(item: Suggestion, document: Document, offset: int) -> str | None:
    """What the editor compares the typed word with; it starts with that word.

    So every item matches equally well, and the editor's own score leaves our order alone.
    """
    typed = document.text[item.edit.start : offset].decode("utf-8", "replace")
    return None if item.label.startswith(typed) else typed + item.label


def _format(item: Suggestion) -> types.InsertTextFormat:
    return types.InsertTextFormat.Snippet if item.snippet else types.InsertTextFormat.PlainText


def inline_item(
    edit: TextEdit,
    document: Document,
    offset: int,
    editor: Editor,
    accepted: types.Command | None = None,
) -> types.InlineCompletionItem:
    """The ghost text as an item with an explicit range.

    ``accepted`` is the command that the editor runs when the item was accepted.

    VS Code wants the half-typed word replaced, typed bytes included; Neovim draws a replacement
    over what follows the cursor, and gets an insertion at the cursor.
    """
    edit = _from_cursor(edit, document, offset)
    if not editor.cursor_ranges:
        edit = _from_word(edit, document, offset)
    range_ = range_of(document, edit.start, edit.end, editor.encoding)
    return types.InlineCompletionItem(edit.text, range=range_, command=accepted)


def _from_cursor(edit: TextEdit, document: Document, offset: int) -> TextEdit:
    """The same edit without the typed bytes that it repeats."""
    typed = document.text[edit.start : offset].decode("utf-8", "replace")
    if not edit.text.startswith(typed):
        return edit
    return TextEdit(offset, max(offset, edit.end), edit.text[len(typed) :])


def _from_word(edit: TextEdit, document: Document, offset: int) -> TextEdit:
    """The same edit, started where the word at the cursor starts."""
    if edit.start != offset:
        return edit
    typed = word_before(document.text, offset)
    return TextEdit(offset - len(typed.encode()), edit.end, typed + edit.text)


def range_of(document: Document, start: int, end: int, encoding: Encoding) -> types.Range:
    """The LSP range of a span of bytes."""
    return types.Range(position_at(document, start, encoding), position_at(document, end, encoding))


def workspace_edit(
    edits: Iterable[tuple[Document, TextEdit]], editor: Editor
) -> types.WorkspaceEdit:
    """Edits, each with its document, for these versions alone where the editor looks at that."""
    documents: dict[str, tuple[Document, list[TextEdit]]] = {}
    for document, edit in edits:
        documents.setdefault(document.uri, (document, []))[1].append(edit)
    changes = {
        uri: text_edits(own, document, editor.encoding)
        for uri, (document, own) in documents.items()
    }
    if not editor.versioned_edits:
        return types.WorkspaceEdit(changes=changes)
    versioned = [
        types.TextDocumentEdit(
            types.OptionalVersionedTextDocumentIdentifier(uri, document.version), changes[uri]
        )
        for uri, (document, _) in documents.items()
    ]
    return types.WorkspaceEdit(document_changes=versioned)


def text_edits(
    edits: Sequence[TextEdit], document: Document, encoding: Encoding
) -> list[types.TextEdit]:
    """LSP edits of byte edits."""
    return [
        types.TextEdit(range_of(document, edit.start, edit.end, encoding), edit.text)
        for edit in edits
    ]
