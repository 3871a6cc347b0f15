"""Tries one thing that a sandbox must not allow; answers `did it` or `refused: WHY`."""

import ctypes
import os
import signal
import socket

libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def read(path):
    with open(path, "rb") as file:
        file.read(16)


def write(path):
    with open(path, "ab") as file:
        file.write(b"#")


def connect(port):
    socket.create_connection(("127.0.0.1", int(port)), timeout=2).close()


def unix(path):
    socket.socket(socket.AF_UNIX).connect(path)


def send_signal(pid):
    os.kill(int(pid), signal.SIGTERM)


def trace(pid):
    check(libc.ptrace(0x4206, int(pid), None, None))  # PTRACE_SEIZE, which does not stop it


def mount(path):
    check(libc.mount(b"none", path.encode(), b"tmpfs", 0, None))


def namespace(_):
    check(libc.unshare(0x10000000 | 0x00020000))  # CLONE_NEWUSER | CLONE_NEWNS


def allocate(size):
    held = bytearray(int(size))
    for at in range(0, len(held), 4096):
        held[at] = 1


def bomb(seconds):
    children = 0
    try:
        for _ in range(2000):
            if os.fork() == 0:
                os.execvp("sleep", ["sleep", seconds])
            children += 1
    except OSError as error:
        raise OSError(f"after {children}: {error}") from None


def spin(_):
    while True:
        pass


def stubborn(seconds):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", seconds])
    spin(None)


ATTACKS = {
    "read": read,
    "list": os.listdir,
    "write": write,
    "remove": os.remove,
    "connect": connect,
    "unix": unix,
    "signal": send_signal,
    "trace": trace,
    "mount": mount,
    "namespace": namespace,
    "allocate": allocate,
    "fill": lambda size: write_much(int(size)),
    "bomb": bomb,
    "spin": spin,
    "stubborn": stubborn,
}


def write_much(size):
    with open(os.environ["TMPDIR"] + "/fill", "wb") as file:
        for _ in range(size >> 20):
            file.write(b"x" * (1 << 20))
            file.flush()


def call(i: str) -> str:
    name, _, argument = i.partition(" ")
    try:
        ATTACKS[name](argument)
    except OSError as error:
        return f"refused: {error}"
    return "did it"
