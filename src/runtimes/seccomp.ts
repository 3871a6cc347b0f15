/** What the filter needs to know of a processor: its audit number, then system call numbers. */
interface Architecture {
  readonly audit: number;
  readonly clone: number;
  /** Refused with EPERM. */
  readonly forbidden: readonly number[];
}

/** The same number everywhere: newer calls. io_uring_*, open_tree … fspick, pidfd_getfd, mount_setattr. */
const FORBIDDEN_EVERYWHERE = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442];
const CLONE3 = 435;

/**
 * In both lists: mount, umount2, pivot_root, chroot, unshare, setns · ptrace, process_vm_readv,
 * process_vm_writev, perf_event_open, bpf, userfaultfd · add_key, request_key, keyctl ·
 * kexec_load, kexec_file_load, init_module, finit_module, delete_module ·
 * name_to_handle_at, open_by_handle_at · swapon, swapoff, reboot, acct, quotactl.
 */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x64: {
    audit: 0xc000_003e,
    clone: 56,
    forbidden: [
      165, 166, 155, 161, 272, 308, 101, 310, 311, 298, 321, 323, 248, 249, 250, 246, 320, 175, 313,
      176, 303, 304, 167, 168, 169, 163, 179,
    ],
  },
  arm64: {
    audit: 0xc000_00b7,
    clone: 220,
    forbidden: [
      40, 39, 41, 51, 97, 268, 117, 270, 271, 241, 280, 282, 217, 218, 219, 104, 294, 105, 273, 106,
      264, 265, 224, 225, 142, 89, 60,
    ],
  },
};

const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_ANY_BIT = 0x45;
const RETURN = 0x06;

const ALLOW = 0x7fff_0000;
const KILL_PROCESS = 0x8000_0000;
const EPERM = 0x0005_0001;
const ENOSYS = 0x0005_0026;

const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
const FIRST_ARGUMENT_OFFSET = 16;
/** Numbers from here on are x86's second table for 64 bits. */
const X32_FIRST = 0x4000_0000;
/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const NAMESPACE_FLAGS = 0x7e02_0080;

/**
 * The system call filter of a sandbox as bubblewrap's `--seccomp` takes it: no new namespaces, no
 * mounts, no tracing. Undefined for processors that it has no table for.
 */
export function seccompFilter(arch: string = process.arch): Uint8Array | undefined {
  const table = ARCHITECTURES[arch];
  if (table === undefined) return undefined;
  const program: number[][] = [
    [LOAD_WORD, 0, 0, ARCHITECTURE_OFFSET],
    [JUMP_EQUAL, 1, 0, table.audit],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD_WORD, 0, 0, NUMBER_OFFSET],
    [JUMP_AT_LEAST, 0, 1, X32_FIRST],
    [RETURN, 0, 0, ENOSYS],
    // why: its flags lie in memory, where no filter can look; libraries fall back to clone.
    [JUMP_EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, ENOSYS],
  ];
  for (const number of [...table.forbidden, ...FORBIDDEN_EVERYWHERE]) {
    program.push([JUMP_EQUAL, 0, 1, number], [RETURN, 0, 0, EPERM]);
  }
  program.push(
    [JUMP_EQUAL, 0, 3, table.clone],
    [LOAD_WORD, 0, 0, FIRST_ARGUMENT_OFFSET],
    [JUMP_ANY_BIT, 0, 1, NAMESPACE_FLAGS],
    [RETURN, 0, 0, EPERM],
    [RETURN, 0, 0, ALLOW],
  );
  return encode(program);
}

function encode(program: readonly (readonly number[])[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code = 0, ifTrue = 0, ifFalse = 0, value = 0]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value, index * 8 + 4);
  }
  return bytes;
}
