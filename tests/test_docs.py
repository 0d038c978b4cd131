"""What the documents and the extension's manifest say is what the code does."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from completion.model import registry
from completion.request import Code
from indexing import cache
from lsp_server import reference
from lsp_server.server import LOG_LEVEL
from lsp_server.settings import Entry, table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
SETTINGS = (ROOT / "docs/settings.md").read_text("utf-8")
GUIDE = (ROOT / "docs/user-guide.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
MANIFEST = json.loads((ROOT / "vscode-extension/package.json").read_text("utf-8"))
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)

CLIENT_SETTINGS = {"lancefill.path"}
"""Settings that only the VS Code client reads."""


def section(text: str, heading: str) -> str:
    """The text under a heading, up to the next one of the same depth."""
    depth = heading.partition(" ")[0]
    return re.split(rf"^{depth} ", text.partition(f"\n{heading}\n")[2], flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a document's table rows, without the headings."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0].startswith("`")]


def property_of(entry: Entry) -> dict[str, Any]:
    """A setting's schema in the extension's manifest, without the scope."""
    rule = entry.rule
    limits = {"enum": list(rule.choices), "minimum": rule.minimum, "maximum": rule.maximum}
    return {
        "type": entry.type,
        **({"items": {"type": "string"}} if entry.type == "array" else {}),
        **{name: value for name, value in limits.items() if value not in ([], None)},
        "default": entry.default,
        "description": rule.help,
    }


def test_the_settings_reference_is_up_to_date() -> None:
    """If not: python -m lsp_server.reference > docs/settings.md."""
    assert reference.markdown() == SETTINGS


def test_the_settings_reference_says_what_the_extension_declares() -> None:
    declared = MANIFEST["contributes"]["configuration"]["properties"]
    assert len(declared) == len(table()) + len(CLIENT_SETTINGS)
    for name, value in declared.items():
        said = section(SETTINGS, f"## {name}") if name not in CLIENT_SETTINGS else SETTINGS
        assert value.get("description", value.get("markdownDescription")) in said
        assert f"`{json.dumps(value['default'])}`" in said
        for choice in value.get("enum", ()):
            assert f"`{json.dumps(choice)}`" in said
        if "minimum" in value:
            assert f"{value['minimum']:g} to {value['maximum']:g}" in said


def test_the_settings_reference_names_every_environment_variable() -> None:
    names = {"LANCEFILL_" + name for name in ("CACHE", "DATA", "LOG")}
    assert {cache.VARIABLE, registry.VARIABLE, LOG_LEVEL} == names
    assert set(re.findall(r"LANCEFILL_\w+", SETTINGS)) == names


def test_the_settings_are_told_in_one_place() -> None:
    assert "docs/settings.md" in section(README, "## Settings")
    assert rows(section(README, "## Settings")) == []


def test_the_extension_declares_the_servers_settings() -> None:
    declared = MANIFEST["contributes"]["configuration"]["properties"]
    ours = {name: value for name, value in declared.items() if name not in CLIENT_SETTINGS}
    for value in ours.values():
        del value["scope"]
    assert ours == {f"lancefill.{entry.name}": property_of(entry) for entry in table()}


def test_settings_that_name_executables_are_restricted() -> None:
    restricted = set(MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    assert restricted == {"lancefill.path", "lancefill.interpreter"}


def test_there_are_few_settings() -> None:
    assert len(table()) <= 12


def test_the_guide_explains_every_reason() -> None:
    codes = [row[0].strip("`") for row in rows(section(GUIDE, "## Why nothing?"))]
    assert codes == [code.value for code in Code]


def test_the_readme_lists_every_command() -> None:
    from lancefill import main

    listed = {row[0].strip("`"): row[1] for row in rows(section(README, "## Command line"))}
    assert listed == {
        name: command.get_short_help_str(limit=100) for name, command in main.commands.items()
    }


def test_the_readme_lists_every_method() -> None:
    from lsp_server.server import server

    table_rows = rows(section(README, "## Language server methods"))
    listed = {method.strip("`") for method, status in table_rows if status.startswith("✓")}
    commands = {"workspace/executeCommand"} if server.protocol.fm.commands else set()
    assert listed == set(server.protocol.fm.features) | commands


def local_links(document: Path) -> Iterator[Path]:
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8")):
        if "://" not in target:
            yield document.parent / target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_local_links_lead_somewhere(document: Path) -> None:
    assert [path for path in local_links(document) if not path.exists()] == []


def test_make_commands_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for text in (README, GUIDE) for name in re.findall(r"`make ([a-z]+)`", text)}
    assert named
    assert named <= targets


def test_versions_agree() -> None:
    assert MANIFEST["version"] == PROJECT["project"]["version"]


def test_every_dependency_is_pinned_to_a_version_that_is_allowed() -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    named = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
    for requirement in map(Requirement, [*named, *PROJECT["build-system"]["requires"]]):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)])


def test_the_lock_file_names_no_registry() -> None:
    lock = (ROOT / "vscode-extension/package-lock.json").read_text("utf-8")
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
