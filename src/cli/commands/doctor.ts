import type { Command } from "commander";

import type { CheckResult } from "../check-result.js";
import { runChecks } from "../checks.js";
import { addCommand, wholeNumber, type Cli } from "../command.js";
import { write } from "../io.js";
import { jsonLine } from "../output.js";
import type { PortToCheck } from "../port-check.js";

interface DoctorOptions {
  readonly dataDir: string;
  readonly functionPort: string;
  readonly adminPort: string;
  readonly coapPort?: string;
  readonly grpcPort?: string;
  readonly json?: boolean;
}

/** `enoki doctor` */
export function addDoctorCommand(program: Command, cli: Cli): void {
  addCommand(program, {
    usage: "doctor",
    description: "check what this machine offers to a node, and how to get what is missing",
    examples: [
      "enoki doctor",
      "enoki doctor --data-dir /var/lib/enoki",
      "enoki doctor --coap-port 5683 --grpc-port 9000",
    ],
  })
    .option("--data-dir <dir>", "data directory to check", ".enoki")
    .option("--function-port <port>", "port for calls to check", "8000")
    .option("--admin-port <port>", "port of the admin API to check", "8080")
    .option("--coap-port <port>", "UDP port for calls over CoAP to check; else none is")
    .option("--grpc-port <port>", "port for calls over gRPC to check; else none is")
    .option("--json", "print JSON, for programs")
    .action(async (options: DoctorOptions) => {
      const { dataDir } = options;
      const results = await runChecks({ dataDir, ports: portsOf(options) });
      await write(cli.io.stdout, options.json ? jsonLine(results) : results.map(line).join(""));
      if (results.some((result) => !result.ok && result.isNeeded)) cli.exitCode = 1;
    });
}

function portsOf(options: DoctorOptions): PortToCheck[] {
  const given = [
    ["--function-port", options.functionPort],
    ["--admin-port", options.adminPort],
    ["--coap-port", options.coapPort],
    ["--grpc-port", options.grpcPort],
  ] as const;
  return given.flatMap(([flag, port]) =>
    port === undefined ? [] : [{ flag, port: wholeNumber("port", port) }],
  );
}

function line({ name, ok, detail, fix, isNeeded }: CheckResult): string {
  const without = isNeeded ? "" : " (a node works without it)";
  const ending = ok ? "" : `; ${fix ?? "see above"}${without}`;
  return `${ok ? "✓" : "✗"} ${name.padEnd(10)} ${detail}${ending}\n`;
}
