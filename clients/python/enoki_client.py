"""Calls functions of Enoki nodes and reads and writes their data, from any Python 3.9 or later, with nothing to install.

    from enoki_client import connect

    client = connect(["http://edge1:8080", "http://edge2:8080"])
    print(client.call("hello", "World").text())
    client.kv("hello").set("greeting", "Good morning")
    kept = client.session  # connect([...], session=kept) goes on where this client was

The names are those of `enoki/client` for JavaScript, in snake_case (`import_`, for `import` is a keyword), and what the
HTTP API answers comes as dicts with its names. Functions, keygroups, invocations, tokens and secrets are managed on the
first node; calls and data go to any. A client uses the first node that answers and the
next one when it is gone: a request moves on only if it has certainly not begun, or may safely be repeated (a GET, or
one with an idempotency key). What it has seen goes along, so that it reads its own writes on whichever node.
A client may be used from several threads.

Why so long: it is one file on purpose, which can be copied beside a program where nothing can be installed.
"""

import base64
import errno
import http.client
import io
import json
import os
import random
import re
import secrets as _secrets
import socket
import stat
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor

__all__ = ["DELETE", "Client", "Committed", "EnokiError", "Entry", "Keygroup", "Response", "connect"]

# Codes of a node that has not begun, and of one that does not have the data: another one may.
_NOT_BEGUN = {"ENOKI_DRAINING", "ENOKI_SESSION_NOT_REACHED"}
_NOT_HERE = {"ENOKI_KEYGROUP_NOT_FOUND", "ENOKI_STALE"}
_LOCAL_HOST = re.compile(r"localhost|127(\.\d+){3}|::1?|0\.0\.0\.0")
_TOKEN_VERSION = 2
_PAGE_MAX = 1000
_READS_AT_ONCE = 16
_BATCH_MAX = 1000
_KEY_BYTES_MAX = 1024
_VALUE_BYTES_MAX = 16 * 1024 * 1024
_ONCE_BYTES_MAX = 256
_INTEGER_MAX = 2**53 - 1
_DEPTH_MAX = 500
# An import is sent in parts of about this size: a request has a limit, an export has none.
_PART_CHARACTERS = 1024 * 1024
_VERSION = re.compile(r"[\x21\x23-\x7e]+")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)", re.ASCII)
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# Folders that are never part of a function: installed again by the build, or made by tools.
_SKIPPED_FOLDERS = {"node_modules", ".git", "__pycache__"}
# For requests that take as long as they take.
_NO_TIMEOUT = object()


class EnokiError(Exception):
    """What a node refused, or that none answers: `code` is stable, `status` the HTTP status of the answer, if any."""

    def __init__(self, code, message, status=None, extra=None):
        super().__init__(message)
        self.code = code
        self.status = status
        self.extra = extra or {}


class _NotSent(EnokiError):
    """It has certainly reached nobody."""


class _Delete:
    def __repr__(self):
        return "DELETE"


# What `fn` of an update returns to delete the key.
DELETE = _Delete()


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
    """A value with how it is stored ("str", "bytes" or "json"), its version and, in Unix seconds, its expiry (None: never)."""

    def __init__(self, value, type, version, expires_at, staleness_ms):
        self.value = value
        self.type = type
        self.version = version
        self.expires_at = expires_at
        self.staleness_ms = staleness_ms

    def __repr__(self):
        return f"Entry(value={self.value!r}, version={self.version!r}, expires_at={self.expires_at!r})"


