/** Of the random digits of a trace id, those that decide: 52 bits, which a number holds exactly. */
const DECIDING_DIGITS = 13;
const DECIDING_RANGE = 16 ** DECIDING_DIGITS;

/**
 * Whether a trace that begins with that id is among the share `ratio` (0 to 1) that is recorded. The
 * id decides, so nodes with the same ratio decide alike.
 */
export function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-DECIDING_DIGITS), 16) < ratio * DECIDING_RANGE;
}
