"""Where a text stops, and all that a model says of what follows: the exact bytes as a library.

``Behind`` joins a model, a prompt laid out for it and the cache of its trunk, so that the three
questions of ``bytelm`` and ``continuations`` are one line each: which byte comes next, how likely a
text is, what could be written. docs/exact-bytes.md has the mathematics and an example.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from completion import continuations
from completion.boundary import Boundary, boundary
from completion.bytelm import ByteStream
from completion.continuations import Continuation, Finished, Permits
from completion.decoding import CHUNK, Session, append, read
from completion.fim import Layout, lay_out
from completion.request import Prompt
from completion.tree import CanonicalModel, TokenTree


class Asked(Protocol):
    """A model with a manner of its own to lay prompts out: ``model.guest.Guest``."""

    @property
    def model(self) -> CanonicalModel: ...

    def lay_out(self, prompt: Prompt, path: str, last: Any) -> tuple[Layout, Any]:  # noqa: ANN401
        """The prompt's tokens, and what a session would hand in with its next prompt."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The place behind a prompt. What is asked of it changes nothing: ask as often as you like.

    ``session`` keeps what was read of the trunk. Not for several threads at once.
    """

    model: CanonicalModel
    layout: Layout
    session: Session = field(compare=False, repr=False)

    @classmethod
    def of(
        cls, asked: CanonicalModel | Asked, prefix: str, suffix: str = "", path: str = ""
    ) -> Behind:
        """Lay out ``prefix``, with ``suffix`` as the text behind the cursor.

        A `CanonicalModel` is the shipped CodeFill or another of its format, prompted as it was
        trained; others are a ``Guest``, prompted as their family is, in the file ``path``. Raises
        ValueError on lone surrogates and, of a guest, for text that its vocabulary would change.
        """
        prompt = Prompt("", suffix, prefix)
        if isinstance(asked, CanonicalModel):
            return cls(asked, lay_out(asked, prompt, None)[0], Session(asked.cache()))
        layout, _ = asked.lay_out(prompt, path, None)
        return cls(asked.model, layout, Session(asked.model.cache()))

    def stream(self, floor: float = 0.0) -> ByteStream:
        """A stream of its own that has read the prompt: its next byte is the first behind it.

        ``floor`` as in `ByteStream`. Raises BytesError where no tokens spell the prompt's end.
        """
        values, states = self.layout.values[:-1], self.layout.states[:-1]
        cache = self.model.cache()
        with torch.inference_mode():
            for begin in range(0, len(values), CHUNK):
                part = slice(begin, begin + CHUNK)
                append(self.model, cache, values[part], states[part])
        found = ByteStream(self.model, cache, self.layout.place, self.layout.states[-1], floor)
        for byte in self.layout.tail:
            found.push(byte)
        return found

    @torch.inference_mode()
    def boundary(self) -> tuple[TokenTree, Boundary]:
        """Every token at or across the cursor, and the tree that they stand in.

        Both are void once something else is asked. Raises ValueError where no tokens spell the
        prompt's end.
        """
        tree, root, _ = read(self.model, self.session, self.layout, lambda: False)
        return tree, boundary(tree, root, self.layout.tail)

    @torch.inference_mode()
    def sample(
        self, finished: Finished, most: int, generator: torch.Generator | None = None
    ) -> Continuation:
        """Draw what follows, as ``continuations.sample`` does. Raises as `boundary` does."""
        tree, found = self.boundary()
        return continuations.sample(tree, found, finished, most, generator)

    @torch.inference_mode()
    def likeliest(
        self,
        finished: Finished,
        *,
        count: int,
        most: int,
        beams: int = continuations.BEAMS,
        permits: Permits | None = None,
    ) -> list[Continuation]:
        """The likeliest texts, as ``continuations.likeliest`` finds them. Raises as `boundary`."""
        tree, found = self.boundary()
        return continuations.likeliest(
            tree, found, finished, count=count, most=most, beams=beams, permits=permits
        )
