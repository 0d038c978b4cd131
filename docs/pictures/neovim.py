"""Draws docs/images/neovim.gif: Neovim in a terminal, with the plugin, the real server and httpx.

    PYTHONPATH=FOLDER python -m docs.pictures.neovim docs/images/neovim.gif

FOLDER holds Pillow (``pip install --target FOLDER pillow``); Neovim, tmux and DejaVu Sans Mono
(Debian: fonts-dejavu-core) must be installed.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from evaluation.repositories import fetch
from tests.e2e.editors import Neovim, Screen, setup, until

COLUMNS, LINES = 76, 22
KEY_S, LOOK_S, REST_S = 0.09, 1.6, 3.0
"""Seconds: between letters, on what has just appeared, at the end."""
CELL = (9, 19)
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"
BOLD = "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf"
INK, PAPER = (0xE0, 0xE2, 0xEA), (0x14, 0x16, 0x1B)
LABEL_INK, LABEL = (0x14, 0x16, 0x1B), (0xF0, 0xC6, 0x74)

BEGUN = '''\
"""Which of our pages answer?"""

import httpx

PAGES = ["https://www.example.org/", "https://www.example.org/about"]


def check(url: str) -> bool:
    """Whether a page answers."""
    with httpx.Client(follow_redirects=True) as client:
'''
APPEARANCE = """
vim.o.completeopt = 'menuone,noinsert'
vim.o.termguicolors = true
vim.o.laststatus = 2
vim.o.pumheight = 7
vim.o.cmdheight = 1
vim.o.statusline = ' %f %m%=%{v:lua.require("lancefill").status()} '
vim.o.shortmess = vim.o.shortmess .. 'cFI'
vim.opt.fillchars = { eob = ' ' }
vim.cmd('highlight LancefillGhost guifg=#7d8590 gui=italic')
"""
Colour = tuple[int, int, int]
Fonts = tuple[ImageFont.FreeTypeFont, ImageFont.FreeTypeFont]
"""Plain and bold."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a character looks."""

    ink: Colour = INK
    paper: Colour = PAPER
    bold: bool = False
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A screen, for how many seconds it is shown, and the key that has just been pressed."""

    text: str
    cursor: tuple[int, int]
    seconds: float
    key: str


def coloured(codes: list[int], style: Style) -> Style:
    """The style after the numbers of one escape sequence, as tmux writes them."""
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = Style()
        elif code in (1, 22):
            style = replace(style, bold=code == 1)
        elif code in (7, 27):
            style = replace(style, reverse=code == 7)
        elif code in (38, 48) and codes[:1] == [2]:
            side = "ink" if code == 38 else "paper"
            style = replace(style, **{side: tuple(codes[1:4])})
            del codes[:4]
        elif code == 39:
            style = replace(style, ink=INK)
        elif code == 49:
            style = replace(style, paper=PAPER)
    return style


def cells(line: str, style: Style) -> Iterator[tuple[str, Style]]:
    """The characters of a captured line, with their styles."""
    for codes, character in re.findall(r"\x1b\[([\d;:]*)m|(.)", line):
        if character:
            yield character, style
        else:
            style = coloured([int(code or 0) for code in re.split("[;:]", codes)], style)


def drawn(frame: Frame, fonts: Fonts) -> Image.Image:
    """The frame as a picture; the key stands at its foot."""
    width, height = CELL
    image = Image.new("RGB", (COLUMNS * width + 16, LINES * height + 16), PAPER)
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(frame.text.split("\n")[:LINES]):
        for column, (character, style) in enumerate(cells(line, Style())):
            ink, paper = style.ink, style.paper
            if style.reverse != ((column, row) == frame.cursor):
                ink, paper = paper, ink
            x, y = 8 + column * width, 8 + row * height
            draw.rectangle((x, y, x + width - 1, y + height - 1), fill=paper)
            draw.text((x, y + 1), character, font=fonts[style.bold], fill=ink)
    if frame.key:
        box = draw.textbbox((0, 0), frame.key, font=fonts[1])
        right, bottom = image.width - 8, image.height - 5
        left = right - box[2] - 16
        draw.rounded_rectangle((left, bottom - 22, right, bottom), 5, fill=LABEL)
        draw.text((left + 8, bottom - 20), frame.key, font=fonts[1], fill=LABEL_INK)
    return image


class Film:
    """Frames taken while keys are pressed."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.frames: list[Frame] = []

    def take(self, seconds: float, key: str = "") -> None:
        """What is on the screen now; what did not change is shown for longer."""
        told = self.screen.told("display-message", "-p", "#{cursor_x} #{cursor_y}")
        column, row = map(int, told.split())
        text = self.screen.told("capture-pane", "-e", "-p", "-N")
        frame = Frame(text, (column, row), seconds, key)
        if self.frames and replace(self.frames[-1], seconds=seconds) == frame:
            self.frames[-1] = replace(frame, seconds=seconds + self.frames[-1].seconds)
        else:
            self.frames.append(frame)

    def type(self, text: str) -> None:
        """Letter by letter."""
        for letter in text:
            self.screen.type("-l", letter)
            time.sleep(KEY_S)
            self.take(KEY_S)

    def press(self, key: str, *names: str, look: float = LOOK_S) -> None:
        """A key with a name, which the picture tells, and a while to look at what it does."""
        self.screen.type(*names)
        time.sleep(0.5)
        self.take(look, key)

    def wait(self, words: str, look: float = LOOK_S) -> None:
        """Until the screen has the words, then a while to look at them."""
        until(lambda: words in "\n".join(self.screen.lines), lambda: "\n".join(self.screen.lines))
        time.sleep(0.2)
        self.take(look)


