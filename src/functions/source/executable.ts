import { open } from "node:fs/promises";
import { join } from "node:path";

/** Whether the system can execute a file, and if not, why. */
export type Inspection =
  | { readonly isProgram: true }
  | { readonly isProgram: false; readonly reason: string };

/** Longer first lines are cut by the kernel as well. */
const HEAD_BYTES = 256;
const ELF = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/**
 * Looks whether a file starts as a program does: with `#!` or as an ELF file. The executable
 * bit is not asked for, because archives made on some systems lose it; the build sets it.
 */
export async function inspectProgram(dir: string, file: string): Promise<Inspection> {
  const handle = await open(join(dir, file), "r");
  let head: Buffer;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    head = buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
  if (head.subarray(0, 4).equals(ELF)) return { isProgram: true };
  if (!head.subarray(0, 2).equals(Buffer.from("#!"))) {
    return refuse(`${file} starts neither with #! nor as an ELF program`);
  }
  const [firstLine] = head.toString("latin1").split("\n");
  if (firstLine?.endsWith("\r") === true) {
    return refuse(`the first line of ${file} ends in CR LF, so its interpreter is not found`);
  }
  return { isProgram: true };
}

function refuse(reason: string): Inspection {
  return { isProgram: false, reason };
}