class Committed:
    """What a batch did: the new version per write (None for a delete); `repeated` if its once key was known."""

    def __init__(self, versions, repeated):
        self.versions = versions
        self.repeated = repeated

    def __repr__(self):
        return f"Committed(versions={self.versions!r}, repeated={self.repeated!r})"


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
        self._admin = _Admin(admins[0])
        self.functions = Functions(self._admin)
        self.keygroups = Keygroups(self._admin)
        self.invocations = Invocations(self._admin)
        self.tokens = Tokens(self._admin)
        self.secrets = Secrets(self._admin)

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

    def nodes(self):
        """All nodes of the cluster, as the node knows them."""
        return _checked(self._admins.send("GET", "/v1/nodes", {}, None)).json()["nodes"]

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

    DELETE = DELETE

    def __init__(self, ports, name):
        self.name = name
        self._ports = ports
        self._path = "/v1/keygroups/" + _segment(name)

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
        type = _type_of(headers.get("content-type", ""))
        return Entry(
            _decode(type, answer.bytes()),
            type,
            headers.get("etag", "").strip('"'),
            None if expires is None else _unix_seconds(expires),
            answer.staleness_ms,
        )

    def set(self, key, val, *, ttl=None, if_version=None, if_absent=False):
        """Stores `val` and returns its version; a failed condition raises ENOKI_VERSION_CONFLICT."""
        content_type, body = _encode(_checked_value(val))
        if len(body) > _VALUE_BYTES_MAX:
            raise EnokiError("ENOKI_VALUE_TOO_LARGE", f"a value has at most {_VALUE_BYTES_MAX} bytes, not {len(body)}")
        headers = {"content-type": content_type}
        if if_version is not None and if_absent:
            raise EnokiError("ENOKI_INVALID_INPUT", "if_version and if_absent exclude each other")
        if ttl is not None:
            _duration_ms(ttl)
            headers["enoki-ttl"] = ttl
        if if_version is not None:
            headers["if-match"] = _quoted_version(if_version)
        if if_absent:
            headers["if-none-match"] = "*"
        return _checked(self._send("PUT", self._key(key), headers, body)).json()["version"]

    def delete(self, key, *, if_version=None):
        """Deletes `key`; says whether it existed."""
        headers = {} if if_version is None else {"if-match": _quoted_version(if_version)}
        return _checked(self._send("DELETE", self._key(key), headers)).json()["existed"]

    def exists(self, key, **fresh):
        """Whether `key` has a value."""
        return self.entry(key, **fresh) is not None

    def get_many(self, keys, **fresh):
        """The values of those `keys` that exist, each read on its own, some of them at once."""
        unique = list(dict.fromkeys(_checked_key(key) for key in keys))
        if len(unique) < 2:
            entries = [self.entry(key, **fresh) for key in unique]
        else:
            with ThreadPoolExecutor(min(_READS_AT_ONCE, len(unique))) as readers:
                entries = list(readers.map(lambda key: self.entry(key, **fresh), unique))
        return {key: entry.value for key, entry in zip(unique, entries) if entry is not None}

    def scan(self, start="", end=None, prefix=None, limit=None, reverse=False, **fresh):
        """Pairs (key, value) in the order of the keys' UTF-8; `start` is included, `end` is not."""
        items = self.items(start, end, prefix, limit, reverse, values=True, **fresh)
        return ((item["key"], _from_typed(item["value"])) for item in items)

    def keys(self, start="", end=None, prefix=None, limit=None, reverse=False, **fresh):
        """Like `scan`, without the values."""
        return (item["key"] for item in self.items(start, end, prefix, limit, reverse, **fresh))

    def items(self, start="", end=None, prefix=None, limit=None, reverse=False, *, values=False, **fresh):
        """Keys as the API lists them: values, if asked for, carry the type they are stored with."""
        if prefix is not None and (start or end is not None):
            raise EnokiError("ENOKI_INVALID_INPUT", "prefix excludes start and end")
        for bound in (start, end, prefix):
            if bound is not None:
                _checked_bound(bound)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise EnokiError("ENOKI_INVALID_INPUT", "limit is a whole number from 0 on")
        return self._items(start, end, prefix, limit, reverse, values, **fresh)

    def increment(self, key, n=1):
        """Adds `n` to the counter at `key` and returns its value."""
        return self.operate({"op": "increment", "key": _checked_key(key), "n": _number(n)})["value"]

    def counter(self, key):
        """A number that concurrent additions add up in."""
        return Counter(self, key)

    def set_of(self, key):
        """A set of JSON values."""
        return SetOf(self, key)

    def map(self, key):
        """Fields with JSON values or counters."""
        return Map(self, key)

    def batch(self):
        """Several writes that happen together or not at all; ends with `.commit()`."""
        return Batch(self)

    def siblings(self, key):
        """All concurrent values of `key`."""
        return [_from_typed(value) for value in self.operate({"op": "siblings", "key": _checked_key(key)})["values"]]

    def update(self, key, fn, once=None):
        """Replaces the value by `fn(value)`, atomically, and returns it; `fn` may run more than once.

        It gets None for a missing key. If it returns None, the key stays as it is; `DELETE` deletes it. With `once`,
        the effect happens once for that key, however often it is asked for.
        """
        tries = 0
        while True:
            found = self.entry(key)
            value = fn(None if found is None else found.value)
            if value is None or (value is DELETE and found is None and once is None):
                return None
            batch = self.batch().check(key, None if found is None else found.version)
            batch = batch.delete(key) if value is DELETE else batch.set(key, value)
            if once is not None:
                batch.once(once)
            try:
                done = batch.commit()
            except EnokiError as error:
                if error.code != "ENOKI_VERSION_CONFLICT":
                    raise
                tries += 1
                if tries > 3:
                    # Many that lost together must not come back together.
                    time.sleep(random.random() * min(0.05, 0.0002 * 2 ** min(tries, 12)))
                continue
            if done.repeated:
                return self.get(key, None)
            return None if value is DELETE else value

    def operate(self, operation):
        """Runs one JSON operation, as the HTTP API describes them, and returns its reply."""
        body = json.dumps(operation, ensure_ascii=False, allow_nan=False).encode("utf-8")
        return _checked(self._send("POST", self._path + "/operations", _JSON, body)).json()

    def watch(self, start=None, prefix=None):
        """Changes from now on; never ends by itself.

        Each is a dict with `key`, `value` (None after a delete), `type` (how it is stored; None after a delete) and
        `version`.
        """
        for bound in (start, prefix):
            if bound is not None:
                _checked_bound(bound)
        return self._changes(self._path + "/watch" + _query(start=start or None, prefix=prefix))

    def explain(self, key):
        """Where the value of a key comes from and which replicas have it; ENOKI_KEY_NOT_FOUND if it is missing."""
        return _checked(self._send("GET", self._key(key) + "/explain")).json()

    def export(self):
        """All keys in order, each a dict with all that is needed to restore it."""
        return self._ports.lines(self._path + "/export")

    def import_(self, lines):
        """Writes exported lines and returns how many keys were written.

        When one fails, what was written before stays: `imported` and `line` in the error's `extra` count from the
        first line of all.
        """
        imported = before = size = 0
        part = []

        def send():
            nonlocal imported, before, size
            body = "".join(line + "\n" for line in part).encode("utf-8")
            answer = self._send("POST", self._path + "/import", {"content-type": "application/x-ndjson"}, body)
            try:
                imported += _checked(answer).json()["imported"]
            except EnokiError as error:
                error.extra = {**error.extra, "imported": imported + error.extra.get("imported", 0)}
                if "line" in error.extra:
                    error.extra["line"] += before
                raise
            before += len(part)
            part.clear()
            size = 0

        for line in lines:
            text = json.dumps(line, ensure_ascii=False, allow_nan=False)
            if part and size + len(text) > _PART_CHARACTERS:
                send()
            part.append(text)
            size += len(text)
        if part:
            send()
        return imported

    def keygroup(self, name):
        """The same for another keygroup."""
        return self if name == self.name else Keygroup(self._ports, name)

    def _items(self, start, end, prefix, limit, reverse, values, *, max_staleness=None, on_stale=None, within=None):
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
                maxStaleness=max_staleness,
                onStale=on_stale,
                within=within,
            )
            page = _checked(self._send("GET", f"{self._path}/keys{query}")).json()
            yield from page["items"]
            if left is not None:
                left -= len(page["items"])
            after = page["next"]
            if after is None:
                return

    def _changes(self, path):
        for line in self._ports.lines(path):
            value = line["value"]
            yield {
                "key": line["key"],
                "value": None if value is None else _from_typed(value),
                "type": None if value is None else value["t"],
                "version": line["version"],
            }

    def _key(self, key):
        if _checked_key(key) in (".", ".."):
            raise EnokiError("ENOKI_INVALID_KEY", f"{key!r} cannot stand in a URL")
        return f"{self._path}/keys/{_segment(key)}"

    def _send(self, method, path, headers=None, body=None):
        return self._ports.send(method, path, headers or {}, body, _NOT_HERE)


