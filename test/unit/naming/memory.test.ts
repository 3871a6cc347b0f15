import { MemoryNamingService } from "../../../src/naming/memory.js";
import { systemTimers } from "../../../src/ports/timers.js";
import { runNamingContract } from "../../../src/testing/index.js";

for (const [name, latencyMs] of [
  ["memory", () => 0],
  ["memory, with delays", () => Math.random() * 3],
] as const) {
  runNamingContract(name, () => {
    const service = new MemoryNamingService({ timers: systemTimers, leaseMs: 200, latencyMs });
    return Promise.resolve({
      connect: () => {
        const naming = service.connect();
        return Promise.resolve({
          naming,
          cut: () => naming.setConnected(false),
          heal: () => naming.setConnected(true),
        });
      },
      forgetHistory: () => Promise.resolve(service.forgetHistory()),
      cleanup: () => Promise.resolve(),
    });
  });
}
