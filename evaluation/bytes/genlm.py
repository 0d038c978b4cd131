"""genlm-bytes, the byte-level beam of Vieira et al. (ICML 2025), over the same network.

Its own backend for transformers asks the model under the names of older releases and computes the
whole prompt anew for every token; here it gets a backend that it can only gain from: the prompt's
trunk is cached, every round of contexts is scored in one pass, and the mass is on canonical
sequences, so that its beam and the exact boundary sum up the same thing. The beam begins behind the
trunk and is given the bytes of the open pre-token.

The package is optional: ``peers.txt`` beside this file lists it with what it cannot be imported
without, to be installed with ``--no-deps``, for it names torch of its own choice and more.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from completion.boundary import in_identifier
from completion.model.tokenizer import SPECIALS
from completion.tree import MAX_NODES, TokenTree
from evaluation.bytes.bench import Bench, Cursor
from indexing.cache import cache_root

if TYPE_CHECKING:
    from evaluation.bytes.arms import Stop

NAME = "genlm-bytes"
REQUIREMENTS = Path(__file__).with_name("peers.txt")
BEAMS = (4, 16)
END_OF_TEXT = 257
"""genlm-bytes' own number for the end of the text among the bytes."""

MOST_BYTES = 40
"""Bytes of one text at most: each costs a pass over up to as many contexts as the beam is wide."""

FLOOR = -80.0
"""The least log-probability that it is told: of tokens that cannot come it would subtract
infinities, and one state without a number spoils the order of its beam."""

INSTALL_S = 900


class PeerError(Exception):
    """The package cannot be had; the message says why and what to do."""


