"""Run a command that dies at its first internet socket: ``python offline.py COMMAND...`` (Linux).

The kernel's filter of system calls (seccomp) is inherited by every process that the command starts,
and cannot be taken off. ``socket`` with AF_INET or AF_INET6 kills the process with SIGSYS.
"""

from __future__ import annotations

import ctypes
import os
import platform
import socket
import struct
import sys

ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""The kernel's number of the architecture, and its number of the system call ``socket``."""

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2


def program(architecture: int, call: int) -> bytes:
    """The filter: ``(operation, jump if true, jump if false, operand)`` each."""
    instructions = (
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 0, 6, architecture),  # another architecture's calls: killed
        (LOAD, 0, 0, NUMBER),
        (EQUAL, 0, 3, call),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (EQUAL, 2, 0, socket.AF_INET),
        (EQUAL, 1, 0, socket.AF_INET6),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, KILL),
    )
    return b"".join(struct.pack("=HBBI", *each) for each in instructions)


def go_offline() -> None:
    """Put this process, and all that it starts, under the filter; OSError where that fails."""
    code = program(*ARCHITECTURES[platform.machine()])
    buffer = ctypes.create_string_buffer(code, len(code))
    described = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(buffer))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    pointer = ctypes.create_string_buffer(described, len(described))
    word = ctypes.c_ulong
    if prctl(PR_SET_NO_NEW_PRIVS, word(1), word(0), word(0), word(0)) or prctl(
        PR_SET_SECCOMP, word(FILTER), ctypes.byref(pointer), word(0), word(0)
    ):
        raise OSError(ctypes.get_errno(), "the filter was refused")


if __name__ == "__main__":
    go_offline()
    os.execv(sys.argv[1], sys.argv[1:])
