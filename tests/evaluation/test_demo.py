"""The picture of the demo."""

from __future__ import annotations

import io
from xml.etree import ElementTree

from rich.console import Console

from evaluation.demo import without_fonts


def test_the_picture_asks_no_other_machine_for_anything() -> None:
    console = Console(record=True, width=40, file=io.StringIO())
    console.print("popup")
    drawn = console.export_svg(title="lancefill demo")
    assert "url(" in drawn.split("<g")[0]
    picture = without_fonts(drawn)
    assert "@font-face" not in picture
    assert "https://cdn" not in picture
    assert "popup" in "".join(ElementTree.fromstring(picture).itertext())
