import { tickText, type Axis } from "./axis.js";
import type { Marker, Style } from "./style.js";
import { escapeXml, px, textElement, textWidthPx } from "./text.js";

/** Where the values of a plot lie, within its picture. */
export interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** What stands in the legend. */
export interface LegendEntry {
  readonly label: string;
  readonly style: Style;
  /** What the area of the series is filled with; without it the series is a line. */
  readonly fill?: string;
}

/** What every plot has around its values. */
export interface Surround {
  /** Tells its parts from those of other plots on the page: letters, digits, dashes. */
  readonly id: string;
  readonly title: string;
  readonly yLabel: string;
  readonly xLabel: string;
  readonly y: Axis;
  /** Labels below the values, at places from 0 to 1. */
  readonly xTicks: readonly { readonly place: number; readonly label: string }[];
  readonly hasVerticalLines: boolean;
  readonly legend: readonly LegendEntry[];
  /** Definitions that elements refer to. */
  readonly definitions?: string;
}

const WIDTH = 760;
const VALUES_HEIGHT = 300;
const PADDING = 16;
const TITLE_PX = 16;
const LABEL_PX = 13;
const TICK_PX = 12;
const LEGEND_LINE = 22;
const SWATCH = 34;
const FONT = "system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif";
const INK = "#1a1a1a";
const GRID = "#dcdcdc";

/** A plot as SVG: title, axes with units, legend; `draw` gives the elements of the values for their area. */
export function canvas(surround: Surround, draw: (area: Area) => string): string {
  const { id, title, xLabel, legend, definitions = "" } = surround;
  const area = areaOf(surround);
  const legendRows = layLegend(legend, WIDTH - 2 * PADDING);
  const ticksY = area.bottom + 8 + TICK_PX;
  const labelY = ticksY + 8 + LABEL_PX;
  const legendY = labelY + 10;
  const height = legendY + legendRows.length * LEGEND_LINE + PADDING / 2;
  const middle = (area.left + area.right) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${px(height)}" width="${WIDTH}" ` +
      `height="${px(height)}" font-family="${FONT}" fill="${INK}" role="img" aria-labelledby="${id}-title">`,
    `<title id="${id}-title">${escapeXml(title)}</title>`,
    definitions === "" ? "" : `<defs>${definitions}</defs>`,
    `<rect width="${WIDTH}" height="${px(height)}" fill="#ffffff"/>`,
    textElement(title, { x: PADDING, y: PADDING + TITLE_PX, sizePx: TITLE_PX, isBold: true }),
    grid(surround, area),
    draw(area),
    frame(area),
    ...tickLabels(surround, area, ticksY),
    textElement(xLabel, { x: middle, y: labelY, sizePx: LABEL_PX, anchor: "middle" }),
    textElement(surround.yLabel, {
      x: PADDING + LABEL_PX - 2,
      y: (area.top + area.bottom) / 2,
      sizePx: LABEL_PX,
      anchor: "middle",
      isUpright: true,
    }),
    ...legendRows.flatMap((row, at) =>
      row.map((entry) => swatch(entry, legendY + at * LEGEND_LINE)),
    ),
    "</svg>",
  ]
    .filter((part) => part !== "")
    .join("\n");
}

/** A marker whose middle is at x, y. */
export function markerElement(marker: Marker, x: number, y: number, style: Style): string {
  const look = `fill="${style.isPublished ? "#ffffff" : style.colour}" stroke="${style.colour}" stroke-width="1.5"`;
  const size = 4;
  switch (marker) {
    case "circle":
      return `<circle cx="${px(x)}" cy="${px(y)}" r="${size}" ${look}/>`;
    case "square":
      return `<rect x="${px(x - size)}" y="${px(y - size)}" width="${2 * size}" height="${2 * size}" ${look}/>`;
    case "triangle":
      return `<path d="M${px(x)} ${px(y - size - 1)}l${size + 1} ${2 * size}h${-2 * (size + 1)}z" ${look}/>`;
    case "diamond":
      return `<path d="M${px(x)} ${px(y - size - 1)}l5 5l-5 5l-5 -5z" ${look}/>`;
  }
}

