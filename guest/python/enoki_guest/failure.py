"""What the node is told when a function fails."""

import os

_GUEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_MESSAGE_CHARS_MAX = 8 * 1024
_TRACEBACK_CHARS_MAX = 64 * 1024


class InvalidInput(Exception):
    """The body does not fit its content type."""

    code = "ENOKI_INVALID_INPUT"


class InvalidResult(Exception):
    """The function returned something that is no response."""

    code = "ENOKI_INVALID_RESULT"


class OutputTooLarge(Exception):
    """The function returned more than it may."""

    code = "ENOKI_OUTPUT_TOO_LARGE"


class NoHandler(Exception):
    """The function's module has no handler."""

    code = "ENOKI_NO_ENTRY"


def describe(error, code, has_read=False):
    """The JSON payload of FAILED and LOAD_FAILED for an exception; `has_read`: of a call that read the store's file."""
    from json import dumps

    if isinstance(error, (InvalidInput, InvalidResult, OutputTooLarge, NoHandler)):
        code = error.code
    elif type(error).__module__ == "kv" and getattr(error, "code", None) == "ENOKI_DISK_FULL":
        # The node's trouble, not the function's.
        code = error.code
    try:
        message = str(error)
    except Exception:
        message = "(the exception has no text: its __str__ failed)"
    return dumps(
        {
            "errorType": type(error).__name__,
            "message": message[:_MESSAGE_CHARS_MAX],
            "traceback": _traceback(error)[-_TRACEBACK_CHARS_MAX:],
            "code": code,
            "hasRead": has_read,
        }
    ).encode()


def _traceback(error):
    """The traceback without the frames that are ours or the import machinery's."""
    from traceback import TracebackException

    try:
        report = TracebackException(type(error), error, error.__traceback__)
        _strip(report, set())
        return "".join(report.format())
    except Exception:
        return type(error).__name__ + "\n"


def _strip(report, seen):
    if report is None or id(report) in seen:
        return
    seen.add(id(report))
    kept = [entry for entry in report.stack if not _is_ours(entry.filename)]
    report.stack[:] = kept
    _strip(report.__cause__, seen)
    _strip(report.__context__, seen)
    for nested in getattr(report, "exceptions", None) or ():
        _strip(nested, seen)


def _is_ours(filename):
    return filename.startswith(_GUEST) or filename.startswith("<frozen importlib")
