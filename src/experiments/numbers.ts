/** Milliseconds as text. */
export function ms(value: number): string {
  if (value === 0) return "0 ms";
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return `${value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ms`;
}

/** Megabytes a second as text. */
export function mbPerS(value: number): string {
  return `${Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 })} MB/s`;
}

/** A ratio as text. */
export function times(value: number): string {
  return `${Number(value.toPrecision(value >= 1000 ? 4 : 3)).toLocaleString("en-US")} ×`;
}

/** A share as text. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

/** Requests a second as text. */
export function perS(value: number): string {
  return `${wholeOrShort(value)}/s`;
}

/** A count as text: `12,345`. */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

/** Bytes as the paper writes sizes: `1 B`, `250 kB`, `1 MB`. */
export function size(bytes: number): string {
  if (bytes >= 1_000_000) return `${bytes / 1_000_000} MB`;
  return bytes >= 1000 ? `${bytes / 1000} kB` : `${bytes} B`;
}

function wholeOrShort(value: number): string {
  return value >= 100
    ? Math.round(value).toLocaleString("en-US")
    : String(Number(value.toPrecision(3)));
}