def play(film: Film) -> None:
    """What is done in the picture."""
    film.wait("ready", look=1.0)
    film.press("", "Go", look=0.3)
    film.type("response = client.")
    film.press("Ctrl-X Ctrl-O", "C-x", "C-o")
    film.type("ge")
    film.press("Ctrl-Y", "C-y", look=0.8)
    film.type("(url)")
    film.press("", "Enter", look=0.3)
    film.type("return response.is_s")
    film.press("Ctrl-X Ctrl-O", "C-x", "C-o")
    film.press("Ctrl-Y", "C-y", look=0.8)
    film.press("", "Enter", "Enter", "Enter", look=0.2)
    film.screen.type("C-u")
    film.type("def main() -> None:")
    film.press("", "Enter", look=0.2)
    film.type("for page in P")
    film.wait("PAGES:")
    film.type("A")
    film.take(LOOK_S, "typed through")
    film.press("Tab", "Tab")
    film.press("", "Enter", look=0.2)
    film.type("if check(")
    film.wait("page):")
    film.press("Alt-Right: a word", "M-Right")
    film.press("Tab", "Tab", look=0.8)
    film.press("", "Escape", look=0.5)
    film.type(":Lancefill ask stream the body in chunks")
    film.press("Enter", "Enter", look=REST_S)


def filmed(folder: Path) -> list[Frame]:
    """Neovim on a copy of httpx, played."""
    root = folder / "httpx"
    shutil.copytree(fetch("httpx"), root)
    (root / "pyproject.toml").touch()
    (root / "check.py").write_text(BEGUN, "utf-8")
    options = {
        "ghost": {"enabled": True, "keys": True},
        "settings": {"lancefill": {"maxLatencyMs": 2000, "popupDeadlineMs": 200}},
    }
    init = APPEARANCE + setup(options)
    editor = Neovim(folder, "httpx/check.py", init)
    screen = Screen(editor, COLUMNS, LINES)
    try:
        film = Film(screen)
        play(film)
    finally:
        screen.close()
    return film.frames


def main(path: str) -> None:
    """Film, draw and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        frames = filmed(Path(folder))
    fonts = ImageFont.truetype(FONT, 15), ImageFont.truetype(BOLD, 15)
    images = [drawn(frame, fonts) for frame in frames]
    palette = Image.new("RGB", (images[0].width, images[0].height * 4))
    for place, index in enumerate((0, len(images) // 3, 2 * len(images) // 3, -1)):
        palette.paste(images[index], (0, place * images[0].height))
    colours = palette.quantize(64, dither=Image.Dither.NONE)
    first, *rest = [image.quantize(palette=colours, dither=Image.Dither.NONE) for image in images]
    durations = [round(frame.seconds * 1000) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
