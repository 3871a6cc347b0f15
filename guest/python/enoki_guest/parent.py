"""Asks the kernel to end this process together with its parent (Linux only; elsewhere nothing happens)."""

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9

_prctl = None


def prepare():
    """Loads what `die_with_parent` needs, so that a forked child does not have to."""
    global _prctl
    if _prctl is not None:
        return
    try:
        import ctypes

        _prctl = ctypes.CDLL(None).prctl
    except (ImportError, AttributeError, OSError):
        _prctl = _no_prctl


def die_with_parent():
    """From now on SIGKILL follows the death of the parent."""
    prepare()
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _no_prctl(*_):
    return -1
