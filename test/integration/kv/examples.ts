import { readFile } from "node:fs/promises";

const PAGE = new URL("../../../docs/reference/kv.md", import.meta.url);

/** The code blocks of one language on the page about `kv`, in their order. */
export async function examplesOf(language: "python" | "typescript"): Promise<string[]> {
  const page = await readFile(PAGE, "utf8");
  const blocks = page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"));
  return [...blocks].map((block) => block[1] as string);
}

/** A Python function that runs a block and returns what its lines said against what they gave. */
export const PYTHON_RUNNER = `
import ast
import json
import kv

def call(block):
    lines = block.splitlines()
    names = {"kv": kv}
    told = []
    for node in ast.parse(block).body:
        _, _, said = lines[node.end_lineno - 1].partition("# → ")
        source = ast.get_source_segment(block, node)
        if not said:
            exec(source, names)
        elif said.startswith("ENOKI_"):
            told.append([source, said, refusal(source, names)])
        else:
            told.append([source, json.loads(said), eval(source, names)])
    return told

def refusal(source, names):
    try:
        exec(source, names)
    except kv.Error as error:
        return error.code
`;

/** The same for TypeScript: a function made of all blocks, each run by its number. */
export function typescriptRunner(blocks: readonly string[]): string {
  const bodies = blocks.map((block) => `async () => {\n${instrumented(block)}\n}`);
  return `import { kv } from "enoki";
    let told = [];
    const tell = (source, said, gave) => told.push([source, said, gave]);
    const refusal = async (run) => run().then(() => undefined, (error) => error.code);
    const blocks = [${bodies.join(",\n")}];
    export async function call(index) {
      told = [];
      await blocks[index]();
      return told;
    }`;
}

function instrumented(block: string): string {
  return block.replaceAll(/^(.*); \/\/ → (.*)$/gm, (_line, code: string, said: string) => {
    const source = JSON.stringify(code);
    return said.startsWith("ENOKI_")
      ? `tell(${source}, "${said}", await refusal(async () => (${code})));`
      : `tell(${source}, ${said}, ${code});`;
  });
}
