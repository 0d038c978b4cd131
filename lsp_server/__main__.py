"""``python -I -X utf8 -m lsp_server --stdio``: the language server."""

import gc
import sys

OLDEST = (3, 11)


def too_old(version: "tuple[int, ...]") -> "str | None":
    """What to do where Python is too old for the server; None where it is not."""
    if version >= OLDEST:
        return None
    found, needed = (".".join(map(str, each[:2])) for each in (version, OLDEST))
    return (
        f"Lancefill cannot start: {sys.executable} is Python {found}, and {needed} or later is "
        "needed. Install Lancefill for a newer Python."
    )


def incomplete(error: ImportError) -> str:
    """What to do where something of the installation cannot be imported."""
    return (
        f"Lancefill cannot start: {error}. The installation in {sys.prefix} is not whole: install "
        "Lancefill there again, then restart the server."
    )


def run() -> int:
    """Serve one editor; what keeps the server from starting is said in one line on stderr."""
    if (problem := too_old(sys.version_info[:3])) is not None:
        sys.exit(problem)
    gc.disable()  # what imports make is never garbage; `leave_garbage_to_pauses` switches it on
    try:
        from lsp_server.server import main
    except ImportError as error:
        sys.exit(incomplete(error))
    return main()


if __name__ == "__main__":
    sys.exit(run())
