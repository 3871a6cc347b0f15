import type { Command } from "commander";

import { EnokiError } from "../../core/errors.js";
import type { CallResponse } from "../../client/calls.js";
import { addNodeCommand, onNode, repeatable, type Cli, type NodeContext } from "../command.js";
import { EXIT_FUNCTION_FAILED } from "../exit.js";
import { readAll, write, type Io } from "../io.js";
import { jsonLine } from "../output.js";

interface InvokeOptions {
  readonly method: string;
  readonly header?: readonly string[];
  readonly async?: boolean;
  readonly timeout?: string;
  readonly path?: string;
  readonly idempotencyKey?: string;
}

/** `enoki invoke` */
export function addInvokeCommand(program: Command, cli: Cli): void {
  addNodeCommand(program, {
    usage: "invoke",
    description: "call a function and print what it returns",
    examples: [
      "enoki invoke hello World",
      `enoki invoke sensor '{"celsius":21}' -H 'content-type: application/json'`,
      "enoki invoke resize - < picture.png > small.png",
      "enoki invoke report --async",
    ],
    seesData: true,
  })
    .argument("<name>", "the function")
    .argument("[data]", "its input as text; - reads standard input")
    .option("-X, --method <method>", "HTTP method", "POST")
    .addOption(
      repeatable("-H, --header <header>", "a header such as 'accept: text/csv'; repeatable"),
    )
    .option("--path <path>", "what follows the function's name in the URL: /today?unit=c")
    .option("--timeout <duration>", "how long the function may take, such as 5s")
    .option("--async", "do not wait; print the id of the invocation")
    .option("--idempotency-key <key>", "makes a repeated --async call the same invocation")
    .action(
      onNode<InvokeOptions>(cli, async (context, name: string, data?: string) => {
        const { client, io, json, options } = context;
        const input = await readInput(io, data);
        const callOptions = toCallOptions(options);
        if (options.async) {
          const sent = await client.send(name, input, callOptions);
          return write(io.stdout, json ? jsonLine(sent) : `${sent.id}\n`);
        }
        await printResponse(context, await client.call(name, input, callOptions));
      }),
    );
}

/**
 * Prints the body of a response as it is, or with `--json` a document about it. A status of 400
 * or more is said on stderr and becomes the exit code.
 */
export async function printResponse(
  { io, json, cli }: Pick<NodeContext<unknown>, "io" | "json" | "cli">,
  response: CallResponse,
): Promise<void> {
  const { status } = response;
  await write(io.stdout, json ? jsonLine(describeResponse(response)) : response.bytes());
  if (!json && io.stdout.isTTY && needsNewline(response.bytes())) await write(io.stdout, "\n");
  if (status < 400) return;
  await write(io.stderr, `error: the function answered ${status}\n`);
  cli.exitCode = EXIT_FUNCTION_FAILED;
}

/** On a terminal the prompt shall not follow the answer on its line. */
function needsNewline(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.at(-1) !== 0x0a;
}

/** A response for programs: JSON bodies as JSON, text as text, anything else as base64. */
function describeResponse(response: CallResponse): unknown {
  const { status, headers } = response;
  const type = headers.get("content-type") ?? "";
  const about = { status, headers: Object.fromEntries(headers) };
  if (type.startsWith("application/json")) return { ...about, body: response.json() };
  const isText = type === "" || type.startsWith("text/");
  if (isText) return { ...about, body: response.text() };
  return { ...about, bodyBase64: Buffer.from(response.bytes()).toString("base64") };
}

/** Standard input is text if it is UTF-8, as an argument always is; else bytes. */
async function readInput(
  io: Io,
  data: string | undefined,
): Promise<string | Uint8Array | undefined> {
  if (data !== "-") return data;
  const bytes = await readAll(io.stdin);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}

function toCallOptions(options: InvokeOptions): object {
  const { method, header, path, timeout, idempotencyKey } = options;
  return {
    method,
    headers: (header ?? []).map(parseHeader),
    ...(path === undefined ? {} : { path }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

function parseHeader(header: string): [string, string] {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/s.exec(header) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new EnokiError("ENOKI_INVALID_INPUT", `-H: ${JSON.stringify(header)} is no 'name: value'`);
}
