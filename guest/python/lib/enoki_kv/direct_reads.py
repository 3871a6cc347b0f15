"""Reads of the keygroup in the instance itself, from the store's file. They show the last commit, as the node does.

Only rows are read here that anybody understands alone: with siblings, CRDTs, tombstones and expiries (the node's clock
judges them) the node is asked. `src/guest/direct-reads.ts` is the same for Node.
"""

import re
from _thread import allocate_lock

from .store_file import FAILURES, OVERTAKEN, ROW_KEY, StoreFile, row_key_end
from .values import BYTES, JSON, STR, VALUE_BYTES_MAX, decode_value

# What a read gives when only the node can answer.
ASK_NODE = OVERTAKEN

# A page of a scan ends early rather than hold more.
_PAGE_BYTES_MAX = 4 * 1024 * 1024

# Rows of scans that are kept decoded, and what one may measure: half a MiB with all that belongs to them.
_PAIRS_MAX = 512
_PAIR_BYTES_MAX = 256
_UNCHANGING = (str, bytes, int, float, type(None))

# More than fits in a page.
_LARGE_BYTES = 4096

# The rows of user keys: `i` and the key. No key begins with 0xff.
_ROW = b"i"
_ROWS_END = b"i\xff"

# Of the first byte of a version: its type, and what follows. A version that can expire is the node's to read.
_TAG = 0x0F
_HAS_INVOCATION = 0x20
_IS_PINNED = 0x40

_VARINT = rb"[\x80-\xff]*[\x00-\x7f]"
# Type, the dot's three numbers, the hybrid time, maybe the invocation, the size of the value.
_before_value = re.compile(b"." + _VARINT * 5, re.DOTALL).match
_before_written_value = re.compile(b"." + _VARINT * 4 + b".{16}" + _VARINT, re.DOTALL).match
_HEADS = {
    tag | pinned | invocation: match
    for tag in (STR, BYTES, JSON)
    for pinned in (0, _IS_PINNED)
    for invocation, match in ((0, _before_value), (_HAS_INVOCATION, _before_written_value))
}


class DirectReads:
    """The store of this process's keygroup. Every method returns ASK_NODE for what it leaves to the node."""

    def __init__(self):
        self._path = None
        self._file = None
        # Running calls that are to ask the node: so do all until they have ended.
        self.askers = 0
        # Whether the running call of a plain function has read here.
        self.used = False
        # Decoded rows by their bytes: the same bytes are the same pair, whenever they are read.
        self._pairs = {}
        # The same for calls that run at once: a function that is told of each read.
        self.note = None
        # why: tried, never waited for. Another thread may hold it, or this one, of which a signal's handler or a
        # finalizer has taken hold; both may ask the node instead.
        self._lock = allocate_lock()

    def use(self, path):
        """Says where the store lies, or with None that there is none; it is opened with the first read."""
        self._path = path

    def get(self, name, default):
        """The value of a key, as UTF-8, or `default`."""
        found = self._read(_value, name)
        if found is None:
            return default
        return found if found is ASK_NODE else decode_value(*found)

    def exists(self, name):
        """Whether a key, as UTF-8, has a value."""
        found = self._read(_value, name)
        return found if found is ASK_NODE else found is not None

    def get_many(self, keys, names):
        """The values of those `keys` that exist; `names` are the same as UTF-8."""
        found = self._read(_values, names)
        if found is ASK_NODE:
            return found
        return {key: decode_value(*value) for key, value in zip(keys, found) if value is not None}

    def page(self, scan):
        """The next page of a `requests.Scan`, which goes on behind it: items as the node's reply decodes to."""
        bounds = _row_bounds(scan)
        found = self._read(_page, bounds, scan, self._pairs) if bounds else ([], b"", False)
        if found is ASK_NODE:
            return found
        rows, last, more = found
        scan.advance(len(rows), last, more)
        if scan.keys_only:
            return [row[0] if type(row) is tuple else _name(row[0]) for row in rows]
        return [row if type(row) is tuple else self._pair(*row) for row in rows]

    def _pair(self, row, tag, data):
        """Key and value of a row. A small one is kept if nothing can change it, because most scans come again."""
        pair = (_name(row), decode_value(tag, data))
        # (A large value is longer than its row.)
        if len(data) < len(row) <= _PAIR_BYTES_MAX and isinstance(pair[1], _UNCHANGING):
            # why all at once: what is scanned again is soon there again, and nothing needs to be kept in order.
            if len(self._pairs) >= _PAIRS_MAX:
                self._pairs = {}
            self._pairs[row] = pair
        return pair

    def _read(self, work, *arguments):
        if self._path is None or self.askers or not self._lock.acquire(False):
            return ASK_NODE
        try:
            if self._file is None:
                self._file = StoreFile(self._path)
            found = self._file.read(work, *arguments)
            if found is not ASK_NODE:
                self.used = True
                if self.note is not None:
                    self.note()
            return found
        except FAILURES:
            # The store was dropped, or is not as we know it: the node decides from now on.
            self._path = None
            if self._file is not None:
                self._file.close()
                self._file = None
            return ASK_NODE
        finally:
            self._lock.release()


