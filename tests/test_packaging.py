"""The wheel: what is in it, and that its own files run beside folders of the same names."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluation.client import started

ROOT = Path(__file__).parents[1]
ROOMS = ("indexing", "completion", "lsp_server", "evaluation", "training")
OFFLINE = ("--quiet", "--no-deps", "--no-index")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of a new environment that holds the wheel and nothing of the checkout.

    Dependencies are lent by the environment of the tests through a path line: unlike that
    environment's own ``site``, it does not follow the editable install back to the checkout.
    """
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin/python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *OFFLINE, wheel],
        check=True,
        capture_output=True,
    )
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


SHOP = """\
class Basket:
    def checkout(self):
        return 1


basket = Basket()
basket.
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A workspace whose folders have the names of our packages and of what they import."""
    betray = f"open({str(tmp_path / 'marker')!r}, 'a').write(__name__ + ' ')\n"
    workspace = tmp_path / "workspace"
    for name in (*ROOMS, "torch", "jedi", "pygls", "tree_sitter", "click"):
        (workspace / name).mkdir(parents=True)
        (workspace / name / "__init__.py").write_text(betray)
    for name in ("lancefill.py", "json.py"):
        (workspace / name).write_text(betray)
    (workspace / "shop.py").write_text(SHOP)
    return workspace


def environment(hostile: Path) -> dict[str, str]:
    """No PYTHON* variable of the tests' own, and caches beside the workspace."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {
        "XDG_CACHE_HOME": str(hostile.parent / "cache"),
        "XDG_STATE_HOME": str(hostile.parent / "state"),
    }


def assert_not_betrayed(hostile: Path) -> None:
    marker = hostile.parent / "marker"
    assert not marker.exists(), f"the workspace's own modules ran: {marker.read_text()}"


def run(
    command: list[str], cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    listed = run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *ROOMS, "lancefill.py"], ROOT
    )
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}


@pytest.mark.parametrize(
    "pattern",
    [
        "completion/weights/model.safetensors",
        "completion/weights/tokenizer.json",
        "completion/weights/manifest.json",
        "completion/weights/MODEL_CARD.md",
        "*/queries/python.scm",
        *(f"{room}/py.typed" for room in ROOMS),
        "*.dist-info/licenses/LICENSE",
        "*.dist-info/entry_points.txt",
    ],
)
def test_the_wheel_holds_what_is_easily_left_out(wheel: Path, pattern: str) -> None:
    names = [Path(name) for name in zipfile.ZipFile(wheel).namelist()]
    assert any(name.match(pattern) for name in names)


def test_the_source_distribution_holds_the_neovim_plugin(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    plugin = {str(path.relative_to(ROOT)) for path in (ROOT / "neovim").rglob("*.*")}
    assert {name for name in plugin if Path(name).suffix in (".lua", ".txt")} <= names


def test_the_installed_modules_are_those_of_the_wheel(installed: Path, hostile: Path) -> None:
    program = f"import lancefill, {', '.join(ROOMS)}; print(lancefill.__file__)" + "".join(
        f"; print({room}.__file__)" for room in ROOMS
    )
    command = [str(installed / "python"), "-I", "-c", program]
    places = run(command, hostile, environment(hostile)).stdout.split()
    assert len(places) == 1 + len(ROOMS)
    assert all(Path(place).is_relative_to(installed.parent) for place in places)


def test_the_command_runs_beside_hostile_folders(installed: Path, hostile: Path) -> None:
    command, env = str(installed / "lancefill"), environment(hostile)
    assert run([command, "--version"], hostile, env).stdout.startswith("lancefill ")
    last = SHOP.count("\n")
    place = f"shop.py:{last}:{len('basket.') + 1}"
    assert "checkout" in run([command, "complete", place], hostile, env).stdout
    assert_not_betrayed(hostile)


def test_the_trap_is_sprung_by_a_start_that_is_not_isolated(installed: Path, hostile: Path) -> None:
    command = [str(installed / "python"), "-m", "lsp_server"]
    subprocess.run(command, cwd=hostile, env=environment(hostile), capture_output=True, timeout=60)
    with pytest.raises(AssertionError, match="lsp_server"):
        assert_not_betrayed(hostile)


async def test_the_server_runs_beside_hostile_folders(installed: Path, hostile: Path) -> None:
    """Even where the workspace is on PYTHONPATH, which is how some shells are set up."""
    command = [str(installed / "python"), "-I", "-X", "utf8", "-m", "lsp_server", "--stdio"]
    env = environment(hostile) | {"PYTHONPATH": str(hostile)}
    uri = (hostile / "shop.py").as_uri()
    async with started(command, hostile, environment=env) as client:
        folders = [{"uri": hostile.as_uri(), "name": "hostile"}]
        await client.request(
            "initialize", {"processId": None, "capabilities": {}, "workspaceFolders": folders}
        )
        client.notify("initialized", {})
        document = {"uri": uri, "languageId": "python", "version": 1, "text": SHOP}
        client.notify("textDocument/didOpen", {"textDocument": document})
        position = {"line": SHOP.count("\n") - 1, "character": len("basket.")}
        answer = await client.request(
            "textDocument/completion", {"textDocument": {"uri": uri}, "position": position}
        )
    assert "checkout" in {item["label"] for item in answer["items"]}
    assert_not_betrayed(hostile)
