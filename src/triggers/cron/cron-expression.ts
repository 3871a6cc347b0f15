import { EnokiError } from "../../core/errors.js";

/** When something comes again and again, by minutes. */
export interface CronExpression {
  /** In one way of writing it: five fields, with the zone before them if it is not UTC. */
  readonly text: string;
  /** The five fields. */
  readonly pattern: string;
  /** Of the IANA. */
  readonly zone: string;
}

interface CronField {
  readonly what: string;
  readonly least: number;
  readonly greatest: number;
  readonly names: readonly string[];
}

const NAMED: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
/** What each field may hold; names stand for numbers from the least one on. */
const FIELDS = [
  { what: "minute", least: 0, greatest: 59, names: [] },
  { what: "hour", least: 0, greatest: 23, names: [] },
  { what: "day", least: 1, greatest: 31, names: [] },
  {
    what: "month",
    least: 1,
    greatest: 12,
    names: "jan feb mar apr may jun jul aug sep oct nov dec".split(" "),
  },
  { what: "weekday", least: 0, greatest: 7, names: "sun mon tue wed thu fri sat".split(" ") },
] as const satisfies readonly CronField[];
const PART = /^(?:\*|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:\/(\d{1,3}))?$/;
const ZONE = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/s;
const UTC = "UTC";
/** In a year that has them all. */
const DAYS_OF_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/**
 * Reads `[TZ=ZONE ]MINUTE HOUR DAY MONTH WEEKDAY`, or `@hourly` and its like. The zone is one of the IANA's, else UTC.
 * @throws EnokiError `ENOKI_INVALID_TRIGGER`
 */
export function parseCronExpression(expression: string): CronExpression {
  const [, zone = UTC, rest = expression] = ZONE.exec(expression.trim()) ?? [];
  const trimmed = rest.trim();
  const fields = (NAMED[trimmed.toLowerCase()] ?? trimmed).split(/\s+/);
  if (trimmed.startsWith("@") && fields.length === 1) {
    throw invalid(`there is no ${trimmed.slice(0, 40)}: use ${Object.keys(NAMED).join(", ")}`);
  }
  if (fields.length !== FIELDS.length) {
    const detail = "a schedule has 5 fields (minute hour day month weekday)";
    throw invalid(`${detail}, as in "cron:*/5 * * * *"`);
  }
  const [, , days = [], months = []] = FIELDS.map((field, at) =>
    readField(fields[at] ?? "", field),
  );
  if (!isZone(zone)) throw invalid(`there is no time zone ${JSON.stringify(zone.slice(0, 40))}`);
  const pattern = fields.join(" ");
  const first = Math.min(...days);
  const isEver = months.some((month) => first <= (DAYS_OF_MONTHS[month - 1] ?? 0));
  // With a weekday it is that one, or the day.
  if (!isEver && fields[4] === "*") throw invalid(`no date ever fits "${pattern}"`);
  return { text: zone === UTC ? pattern : `TZ=${zone} ${pattern}`, pattern, zone };
}

/** The numbers that a field stands for. */
function readField(text: string, field: CronField): number[] {
  return text.split(",").flatMap((part) => {
    const { first, last, step } = readPart(part, field);
    const count = Math.floor((last - first) / step) + 1;
    return Array.from({ length: count }, (_, index) => first + index * step);
  });
}

function readPart(
  part: string,
  field: CronField,
): { readonly first: number; readonly last: number; readonly step: number } {
  const { what, least, greatest } = field;
  const [isPart, from, to, stepText] = PART.exec(part) ?? [];
  const first = from === undefined ? least : numberOf(from, field);
  const last = to !== undefined ? numberOf(to, field) : from === undefined ? greatest : first;
  const isSpan = from === undefined || to !== undefined;
  const step = Number(stepText ?? 1);
  const isStep = step > 0 && (stepText === undefined || isSpan);
  if (isPart !== undefined && first >= least && first <= last && last <= greatest && isStep) {
    return { first, last, step };
  }
  const shown = JSON.stringify(part.slice(0, 40));
  const forms = `*, numbers from ${least} to ${greatest}, ranges 1-5, steps */2, with commas between`;
  throw invalid(`the ${what} cannot be ${shown}: it takes ${forms}`);
}

/** Not a number if it is none. */
function numberOf(text: string, { least, names }: CronField): number {
  const index = names.indexOf(text.toLowerCase());
  if (index >= 0) return index + least;
  return /^\d{1,2}$/.test(text) ? Number(text) : NaN;
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function invalid(detail: string): EnokiError {
  return new EnokiError("ENOKI_INVALID_TRIGGER", detail);
}