def _value(file, name):
    """Tag and bytes of a key's value, a copy; None for a missing key."""
    row = file.get(_ROW + name)
    return row and _sole_value(*row)


def _values(file, names):
    values = []
    size = 0
    for name in names:
        row = file.get(_ROW + name)
        value = row and _sole_value(*row)
        if row:
            size += row[2] - row[1]
            # Too much at once is refused, and the node says how.
            if value is ASK_NODE or size > VALUE_BYTES_MAX:
                return ASK_NODE
        values.append(value)
    return values


def _page(file, bounds, scan, pairs):
    """Rows, the last one's key, and whether there is more, with the bounds that the node gives its pages.

    A row is its pair of `pairs`, or [row, tag, bytes of its value].
    """
    limit = scan.limit
    rows = []
    row = b"\1\0i"
    size = 0
    more = False
    for next_row, large in file.rows(*bounds, scan.reverse):
        if len(rows) >= limit or size > _PAGE_BYTES_MAX:
            more = True
            break
        row = next_row
        size += len(row) - ROW_KEY
        # A large value is not in the row, so that its row stands for nothing.
        pair = None if large else pairs.get(row)
        if pair is None:
            value = _sole_value(*large) if large else _sole_value(row, row_key_end(row), len(row))
            if value is ASK_NODE:
                return value
            if large:
                size += large[2] - large[1]
            rows.append([row, *value])
        else:
            rows.append(pair)
    return rows, row[ROW_KEY + 1 : row_key_end(row)], more


def _name(row):
    """The user's key in a row."""
    return str(row[ROW_KEY : row_key_end(row)], "utf-8")[1:]


def _sole_value(data, start, end):
    """Tag and bytes of a row with one plain version that cannot expire."""
    header = data[start]
    match = _HEADS.get(header)
    head = match and match(data, start, end)
    if not head:
        return ASK_NODE
    at = head.end()
    size = end - at
    # What is longer or shorter than its size says is more than one version.
    if data[at - 1] != size if size < 0x80 else not data.endswith(_varint(size), start, at):
        return ASK_NODE
    # The bytes of a page are copied, so that a kept one does not pin it; those of a large value are the read's own.
    return header & _TAG, data[at:end] if size < _LARGE_BYTES else memoryview(data)[at:end]


def _varint(number):
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _row_bounds(scan):
    """The first row of a scan's next page and the one behind its last; None when there can be none."""
    first, behind = _ROW, _ROWS_END
    if scan.prefix:
        first = _ROW + scan.prefix
        behind = _prefix_end(first)
    if scan.start:
        first = max(first, _ROW + scan.start + (b"\0" if scan.after else b""))
    if scan.end is not None:
        behind = min(behind, _ROW + scan.end)
    return (first, behind) if first < behind else None


def _prefix_end(prefix):
    """The first bytes behind all that begin with `prefix`: UTF-8 behind `i`, so no byte of it is 0xff."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


reads = DirectReads()
