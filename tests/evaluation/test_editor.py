"""The editor without a screen against the real server, on a small repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.editor import editing

MODELS = "class Client:\n    def send_message(self, text): ...\n    def close(self): ...\n"
APP = "from models import Client\n\nname = 'é😀'; client = Client()\nclient.\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "models.py").write_text(MODELS)
    return tmp_path / "root"


async def test_popup_typing_and_reasons(root: Path, tmp_path: Path) -> None:
    data = APP.encode()
    offset = data.index(b"client.\n") + len(b"client.")
    told: list[str] = []
    async with editing(root, cache=tmp_path / "cache", settings={"ghostText": False}) as editor:
        await editor.settled(told.append, timeout_s=30)
        editor.open("app.py", data)
        await editor.caught_up()
        listed = await editor.popup("app.py", offset, resolve=2)
        labels = [item.label for item in listed.items]
        assert {"send_message", "close"} <= set(labels[:4])
        assert listed.items[0].why
        assert listed.ms > 0

        # A line with characters of one, two and four bytes, edited behind all of them.
        end = data.index(b"\nclient.\n")
        editor.replace("app.py", end, end, "; client.send")
        typed = await editor.popup("app.py", end + len("; client.send"))
        assert typed.items[0].label == "send_message"

        silent = await editor.ghost("app.py", offset)
        assert (silent.text, silent.code) == ("", "disabled")
        assert "ghostText" in silent.reason
        editor.close("app.py")
    assert not (root / "app.py").exists()
