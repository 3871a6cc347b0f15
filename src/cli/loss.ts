/** What a replica that was taken away may have cost, as the end of a sentence about it. */
export function lossOf(lost: number | null): string {
  if (lost === 0) return "";
  if (lost === null) {
    return ", which could not be asked: what only it had comes back as an export if it does";
  }
  const writes = lost === 1 ? "1 write" : `${lost} writes`;
  return `; no other replica had ${writes}: see the export that its log names`;
}
