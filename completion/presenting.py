"""From a ranked candidate to a popup item: what is inserted, what it shows, what it imports."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import partial

from completion.context import Context, Place
from completion.languages import Language, language_for
from completion.ranking import Ranked
from completion.request import ApiAnswer, InsertCall, Origin, Request, Suggestion, TextEdit
from completion.signatures import is_callable
from indexing.index import Snapshot
from indexing.lazy import Lazy
from indexing.symbols import FileSymbols


def present(
    ranked: Sequence[Ranked],
    request: Request,
    context: Context,
    snapshot: Snapshot,
    *,
    insert_call: InsertCall,
    snippets: bool,
) -> tuple[Suggestion, ...]:
    """The popup items for ``ranked``, in its order."""
    symbols = snapshot.symbols(request.path) or FileSymbols()
    language = language_for(request.path)
    style = insert_call if _may_call(context) else InsertCall.NONE
    items = []
    for each in ranked:
        candidate = each.candidate
        definition = candidate.definition
        text, snippet = _inserted(each, style, language, snippets=snippets)
        imports: Sequence[TextEdit] = ()
        if candidate.origin is Origin.IMPORTABLE:
            imports = Lazy(partial(_import, each, request, symbols, snapshot))
        items.append(
            Suggestion(
                label=candidate.name,
                kind=candidate.kind,
                origin=candidate.origin,
                edit=TextEdit(context.start, context.offset, text),
                score=each.score,
                detail=candidate.detail or (language.signature(definition) if definition else ""),
                documentation=candidate.documentation or (definition.doc if definition else ""),
                snippet=snippet,
                extra_edits=imports,
                evidence=each.evidence,
                deprecated=definition is not None
                and any("deprecated" in decorator for decorator in definition.decorators),
                location=(candidate.path, definition.name_span[0]) if definition else None,
            )
        )
    return tuple(items)


def present_answers(
    answers: Sequence[ApiAnswer],
    request: Request,
    snapshot: Snapshot,
    *,
    imports: bool,
    snippets: bool,
) -> tuple[Suggestion, ...]:
    """Popup items for what a comment asks for: ready calls, with the ``imports`` they need."""
    symbols = snapshot.symbols(request.path) or FileSymbols()
    edit = language_for(request.path).import_edit
    items = []
    for each in answers:
        extra: tuple[TextEdit, ...] = ()
        if imports and each.module and _mentions(each.call, each.top):
            extra = (edit(request.text, symbols, request.path, snapshot, each.module, each.top),)
        text = _with_fields(each) if snippets else each.call
        items.append(
            Suggestion(
                label=each.call,
                kind=each.kind,
                origin=Origin.ASKED,
                edit=TextEdit(request.offset, request.offset, text),
                score=each.score,
                detail=each.signature,
                documentation=each.documentation,
                snippet=snippets,
                extra_edits=extra,
                evidence=each.evidence,
                location=(each.path, each.offset),
            )
        )
    return tuple(items)


def _mentions(call: str, name: str) -> bool:
    """Whether a call names the class or function itself, not a variable of the class."""
    return re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", call) is not None


def _with_fields(answer: ApiAnswer) -> str:
    """The call as a snippet: its arguments are to be filled in, and so is a variable's name."""
    number = itertools.count(1)

    def field(text: str) -> str:
        return f"${{{next(number)}:{text}}}"

    head, bracket, rest = answer.call.replace("$", r"\$").partition("(")
    receiver, dot, name = head.partition(".")
    if dot and not _mentions(answer.call, answer.top):
        head = f"{field(receiver)}.{name}"
    arguments = rest.removesuffix(")")
    fields = ", ".join(map(field, arguments.split(", "))) if arguments else ""
    return f"{head}({fields})$0" if bracket else f"{head}$0"


def _may_call(context: Context) -> bool:
    """A call makes sense where none follows already, and not in an import or after ``@``."""
    return not context.called and context.place in (Place.MEMBER, Place.NAME)


def _inserted(
    each: Ranked, style: InsertCall, language: Language, *, snippets: bool
) -> tuple[str, bool]:
    """The text to insert, and whether it is a snippet."""
    candidate = each.candidate
    if style is InsertCall.NONE or not is_callable(candidate.kind):
        return candidate.name, False
    if not snippets:
        return f"{candidate.name}()", False
    name = candidate.name.replace("$", r"\$")
    names = language.required(candidate.definition) if candidate.definition else []
    if style is InsertCall.PARAMETERS and names:
        fields = ", ".join(f"${{{index}:{each}}}" for index, each in enumerate(names, 1))
        return f"{name}({fields})$0", True
    return f"{name}($0)", True


def _import(
    each: Ranked, request: Request, symbols: FileSymbols, snapshot: Snapshot
) -> tuple[TextEdit]:
    candidate = each.candidate
    edit = language_for(request.path).import_edit
    return (edit(request.text, symbols, request.path, snapshot, candidate.module, candidate.name),)
