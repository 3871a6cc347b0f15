/** How values lie along an axis. */
export interface Axis {
  /** Place of a value: 0 = where the axis begins, 1 = where it ends; outside of that where it does not reach. */
  place(value: number): number;
  readonly ticks: readonly number[];
  readonly first: number;
  readonly last: number;
}

const TICKS_ABOUT = 6;
/** With fewer decades there are ticks within them. */
const FINE_DECADES = 3;

/** Even steps from 0 or `least` to at least `greatest`, which is greater. */
export function linearAxis(least: number, greatest: number): Axis {
  const step = niceStep((greatest - least) / TICKS_ABOUT);
  const first = Math.floor(least / step + 1e-9) * step;
  const steps = Math.ceil((greatest - first) / step - 1e-9);
  const ticks = Array.from({ length: steps + 1 }, (_, at) => exact(first + at * step));
  const last = ticks.at(-1) as number;
  return { place: (value) => (value - first) / (last - first), ticks, first, last };
}

/** Decades from below `least` to above `greatest`, which are greater than 0; it may end at 2 or 5 of one. */
export function logAxis(least: number, greatest: number): Axis {
  const lowest = Math.floor(Math.log10(least) + 1e-9);
  const decade = 10 ** Math.floor(Math.log10(greatest));
  const end = [1, 2, 5, 10].find((factor) => factor * decade >= greatest * (1 - 1e-9)) ?? 10;
  const first = exact(10 ** lowest);
  const last = Math.max(exact(end * decade), first * 10);
  const decades = Math.floor(Math.log10(last / first) + 1e-9);
  const factors = decades < FINE_DECADES ? [1, 2, 5] : [1];
  const ticks = Array.from({ length: decades + 1 }, (_, at) => 10 ** (lowest + at)).flatMap(
    (power) => factors.map((factor) => exact(factor * power)),
  );
  return {
    place: (value) => Math.log10(value / first) / Math.log10(last / first),
    ticks: ticks.filter((tick) => tick <= last),
    first,
    last,
  };
}

/** A tick as text: `0.001`, `25`, `1,000`. */
export function tickText(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 6 });
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 2.5, 5, 10].find((candidate) => candidate * power >= rough - 1e-12) ?? 10;
  return factor * power;
}

/** Without the error of binary fractions. */
function exact(value: number): number {
  return Number(value.toPrecision(12));
}
