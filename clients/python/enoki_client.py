"""Calls functions of Enoki nodes and reads and writes their data, from any Python 3.9 or later, with nothing to install.

    from enoki_client import connect

    client = connect(["http://edge1:8080", "http://edge2:8080"])
    print(client.call("hello", "World").text())
    client.kv("hello").set("greeting", "Good morning")
    kept = client.session  # connect([...], session=kept) goes on where this client was

The names are those of `enoki/client` for JavaScript, in snake_case. A client uses the first node that answers and the
next one when it is gone: a request moves on only if it has certainly not begun, or may safely be repeated (a GET, or
one with an idempotency key). What it has seen goes along, so that it reads its own writes on whichever node.
A client may be used from several threads.

Why so long: it is one file on purpose, which can be copied beside a program where nothing can be installed.
"""

import base64
import errno
import http.client
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

__all__ = ["Client", "EnokiError", "Entry", "Keygroup", "Response", "connect"]

# Codes of a node that has not begun, and of one that does not have the data: another one may.
_NOT_BEGUN = {"ENOKI_DRAINING", "ENOKI_SESSION_NOT_REACHED"}
_NOT_HERE = {"ENOKI_KEYGROUP_NOT_FOUND", "ENOKI_STALE"}
_LOCAL_HOST = re.compile(r"localhost|127(\.\d+){3}|::1?|0\.0\.0\.0")
_TOKEN_VERSION = 2
_PAGE_MAX = 1000


class EnokiError(Exception):
    """What a node refused, or that none answers: `code` is stable, `status` the HTTP status of the answer, if any."""

    def __init__(self, code, message, status=None, extra=None):
        super().__init__(message)
        self.code = code
        self.status = status
        self.extra = extra or {}


class _NotSent(EnokiError):
    """It has certainly reached nobody."""


