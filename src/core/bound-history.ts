/** A bound as it was just before it fell: the greatest since the one before. */
interface Peak {
  readonly atMs: number;
  readonly boundMs: number;
}

/** Beyond, the two oldest peaks count as one: what is said is then greater than need be. */
const PEAKS_MAX = 256;

/**
 * The greatest staleness bound that held at any moment of an interval that ends now. So the bound of
 * reads whose very moments nobody has told can be given after them: they lie in the interval.
 *
 * A bound grows with the time and falls when something is learnt: between two looks it was at most
 * what it would be at the second, had nothing been learnt. A fall that is noted late makes its peak
 * higher, not lower, so looks may come late. Only 0 does not grow: that no other member is there ends
 * with a record, and whoever takes one has to look.
 */
export class BoundHistory {
  /** The bound is the time since. */
  #asOfMs = -Infinity;
  #boundMs = 0;
  /** Oldest and greatest first: a peak that a later one exceeds bounds nothing any more. */
  #peaks: Peak[] = [];

  /** Notes what the bound is now. */
  note(nowMs: number, boundMs: number): void {
    const asOfMs = nowMs - boundMs;
    const isAlone = boundMs === 0 && this.#boundMs === 0;
    if (asOfMs > this.#asOfMs && !isAlone) {
      this.#add({ atMs: nowMs, boundMs: nowMs - this.#asOfMs });
    }
    this.#asOfMs = asOfMs;
    this.#boundMs = boundMs;
  }

  /** The greatest bound of any moment from `sinceMs` on to now, when it is `boundMs`. */
  greatestMs(sinceMs: number, nowMs: number, boundMs: number): number {
    this.note(nowMs, boundMs);
    const peak = this.#peaks.find(({ atMs }) => atMs >= sinceMs);
    return Math.max(boundMs, peak?.boundMs ?? 0);
  }

  #add(peak: Peak): void {
    const peaks = this.#peaks;
    while (peaks.length > 0 && (peaks.at(-1) as Peak).boundMs <= peak.boundMs) peaks.pop();
    peaks.push(peak);
    if (peaks.length <= PEAKS_MAX) return;
    const [oldest, next] = peaks as [Peak, Peak];
    peaks.splice(0, 2, { atMs: next.atMs, boundMs: oldest.boundMs });
  }
}
