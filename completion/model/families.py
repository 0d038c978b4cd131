"""How each family of models wants to be asked to fill in the middle.

A template is a row of pieces: ``Mark`` is a sentinel, which goes in as its id and never as text, so
that text of the user that spells one stays text; a string is text of the format; a ``Slot`` is
filled. What is written stands behind the last piece. Where that is the prefix (suffix first, SPM),
prefix and middle are one text and the exact boundary takes care of a cut token. Where a sentinel
stands between them (PSM), the prefix is backed off: the sentinel comes where the cursor's line, or
its identifier, begins, and what is typed of it is text behind the sentinel.

The formats are those of the models' own papers, cards and code (papers.md, section 5). Text of
other files is laid out as the model saw repositories in training. Nothing here knows a network;
the vocabulary is a ``completion.spelling.vocabulary.Vocabulary``; ``Encoder`` is what is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple, Protocol


class Slot(Enum):
    """What a template is filled with."""

    CONTEXT = auto()  # the other files, each as ``Family.file``, behind ``Family.repository``
    HERE = auto()  # ``Family.here``: which file the cursor is in
    PREFIX = auto()
    SUFFIX = auto()
    NAME = auto()  # of the repository
    PATH = auto()  # of a file
    CODE = auto()  # of another file


class Mark(NamedTuple):
    """A sentinel: the text of an added token; ``other`` is how some tokenizers spell it."""

    text: str
    other: str = ""

    def id_in(self, added: Mapping[str, int]) -> int | None:
        """The sentinel's id, if the vocabulary has it."""
        found = added.get(self.text)
        return found if found is not None or not self.other else added.get(self.other)


Piece = Mark | Slot | str


class Backoff(Enum):
    """Where the prefix is cut in front of a sentinel (papers.md, 3.2)."""

    LINE = "line"  # where the cursor's line begins: nothing before it changes while it is typed
    IDENTIFIER = "identifier"  # where the identifier at the cursor begins
    NONE = "none"  # at the cursor, inside whatever token that is


class Encoder(Protocol):
    """What is asked of a vocabulary; ``encode`` takes text as content, never as a sentinel."""

    @property
    def token_bytes(self) -> Sequence[bytes]: ...

    @property
    def added(self) -> Mapping[str, int]: ...

    def encode(self, text: str) -> list[int]: ...


class File(NamedTuple):
    """Another file of the repository, or signatures of it."""

    path: str
    code: str


@dataclass(frozen=True, slots=True)
class Hole:
    """What is known around the cursor. ``files`` with the most useful first."""

    prefix: str
    suffix: str
    path: str = ""
    files: tuple[File, ...] = ()
    repository: str = ""


class Composed(NamedTuple):
    """A prompt: frozen ``ids``, then ``text``, which is what the middle goes on with.

    ``text[lead:]`` is the end of the prefix; ``above`` is what the ids hold of it.
    """

    ids: tuple[int, ...]
    text: str
    lead: int
    above: str


@dataclass(frozen=True, slots=True)
class Family:
    """One way to be asked. ``stops`` end the middle, the usual one first, as far as there are."""

    name: str
    template: tuple[Piece, ...]
    stops: tuple[Mark, ...] = ()
    begin: Mark | None = None
    repository: tuple[Piece, ...] = ()
    file: tuple[Piece, ...] = ()
    here: tuple[Piece, ...] = ()
    here_alone: bool = False  # whether the file's name is told without other files, too
    signs: tuple[str, ...] = ()  # added tokens that tell it from others with the same sentinels
    hint: str = ""  # what the model's name or type must contain, where nothing else tells
    spaced: bool = False  # whether SentencePiece put a blank in front of the prefix

    @property
    def infills(self) -> bool:
        """Whether the model sees what follows the cursor."""
        return Slot.SUFFIX in self.template

    @property
    def prefix_last(self) -> bool:
        """Whether the middle follows the prefix directly."""
        return self.template[-1] is Slot.PREFIX

    def fits(self, added: Mapping[str, int], hint: str) -> bool:
        """Whether a vocabulary has all the sentinels, and the signs of this family."""
        marks = [piece for piece in self.template if isinstance(piece, Mark)]
        marks += [self.begin] if self.begin else []
        known = all(mark.id_in(added) is not None for mark in marks)
        return known and self.hint in hint.lower() and all(sign in added for sign in self.signs)

    def ends(self, added: Mapping[str, int], others: Iterable[int] = ()) -> tuple[int, ...]:
        """The ids that end the middle: stops, sentinels, and ``others`` that the model names.

        The first is the one that the model was trained to end it with.
        """
        marks = [*self.stops, *(piece for piece in self.template if isinstance(piece, Mark))]
        found = [*(mark.id_in(added) for mark in marks), *others]
        return tuple(dict.fromkeys(one for one in found if one is not None))


def _psm(begin: Mark, middle: Mark, end: Mark) -> tuple[Piece, ...]:
    """Context, prefix, suffix, and behind the last sentinel the middle."""
    return (Slot.CONTEXT, begin, Slot.PREFIX, middle, Slot.SUFFIX, end)