class Response:
    """What a function answered."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # names in any case: `headers["content-type"]`
        self._body = body

    def bytes(self):
        return self._body

    def text(self):
        return self._body.decode("utf-8")

    def json(self):
        return json.loads(self._body)

    @property
    def staleness_ms(self):
        """How stale what was read may be, in milliseconds; None if nothing was read."""
        text = self.headers.get("enoki-staleness-ms")
        return None if text is None else float(text)


class Entry:
    """A value with its version and, in Unix seconds, its expiry (None: never)."""

    def __init__(self, value, version, expires_at, staleness_ms):
        self.value = value
        self.version = version
        self.expires_at = expires_at
        self.staleness_ms = staleness_ms

    def __repr__(self):
        return f"Entry(value={self.value!r}, version={self.version!r}, expires_at={self.expires_at!r})"


def connect(url, **options):
    """A client of one node, or of several: addresses of admin ports, such as `http://127.0.0.1:8080`.

    Options: `session`, what a client has seen before; `token`, the nodes' token; `functions_url` of a single node,
    which is asked for it otherwise; `functions_token`; `timeout`, seconds until a node counts as silent (None: never).
    """
    return Client(url, **options)


class Client:
    """Nodes, seen from outside. Every failure is an EnokiError with a code."""

    def __init__(self, url, session="", token=None, functions_url=None, functions_token=None, timeout=None):
        urls = [url] if isinstance(url, str) else list(url)
        if not urls or (len(urls) > 1 and functions_url):
            raise EnokiError(
                "ENOKI_INVALID_INPUT",
                "a client needs an address; with several, it asks the nodes for their function ports",
            )
        self._session = _Session(session)
        admins = [_Port(_address(one), token, timeout) for one in urls]
        self.url = admins[0].url
        self._admins = _Ports([lambda port=port: port for port in admins], self._session)
        finders = [_FunctionPort(port, functions_url, functions_token) for port in admins]
        self._functions = _Ports([finder.find for finder in finders], self._session)

    @property
    def session(self):
        """What this client has seen and written, as text to keep; "" while there is nothing another node might lack."""
        return self._session.token

    def call(self, name, data=None, *, method="POST", headers=None, path="", timeout=None, idempotency_key=None):
        """Calls a function and waits for its answer, whatever its status; text, bytes and JSON arrive as such.

        `timeout` is how long the function may take, a duration such as "5s".
        """
        return _response(self._send(name, data, method, headers, path, timeout, idempotency_key))

    invoke = call

    def send(self, name, data=None, *, method="POST", headers=None, path="", timeout=None, idempotency_key=None):
        """Calls a function asynchronously; returns the id of the invocation once it is stored."""
        asked = {**(headers or {}), "prefer": "respond-async"}
        answer = self._send(name, data, method, asked, path, timeout, idempotency_key)
        location = answer.headers.get("location")
        if answer.status != 202 or location is None:
            raise _error_of(answer)
        return location.rsplit("/", 1)[1]

    def result(self, id, wait=0):
        """What an asynchronous invocation answered; None if it still waits after `wait` seconds."""
        end = time.monotonic() + wait
        pause = 0.02
        while True:
            path = "/_enoki/invocations/" + urllib.parse.quote(id, safe="")
            answer = self._functions.send("GET", path, {}, None, {"ENOKI_INVOCATION_NOT_FOUND"})
            if answer.status != 202:
                return _response(answer)
            left = end - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(pause, left))
            pause = min(pause * 2, 1)

    def kv(self, keygroup):
        """The data of a function, or of any keygroup. Nothing is sent yet."""
        return Keygroup(self._admins, keygroup)

    def node(self):
        """What the node says about itself."""
        return _checked(self._admins.send("GET", "/v1/node", {}, None)).json()

    def _send(self, name, data, method, headers, path, timeout, idempotency_key):
        if path and path[0] not in "/?":
            raise EnokiError("ENOKI_INVALID_INPUT", f"a path begins with / or ?: {path}")
        sent = {key.lower(): value for key, value in (headers or {}).items()}
        if timeout is not None:
            sent["enoki-timeout"] = timeout
        if idempotency_key is not None:
            sent["idempotency-key"] = idempotency_key
        body = None
        if data is not None:
            content_type, body = _encode(data)
            sent.setdefault("content-type", content_type)
        return self._functions.send(method, f"/{urllib.parse.quote(name, safe='')}{path}", sent, body)


class Keygroup:
    """The data of one keygroup. Values are str, bytes or JSON and come back as what they were."""

    def __init__(self, ports, name):
        self.name = name
        self._ports = ports
        self._path = "/v1/keygroups/" + urllib.parse.quote(name, safe="")

    def get(self, key, default="", *, max_staleness=None, on_stale=None, within=None):
        """The value of `key`; `default` if it is missing or expired."""
        found = self.entry(key, max_staleness=max_staleness, on_stale=on_stale, within=within)
        return default if found is None else found.value

    def entry(self, key, *, max_staleness=None, on_stale=None, within=None):
        """The value with its version, its expiry and how stale it may be; None if it is missing."""
        query = _query(maxStaleness=max_staleness, onStale=on_stale, within=within)
        answer = self._send("GET", self._key(key) + query)
        if answer.status == 404 and _code_of(answer) == "ENOKI_KEY_NOT_FOUND":
            return None
        headers = _checked(answer).headers
        expires = headers.get("enoki-expires-at")
        return Entry(
            _decode(headers.get("content-type", ""), answer.bytes()),
            headers.get("etag", "").strip('"'),
            None if expires is None else _unix_seconds(expires),
            answer.staleness_ms,
        )

    def set(self, key, val, *, ttl=None, if_version=None, if_absent=False):
        """Stores `val` and returns its version; a failed condition raises ENOKI_VERSION_CONFLICT."""
        content_type, body = _encode(val)
        headers = {"content-type": content_type}
        if ttl is not None:
            headers["enoki-ttl"] = ttl
        if if_version is not None:
            headers["if-match"] = f'"{if_version}"'
        if if_absent:
            headers["if-none-match"] = "*"
        return _checked(self._send("PUT", self._key(key), headers, body)).json()["version"]

    def delete(self, key, *, if_version=None):
        """Deletes `key`; says whether it existed."""
        headers = {} if if_version is None else {"if-match": f'"{if_version}"'}
        return _checked(self._send("DELETE", self._key(key), headers)).json()["existed"]

    def exists(self, key, **fresh):
        """Whether `key` has a value."""
        return self.entry(key, **fresh) is not None

    def get_many(self, keys, **fresh):
        """The values of those `keys` that exist, each read on its own."""
        entries = {key: self.entry(key, **fresh) for key in keys}
        return {key: entry.value for key, entry in entries.items() if entry is not None}

    def scan(self, start="", end=None, prefix=None, limit=None, reverse=False, **fresh):
        """Pairs (key, value) in the order of the keys' UTF-8; `start` is included, `end` is not."""
        for item in self._items(start, end, prefix, limit, reverse, True, fresh):
            yield item["key"], _from_typed(item["value"])

    def keys(self, start="", end=None, prefix=None, limit=None, reverse=False, **fresh):
        """Like `scan`, without the values."""
        for item in self._items(start, end, prefix, limit, reverse, False, fresh):
            yield item["key"]

    def increment(self, key, n=1):
        """Adds `n` to the counter at `key` and returns its value."""
        return self.operate({"op": "increment", "key": key, "n": n})["value"]

    def siblings(self, key):
        """All concurrent values of `key`."""
        return [_from_typed(value) for value in self.operate({"op": "siblings", "key": key})["values"]]

    def update(self, key, fn, once=None):
        """Replaces the value by `fn(value)`, atomically, and returns it; `fn` may run more than once.

        It gets None for a missing key; if it returns None, the key stays as it is.
        """
        while True:
            found = self.entry(key)
            value = fn(None if found is None else found.value)
            if value is None:
                return None
            check = {"key": key, "version": None if found is None else found.version}
            write = {"op": "set", "key": key, "value": _to_typed(value)}
            try:
                done = self.operate({"op": "batch", "checks": [check], "writes": [write], "once": once})
            except EnokiError as error:
                if error.code != "ENOKI_VERSION_CONFLICT":
                    raise
                continue
            return self.get(key, None) if done["repeated"] else value

    def operate(self, operation):
        """Runs one JSON operation, as the HTTP API describes them, and returns its reply."""
        body = json.dumps(operation).encode()
        return _checked(self._send("POST", self._path + "/operations", {"content-type": "application/json"}, body)).json()

    def watch(self, start=None, prefix=None):
        """Changes from now on, each a dict with `key`, `value` (None after a delete) and `version`; never ends by itself."""
        for line in self._ports.lines(self._path + "/watch" + _query(start=start, prefix=prefix)):
            value = line["value"]
            yield {"key": line["key"], "value": None if value is None else _from_typed(value), "version": line["version"]}

    def _items(self, start, end, prefix, limit, reverse, values, fresh):
        left = limit
        after = None
        while left is None or left > 0:
            query = _query(
                start=start or None,
                end=end,
                prefix=prefix,
                reverse="true" if reverse else None,
                values="true" if values else None,
                limit=_PAGE_MAX if left is None else min(left, _PAGE_MAX),
                after=after,
                maxStaleness=fresh.get("max_staleness"),
                onStale=fresh.get("on_stale"),
                within=fresh.get("within"),
            )
            page = _checked(self._send("GET", f"{self._path}/keys{query}")).json()
            yield from page["items"]
            if left is not None:
                left -= len(page["items"])
            after = page["next"]
            if after is None:
                return

    def _key(self, key):
        if not isinstance(key, str) or key in ("", ".", ".."):
            raise EnokiError("ENOKI_INVALID_KEY", f"{key!r} is no key that can stand in a URL")
        return f"{self._path}/keys/{urllib.parse.quote(key, safe='')}"

    def _send(self, method, path, headers=None, body=None):
        return self._ports.send(method, path, headers or {}, body, _NOT_HERE)


