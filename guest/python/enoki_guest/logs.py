"""`sys.stdout` and `sys.stderr` of a function: lines go to the node, marked with the call that wrote them."""

import io
import os

from .protocol import LOG, LOG_COUNTED, LOG_HEAD, STDERR, STDOUT

_PARTIAL_CHARS_MAX = 64 * 1024
_FRAME_CHARS_MAX = 1024 * 1024


class LogStream(io.TextIOBase):
    """A text stream that sends whole lines at once and the rest when its call ends."""

    def __init__(self, channel, number):
        self._channel = channel
        self._number = number
        self._partial = {}  # call id → text without its line end
        self.buffer = _LogBytes(self)

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True

    @property
    def name(self):
        return "<stdout>" if self._number == STDOUT else "<stderr>"

    @property
    def mode(self):
        return "w"

    def writable(self):
        return True

    def isatty(self):
        return False

    def fileno(self):
        return self._number

    def reconfigure(self, **_options):
        """Accepted for programs that set an encoding; lines stay UTF-8."""

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = self._channel.call_id()
        size = len(text)
        end = text.rfind("\n") + 1
        if self._partial:
            before = self._partial.pop(call, "")
            if before:
                text = before + text
                end = end and end + len(before)
        if end:
            self._send(call, text[:end])
        if end < len(text):
            rest = text[end:]
            if len(rest) > _PARTIAL_CHARS_MAX:
                self._send(call, rest)
            else:
                self._partial[call] = rest
        return size

    def flush(self):
        if self._partial:
            self.end_call(self._channel.call_id())

    def end_call(self, call):
        """Sends what `call` has written since its last line end."""
        rest = self._partial.pop(call, "")
        if rest:
            self._send(call, rest)

    def _send(self, call, text):
        if self._channel.abandoned:
            os.write(self._number, text.encode("utf-8", "backslashreplace"))
            return
        for start in range(0, len(text), _FRAME_CHARS_MAX):
            data = text[start : start + _FRAME_CHARS_MAX].encode("utf-8", "backslashreplace")
            self._channel.send(LOG_HEAD.pack(LOG_COUNTED + len(data), LOG, call, self._number) + data)


class _LogBytes(io.RawIOBase):
    """`sys.stdout.buffer`: bytes written there are taken as UTF-8 text."""

    def __init__(self, text):
        self._text = text

    def writable(self):
        return True

    def fileno(self):
        return self._text.fileno()

    def write(self, data):
        data = bytes(data)
        self._text.write(data.decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self):
        self._text.flush()


class Logs:
    """Both streams, put in the place of the process's own."""

    def __init__(self, channel):
        self._out = LogStream(channel, STDOUT)
        self._err = LogStream(channel, STDERR)

    def install(self):
        import sys

        sys.stdout = sys.__stdout__ = self._out
        sys.stderr = sys.__stderr__ = self._err

    def end_call(self, call):
        if self._out._partial:
            self._out.end_call(call)
        if self._err._partial:
            self._err.end_call(call)