class Batch:
    """Gathers checks and writes; `commit` does all of them or none."""

    def __init__(self, keygroup):
        self._keygroup = keygroup
        self._parts = {"checks": [], "writes": [], "sends": []}
        self._once = None
        self._is_committed = False

    def check(self, key, version):
        """The batch fails with ENOKI_VERSION_CONFLICT unless `key` has `version` (None: is missing)."""
        if version is not None and not isinstance(version, str):
            raise EnokiError("ENOKI_INVALID_INPUT", "a version is what `entry` or `set` gave, or None")
        return self._add("checks", {"key": _checked_key(key), "version": version})

    def set(self, key, val, *, ttl=None):
        write = {"op": "set", "key": _checked_key(key), "value": _to_typed(val)}
        if ttl is not None:
            write["ttlMs"] = _duration_ms(ttl)
        return self._add("writes", write)

    def delete(self, key):
        return self._add("writes", {"op": "delete", "key": _checked_key(key)})

    def increment(self, key, n=1):
        return self._add("writes", {"op": "increment", "key": _checked_key(key), "n": _number(n)})

    def send(self, function, data=None, *, order_key=None):
        """Calls `function` with `data` once the batch is committed, asynchronously and at least once."""
        if not isinstance(function, str):
            raise EnokiError("ENOKI_INVALID_NAME", "the name of a function is a str")
        send = {"function": function, "data": _to_typed(data)}
        if order_key is not None:
            send["orderKey"] = order_key
        return self._add("sends", send)

    def once(self, key):
        """The batch takes effect once, however often it is committed with this key."""
        if not isinstance(key, str) or not 0 < len(key.encode("utf-8", "replace")) <= _ONCE_BYTES_MAX:
            raise EnokiError("ENOKI_INVALID_INPUT", f"a once key is a str of 1 to {_ONCE_BYTES_MAX} bytes")
        self._once = key
        return self

    def commit(self):
        """Does all of it, and returns what that gave as `Committed`."""
        if self._is_committed:
            raise EnokiError("ENOKI_INVALID_INPUT", "this batch was committed already")
        if sum(len(part) for part in self._parts.values()) > _BATCH_MAX:
            raise EnokiError("ENOKI_INVALID_INPUT", f"a batch has at most {_BATCH_MAX} parts")
        self._is_committed = True
        done = self._keygroup.operate({"op": "batch", **self._parts, "once": self._once})
        return Committed(done["versions"], done["repeated"])

    def _add(self, kind, part):
        self._parts[kind].append(part)
        return self


