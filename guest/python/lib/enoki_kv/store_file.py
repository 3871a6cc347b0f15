"""Reads an LMDB file that the node writes, without any lock and without LMDB, as `src/guest/lmdb-file.ts` does.

LMDB never writes over a page of a committed state before two more states have been committed, so what was read of
state S is whole if S+2 had not been committed by the end of the read. Why, and what is relied on:
docs/decisions/0010-direct-reads.md.
"""

import os
from _bisect import bisect_left
from mmap import ACCESS_READ, mmap
from struct import Struct
from struct import error as StructError

try:
    from mmap import MADV_DONTNEED
except ImportError:
    MADV_DONTNEED = None

# Size of a page of our stores.
_PAGE_BYTES = 4096
# Kept from one read to the next: 256 KiB.
_PAGES_KEPT_MAX = 64
# A read meets two commits only if it is slow; then it may be slow again, and the node is asked.
_ATTEMPTS_MAX = 3
# No value of ours is longer.
_VALUE_BYTES_MAX = 32 * 1024 * 1024
_DEPTH_MAX = 32
# To list the keys of a page takes as long as to search it so many times.
_SEARCHES_BEFORE_LIST = 16
# Pages read behind the end of the map before the file is mapped anew: as long as that takes.
_PAGES_BEYOND_MAX = 32
# why: what was read through a map counts as memory of this process until it lets go of it. The map of a file of up to
# 64 MiB is kept; that of a larger one lets go of everything after so many pages, which with what the kernel maps around
# each come to 64 MiB at most.
_PAGES_MAPPED_MAX = 16384
_PAGES_TAKEN_MAX = 1024

_MAGIC = 0xBEEFC0DE
_VERSION = 2
_KNOWN = (_MAGIC, _VERSION, _PAGE_BYTES, 0)
# Of a meta page, what is of interest: magic, version, page size, flags, root, transaction.
_META = "24xII16xI48xH34xQ8xQ"
_META_BYTES = 160
# Both, read in one piece.
_METAS = slice(0, _PAGE_BYTES + _META_BYTES)
_unpack_metas = Struct(f"<{_META}{_PAGE_BYTES - _META_BYTES}x{_META}").unpack
# The root of an empty tree: all bits set.
_NO_PAGE = 2**64 - 1

# Number, flags and end of the list of nodes; then the list itself.
_page_head = Struct("<Q10xHH").unpack_from
_LIST = 24
_BRANCH = 1
_LEAF = 2

# Of a node: size of its value or number of its child, flags, size of its key; then the key and the value.
_node_head = Struct("<IHH").unpack_from
_KEY_SIZE = 6
_KEY = 8
_BIG = 1

_u16 = Struct("<H").unpack_from
_u64 = Struct("<Q").unpack_from

# A row, as a scan finds it: the size of its key as u16, the key, the value.
ROW_KEY = 2

# What `StoreFile.read` returns when the file was written too fast.
OVERTAKEN = object()


class Unreadable(Exception):
    """The file is not, or no longer, one that can be read this way."""


# What reading a torn page can come to.
FAILURES = (Unreadable, StructError, IndexError)


class _Page:
    """A branch or a leaf, copied from the file."""

    __slots__ = ("count", "data", "is_leaf", "keys", "searches")

    def __init__(self, data, number):
        named, flags, list_end = _page_head(data)
        if named != number or (flags != _LEAF and flags != _BRANCH):
            raise Unreadable("a page is unknown")
        self.data = data
        self.count = list_end >> 1
        self.is_leaf = flags == _LEAF
        self.keys = None
        self.searches = 0

    def node(self, index):
        """Where a node begins."""
        return _u16(self.data, _LIST + 2 * index)[0] + _LIST

    def key(self, index):
        node = self.node(index)
        return self.data[node + _KEY : node + _KEY + _u16(self.data, node + _KEY_SIZE)[0]]

    def lower_bound(self, key):
        """The first index whose key is not below `key`. The first key of a branch counts as the lowest."""
        low = 0 if self.is_leaf else 1
        if self.keys is not None:
            return bisect_left(self.keys, key, low)
        self.searches += 1
        if self.searches > _SEARCHES_BEFORE_LIST:
            self.keys = [self.key(index) for index in range(self.count)]
        data = self.data
        high = self.count
        while low < high:
            middle = (low + high) >> 1
            at = _u16(data, _LIST + 2 * middle)[0] + (_LIST + _KEY)
            if data[at : at + _u16(data, at - 2)[0]] < key:
                low = middle + 1
            else:
                high = middle
        return low


