import { EnokiError } from "../../core/errors.js";

/** A text in YAML that knows where its parts stand. */
export interface YamlText {
  /** Name of the file, for people. */
  readonly file: string;
  readonly value: unknown;
  /** The line of what stands at a path, else of the nearest around it; from 1. */
  lineOf(path: readonly PropertyKey[]): number;
  /** Nothing stands at that path. */
  isMissing(path: readonly PropertyKey[]): boolean;
}

/** @throws EnokiError `ENOKI_INVALID_MANIFEST` for what is no YAML */
export async function readYaml(text: string, file: string): Promise<YamlText> {
  // why: only who has a manifest pays for loading the parser.
  const { isMap, isNode, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: lines });
  const [error] = parsed.errors;
  if (error) {
    const line = error.linePos?.[0].line ?? 1;
    const [what = ""] = error.message.split("\n", 1);
    const detail = what.replace(/ at line \d+, column \d+:?$/, "");
    throw new EnokiError("ENOKI_INVALID_MANIFEST", `${file}:${line}: ${detail}`, { line });
  }
  let value: unknown;
  try {
    value = parsed.toJS();
  } catch (cause) {
    // Aliases of aliases, which would fill the memory.
    throw new EnokiError("ENOKI_INVALID_MANIFEST", `${file}:1: ${(cause as Error).message}`);
  }
  const offsetOf = (path: readonly PropertyKey[]): number => {
    const around = path.length <= 1 ? parsed.contents : parsed.getIn(path.slice(0, -1), true);
    const last = path.at(-1);
    if (last !== undefined && isMap(around)) {
      const pair = around.items.find(({ key }) => isScalar(key) && String(key.value) === last);
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
    }
    if (path.length > 0) return offsetOf(path.slice(0, -1));
    return isNode(around) && around.range ? around.range[0] : 0;
  };
  return {
    file,
    value,
    lineOf: (path) => lines.linePos(offsetOf(path)).line || 1,
    isMissing: (path) => !parsed.hasIn(path),
  };
}
