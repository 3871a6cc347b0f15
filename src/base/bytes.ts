/** Orders two byte strings as unsigned bytes, shorter first on a tie: the order of every store. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const difference = (left[i] as number) - (right[i] as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** True when both hold the same bytes. */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && compareBytes(left, right) === 0;
}

/** The smallest byte string above every string that starts with `prefix`; `undefined` if none is. */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    if (prefix[last] !== 0xff) {
      const end = prefix.slice(0, last + 1);
      end[last] = (end[last] as number) + 1;
      return end;
    }
  }
  return undefined;
}
