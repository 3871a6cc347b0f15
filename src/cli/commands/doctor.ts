import type { Command } from "commander";

import { runChecks, type CheckResult } from "../checks.js";
import { addCommand, type Cli } from "../command.js";
import { write } from "../io.js";
import { jsonLine } from "../output.js";

interface DoctorOptions {
  readonly dataDir: string;
  readonly functionPort: string;
  readonly adminPort: string;
  readonly json?: boolean;
}

/** `enoki doctor` */
export function addDoctorCommand(program: Command, cli: Cli): void {
  addCommand(program, {
    usage: "doctor",
    description: "check what this machine offers to a node, and how to get what is missing",
    examples: ["enoki doctor", "enoki doctor --data-dir /var/lib/enoki"],
  })
    .option("--data-dir <dir>", "data directory to check", ".enoki")
    .option("--function-port <port>", "port for calls to check", "8000")
    .option("--admin-port <port>", "port of the admin API to check", "8080")
    .option("--json", "print JSON, for programs")
    .action(async (options: DoctorOptions) => {
      const { dataDir, functionPort, adminPort } = options;
      const results = await runChecks({ dataDir, ports: [functionPort, adminPort] });
      await write(cli.io.stdout, options.json ? jsonLine(results) : results.map(line).join(""));
      if (results.some((result) => !result.ok && result.isNeeded)) cli.exitCode = 1;
    });
}

function line({ name, ok, detail, fix, isNeeded }: CheckResult): string {
  const without = isNeeded ? "" : " (a node works without it)";
  const ending = ok ? "" : `; ${fix ?? "see above"}${without}`;
  return `${ok ? "✓" : "✗"} ${name.padEnd(10)} ${detail}${ending}\n`;
}