class _Ports:
    """The ports of one kind of the nodes, one at a time."""

    def __init__(self, finders, session):
        self._finders = finders
        self._session = session
        self._at = 0

    def send(self, method, path, headers, body, elsewhere=frozenset()):
        """The answer of the node in use, or of the next that answers; one with a code of `elsewhere` is not meant."""
        first = self._at
        count = len(self._finders)
        for tried in range(1, count + 1):
            at = (first + tried - 1) % count
            is_last = tried == count
            try:
                answer = self._send_to(at, method, path, headers, body)
            except EnokiError as error:
                may_repeat = method in ("GET", "HEAD") or "idempotency-key" in headers
                is_gone = error.code == "ENOKI_NODE_UNREACHABLE" and may_repeat
                if is_last or not (is_gone or isinstance(error, _NotSent)):
                    raise
                continue
            code = _code_of(answer) if answer.status in (404, 503) else None
            if not is_last and (code in elsewhere or (answer.status == 503 and code in _NOT_BEGUN)):
                continue
            self._at = at
            return answer
        raise AssertionError("a client has a node")

    def lines(self, path):
        """The JSON lines of a stream of the node in use."""
        port = self._finders[self._at]()
        with port.open("GET", path, self._session.headers(), None) as stream:
            if stream.status >= 300:
                raise _error_of(Response(stream.status, stream.headers, stream.read()))
            for text in stream:
                if text.strip():
                    line = json.loads(text)
                    if "error" in line:
                        raise EnokiError(line["error"]["code"], line["error"]["message"])
                    yield line

    def _send_to(self, at, method, path, headers, body):
        try:
            port = self._finders[at]()
        except EnokiError as error:
            raise _NotSent(error.code, str(error), error.status) from None
        answer = port.send(method, path, {**self._session.headers(), **headers}, body)
        self._session.note(answer.headers.get("enoki-session"))
        return answer


