"""What the connected editor can do, read once from its ``initialize`` request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder, get_capability

from lsp_server.documents import Encoding
from lsp_server.paths import path_of
from lsp_server.settings import SECTION, TRUST


@dataclass(frozen=True, slots=True)
class Editor:
    """The editor's abilities; ``roots`` are the folders it has open.

    ``item_defaults`` names the completion item properties that may be given once per list, ``lazy``
    those that may wait for ``completionItem/resolve``. ``cursor_ranges`` is whether ghost text must
    be given as an insertion at the cursor instead of a replacement of the half-typed word,
    ``markdown`` whether documentation may be Markdown.
    ``applies_edits`` is whether it can be asked to change any document, ``versioned_edits`` whether
    it then looks at the document's version.
    ``trusted`` is false where the person has not yet said that the workspace may run programs.
    """

    name: str
    encoding: Encoding
    roots: tuple[Path, ...]
    snippets: bool
    item_defaults: frozenset[str]
    lazy: frozenset[str]
    label_details: bool
    deprecated_tag: bool
    markdown: bool
    cursor_ranges: bool
    pulls_settings: bool
    shows_progress: bool
    watches_files: bool
    watches_settings: bool
    applies_edits: bool
    versioned_edits: bool
    trusted: bool


def from_initialize(params: types.InitializeParams) -> Editor:
    """The editor that sent these parameters."""

    def can(path: str) -> bool:
        return bool(get_capability(params.capabilities, path))

    item = "text_document.completion.completion_item"
    defaults = "text_document.completion.completion_list.item_defaults"
    lazy = get_capability(params.capabilities, f"{item}.resolve_support.properties", ())
    tags = get_capability(params.capabilities, f"{item}.tag_support.value_set", ())
    formats = get_capability(params.capabilities, f"{item}.documentation_format", ())
    name = params.client_info.name if params.client_info else ""
    encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
    options = params.initialization_options
    return Editor(
        name=name,
        encoding=Encoding(encoding),
        roots=_roots(params),
        snippets=can(f"{item}.snippet_support"),
        item_defaults=frozenset(get_capability(params.capabilities, defaults, ()) or ()),
        lazy=frozenset(lazy or ()),
        label_details=can(f"{item}.label_details_support"),
        deprecated_tag=types.CompletionItemTag.Deprecated in (tags or ()),
        markdown=types.MarkupKind.Markdown in (formats or ()),
        cursor_ranges=name == "Neovim",
        pulls_settings=can("workspace.configuration"),
        shows_progress=can("window.work_done_progress"),
        watches_files=can("workspace.did_change_watched_files.dynamic_registration"),
        watches_settings=can("workspace.did_change_configuration.dynamic_registration"),
        applies_edits=can("workspace.apply_edit"),
        versioned_edits=can("workspace.workspace_edit.document_changes"),
        trusted=_trusted(options),
    )


def _trusted(options: object) -> bool:
    """Whether nothing says that the workspace is not trusted, in the section or beside it."""
    if not isinstance(options, Mapping):
        return True
    section = options.get(SECTION)
    places = (options, section if isinstance(section, Mapping) else {})
    return all(place.get(TRUST) is not False for place in places)


def _roots(params: types.InitializeParams) -> tuple[Path, ...]:
    """The open folders; editors older than ``workspaceFolders`` send one root."""
    uris = [folder.uri for folder in params.workspace_folders or ()]
    if not uris and params.root_uri:
        uris = [params.root_uri]
    found = [path_of(uri) for uri in uris]
    if not uris and params.root_path:
        found = [Path(params.root_path)]
    return tuple(path for path in found if path is not None)
