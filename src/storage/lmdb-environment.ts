import { open, type RootDatabase } from "lmdb";
import { assert } from "../base/assert.js";

/** One LMDB file: byte keys to byte values. */
export type LmdbDatabase = RootDatabase<Uint8Array, Uint8Array>;

/** Size of a page, in bytes: fixed, so that a file moves between machines. Its longest key has 1,978 bytes. */
export const PAGE_SIZE_BYTES = 4096;

/** Values up to this size are read through one shared buffer, larger ones straight into their own. */
const SHARED_READ_BUFFER_SIZE_BYTES = 32 * 1024;

/**
 * Opens the LMDB environment in `folder`. Reasons for each choice: docs/decisions/0002-lmdb-options.md.
 */
export function openEnvironment(folder: string): LmdbDatabase {
  const database = open<Uint8Array, Uint8Array>({
    path: folder,
    noSubdir: false,
    keyEncoding: "binary",
    encoding: "binary",
    // A commit must not wait for the disk. What a power cut may do is the checkpoint's affair.
    noSync: true,
    overlappingSync: false,
    // Writes go through pwrite, so a full disk is an error code and never a SIGBUS.
    useWritemap: false,
    // Zeroed pages: nothing from the node's heap gets into the file.
    noMemInit: false,
    remapChunks: false,
    pageSize: PAGE_SIZE_BYTES,
    // Address space only; LMDB maps a larger range by itself when the file outgrows it.
    mapSize: 1024 ** 3,
    maxDbs: 1,
  });
  useSmallReadBuffer(database);
  return database;
}

interface ReadBufferOwner {
  _allocateGetBuffer(halfSizeBytes: number): void;
}

/**
 * Keeps lmdb-js from copying a large value twice: by default it copies whatever has less than 16 MiB
 * into a buffer of its own first.
 */
export function useSmallReadBuffer(database: LmdbDatabase): void {
  allocateReadBuffer(database, SHARED_READ_BUFFER_SIZE_BYTES);
}

/** Makes room for any value in lmdb-js's own buffer. */
export function useLargeReadBuffer(database: LmdbDatabase): void {
  allocateReadBuffer(database, 64 * 1024 * 1024);
}

function allocateReadBuffer(database: LmdbDatabase, sizeBytes: number): void {
  const owner = database as unknown as ReadBufferOwner;
  assert(
    typeof owner._allocateGetBuffer === "function",
    "lmdb-js no longer sizes its read buffer this way",
  );
  owner._allocateGetBuffer(sizeBytes / 2);
}
