import { processorTimesMs } from "../../bench/machine.js";
import { cpuTimesMs } from "../../bench/process-tree.js";
import { PROCESSOR_TOTALS } from "../results/processor-use.js";

/** The processes of a testbed, by what they are. */
export interface ClockedProcesses {
  readonly nodes: readonly number[];
  readonly network: number;
}

/** Totals of a point that say who used the processors. */
export type ProcessorTotals = Readonly<Record<string, number>>;

/**
 * Starts to count who uses the processors; what it returns ends that. An instance that begins or ends
 * meanwhile is counted for the part that both looks see.
 */
export function clockProcessors(processes: ClockedProcesses): () => ProcessorTotals {
  const before = look(processes);
  return () => {
    const after = look(processes);
    return Object.fromEntries(
      Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]),
    );
  };
}

function look({ nodes, network }: ClockedProcesses): Record<string, number> {
  const { user, system } = process.cpuUsage();
  const { busyMs, totalMs } = processorTimesMs();
  let nodeMs = 0;
  let familyMs = 0;
  for (const pid of nodes) {
    for (const [member, timeMs] of cpuTimesMs(pid)) {
      familyMs += timeMs;
      if (member === pid) nodeMs += timeMs;
    }
  }
  return {
    [PROCESSOR_TOTALS.node]: nodeMs,
    [PROCESSOR_TOTALS.functions]: familyMs - nodeMs,
    [PROCESSOR_TOTALS.network]: cpuTimesMs(network).get(network) ?? 0,
    [PROCESSOR_TOTALS.clients]: (user + system) / 1000,
    [PROCESSOR_TOTALS.busy]: busyMs,
    [PROCESSOR_TOTALS.capacity]: totalMs,
  };
}
