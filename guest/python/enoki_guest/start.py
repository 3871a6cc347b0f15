"""The command line of `main.py`: one instance, or a fork server for many."""

import sys
from _signal import SIG_IGN, SIGINT, signal
from _socket import socket


def start(root, arguments):
    """Runs what the arguments say on the inherited file descriptor; never returns."""
    options = _parse(arguments)
    _add_site_builtins()
    # Ctrl-C goes to the whole terminal group; the node decides when its instances end.
    signal(SIGINT, SIG_IGN)
    sock = socket(fileno=int(options.get("--fd", "3")))
    sock.setblocking(True)
    _close_on_exec(sock.fileno())
    # Everything that a function is likely to need is imported before there is a function.
    import kv  # noqa: F401

    from . import instance

    # why: the first compilation in a process costs 2 ms; it must not be that of the function.
    compile("def call(i): return i", "<warm-up>", "exec")
    if "--fork-server" in options:
        from .fork_server import serve_forks

        serve_forks(sock, root, [name for name in options.get("--preload", "").split(",") if name])
    else:
        instance.live(sock, root)


def _parse(arguments):
    options = {}
    index = 0
    while index < len(arguments):
        name = arguments[index]
        if name == "--fork-server":
            options[name] = ""
        elif name in ("--fd", "--preload") and index + 1 < len(arguments):
            index += 1
            options[name] = arguments[index]
        else:
            sys.exit(f"main.py: unexpected argument {name}")
        index += 1
    return options


def _close_on_exec(fd):
    import os

    os.set_inheritable(fd, False)


def _add_site_builtins():
    """`exit` and `quit`, which `-S` leaves out."""
    import builtins

    if not hasattr(builtins, "exit"):
        from _sitebuiltins import Quitter

        builtins.exit = Quitter("exit", "Ctrl-D")
        builtins.quit = Quitter("quit", "Ctrl-D")
