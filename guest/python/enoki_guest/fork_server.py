"""A process that has everything imported and forks an instance in a millisecond or two.

It has one thread, or forking would not be safe. It holds a control channel to the node and outlives none of it:
when that channel ends, it kills every process group it made.
"""

import gc
import os
import select
import signal
import sys
from _socket import AF_UNIX, SOCK_STREAM, socket
from json import dumps, loads

from . import instance, parent
from .protocol import COUNTED, FRAME_BYTES_MAX, HEADER, HEADER_SIZE

# Type of the frames on the control channel; their payload is JSON.
_CONTROL = 0x01


def serve_forks(sock, root, preload):
    """Obeys the node at the other end of `sock`; never returns, except in children, which never return either."""
    _preload(preload)
    parent.prepare()
    _ForkServer(sock, root).run()


def _preload(names):
    """Imports modules for all instances to come, and moves what exists out of the reach of their collectors."""
    for name in names:
        try:
            __import__(name)
        except Exception as error:
            print(f"cannot preload {name}: {error}", file=sys.stderr)
    gc.collect()
    gc.freeze()


class _ForkServer:
    def __init__(self, sock, root):
        self._sock = sock
        self._root = root
        self._children = set()
        self._buffer = b""

    def run(self):
        self._alarm, self._alarm_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._alarm_in, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        poll.register(self._alarm, select.POLLIN)
        self._report({"event": "ready", "pid": os.getpid()})
        while True:
            for fd, _ in poll.poll():
                if fd == self._alarm:
                    os.read(self._alarm, 4096)
                    self._reap()
                else:
                    self._read()

    def _read(self):
        try:
            chunk = self._sock.recv(64 * 1024)
        except OSError:
            chunk = b""
        if not chunk:
            self._end()
        self._buffer += chunk
        while len(self._buffer) >= HEADER_SIZE:
            length, _, _ = HEADER.unpack_from(self._buffer)
            if length > FRAME_BYTES_MAX:
                self._end()
            if len(self._buffer) < 4 + length:
                return
            message = loads(self._buffer[HEADER_SIZE : 4 + length])
            self._buffer = self._buffer[4 + length :]
            self._obey(message)

    def _obey(self, message):
        if message["op"] == "fork":
            self._fork(message)
        elif message["op"] == "kill" and message["pid"] in self._children:
            _kill_group(message["pid"], message["signal"])
        elif message["op"] == "preload":
            _preload(message["modules"])

    def _fork(self, message):
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._report({"event": "failed", "id": message["id"], "message": str(error)})
            return
        if pid == 0:
            try:
                self._become_instance(message, server)
            except BaseException as error:
                sys.excepthook(type(error), error, error.__traceback__)
            finally:
                os._exit(70)
        self._children.add(pid)
        self._report({"event": "forked", "id": message["id"], "pid": pid})

    def _become_instance(self, message, server):
        os.setsid()
        parent.die_with_parent()
        if os.getppid() != server:  # it died before the kernel was asked
            os._exit(0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._alarm)
        os.close(self._alarm_in)
        self._sock.close()
        sock = socket(AF_UNIX, SOCK_STREAM)
        sock.connect(message["socket"])
        sock.sendall(message["token"].encode() + b"\n")
        instance.live(sock, self._root)

    def _reap(self):
        while self._children:
            try:
                # why: while the child is not reaped yet, its id cannot be given to somebody else.
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            # What the instance started dies with it.
            _kill_group(ended.si_pid, signal.SIGKILL)
            os.waitpid(ended.si_pid, 0)
            self._children.discard(ended.si_pid)
            exited = ended.si_code == os.CLD_EXITED
            self._report(
                {
                    "event": "exited",
                    "pid": ended.si_pid,
                    "code": ended.si_status if exited else None,
                    "signal": None if exited else ended.si_status,
                }
            )

    def _report(self, event):
        payload = dumps(event).encode()
        try:
            self._sock.sendall(HEADER.pack(COUNTED + len(payload), _CONTROL, 0) + payload)
        except OSError:
            self._end()

    def _end(self):
        for pid in self._children:
            _kill_group(pid, signal.SIGKILL)
        os._exit(0)


def _kill_group(pid, number):
    """Signals a child's process group, or the child alone before it has made one."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
