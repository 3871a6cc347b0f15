import { textWidthPx } from "../../../../src/experiments/report/plot/text.js";

/** Room that a text takes in a picture. */
export interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Boxes of all texts of a plot, rather too large than too small. */
export function textBoxes(svg: string): Box[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(
    ([, attributes = "", content = ""]) => {
      const attribute = (name: string): string =>
        new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
      const [x, y, size] = ["x", "y", "font-size"].map((name) => Number(attribute(name))) as [
        number,
        number,
        number,
      ];
      const text = content.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
      // Bold is a tenth wider.
      const width = textWidthPx(text, size) * (attribute("font-weight") === "" ? 1 : 1.1);
      const before = { start: 0, middle: width / 2, end: width }[attribute("text-anchor")] ?? 0;
      const [above, below] = [size, size * 0.3];
      if (attribute("transform").startsWith("rotate(-90")) {
        return {
          text,
          left: x - above,
          right: x + below,
          top: y - (width - before),
          bottom: y + before,
        };
      }
      return {
        text,
        left: x - before,
        right: x - before + width,
        top: y - above,
        bottom: y + below,
      };
    },
  );
}

/** Width and height of a plot. */
export function viewBoxOf(svg: string): { width: number; height: number } {
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
  return { width: Number(width), height: Number(height) };
}

/** Texts that reach out of their picture. */
export function clippedTexts(svg: string): string[] {
  const { width, height } = viewBoxOf(svg);
  return textBoxes(svg)
    .filter(
      ({ left, right, top, bottom }) => left < 0 || top < 0 || right > width || bottom > height,
    )
    .map(({ text }) => text);
}

/** Pairs of texts that lie on one another. */
export function overlappingTexts(svg: string): string[] {
  const boxes = textBoxes(svg);
  return boxes.flatMap((one, at) =>
    boxes
      .slice(at + 1)
      .filter((other) => one.left < other.right && other.left < one.right)
      .filter((other) => one.top < other.bottom && other.top < one.bottom)
      .map((other) => `${one.text} / ${other.text}`),
  );
}

/** What is not well-formed about XML without comments: an element that is not closed, a bare ampersand, a number that is none. */
export function xmlProblem(xml: string): string | undefined {
  if (/&(?!amp;|lt;|gt;|quot;)/.test(xml)) return "a bare ampersand";
  if (/NaN|Infinity|undefined/.test(xml)) return "a number that is none";
  const open: string[] = [];
  const pattern = /<(\/?)([a-zA-Z]+)((?:\s+[a-zA-Z-]+(?::[a-z]+)?="[^"<]*")*)\s*(\/?)>/g;
  const rest = xml.replaceAll(pattern, (_, closing: string, name: string, __, alone: string) => {
    if (closing === "/") {
      if (open.pop() !== name) open.push(`no <${name}>`);
    } else if (alone === "") {
      open.push(name);
    }
    return "";
  });
  if (open.length > 0) return `not closed: ${open.join(", ")}`;
  return /[<>]/.test(rest) ? `a stray bracket: ${/.{0,30}[<>].{0,30}/.exec(rest)?.[0]}` : undefined;
}