class _Crdt:
    def __init__(self, keygroup, key):
        self._keygroup = keygroup
        self._key = _checked_key(key)

    def _do(self, op, **operands):
        return self._keygroup.operate({"op": f"{self._KIND}.{op}", "key": self._key, **operands}).get("value")

    def value(self):
        return self._do("value")


class Counter(_Crdt):
    """A number that concurrent additions add up in."""

    _KIND = "counter"

    def add(self, n=1):
        return self._do("add", n=_number(n))


class SetOf(_Crdt):
    """A set of JSON values."""

    _KIND = "set"

    def add(self, x):
        self._do("add", member=_checked_json(x))

    def remove(self, x):
        self._do("remove", member=_checked_json(x))


class Map(_Crdt):
    """Fields with JSON values or counters."""

    _KIND = "map"

    def set(self, f, v):
        self._do("set", field=_field(f), value=_checked_json(v))

    def add(self, f, n=1):
        return self._do("add", field=_field(f), n=_number(n))

    def remove(self, f):
        self._do("remove", field=_field(f))


class Functions:
    """Manages the functions of a node."""

    def __init__(self, admin):
        self._admin = admin

    def list(self):
        """All functions, by name."""
        return self._admin.json("GET", "/v1/functions")["functions"]

    def get(self, name):
        return self._admin.json("GET", _function(name))

    def deploy(self, name, source, config=None, *, wait=None, to=None, data=None, secrets=None):
        """Deploys a file, a folder or a zip, given as its path or as the bytes of a zip.

        Returns once the new revision serves on the node that was asked; when it fails, the previous one keeps serving.
        `config` has the names of the HTTP API, such as `{"timeout": "5s"}`; `to` names further nodes; `data` is
        "replicate" or "at:NODE"; of `secrets`, those that are None go; `wait` is a duration such as "5m".
        """
        archive = bytes(source) if isinstance(source, (bytes, bytearray, memoryview)) else _pack(source)
        parts = [("archive", f'; filename="{name}.zip"', "application/zip", archive)]
        for part, value in (("config", config or {}), ("secrets", secrets)):
            if value is not None:
                parts.append((part, "", "application/json", json.dumps(value).encode()))
        content_type, body = _multipart(parts)
        timeout = _NO_TIMEOUT if wait is None else _duration_ms(wait) / 1000
        path = _function(name) + _query(to=to, data=data)
        return self._admin.send("PUT", path, {"content-type": content_type}, body, timeout).json()

    def remove(self, name, *, data=None):
        """Removes a function; its keygroup stays unless `data` is "delete"."""
        self._admin.send("DELETE", _function(name) + _query(data="delete" if data == "delete" else None))

    def remove_from(self, name, node, *, force=False, wait=None, data=None):
        """Takes a function off one node, with its replica there once another one has everything (`data="keep"`: it stays)."""
        query = _query(force="true" if force else None, wait=wait, data=data)
        return self._admin.json("DELETE", f"{_function(name)}/nodes/{_segment(node)}{query}", timeout=_NO_TIMEOUT)

    def revisions(self, name):
        """The revisions that are kept, newest first."""
        return self._admin.json("GET", _function(name) + "/revisions")["revisions"]

    def rollback(self, name, revision=None):
        """Lets an older revision serve again: `revision`, or the previous one."""
        asked = {} if revision is None else {"revision": revision}
        return self._admin.json("POST", _function(name) + "/rollback", asked)

    def logs(self, name, *, tail=None, follow=False):
        """The last `tail` lines of the log as dicts, then with `follow` each new one without an end."""
        return self._admin.lines(_function(name) + "/logs" + _query(tail=tail, follow="true" if follow else None))


