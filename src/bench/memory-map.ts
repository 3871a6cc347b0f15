/** Memory of one process that comes from one file, or from none. */
export interface MappedFile {
  /** `dev:inode`; `""` = no file. */
  readonly file: string;
  /** Shared pages divided among those who share them. */
  readonly pssBytes: number;
  readonly privateBytes: number;
  readonly sharedBytes: number;
}

const HEADER = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ (\S+) (\d+)/;

/** Reads the text of `/proc/PID/smaps`: one entry per mapping. */
export function parseMemoryMap(smaps: string): MappedFile[] {
  const found: MappedFile[] = [];
  for (const text of smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)) {
    const [, device = "", inode = "0"] = HEADER.exec(text) ?? [];
    const bytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
    found.push({
      file: inode === "0" ? "" : `${device}:${inode}`,
      pssBytes: bytes("Pss"),
      privateBytes: bytes("Private_Clean") + bytes("Private_Dirty"),
      sharedBytes: bytes("Shared_Clean") + bytes("Shared_Dirty"),
    });
  }
  return found;
}

/**
 * What the processes would need if no one else mapped their files. The bench itself runs on Node,
 * so plain PSS leaves out the part of the interpreter's code that it carries.
 */
export function bytesAlone(processes: readonly (readonly MappedFile[])[]): number {
  let total = 0;
  const sharedByFile = new Map<string, number>();
  for (const mappings of processes) {
    const sharedHere = new Map<string, number>();
    for (const { file, pssBytes, privateBytes, sharedBytes } of mappings) {
      // Memory without a file is shared with none but the node's own forks.
      total += file === "" ? pssBytes : privateBytes;
      if (file !== "") sharedHere.set(file, (sharedHere.get(file) ?? 0) + sharedBytes);
    }
    for (const [file, bytes] of sharedHere) {
      sharedByFile.set(file, Math.max(bytes, sharedByFile.get(file) ?? 0));
    }
  }
  for (const bytes of sharedByFile.values()) total += bytes;
  return total;
}
