/** What JSON cannot say, as `kv-cases.json` says it: `{"$": kind, …}`. */
export type Special = Readonly<Record<string, unknown>> & { readonly $: string };

/** True for a {@link Special}. */
export function isSpecial(value: object): value is Special {
  return "$" in value;
}

/** The value that a special stands for in TypeScript. */
export function decodeSpecial(special: Special): unknown {
  switch (special.$) {
    case "bytes":
      return new Uint8Array(Buffer.from(String(special["v"]), "base64"));
    case "number":
      return toNumber(String(special["text"]));
    case "repeat":
      return String(special["text"]).repeat(Number(special["times"]));
    case "zeros":
      return new Uint8Array(Number(special["count"]));
    case "list":
      return Array.from({ length: Number(special["count"]) }, (_, n) => n);
    case "nested":
      return nested(Number(special["depth"]));
    case "intKeys":
      return new Map([[1, "x"]]);
    case "unsupported":
      return () => 1;
    case "nativeSet":
      return new Set([1, 2]);
    case "date":
      return new Date(0);
    case "circular":
      return circular();
    default:
      return undefined;
  }
}

function toNumber(text: string): number {
  const names: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, "-inf": -Infinity };
  return names[text] ?? Number(text);
}

function nested(depth: number): unknown {
  let value: unknown[] = [];
  for (let n = 1; n < depth; n++) value = [value];
  return value;
}

function circular(): unknown {
  const value: unknown[] = [];
  value.push(value);
  return value;
}

/** A result as a case expects it. */
export function encode(value: unknown): unknown {
  if (value === undefined) return { $: "missing" };
  if (value instanceof Uint8Array) {
    return { $: "bytes", v: Buffer.from(value).toString("base64") };
  }
  return value;
}