class Keygroups:
    """Manages the keygroups of a node."""

    def __init__(self, admin):
        self._admin = admin

    def list(self):
        """All keygroups, by name."""
        return self._admin.json("GET", "/v1/keygroups")["keygroups"]

    def get(self, name):
        return self._admin.json("GET", _keygroup(name))

    def create(self, name, *, policy=None, durability=None, ttl=None, data=None):
        """Makes a keygroup."""
        given = {"name": name, "policy": policy, "durability": durability, "ttl": ttl, "data": data}
        return self._admin.json("POST", "/v1/keygroups", _given(given))

    def configure(self, name, **settings):
        """Changes what is named of `policy`, `durability` and `ttl` (None: values stay)."""
        return self._admin.json("PATCH", _keygroup(name), settings)

    def replicas(self, name):
        """Where its data lie."""
        return self._admin.json("GET", _keygroup(name) + "/replicas")

    def add_replica(self, name, node, *, durability=None):
        """Adds a replica on a node, which serves once it has caught up."""
        return self._admin.json("PUT", _replica(name, node), _given({"durability": durability}))

    def remove_replica(self, name, node, *, force=False, wait=None):
        """Takes a replica away once another one has everything, for which it waits 30 s or `wait`; with `force` at once."""
        query = _query(force="true" if force else None, wait=wait)
        return self._admin.json("DELETE", _replica(name, node) + query, timeout=_NO_TIMEOUT)

    def move(self, name, data):
        """Places the data anew, "replicate" or "at:NODE", while functions go on; `replicas` tells how far it is."""
        return self._admin.json("POST", _keygroup(name) + "/move", {"data": data})

    def refound(self, name, node, *, force=False):
        """Begins anew and empty on a node, after all disks with the data were lost."""
        asked = {"node": node, "force": True} if force else {"node": node}
        return self._admin.json("POST", _keygroup(name) + "/refound", asked)

    def grants(self, name):
        """Who but its function may use it, and how."""
        return self._admin.json("GET", _keygroup(name) + "/grants")["grants"]

    def grant(self, name, to, rights):
        """Gives "function:NAME" or "token:NAME" exactly these rights, in place of what it had."""
        asked = {"to": to, "rights": [*rights]}
        return self._admin.json("PUT", _keygroup(name) + "/grants", asked)["grants"]

    def revoke(self, name, to):
        """Takes all rights from "function:NAME" or "token:NAME"."""
        return self._admin.json("DELETE", f"{_keygroup(name)}/grants/{_segment(to)}")["grants"]

    def remove(self, name):
        """Removes a keygroup with all its data."""
        self._admin.send("DELETE", _keygroup(name))