class _Port:
    """One address."""

    def __init__(self, url, token, timeout):
        self.url = url
        self.token = token
        self.timeout = timeout

    def send(self, method, path, headers, body):
        with self.open(method, path, headers, body) as stream:
            try:
                return Response(stream.status, stream.headers, stream.read())
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from None

    def open(self, method, path, headers, body):
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        if self.token is not None:
            request.add_header("authorization", f"Bearer {self.token}")
        try:
            return _OPENER.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            return error
        except urllib.error.URLError as error:
            # `reason` is what the connection failed with: then nothing was sent.
            raise self._unreachable(error.reason) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _unreachable(self, reason):
        is_not_sent = isinstance(reason, (ConnectionRefusedError, socket.gaierror))
        is_not_sent = is_not_sent or getattr(reason, "errno", None) in (errno.EHOSTUNREACH, errno.ENETUNREACH)
        kind = _NotSent if is_not_sent else EnokiError
        if isinstance(reason, (TimeoutError, socket.timeout)):
            return EnokiError("ENOKI_TIMEOUT", f"{self.url} did not answer in time")
        return kind("ENOKI_NODE_UNREACHABLE", f"no node answers at {self.url} ({reason})")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A function's own 302 is its answer."""

    def redirect_request(self, *_):
        return None


_OPENER = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


class _FunctionPort:
    """Finds the function port of a node: asks once, and again after a failure."""

    def __init__(self, admin, url, token):
        self._admin = admin
        self._url = url
        self._token = token
        self._found = None

    def find(self):
        if self._found is None:
            self._found = self._ask()
        return self._found

    def _ask(self):
        admin = self._admin
        if self._url:
            return _Port(_address(self._url), self._token, admin.timeout)
        node = _checked(admin.send("GET", "/v1/node", {}, None)).json()
        address = node["addresses"]["functions"]
        if address is None:
            raise EnokiError("ENOKI_UNSUPPORTED", f"the node at {admin.url} takes no calls over HTTP")
        # Where everybody may call, Authorization reaches the function, which must not learn the node's token.
        token = self._token or (admin.token if node.get("access") == "token" else None)
        parsed = urllib.parse.urlsplit(_address(address))
        if _LOCAL_HOST.fullmatch(parsed.hostname or ""):
            # A node that listens everywhere names itself by loopback: it is reached by the host of its admin port.
            host = urllib.parse.urlsplit(admin.url).hostname or "127.0.0.1"
            host = f"[{host}]" if ":" in host else host
            parsed = parsed._replace(netloc=f"{host}:{parsed.port}")
        return _Port(urllib.parse.urlunsplit(parsed).rstrip("/"), token, admin.timeout)


class _Session:
    """What a client has seen, over all its requests, also over those that run at once."""

    def __init__(self, token):
        self.token = token
        self._seen = _read_token(token) if token else (0, {})
        self._lock = threading.Lock()

    def headers(self):
        return {"enoki-session": self.token} if self.token else {}

    def note(self, token):
        """Adds what an answer says that has been seen."""
        if not token or token == self.token:
            return
        with self._lock:
            self._seen = _merge(self._seen, _read_token(token))
            self.token = _write_token(self._seen)


