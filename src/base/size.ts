const UNITS_BYTES: Readonly<Record<string, number>> = {
  "": 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
};

/** Parses a size such as `128m`, `1g` or `65536` (bytes); `undefined` for anything else. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d{1,12})([kmg]?)(?:i?b)?$/i.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (UNITS_BYTES[(match[2] as string).toLowerCase()] as number);
}

/** Writes a number of bytes as the shortest exact size, the inverse of {@link parseSizeBytes}. */
export function formatExactSize(sizeBytes: number): string {
  for (const unit of ["g", "m", "k"]) {
    const size = UNITS_BYTES[unit] as number;
    if (sizeBytes >= size && sizeBytes % size === 0) return `${sizeBytes / size}${unit}`;
  }
  return String(sizeBytes);
}

/** Writes a number of bytes for people: `5 B`, `1.5 KiB`, `3.0 MiB`. */
export function formatSizeBytes(sizeBytes: number): string {
  let size = sizeBytes;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (size < 1024 || unit === "GiB")
      return unit === "B" ? `${size} B` : `${size.toFixed(1)} ${unit}`;
    size /= 1024;
  }
  return `${sizeBytes} B`;
}
