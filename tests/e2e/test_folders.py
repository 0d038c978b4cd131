"""Several workspace folders: one in another, with settings of their own, coming and going."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = pytest.mark.e2e


def folders(*roots: Path) -> dict[str, Any]:
    return {"workspaceFolders": [{"uri": root.as_uri(), "name": root.name} for root in roots]}


def change(session: Session, added: Sequence[Path] = (), removed: Sequence[Path] = ()) -> None:
    event = {
        "added": folders(*added)["workspaceFolders"],
        "removed": folders(*removed)["workspaceFolders"],
    }
    session.client.notify("workspace/didChangeWorkspaceFolders", {"event": event})


async def states(session: Session) -> dict[str, Mapping[str, Any]]:
    return {Path(each["root"]).name: each for each in (await session.status())["folders"]}


@pytest.fixture
def nested(workspace: Path) -> Path:
    """A folder with Python and sources of its own, inside the workspace."""
    inner = workspace / "inner"
    inner.mkdir()
    (inner / "bird.py").write_text("class Heron:\n    def wade(self): ...\n")
    for name in ("python-a", "python-b"):
        (workspace / name / "bin").mkdir(parents=True)
        (workspace / name / "bin/python").touch()
    return inner


async def test_a_file_in_nested_folders_is_known_in_both(
    workspace: Path, serve: Serve, nested: Path
) -> None:
    give(nested, "swim")
    async with serve(workspace, initialize=folders(workspace, nested, workspace)) as session:
        await session.indexed()
        assert set(await states(session)) == {"work", "inner"}
        for folder, package in (("", "inner."), ("inner/", "")):
            session.open(f"{folder}told.py", f"from {package}bird import Heron\nHeron().")
            session.open(f"{folder}untold.py", f"from {package}fish import Trout\nTrout().")
            for name in ("told.py", "untold.py"):
                await session.until(having(session, folder + name, "swim"))
        assert await comes_first(session, nested, "", ("soar", "call", "nest", "moult"))
        assert await comes_first(session, nested, "inner/", ("hunt", "rest", "wade", "roost"))


def give(folder: Path, method: str) -> None:
    """Give a method to the class of either file, last in the one that the editor may tell of."""
    (folder / "fish.py").write_text(f"class Trout:\n    def {method}(self): ...\n")
    (folder / "bird.py").write_text(f"class Heron:\n    def {method}(self): ...\n")


def having(session: Session, name: str, method: str) -> Callable[[], Awaitable[bool]]:
    """Whether the object in line 1 of a file is known to have a method."""

    async def there() -> bool:
        return method in await session.members(name, 1, 8)

    return there


async def comes_first(session: Session, nested: Path, folder: str, methods: Sequence[str]) -> bool:
    """Whether what the editor tells of is known before what is found by looking at all files.

    Such a look, every few seconds, takes up both together. One that comes in between proves
    nothing: the next of the ``methods`` is tried right behind it.
    """
    for method in methods:
        give(nested, method)
        changed = [{"uri": (nested / "bird.py").as_uri(), "type": 2}]
        session.client.notify("workspace/didChangeWatchedFiles", {"changes": changed})
        await session.until(having(session, f"{folder}told.py", method))
        if not await having(session, f"{folder}untold.py", method)():
            return True
    return False


async def test_folders_have_settings_of_their_own(
    workspace: Path, serve: Serve, nested: Path
) -> None:
    python_a, python_b = (workspace / name / "bin/python" for name in ("python-a", "python-b"))
    async with serve(workspace, settings={"interpreter": str(python_a)}) as session:
        everywhere = session.client.settings["lancefill"]
        inner = {**everywhere, "interpreter": str(python_b), "exclude": ["bird.py"], "what": 1}
        session.client.scoped[nested.as_uri()] = {"lancefill": inner}
        change(session, added=[nested])

        async def interpreters() -> bool:
            found = {name: each["interpreter"] for name, each in (await states(session)).items()}
            return found == {"work": str(python_a), "inner": str(python_b)}

        async def excluded() -> bool:
            found = await states(session)
            return found["inner"]["files"] == 0 and found["work"]["files"] == 3

        await session.until(interpreters)
        await session.indexed()
        await session.until(excluded)
        assert session.log.count("lancefill.what is not a setting") == 1

        everywhere["interpreter"] = ""  # VS Code sends the section along, as no folder has it
        sent = {"settings": {"lancefill": everywhere}}
        session.client.notify("workspace/didChangeConfiguration", sent)

        async def changed() -> bool:
            found = await states(session)
            return found["work"]["interpreter"] != str(python_a)

        await session.until(changed)
        await session.until(excluded)
        assert (await states(session))["inner"]["interpreter"] == str(python_b)
        everywhere["interpreter"] = str(python_a)

        session.client.scoped.clear()
        session.client.notify("workspace/didChangeConfiguration", {"settings": None})

        async def alike() -> bool:
            found = await states(session)
            same = {each["interpreter"] for each in found.values()} == {str(python_a)}
            return same and found["inner"]["files"] == 1

        await session.until(alike)


async def test_the_first_folder_comes_and_the_last_goes(
    workspace: Path, serve: Serve, nested: Path
) -> None:
    empty = {"workspaceFolders": [], "rootUri": None}
    async with serve(workspace, initialize=empty) as session:
        session.open("main.py", "from pkg.client import Client\nClient().")
        assert await session.members("main.py", 1, 9) == set()
        change(session, added=[workspace, workspace])

        async def known() -> bool:
            return "send" in await session.members("main.py", 1, 9)

        await session.until(known)
        assert list(await states(session)) == ["work"]
        assert await session.helper("indexer") is not None
        change(session, removed=[workspace], added=[nested])
        assert await session.members("main.py", 1, 9) == set()
        change(session, removed=[nested])
        assert await states(session) == {}
        assert await session.helper("indexer") is None
        assert "could not be handled" not in session.log


async def test_a_folder_that_goes_while_it_is_indexed_leaves_no_progress(
    workspace: Path, serve: Serve
) -> None:
    for number in range(300):
        (workspace / f"m{number}.py").write_text(f"def f{number}(): ...\n" * 200)
    async with serve(workspace) as session:

        def kind(wanted: str) -> Any:  # noqa: ANN401
            def fits(seen: Any) -> bool:  # noqa: ANN401
                return seen.method == "$/progress" and seen.params["value"]["kind"] == wanted

            return fits

        await session.client.wait_for(kind("begin"))
        change(session, removed=[workspace])
        end = await session.client.wait_for(kind("end"))
        assert end.params["value"]["message"] == "closed"
        assert (await session.status())["problems"] == []

        def ready(seen: Any) -> bool:  # noqa: ANN401
            return seen.method == "didChangeStatus" and not seen.params["busy"]

        await session.client.wait_for(ready)
        assert await session.helper("indexer") is None
