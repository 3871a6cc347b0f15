import { Counts } from "./counts.js";
import { drawPlan } from "./plan.js";
import { runPlan } from "./simulation.js";

const args = process.argv.slice(2);
function option(name: string, otherwise: number): number {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(args[at + 1]);
}
const first = option("seed", 1);
const runs = option("runs", 1);
const counts = new Counts();
let failed = 0;
const begunMs = performance.now();
for (let seed = first; seed < first + runs; seed++) {
  const result = await runPlan(drawPlan(seed), { keepsTrace: args.includes("--trace") });
  counts.merge(result.counts);
  if (runs === 1) console.log(result.traceHash, result.events, result.convergedMs);
  if (args.includes("--trace")) console.log(result.trace?.join("\n"));
  if (result.violation === undefined) continue;
  failed += 1;
  if (failed <= 10) console.log(`seed ${seed}: ${result.violation.slice(0, 600)}`);
}
console.log(
  `${runs} seeds, ${failed} failed, ${((performance.now() - begunMs) / runs).toFixed(1)} ms each`,
);
if (args.includes("--counts")) {
  for (const [what, count] of counts.entries()) console.log(`${what.padEnd(40)} ${count}`);
}
