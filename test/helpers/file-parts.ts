/** Bytes of a file that is mostly zeros: its size, and by their offsets the runs that are not. */
export interface FileParts {
  readonly sizeBytes: number;
  readonly parts: Readonly<Record<string, string>>;
}

/** Lets out what is zero. */
export function partsOf(bytes: Uint8Array): FileParts {
  const text = Buffer.from(bytes).toString("latin1");
  const runs = text.matchAll(/[^\0](?:\0{0,7}[^\0])*/g);
  const parts = Object.fromEntries(
    [...runs].map(({ index, 0: run }) => [index, Buffer.from(run, "latin1").toString("hex")]),
  );
  return { sizeBytes: bytes.length, parts };
}

/** The bytes again. */
export function joinParts({ sizeBytes, parts }: FileParts): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (const [at, digits] of Object.entries(parts)) bytes.write(digits, Number(at), "hex");
  return bytes;
}
