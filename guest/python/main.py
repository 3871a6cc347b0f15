"""Entry of a Python instance and of the fork server; `docs/internals/function-channel.md` says what they speak.

    python -I -S main.py --fd 3
    python -I -S main.py --fork-server --fd 3 [--preload MODULE,…]
"""

import sys

if __name__ == "__main__":
    root = __file__.rpartition("/")[0] or "."
    sys.path.insert(0, root)
    sys.path.insert(1, root + "/lib")
    from enoki_guest.start import start

    start(root, sys.argv[1:])
