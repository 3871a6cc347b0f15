/** As large as a value that is read or written often may be; larger ones are rare, and go back at once. */
const KEPT_BLOCK_BYTES = 4 * 1024 * 1024;

/**
 * Has the C library keep freed blocks of up to 4 MiB for the next ones, up to 8 MiB in all, instead
 * of giving each back to the operating system. What is given back comes again page by page, each
 * with a fault: of a value of 1 MB that is 250 faults, which on a virtual machine take longer than
 * all else that is done with it.
 *
 * why this way: glibc takes the size of a large block that is freed for its new limits (mallopt(3),
 * "dynamic mmap threshold"), and a running process can say it in no other way. The block is never
 * touched, so it takes no memory; the collector frees it. Other C libraries are not changed by it.
 */
export function keepFreedMemory(): void {
  Buffer.allocUnsafeSlow(KEPT_BLOCK_BYTES);
}
