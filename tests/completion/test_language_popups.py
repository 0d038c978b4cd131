"""The main path in Java, JavaScript and TypeScript: no jedi, no model, a reason instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from completion import engine
from completion.context import Context
from completion.request import Code, GhostOptions, LibraryAnswer, Prompt, RawGhost, Reason, Request
from tests.completion.workspace import CURSOR, OPTIONS, SilentHelpers, asked


class Unwanted(SilentHelpers):
    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        raise AssertionError("jedi reads Python only")

    async def scores(self, request: Request, prompt: Prompt, *_: object) -> Reason:  # type: ignore[override]
        raise AssertionError("the model reads Python only")

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        raise AssertionError("the model reads Python only")


TEXTS = {
    "a.ts": f"function f(x: string) {{\n  x.{CURSOR}\n}}\n",
    "a.tsx": f"const f = (x: string) => <p>{{x.{CURSOR}}}</p>\n",
    "a.js": f"/** @param {{string}} x */\nfunction f(x) {{\n  x.{CURSOR}\n}}\n",
    "A.java": f"class A {{\n  void f(String x) {{\n    x.{CURSOR}\n  }}\n}}\n",
}


@pytest.mark.parametrize("path", TEXTS)
async def test_built_in_members_need_no_helper(path: str, tmp_path: Path) -> None:
    request, snapshot = asked(TEXTS, path, tmp_path)
    found = await engine.popup(request, snapshot, Unwanted(), OPTIONS)
    offered = {each.label: each for each in found.items}
    assert found.reasons == ()
    assert offered["trim"].detail in ("(): string", "(): String")
    told = {each.text for each in offered["trim"].evidence}
    assert "`x` is a `String`" in told


@pytest.mark.parametrize("path", TEXTS)
async def test_no_ghost_text_from_a_model_that_cannot_read(path: str, tmp_path: Path) -> None:
    request, snapshot = asked(TEXTS, path, tmp_path)
    found = await engine.ghost(request, snapshot, Unwanted(), OPTIONS)
    assert found.edit is None
    assert found.reason is not None
    assert found.reason.code is Code.LANGUAGE


FILES = {
    "src/api/mailer.ts": "export class Mailer {\n  constructor(host: string) {}\n}\n",
    "src/api/post.ts": "export default class Postbox {}\nclass PostHidden {}\n",
    "src/org/mail/Sender.java": "package org.mail;\n\npublic class Sender {}\n",
    "src/org/mail/SenderHidden.java": "package org.mail;\n\nclass SenderHidden {}\n",
    "py/mail.py": "class MailerPython: ...\nclass SenderPython: ...\n",
}


@pytest.mark.parametrize(
    ("path", "text", "name", "after"),
    [
        (
            "src/m.ts",
            f"import a from './a'\nnew Mail{CURSOR}\n",
            "Mailer",
            "import a from './a'\nimport { Mailer } from './api/mailer'\n",
        ),
        ("src/m.ts", f"new Post{CURSOR}\n", "Postbox", 'import Postbox from "./api/post"\n'),
        (
            "src/org/app/App.java",
            f"package org.app;\n\nclass App {{ Object o = new Send{CURSOR} }}\n",
            "Sender",
            "package org.app;\n\nimport org.mail.Sender;\n",
        ),
    ],
)
async def test_names_of_other_files_bring_their_import(
    path: str, text: str, name: str, after: str, tmp_path: Path
) -> None:
    request, snapshot = asked({**FILES, path: text}, path, tmp_path)
    found = await engine.popup(request, snapshot, Unwanted(), OPTIONS)
    labels = [each.label for each in found.items]
    assert not {"MailerPython", "SenderPython", "SenderHidden", "PostHidden"} & set(labels)
    (edit,) = found.items[labels.index(name)].extra_edits
    edited = request.text[: edit.start] + edit.text.encode() + request.text[edit.end :]
    assert edited.decode().startswith(after)