class Invocations:
    """Looks after the asynchronous invocations of a node."""

    def __init__(self, admin):
        self._admin = admin

    def list(self, *, function=None, state=None, limit=None):
        """The newest invocations, or those of one function or state."""
        query = _query(function=function, state=state, limit=limit)
        return self._admin.json("GET", "/v1/invocations" + query)["invocations"]

    def get(self, id):
        return self._admin.json("GET", "/v1/invocations/" + _segment(id))

    def replay(self, id):
        """Queues a dead letter again."""
        return self._admin.json("POST", f"/v1/invocations/{_segment(id)}/replay")

    def remove(self, id):
        """Forgets a dead letter."""
        self._admin.send("DELETE", "/v1/invocations/" + _segment(id))


class Tokens:
    """Makes and removes the tokens that a node, or its whole cluster, takes."""

    def __init__(self, admin):
        self._admin = admin

    def list(self):
        """All tokens, by name, without their secrets."""
        return self._admin.json("GET", "/v1/tokens")["tokens"]

    def create(self, *, role, name=None, expires=None):
        """Makes a token, whose text is in `token` and nowhere else; `expires` is a duration such as "30d"."""
        return self._admin.json("POST", "/v1/tokens", _given({"role": role, "name": name, "expires": expires}))

    def remove(self, token):
        """Removes the token of that id or name."""
        self._admin.send("DELETE", "/v1/tokens/" + _segment(token))


class Secrets:
    """Manages the secrets of functions. What changes them makes a new revision of the function."""

    def __init__(self, admin):
        self._admin = admin

    def list(self, name):
        """The names of a function's secrets."""
        return self._admin.json("GET", _function(name) + "/secrets")["secrets"]

    def change(self, name, changes):
        """Sets secrets, and takes those away that are None. Returns once the new revision serves."""
        return self._admin.json("PATCH", _function(name) + "/secrets", changes, _NO_TIMEOUT)

    def compare(self, name, values):
        """Says of values whether they are those that are there."""
        return self._admin.json("POST", _function(name) + "/secrets/compare", values)["secrets"]

    def reseal(self, name):
        """Seals all secrets of a function with the key that the node seals with now."""
        return self._admin.json("POST", _function(name) + "/secrets/reseal", None, _NO_TIMEOUT)