def _merge(left, right):
    """What someone has seen who has seen both. A later generation of a keygroup replaces an older one."""
    keygroups = dict(left[1])
    for name, entry in right[1].items():
        keygroups[name] = _merge_entries(keygroups[name], entry) if name in keygroups else entry
    return max(left[0], right[0]), keygroups


def _merge_entries(left, right):
    (generation, epoch, known), (other_generation, other_epoch, dots) = left, right
    if generation != other_generation:
        return max(left, right, key=lambda entry: entry[0])
    origins = known.keys() | dots.keys()
    latest = {origin: max(known.get(origin, 0), dots.get(origin, 0)) for origin in origins}
    return generation, max(epoch, other_epoch), latest


def _read_token(token):
    """(hybrid time, {keygroup: (generation, epoch, {(join epoch, restart): counter})})."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        reader = _Reader(data)
        if reader.varint() != _TOKEN_VERSION:
            raise ValueError
        hlc = reader.varint()
        keygroups = {}
        for _ in range(reader.varint()):
            name = reader.take(reader.varint()).decode("ascii")
            generation, epoch = reader.varint(), reader.varint()
            dots = {}
            for _ in range(reader.varint()):
                origin = (reader.varint(), reader.varint())
                dots[origin] = reader.varint()
            keygroups[name] = (generation, epoch, dots)
        return hlc, keygroups
    except (ValueError, IndexError):
        raise EnokiError("ENOKI_INVALID_INPUT", "session: this is no token") from None


def _write_token(seen):
    hlc, keygroups = seen
    data = _varint(_TOKEN_VERSION) + _varint(hlc) + _varint(len(keygroups))
    for name, (generation, epoch, dots) in keygroups.items():
        data += _varint(len(name)) + name.encode("ascii")
        data += _varint(generation) + _varint(epoch) + _varint(len(dots))
        for (join_epoch, restart), counter in sorted(dots.items()):
            data += _varint(join_epoch) + _varint(restart) + _varint(counter)
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _varint(number):
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


class _Reader:
    def __init__(self, data):
        self._data = data
        self._at = 0

    def take(self, size):
        part = self._data[self._at : self._at + size]
        if len(part) < size:
            raise IndexError
        self._at += size
        return part

    def varint(self):
        number = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7


def _encode(value):
    if isinstance(value, str):
        return "text/plain; charset=utf-8", value.encode("utf-8")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "application/octet-stream", bytes(value)
    return "application/json", json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")


def _decode(content_type, body):
    if content_type.startswith("text/"):
        return body.decode("utf-8")
    return json.loads(body) if content_type.startswith("application/json") else body


def _to_typed(value):
    if isinstance(value, str):
        return {"t": "str", "v": value}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"t": "bytes", "v": base64.b64encode(bytes(value)).decode("ascii")}
    return {"t": "json", "v": value}


def _from_typed(value):
    return base64.b64decode(value["v"]) if value["t"] == "bytes" else value["v"]


def _query(**parameters):
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urllib.parse.urlencode(given, quote_via=urllib.parse.quote)}" if given else ""


def _unix_seconds(text):
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def _address(given):
    full = given if "://" in given else f"http://{given}"
    parsed = urllib.parse.urlsplit(full)
    if parsed.scheme not in ("http", "https") or not parsed.hostname:
        raise EnokiError("ENOKI_INVALID_INPUT", f"{given!r} is no address such as http://127.0.0.1:8080")
    return full.rstrip("/")


def _response(answer):
    is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
    if answer.status >= 400 and is_problem:
        raise _error_of(answer)
    return answer


def _checked(answer):
    if 200 <= answer.status < 300:
        return answer
    raise _error_of(answer)


def _code_of(answer):
    """The code of a problem document; None for any other answer."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        return answer.json().get("code")
    except ValueError:
        return None


def _error_of(answer):
    code = _code_of(answer)
    if code is None:
        return EnokiError("ENOKI_INTERNAL", f"the node answered {answer.status}", answer.status)
    problem = answer.json()
    return EnokiError(code, problem.get("detail") or problem.get("title"), answer.status, problem)
