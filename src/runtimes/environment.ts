import { dirname } from "node:path";

/** Variables of the node that guests inherit; all others stay with the node. */
const INHERITED = /^(?:PATH|LANG|LC_[A-Z]+|TZ)$/;

const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/**
 * Has the guest's C library keep freed blocks of up to 4 MiB for the next ones, up to 8 MiB in all
 * (mallopt(3)). Else each large value is given back to the operating system and comes again page by
 * page, each with a fault: on a virtual machine that took 60 times as long as reading a value of 1 MB.
 */
const MEMORY = {
  MALLOC_MMAP_THRESHOLD_: `${4 * 1024 * 1024}`,
  MALLOC_TRIM_THRESHOLD_: `${8 * 1024 * 1024}`,
} as const;

/** Name of the variable by which a guardian finds what a killed node has left. */
export const MARKER_NAME = "ENOKI_RUN";

/** The environment of a guest before LOAD: of the node's nothing but paths and locale. */
export function guestEnvironment(
  source: NodeJS.ProcessEnv,
  tmpDir: string,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: SYSTEM_PATH };
  for (const [name, value] of Object.entries(source)) {
    if (value !== undefined && INHERITED.test(name)) environment[name] = value;
  }
  return { ...environment, ...MEMORY, HOME: tmpDir, TMPDIR: tmpDir };
}

/**
 * The environment of a guest in a sandbox. The node's `PATH` stays outside: it names folders of the
 * node's user, none of which exist inside, and tells a function where that user works.
 */
export function sandboxEnvironment(
  source: NodeJS.ProcessEnv,
  tmpDir: string,
  interpreter: string,
): Record<string, string> {
  const own = dirname(interpreter);
  const isSystem = SYSTEM_PATH.split(":").includes(own);
  const path = isSystem ? SYSTEM_PATH : `${own}:${SYSTEM_PATH}`;
  return { ...guestEnvironment(source, tmpDir), PATH: path };
}
