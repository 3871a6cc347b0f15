/** Which end of a text stands at its x. */
export type Anchor = "start" | "middle" | "end";

const WIDTHS_EM: readonly (readonly [RegExp, number])[] = [
  [/[mwMW%@—…]/, 1],
  [/[A-Z&+=<>≥≤×÷→]/, 0.84],
  [/[ ]/, 0.32],
  [/[.,:;|!'ijl]/, 0.4],
  [/[()[\]/\-ftr]/, 0.45],
];
/** Lower-case letters and digits. */
const USUAL_EM = 0.64;

/** At least as wide as a text is in any usual sans-serif; DejaVu Sans, the widest of them, is the measure. */
export function textWidthPx(text: string, sizePx: number): number {
  let em = 0;
  for (const character of text) {
    em += WIDTHS_EM.find(([pattern]) => pattern.test(character))?.[1] ?? USUAL_EM;
  }
  return em * sizePx;
}

/** Text that can stand in XML, also in an attribute. */
export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** What a text element needs. */
export interface TextOptions {
  readonly x: number;
  readonly y: number;
  readonly sizePx: number;
  readonly anchor?: Anchor;
  readonly isBold?: boolean;
  /** Reads from bottom to top. */
  readonly isUpright?: boolean;
}

/** A text element whose baseline begins, ends or has its middle at x, y. */
export function textElement(text: string, options: TextOptions): string {
  const { x, y, sizePx, anchor = "start", isBold = false, isUpright = false } = options;
  const turn = isUpright ? ` transform="rotate(-90 ${px(x)} ${px(y)})"` : "";
  const weight = isBold ? ' font-weight="600"' : "";
  return (
    `<text x="${px(x)}" y="${px(y)}" font-size="${sizePx}" text-anchor="${anchor}"` +
    `${weight}${turn}>${escapeXml(text)}</text>`
  );
}

/** A coordinate, as short as it can be. */
export function px(value: number): string {
  return String(Number(value.toFixed(2)));
}