def _wide(name: str) -> Mark:
    """A sentinel between DeepSeek's bars, which are as wide as an ideograph."""
    return Mark(f"<\uff5c{name}\uff5c>")


_PIPED = Mark("<|fim_prefix|>"), Mark("<|fim_suffix|>"), Mark("<|fim_middle|>")
_PLAIN = Mark("<fim_prefix>"), Mark("<fim_suffix>"), Mark("<fim_middle>")
_LLAMA = Mark("▁<PRE>", "<PRE>"), Mark("▁<SUF>", "<SUF>"), Mark("▁<MID>", "<MID>")
_LLAMA_ENDS = Mark("▁<EOT>", "<EOT>"), Mark("</s>")
_CODE_LINE: tuple[Piece, ...] = (Slot.PATH, "\n")

QWEN = Family(
    "qwen2.5-coder",
    _psm(*_PIPED),
    stops=tuple(
        map(
            Mark,
            ("<|endoftext|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>"),
        )
    ),
    repository=(Mark("<|repo_name|>"), Slot.NAME, "\n"),
    file=(Mark("<|file_sep|>"), Slot.PATH, "\n", Slot.CODE, "\n"),
    here=(Mark("<|file_sep|>"), *_CODE_LINE),
    signs=("<|file_sep|>", "<|repo_name|>"),
)
STARCODER2 = Family(
    "starcoder2",
    (Slot.CONTEXT, _PLAIN[0], Slot.HERE, Slot.PREFIX, _PLAIN[1], Slot.SUFFIX, _PLAIN[2]),
    stops=(Mark("<|endoftext|>"), Mark("<file_sep>"), Mark("<repo_name>"), Mark("<fim_pad>")),
    repository=(Mark("<repo_name>"), Slot.NAME),
    file=(Mark("<file_sep>"), Slot.PATH, "\n", Slot.CODE),
    here=_CODE_LINE,
    signs=("<file_sep>", "<repo_name>"),
)
STARCODER = Family(
    "starcoder",
    _psm(*_PLAIN),
    stops=(Mark("<|endoftext|>"), Mark("<filename>"), Mark("<reponame>"), Mark("<fim_pad>")),
)
GRANITE = replace(STARCODER, name="granite-code", hint="granite")
MELLUM = Family(
    "mellum",
    (Slot.CONTEXT, Slot.HERE, _PLAIN[1], Slot.SUFFIX, _PLAIN[0], Slot.PREFIX, _PLAIN[2]),
    stops=(Mark("<|endoftext|>"), Mark("<filename>"), Mark("<fim_pad>")),
    file=(Mark("<filename>"), Slot.PATH, "\n", Slot.CODE),
    here=(Mark("<filename>"), *_CODE_LINE),
    here_alone=True,
    signs=("<filename>",),
    hint="mellum",
)
CODE_LLAMA = Family(
    "code-llama",
    (_LLAMA[0], _LLAMA[1], Slot.SUFFIX, _LLAMA[2], Slot.CONTEXT, Slot.HERE, Slot.PREFIX),
    stops=_LLAMA_ENDS,
    begin=Mark("<s>"),
    file=("# ", Slot.PATH, "\n", Slot.CODE, "\n"),
    here=("# ", *_CODE_LINE),
    spaced=True,
)
CODE_LLAMA_PSM = replace(
    CODE_LLAMA,
    name="code-llama-psm",
    template=(
        _LLAMA[0],
        Slot.CONTEXT,
        Slot.HERE,
        Slot.PREFIX,
        _LLAMA[1],
        Slot.SUFFIX,
        _LLAMA[2],
    ),
)
DEEPSEEK = Family(
    "deepseek-coder",
    (
        _wide("fim▁begin"),
        Slot.CONTEXT,
        Slot.HERE,
        Slot.PREFIX,
        _wide("fim▁hole"),
        Slot.SUFFIX,
        _wide("fim▁end"),
    ),
    stops=(_wide("end▁of▁sentence"), Mark("<|EOT|>")),
    begin=_wide("begin▁of▁sentence"),
    file=("#", Slot.PATH, "\n", Slot.CODE, "\n"),
    here=("#", *_CODE_LINE),
)
CODESTRAL = Family(
    "codestral",
    (Mark("[SUFFIX]"), Slot.SUFFIX, Mark("[PREFIX]"), Slot.CONTEXT, Slot.HERE, Slot.PREFIX),
    stops=(Mark("</s>"), Mark("[MIDDLE]")),
    begin=Mark("<s>"),
    file=("+++++ ", Slot.PATH, "\n", Slot.CODE, "\n"),
    here=("+++++ ", *_CODE_LINE),
    spaced=True,
)
CODE_GEMMA = Family(
    "codegemma",
    _psm(*_PIPED),
    stops=(Mark("<|file_separator|>"), Mark("<eos>")),
    begin=Mark("<bos>"),
    file=(Slot.PATH, "\n", Slot.CODE, Mark("<|file_separator|>")),
    here=_CODE_LINE,
    signs=("<|file_separator|>",),
)
GRANITE4 = Family(
    "granite-4",
    _psm(*_PIPED),
    stops=(Mark("<|end_of_text|>"), Mark("<|fim_pad|>")),
    signs=("<|end_of_text|>",),
)
PREFIX_ONLY = Family(
    "prefix-only",
    (Slot.CONTEXT, Slot.HERE, Slot.PREFIX),
    stops=(
        *map(Mark, ("<|endoftext|>", "</s>", "<eos>", "<|end_of_text|>")),
        _wide("end▁of▁sentence"),
    ),
    file=("# ", Slot.PATH, "\n", Slot.CODE, "\n"),
    here=("# ", *_CODE_LINE),
)

