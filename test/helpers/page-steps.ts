/** A thing that a reader of a page does: write a file, run a command, or stop the node. */
export type Step =
  | { readonly kind: "file"; readonly path: string; readonly content: string }
  | { readonly kind: "command"; readonly command: string; readonly output: string }
  | { readonly kind: "stop"; readonly output: string };

/** A fenced block: what stands behind the fence, and its lines. */
const FENCED = /^```(\S+)(?: +(\S+))?\n([\s\S]*?)^```$/gm;

/**
 * What a page tells its reader to do, in order. A block ```` ```python path/of/file ```` is a file;
 * in a ```` ```console ```` block, lines after `$ ` are commands, `^C` ends the node, and what
 * follows is their output. Other blocks are only shown.
 */
export function stepsOf(markdown: string): Step[] {
  return [...markdown.matchAll(FENCED)].flatMap(([, language = "", path, content = ""]) => {
    if (language === "console") return consoleSteps(content);
    return path === undefined ? [] : [{ kind: "file", path, content } as const];
  });
}

function consoleSteps(content: string): Step[] {
  const parts = content.split(/^(\$ .*|\^C)\n/m).slice(1);
  const steps: Step[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const line = parts[at] as string;
    const output = parts[at + 1] as string;
    if (line === "^C") steps.push({ kind: "stop", output });
    else steps.push({ kind: "command", command: line.slice(2), output });
  }
  return steps;
}

/** The page with other outputs: `outputs` has one per command and stop, in order. */
export function withOutputs(markdown: string, outputs: readonly string[]): string {
  const waiting = [...outputs];
  return markdown.replaceAll(FENCED, (block, language: string, _path, content: string) => {
    if (language !== "console") return block;
    const filled = consoleSteps(content).map((step) => {
      const line = step.kind === "command" ? `$ ${step.command}` : "^C";
      return `${line}\n${waiting.shift() ?? ""}`;
    });
    return `\`\`\`console\n${filled.join("")}\`\`\``;
  });
}

/** What differs from run to run, and from machine to machine, and what is compared instead. */
const VARIABLE: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{32}\b/g, "ID"],
  [/\b[0-9a-f]{8}\b/g, "ID"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/\b\d\d:\d\d:\d\d\.\d{3}\b/g, "TIME"],
  [/^Date: .*$/gm, "Date: TIME"],
  [/\b[\d.]+ ms\b/g, "TOOK"],
  [/\b[\d.]+ (?:[KMG]i)?B\b/g, "SIZE"],
  [/\(\d+(?:ms|s|m) ago\)/g, "(AGO)"],
  [/ \d+(?:ms|s)(?= |$)/gm, " AGE"],
  [/^( *isolation:? +).*$/gm, "$1ISOLATION"],
  [/ +/g, " "],
];

/** What stays of an output when all that may vary is made equal. */
export function essenceOf(output: string): string {
  let text = output.trimEnd();
  for (const [pattern, placeholder] of VARIABLE) text = text.replaceAll(pattern, placeholder);
  return text;
}

/** True if `actual` is what the page shows; a line `…` there stands for any lines. */
export function isAsShown(shown: string, actual: string): boolean {
  const parts = essenceOf(shown).split(/^…$/m);
  const pattern = parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${pattern.join(String.raw`[\s\S]*`)}$`).test(essenceOf(actual));
}