_JSON = {"content-type": "application/json"}


class _Admin:
    """The admin port of the first node."""

    def __init__(self, port):
        self._port = port

    def send(self, method, path, headers=None, body=None, timeout=None):
        return _checked(self._port.send(method, path, headers or {}, body, timeout))

    def json(self, method, path, asked=None, timeout=None):
        headers, body = ({}, None) if asked is None else (_JSON, json.dumps(asked).encode())
        return self.send(method, path, headers, body, timeout).json()

    def lines(self, path):
        return self._port.lines(path, {})


def _function(name):
    return "/v1/functions/" + _segment(name)


def _keygroup(name):
    return "/v1/keygroups/" + _segment(name)


def _replica(name, node):
    return f"{_keygroup(name)}/replicas/{_segment(node)}"


def _given(values):
    return {name: value for name, value in values.items() if value is not None}


def _segment(text):
    # Every URL parser resolves these two, however they are escaped.
    if not isinstance(text, str) or text in ("", ".", ".."):
        raise EnokiError("ENOKI_INVALID_INPUT", f"{text!r} is no name that can stand in a URL")
    return urllib.parse.quote(text, safe="")


def _pack(path):
    """The archive that a deploy sends: of a folder, of one file, or a zip as it is."""
    try:
        root = os.path.realpath(path)
        if os.path.isfile(root):
            with open(root, "rb") as file:
                data = file.read()
            if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
                return data
            found = [(os.path.basename(os.path.abspath(path)), root)]
        else:
            found = sorted(_files_in(root, root, ""))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as pack:
            for name, file_path in found:
                executable = os.stat(file_path).st_mode & 0o111
                # The same files always give the same bytes.
                info = zipfile.ZipInfo(name)
                info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                with open(file_path, "rb") as file:
                    pack.writestr(info, file.read())
    except OSError as error:
        raise EnokiError("ENOKI_INVALID_INPUT", f"cannot read {path}: {error.strerror}") from None
    if not found:
        raise EnokiError("ENOKI_INVALID_ARCHIVE", f"{path} holds no files")
    return archive.getvalue()


def _files_in(root, folder, prefix):
    """Pairs of a file's name in the archive and its path; a symbolic link counts as what it points to."""
    for name in os.listdir(folder):
        real = os.path.realpath(os.path.join(folder, name))
        if not real.startswith(root + os.sep):
            raise EnokiError("ENOKI_INVALID_ARCHIVE", f"{prefix}{name} is a link that leaves the folder")
        if not os.path.isdir(real):
            yield prefix + name, real
        elif name not in _SKIPPED_FOLDERS:
            if folder == real or folder.startswith(real + os.sep):
                raise EnokiError("ENOKI_INVALID_ARCHIVE", f"{prefix}{name} is a link to a folder around it")
            yield from _files_in(root, real, f"{prefix}{name}/")


def _multipart(parts):
    """(content type, body) of a form."""
    boundary = _secrets.token_hex(16)
    body = b""
    for name, more, content_type, data in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\nContent-Type: {content_type}\r\n\r\n'
        body += head.encode() + data + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


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
        yield from self._finders[self._at]().lines(path, self._session.headers())

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

    def send(self, method, path, headers, body, timeout=None):
        with self.open(method, path, headers, body, timeout) as stream:
            try:
                return Response(stream.status, stream.headers, stream.read())
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from None

    def lines(self, path, headers):
        """The JSON lines of a stream."""
        with self.open("GET", path, headers, None) as stream:
            if stream.status >= 300:
                raise _error_of(Response(stream.status, stream.headers, stream.read()))
            for text in stream:
                if text.strip():
                    line = json.loads(text)
                    if "error" in line:
                        raise EnokiError(line["error"]["code"], line["error"]["message"])
                    yield line

    def open(self, method, path, headers, body, timeout=None):
        wait = self.timeout if timeout is None else None if timeout is _NO_TIMEOUT else timeout
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        if self.token is not None:
            request.add_header("authorization", f"Bearer {self.token}")
        try:
            return _OPENER.open(request, timeout=wait)
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


