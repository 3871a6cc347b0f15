import type { Logger } from "../ports/logger.js";

/** Where log lines go: standard error, or what a test reads. */
export interface LogSink {
  write(line: string): unknown;
}

/** Makes the node's log: one JSON object a line, or one short line of text for people. */
export async function createLogger(format: "text" | "json", sink: LogSink): Promise<Logger> {
  if (format === "json") {
    // why: only a node that needs it pays for loading it.
    const { pino } = await import("pino");
    const logger: Logger = pino({ base: null }, { write: (line) => void sink.write(line) });
    return logger;
  }
  const write =
    (level: string) =>
    (fields: object, message: string): void => {
      const details = Object.entries(fields).map(([key, value]) => ` ${key}=${shown(value)}`);
      sink.write(`${new Date().toISOString()} ${level} ${message}${details.join("")}\n`);
    };
  return { debug: () => {}, info: write("info"), warn: write("warn"), error: write("error") };
}

function shown(value: unknown): string {
  return typeof value === "string" && /^[\w./:-]+$/.test(value) ? value : JSON.stringify(value);
}
