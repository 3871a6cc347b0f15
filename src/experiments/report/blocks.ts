/** A part of the report, which is written as HTML and as Markdown. Text may hold `code`, nothing else. */
export type Block =
  | { readonly kind: "heading"; readonly text: string; readonly level: 1 | 2 | 3 }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | Table
  | Plot;

/** A table; the first column is text, and so is every column that `texts` names. */
export interface Table {
  readonly kind: "table";
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Columns beside the first that hold sentences; all others are numbers. */
  readonly texts?: readonly string[];
}

/** A picture; in Markdown a file beside it, in HTML a part of it. */
export interface Plot {
  readonly kind: "plot";
  /** Without its ending. */
  readonly file: string;
  readonly svg: string;
  readonly caption: string;
}

/** A heading. */
export function heading(level: 1 | 2 | 3, text: string): Block {
  return { kind: "heading", level, text };
}

/** A paragraph. */
export function text(content: string): Block {
  return { kind: "text", text: content };
}

/** What stands in a table where nothing was measured. */
export const NOTHING = "–";