FAMILIES = (
    CODE_LLAMA,
    CODE_LLAMA_PSM,
    DEEPSEEK,
    CODESTRAL,
    CODE_GEMMA,
    GRANITE4,
    QWEN,
    STARCODER2,
    MELLUM,
    GRANITE,
    STARCODER,
    PREFIX_ONLY,
)
"""All that are known; where several fit a model, the first is taken."""


def detect(added: Mapping[str, int], hint: str = "") -> Family:
    """The family of a model by its added tokens; ``PREFIX_ONLY`` where nothing is known.

    ``hint`` is its name and the type of its configuration: three families share StarCoder's
    vocabulary.
    """
    return next(family for family in FAMILIES if family.fits(added, hint))


def named(name: str) -> Family:
    """The family of this name. Raises ValueError that lists the names."""
    for family in FAMILIES:
        if family.name == name:
            return family
    known = ", ".join(family.name for family in FAMILIES)
    raise ValueError(f"there is no family {name}; there are: {known}")


_IDENTIFIER = re.compile(r"[^\W\d]\w*\Z")


def backed_off(prefix: str, backoff: Backoff) -> int:
    """Where in the prefix the sentinel comes: what stands behind it is text to go on with."""
    if backoff is Backoff.NONE:
        return len(prefix)
    if backoff is Backoff.LINE:
        return max(prefix.rfind("\n"), prefix.rfind("\r")) + 1
    found = _IDENTIFIER.search(prefix)
    return found.start() if found else len(prefix)


def compose(
    family: Family,
    encoder: Encoder,
    hole: Hole,
    *,
    blank: bool = False,
    backoff: Backoff = Backoff.LINE,
) -> Composed:
    """The prompt for a hole, all of it: ``completion.model.infilling`` makes it fit a window.

    ``blank``: the tokenizer is one that put a blank in front of texts in training. Raises
    ValueError where the vocabulary lacks a sentinel of the family.
    """
    cut = len(hole.prefix) if family.prefix_last else backed_off(hole.prefix, backoff)
    above = "" if family.prefix_last else hole.prefix[:cut]
    begins = [" "] if family.spaced and blank else []
    filled: list[Mark | str] = [family.begin] if family.begin else []
    for piece in family.template:
        if not isinstance(piece, Slot):
            filled.append(piece)
        elif piece is Slot.SUFFIX:
            filled.append(hole.suffix)
        elif text := _before(family, piece, hole, cut):
            if not filled or isinstance(filled[-1], Mark):
                filled += begins
            filled += text
    return _encoded(family, encoder, filled, hole.prefix, above)


def _before(family: Family, slot: Slot, hole: Hole, cut: int) -> list[Mark | str]:
    """What fills a slot in front of the cursor."""
    if slot is Slot.PREFIX:
        return [hole.prefix[:cut]]
    return _context(family, hole) if slot is Slot.CONTEXT else _here(family, hole)


def _encoded(
    family: Family, encoder: Encoder, filled: Sequence[Mark | str], prefix: str, above: str
) -> Composed:
    """Ids up to the last sentinel; runs of text between sentinels are encoded as one."""
    ids: list[int] = []
    run = ""
    for piece in filled:
        if isinstance(piece, str):
            run += piece
            continue
        ids += encoder.encode(run) if run else []
        run = ""
        ids.append(_id(family, encoder.added, piece))
    rest = prefix[len(above) :]
    text = run if family.prefix_last else run + rest
    return Composed(tuple(ids), text, len(text) - len(rest), above)


def _id(family: Family, added: Mapping[str, int], mark: Mark) -> int:
    found = mark.id_in(added)
    if found is None:
        raise ValueError(f"the vocabulary has no {mark.text}, which {family.name} needs")
    return found


def _context(family: Family, hole: Hole) -> list[Mark | str]:
    if not hole.files or not family.file:
        return []
    filled = _fill(family.repository, hole.repository or "repository", "", "")
    for file in hole.files:
        filled += _fill(family.file, "", file.path, file.code.rstrip("\n"))
    if Slot.HERE not in family.template:
        filled += _here(family, hole)
    return filled


def _here(family: Family, hole: Hole) -> list[Mark | str]:
    told = bool(hole.path) and (family.here_alone or bool(hole.files))
    return _fill(family.here, "", hole.path, "") if told else []


def _fill(pieces: Iterable[Piece], name: str, path: str, code: str) -> list[Mark | str]:
    values = {Slot.NAME: name, Slot.PATH: path, Slot.CODE: code}
    return [values[piece] if isinstance(piece, Slot) else piece for piece in pieces]
