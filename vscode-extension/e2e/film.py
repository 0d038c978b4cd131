"""Join the pictures of ``film.mjs`` into one animated GIF: ``python film.py FRAMES FILM.gif``.

Needs Pillow, which comes with the development environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PIL import Image

COLOURS = 128


def main(frames: Path, film: Path) -> None:
    """Write ``film`` from the pictures and durations (ms) that ``frames`` holds."""
    shown = json.loads((frames / "frames.json").read_text("utf-8"))
    pictures = [Image.open(frames / frame["file"]).convert("RGB") for frame in shown]
    palette = joined(pictures).quantize(COLOURS)
    # One palette for all: what does not change between two pictures then costs nothing.
    first, *rest = (each.quantize(palette=palette, dither=Image.Dither.NONE) for each in pictures)
    durations = [frame["duration"] for frame in shown]
    first.save(film, save_all=True, append_images=rest, duration=durations, loop=0, optimize=False)


def joined(pictures: list[Image.Image]) -> Image.Image:
    """Some of the pictures below each other, for their colours."""
    some = pictures[:: max(1, len(pictures) // 8)]
    width, height = some[0].size
    tall = Image.new("RGB", (width, height * len(some)))
    for number, each in enumerate(some):
        tall.paste(each, (0, number * height))
    return tall


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