def _type_of(content_type):
    if content_type.startswith("text/"):
        return "str"
    return "json" if content_type.startswith("application/json") else "bytes"


def _decode(type, body):
    if type == "str":
        return body.decode("utf-8")
    return json.loads(body) if type == "json" else body


def _to_typed(value):
    _checked_value(value)
    if isinstance(value, str):
        return {"t": "str", "v": value}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"t": "bytes", "v": base64.b64encode(bytes(value)).decode("ascii")}
    return {"t": "json", "v": value}


def _checked_key(key):
    if _checked_bound(key) == "":
        raise EnokiError("ENOKI_INVALID_KEY", "a key must not be empty")
    return key


def _checked_bound(key):
    """A key, or the bound of a scan, which may be empty."""
    if not isinstance(key, str):
        raise EnokiError("ENOKI_INVALID_KEY", f"a key is a str, not {type(key).__name__}")
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        raise EnokiError("ENOKI_INVALID_KEY", "a key must be valid Unicode text") from None
    if size > _KEY_BYTES_MAX:
        raise EnokiError("ENOKI_INVALID_KEY", f"a key has at most {_KEY_BYTES_MAX} bytes, not {size}")
    return key


def _checked_value(value):
    return value if isinstance(value, (bytes, bytearray, memoryview)) else _checked_json(value)


def _checked_json(value):
    """Refuses what would not come back as it is, or not in every language."""
    try:
        _check_json(value, 0)
    except UnicodeEncodeError:
        raise _unsupported("text must be valid Unicode, without lone surrogates") from None
    except RecursionError:
        raise _unsupported("the value is nested too deeply for the stack that is left") from None
    return value


def _check_json(value, depth):
    if depth > _DEPTH_MAX:
        raise _unsupported("the value is nested too deeply, or contains itself")
    if isinstance(value, str):
        value.encode("utf-8")
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, int):
        if not -_INTEGER_MAX <= value <= _INTEGER_MAX:
            raise _unsupported("integers must lie within ±(2^53−1); store larger ones as text")
    elif isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise _unsupported("NaN and infinities are not JSON")
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise _unsupported(f"the keys of a dict must be str, not {type(name).__name__}")
            name.encode("utf-8")
            _check_json(item, depth + 1)
    else:
        raise _unsupported(f"{type(value).__name__} cannot be stored; use str, bytes, dict, list, numbers, bool or None")


def _unsupported(detail):
    return EnokiError("ENOKI_VALUE_UNSUPPORTED", detail)


def _number(n):
    if isinstance(n, bool) or not isinstance(n, (int, float)):
        raise _unsupported(f"an amount is a number, not {type(n).__name__}")
    return _checked_json(n)


def _field(field):
    if not isinstance(field, str):
        raise _unsupported(f"the fields of a map are str, not {type(field).__name__}")
    return _checked_json(field)


def _duration_ms(text):
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise EnokiError("ENOKI_INVALID_INPUT", f"{text!r} is no duration such as 200ms, 5s, 10m, 2h or 7d")
    return float(found.group(1)) * _UNITS_MS[found.group(2)]


def _quoted_version(version):
    if not isinstance(version, str) or _VERSION.fullmatch(version) is None:
        raise EnokiError("ENOKI_INVALID_INPUT", f"{version!r} is no version of a key")
    return f'"{version}"'


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