/** Attributes of a line that shows a series. */
export function lineLook({ colour, isPublished }: Style): string {
  return isPublished
    ? `fill="none" stroke="${colour}" stroke-width="1.6" stroke-dasharray="6 4"`
    : `fill="none" stroke="${colour}" stroke-width="2.2"`;
}

function areaOf({ y, yLabel, xTicks }: Surround): Area {
  const tickWidth = Math.max(...y.ticks.map((tick) => textWidthPx(tickText(tick), TICK_PX)));
  const yLabelSpace = yLabel === "" ? 0 : LABEL_PX + 8;
  const lastTick = xTicks.at(-1);
  const overhang = lastTick === undefined ? 0 : textWidthPx(lastTick.label, TICK_PX) / 2;
  const top = PADDING + TITLE_PX + 18;
  return {
    left: PADDING + yLabelSpace + tickWidth + 10,
    right: WIDTH - PADDING - overhang,
    top,
    bottom: top + VALUES_HEIGHT,
  };
}

function grid({ y, xTicks, hasVerticalLines }: Surround, area: Area): string {
  const { left, right, top, bottom } = area;
  const across = y.ticks.map((tick) => {
    const at = px(bottom - y.place(tick) * (bottom - top));
    return `M${px(left)} ${at}H${px(right)}`;
  });
  const down = hasVerticalLines
    ? xTicks.map(({ place }) => `M${px(left + place * (right - left))} ${px(top)}V${px(bottom)}`)
    : [];
  return `<path d="${[...across, ...down].join("")}" stroke="${GRID}" fill="none"/>`;
}

function frame({ left, right, top, bottom }: Area): string {
  return `<path d="M${px(left)} ${px(top)}V${px(bottom)}H${px(right)}" stroke="${INK}" fill="none"/>`;
}

function tickLabels({ y, xTicks }: Surround, area: Area, ticksY: number): string[] {
  const { left, right, top, bottom } = area;
  const beside = y.ticks.map((tick) =>
    textElement(tickText(tick), {
      x: left - 8,
      y: bottom - y.place(tick) * (bottom - top) + TICK_PX / 3,
      sizePx: TICK_PX,
      anchor: "end",
    }),
  );
  const below = xTicks.map(({ place, label }) =>
    textElement(label, {
      x: left + place * (right - left),
      y: ticksY,
      sizePx: TICK_PX,
      anchor: "middle",
    }),
  );
  return [...beside, ...below];
}

interface PlacedEntry extends LegendEntry {
  readonly x: number;
}

/** Breaks the legend into rows that are not wider than `width`. */
function layLegend(entries: readonly LegendEntry[], width: number): PlacedEntry[][] {
  const rows: PlacedEntry[][] = [[]];
  let x = PADDING;
  for (const entry of entries) {
    const wide = SWATCH + 8 + textWidthPx(entry.label, TICK_PX) + 18;
    if (x > PADDING && x + wide > PADDING + width) {
      rows.push([]);
      x = PADDING;
    }
    rows.at(-1)?.push({ ...entry, x });
    x += wide;
  }
  return rows;
}

function swatch({ label, style, fill, x }: PlacedEntry, top: number): string {
  const y = top + LEGEND_LINE / 2;
  const shown =
    fill === undefined
      ? `<path d="M${px(x)} ${px(y)}h${SWATCH}" ${lineLook(style)}/>` +
        markerElement(style.marker, x + SWATCH / 2, y, style)
      : `<rect x="${px(x + 8)}" y="${px(y - 6)}" width="${SWATCH - 12}" height="12" ` +
        `fill="${fill}" stroke="${style.colour}"/>`;
  return [
    shown,
    textElement(label, { x: x + SWATCH + 8, y: y + TICK_PX / 3, sizePx: TICK_PX }),
  ].join("");
}
