import { rm } from "node:fs/promises";
import { relative, resolve } from "node:path";

import { showOneNode } from "./one-node.js";
import { showThreeNodes } from "./three-nodes.js";

/** `npm run demo`: a node and its functions, then three nodes that lose each other and agree again. */

const DATA_DIR = resolve(".enoki-demo");
const THREE_NODES_DIR = resolve(".enoki-demo-nodes");

for (const dir of [DATA_DIR, THREE_NODES_DIR]) await rm(dir, { recursive: true, force: true });
await showOneNode(DATA_DIR);
await showThreeNodes(THREE_NODES_DIR);
const dir = relative(".", DATA_DIR);
console.log(`
What to type next:
  npx enoki up --data-dir ${dir}                          the first node, its functions and data
  npx enoki kv ls moving-average-python                       in another terminal: its keys
  npx enoki invoke moving-average-python 21.5                 one more reading
  npx enoki up --nodes cloud,edge1,edge2                      three nodes of your own
  npx enoki init typescript my-function                       a function of your own
`);