def folder() -> Path:
    """Where `install` puts the packages; another list is another folder."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return cache_root() / "peers" / f"genlm-{digest}"


def install() -> None:
    """Install the pinned list into a folder of its own, without dependencies. Raises PeerError."""
    flags = ("--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade")
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", str(folder())]
    done = subprocess.run(
        [*command, "--requirement", str(REQUIREMENTS)],
        capture_output=True, text=True, timeout=INSTALL_S, check=False,
    )  # fmt: skip
    if done.returncode:
        shutil.rmtree(folder(), ignore_errors=True)
        last = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
        raise PeerError(f"genlm-bytes cannot be installed: {last}")


def imported() -> Any:  # noqa: ANN401 - a package without types
    """The package, from this environment or from `folder`. Raises PeerError where it is absent."""
    place = str(folder())
    if Path(place).is_dir() and place not in sys.path:
        sys.path.append(place)  # behind ours: what both hold is taken from this environment
    try:
        return importlib.import_module("genlm.bytes")
    except ImportError as error:
        raise PeerError(
            f"genlm-bytes is not installed ({error}): run the command with --install-peers"
        ) from error


class _Backend:
    """What genlm-bytes asks of a language model, answered from one tree behind a cached trunk."""

    def __init__(self, bench: Bench) -> None:
        module = importlib.import_module("genlm.backend.tokenization")
        self._bench = bench
        self.byte_vocab = [
            module.Token(token_id=token, byte_string=data or _unwritable(token))
            for token, data in enumerate(bench.tokenizer.token_bytes)
        ]

    def open(self, at: Cursor) -> list[int]:
        """Go to a cursor; returns its trunk, the context to begin with."""
        self._at = at
        self._rows: dict[tuple[int, ...], Tensor] = {}
        self._waiting: list[tuple[int, ...]] = []
        self._plant()
        return list(at.layout.values)

    async def next_token_logprobs(self, context: Sequence[int]) -> Tensor:
        """(V,) float32 log-probabilities; contexts that wait together are scored together."""
        key = tuple(context[len(self._at.layout.values) :])
        if key not in self._rows:
            self._waiting.append(key)
            await asyncio.sleep(0)
            if key not in self._rows:
                self._score()
        return self._rows[key]

    def _plant(self) -> None:
        self._tree: TokenTree
        self._tree, self._root = self._bench.read(self._bench.exact, self._at.layout)

    def _score(self) -> None:
        keys, self._waiting = list(dict.fromkeys(self._waiting)), []
        longest = max(map(len, keys))
        if len(self._tree) + len(keys) * longest > MAX_NODES:
            self._plant()
        nodes = []
        for key in keys:
            node = self._root
            for token in key:
                node = self._tree.add(node, token)
            nodes.append(node)
        for key, row in zip(keys, self._tree.score(nodes), strict=True):
            self._rows[key] = row.float().clamp(min=FLOOR)


def _unwritable(token: int) -> bytes:
    """Bytes that no text holds, for the sentinels: genlm-bytes knows tokens by what they spell."""
    return b"\xff" + SPECIALS[token].encode()


class GenlmBytes:
    """The arm, with a beam of ``width`` contexts and no threshold: as exact as it can be."""

    def __init__(self, bench: Bench, width: int, runner: asyncio.Runner) -> None:
        package = imported()
        states = importlib.import_module("genlm.bytes.byte_lm.trie_state")
        contexts = importlib.import_module("genlm.bytes.byte_lm.lm_state")
        self.name = f"{NAME} K={width}"
        self._bench, self._runner = bench, runner
        self._backend = _Backend(bench)
        end = _unwritable(bench.tokenizer.end)
        self._params = package.BeamParams(K=width, eos_byte_strings=[end])
        self._trie = runner.run(_trie(self._backend.byte_vocab, end))
        self._first_state, self._first_context = states.LazyTrieState, contexts.StatefulTokenizedLM
        self._beam = package.ByteBeamState

    def begin(self, at: Cursor) -> tuple[float, NDArray[np.float64]]:
        """(log P(tail | trunk), (257,) log-probabilities of the next byte, the last of the end)."""
        return self._runner.run(self._begin(at))

    def next_byte(self, at: Cursor) -> NDArray[np.float64]:
        """(257,) log-probabilities of the next byte; the last is that of the end."""
        return self.begin(at)[1]

    def write(self, at: Cursor, stop: Stop, most_tokens: int) -> bytes | None:
        """The likeliest byte, again and again, at most `MOST_BYTES`."""
        return self._runner.run(self._write(at, stop, min(most_tokens, MOST_BYTES)))

    def log_prob(self, at: Cursor, rest: bytes) -> float | None:
        """log P(``rest``, then no identifier byte) by the weights of its beam."""
        return self._runner.run(self._log_prob(at, rest))

    async def _prefilled(self, at: Cursor) -> Any:  # noqa: ANN401
        context = self._first_context.initial(self._backend, self._backend.open(at))
        state = self._first_state(
            lm_state=context, trie=self._trie, node=self._trie.trie.root, weight=0.0
        )
        with torch.no_grad(), np.errstate(divide="ignore", invalid="ignore"):
            beam = self._beam([await state.materialize()], self._params)
            return await beam.prefill(at.layout.tail)

    async def _begin(self, at: Cursor) -> tuple[float, NDArray[np.float64]]:
        beam = await self._prefilled(at)
        return float(beam.logZ), await self._following(beam)

    async def _following(self, beam: Any) -> NDArray[np.float64]:  # noqa: ANN401
        with torch.no_grad(), np.errstate(divide="ignore", invalid="ignore"):
            found = (await beam.logp_next()).ps
        # 256 is the end of a token there, which is none of ours.
        return np.append(found[:256], found[END_OF_TEXT]).astype(np.float64)

    async def _step(self, beam: Any, byte: int) -> Any:  # noqa: ANN401
        with torch.no_grad(), np.errstate(divide="ignore", invalid="ignore"):
            return await (beam.prune() << byte)

    async def _write(self, at: Cursor, stop: Stop, most: int) -> bytes:
        beam = await self._prefilled(at)
        written = b""
        for _ in range(most):
            byte = int((await self._following(beam)).argmax())
            if byte == 256:
                break
            written += bytes((byte,))
            if stop(written):
                break
            beam = await self._step(beam, byte)
        return written

    async def _log_prob(self, at: Cursor, rest: bytes) -> float:
        beam = await self._prefilled(at)
        before = float(beam.logZ)
        for byte in rest:
            beam = await self._step(beam, byte)
            if not len(beam):
                return float("-inf")
        following = await self._following(beam)
        outside = [byte for byte in range(256) if not in_identifier(byte)]
        return float(beam.logZ) - before + float(np.logaddexp.reduce(following[[*outside, 256]]))


async def _trie(vocabulary: Sequence[Any], end: bytes) -> Any:  # noqa: ANN401
    tries = importlib.import_module("genlm.bytes.trie")
    with warnings.catch_warnings():  # torch's, of its sparse matrices
        warnings.simplefilter("ignore", UserWarning)
        return tries.AsyncTokenByteTrie.from_vocab(vocabulary, eos_byte_strings=[end], device="cpu")


def arms(bench: Bench, runner: asyncio.Runner) -> list[GenlmBytes]:
    """One arm for each width of the beam. Raises PeerError where the package is absent."""
    return [GenlmBytes(bench, width, runner) for width in BEAMS]
