/** Variables of the node that guests inherit; all others stay with the node. */
const INHERITED = /^(?:PATH|LANG|LC_[A-Z]+|TZ)$/;

/** Name of the variable by which a guardian finds what a killed node has left. */
export const MARKER_NAME = "ENOKI_RUN";

/** The environment of a guest before LOAD: nothing of the node's but paths and locale. */
export function guestEnvironment(
  source: NodeJS.ProcessEnv,
  tmpDir: string,
): Record<string, string> {
  const environment: Record<string, string> = { PATH: "/usr/local/bin:/usr/bin:/bin" };
  for (const [name, value] of Object.entries(source)) {
    if (value !== undefined && INHERITED.test(name)) environment[name] = value;
  }
  return { ...environment, HOME: tmpDir, TMPDIR: tmpDir };
}