class StoreFile:
    """One open file, for one thread at a time. `read` runs its work on this object, as on one committed state."""

    def __init__(self, path):
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise Unreadable("the file cannot be opened") from error
        self._map = None
        self._metas = b""
        self._forget()
        try:
            self._map_anew()
        except Unreadable:
            os.close(self._fd)
            raise

    def close(self):
        self._map.close()
        os.close(self._fd)

    @property
    def pages_held(self):
        """Pages that are held for the next read."""
        return len(self._pages)

    def read(self, work, *arguments):
        """Returns what `work(file, *arguments)` returns on the latest committed state; it may run several times.

        Returns OVERTAKEN when the file was written too fast; raises one of FAILURES when it is not, or no longer,
        one that can be read this way.
        """
        for _ in range(_ATTEMPTS_MAX):
            try:
                self._begin()
                result = work(self, *arguments)
            except FAILURES:
                if not self._has_read or self._is_still():
                    raise
            except BaseException:
                # Raised by a signal's handler, for example: what was read up to there is not checked.
                self._forget()
                raise
            else:
                # What was kept of this very state needs no second look.
                if not self._has_read or self._is_still():
                    return result
            self._forget()
        return OVERTAKEN

    def get(self, key):
        """Where the value of `key` lies, as (bytes, from, to); None if there is none."""
        if self._root == _NO_PAGE:
            return None
        page = self._page(self._root)
        after = key + b"\0"
        depth = 0
        while not page.is_leaf:
            page = self._child(page, page.lower_bound(after) - 1, depth)
            depth += 1
        index = page.lower_bound(key)
        if index == page.count:
            return None
        data = page.data
        node = page.node(index)
        size, flags, key_bytes = _node_head(data, node)
        at = node + _KEY + key_bytes
        if data[node + _KEY : at] != key:
            return None
        if flags:
            return self._big(data, at, size, flags)
        return data, at, at + size

    def rows(self, start, end, reverse):
        """The rows from `start` (inclusive) to `end` (exclusive), or the other way round, as (row, value).

        A row holds its value, unless that is too large for a page: then `value` says where it lies, as
        (bytes, from, to). Otherwise `value` is None.
        """
        if self._root == _NO_PAGE:
            return
        for page, indexes in self._leaves(self._page(self._root), start, end, reverse, 0):
            data = page.data
            for index in indexes:
                node = _u16(data, _LIST + 2 * index)[0] + _LIST
                size, flags, key_bytes = _node_head(data, node)
                at = node + _KEY + key_bytes
                if flags:
                    yield data[node + _KEY_SIZE : at], self._big(data, at, size, flags)
                else:
                    yield data[node + _KEY_SIZE : at + size], None

    def _leaves(self, page, start, end, reverse, depth):
        """The leaves of a range, each with the indexes that lie within."""
        first = page.lower_bound(start) if page.is_leaf else page.lower_bound(start + b"\0") - 1
        indexes = range(first, page.lower_bound(end))
        if reverse:
            indexes = indexes[::-1]
        if page.is_leaf:
            yield page, indexes
        else:
            for index in indexes:
                yield from self._leaves(self._child(page, index, depth), start, end, reverse, depth + 1)

    def _begin(self):
        """Reads the meta pages, and forgets what was kept unless it is of the same state."""
        metas = self._map[_METAS]
        self._has_read = False
        if metas != self._metas:
            transaction, _, root = _latest(metas)
            self._metas = metas
            if transaction != self._transaction:
                self._has_read = True
                self._transaction = transaction
                self._root = root
                self._pages = {}
        # Between reads the pages of a state that does not change are kept, but only so many.
        if len(self._pages) > _PAGES_KEPT_MAX:
            self._pages = {}

    def _is_still(self):
        """Whether the state of this read was whole and at most one newer has been committed."""
        after = self._map[_METAS]
        if after == self._metas:
            return True
        meta = _latest(self._metas)[1]
        end = meta + _META_BYTES
        return after[meta:end] == self._metas[meta:end] and _latest(after)[0] <= self._transaction + 1

    def _forget(self):
        """The next read begins with nothing."""
        self._transaction = None
        self._root = _NO_PAGE
        self._pages = {}
        self._metas = b""
        self._has_read = True

    def _child(self, page, index, depth):
        if depth > _DEPTH_MAX:
            raise Unreadable("the tree is too deep")
        low, high, _ = _node_head(page.data, page.node(index))
        return self._page(low | high << 32)

    def _page(self, number):
        page = self._pages.get(number)
        if page is None:
            self._has_read = True
            if number < self._pages_mapped:
                self._pages_taken += 1
                at = number * _PAGE_BYTES
                data = self._map[at : at + _PAGE_BYTES]
            else:
                data = self._page_beyond(number)
            page = self._pages[number] = _Page(data, number)
            if self._pages_taken > _PAGES_TAKEN_MAX:
                self._let_go()
        return page

    def _page_beyond(self, number):
        """A page behind the end of the map: the file has grown."""
        self._pages_beyond += 1
        if self._pages_beyond > _PAGES_BEYOND_MAX:
            self._map_anew()
        return self._bytes(number * _PAGE_BYTES, _PAGE_BYTES)

    def _big(self, data, at, size, flags):
        """A value that has pages of its own."""
        if flags != _BIG or size > _VALUE_BYTES_MAX:
            raise Unreadable("a node is unknown")
        self._has_read = True
        return self._bytes(_u64(data, at)[0] * _PAGE_BYTES + _LIST, size), 0, size

    def _bytes(self, position, size):
        # why: what lies behind the end of a file raises here; through a map it ends the process.
        try:
            data = os.pread(self._fd, size, position)
        except (OSError, OverflowError) as error:
            raise Unreadable("the file cannot be read") from error
        if len(data) != size:
            raise Unreadable("a page is cut")
        return data

    def _map_anew(self):
        try:
            # At its present size, so that nothing behind its end is within reach.
            mapped = mmap(self._fd, 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise Unreadable("the file cannot be mapped") from error
        if self._map is not None:
            self._map.close()
        self._map = mapped
        self._pages_mapped = len(mapped) // _PAGE_BYTES
        self._pages_taken = 0
        self._pages_beyond = 0

    def _let_go(self):
        self._pages_taken = 0
        if self._pages_mapped > _PAGES_MAPPED_MAX and MADV_DONTNEED is not None:
            self._map.madvise(MADV_DONTNEED)


def row_key_end(row):
    """Where the key of a row ends, and its value begins."""
    return ROW_KEY + (row[0] | row[1] << 8)


def _latest(metas):
    """Transaction, position and root of the newer meta page."""
    fields = _unpack_metas(metas)
    if fields[:4] != _KNOWN or fields[6:10] != _KNOWN:
        raise Unreadable("not a store that can be read directly")
    if fields[11] > fields[5]:
        return fields[11], _PAGE_BYTES, fields[10]
    return fields[5], 0, fields[4]
