import { fileURLToPath } from "node:url";

/** Where something of `examples` lies. */
export function example(path: string): string {
  return fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
}
