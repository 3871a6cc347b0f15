import { createSocket } from "node:dgram";
import { connect } from "node:http2";
import { createServer } from "node:net";

import type { CheckResult } from "./check-result.js";

/** A port that a node would listen on. */
export interface PortToCheck {
  readonly port: number;
  /** What it is for, as its flag says it. */
  readonly flag: "--function-port" | "--admin-port" | "--coap-port" | "--grpc-port";
}

/** What a port of a node says first to whoever asks for nothing. */
const GREETING = "Enoki";
const ANSWER_TIMEOUT_MS = 2000;
/** A request of CoAP for the root. */
const COAP_GET = Buffer.of(0x40, 0x01, 0x45, 0x6e);
const HOST = "127.0.0.1";

/** Checks that a port is free, or that an Enoki node is what listens on it. */
export async function checkPort({ port, flag }: PortToCheck): Promise<CheckResult> {
  const name = "port";
  const code = await (flag === "--coap-port" ? tryBind(port) : tryListen(port));
  if (code === undefined) return { name, ok: true, detail: `${port} is free`, isNeeded: true };
  if (code === "EADDRINUSE" && (await greetingOf(port, flag)).includes(GREETING)) {
    return { name, ok: true, detail: `${port} is used by an Enoki node`, isNeeded: true };
  }
  const fix = `choose another with ${flag}`;
  const detail = code === "EADDRINUSE" ? `${port} is occupied` : `${port} cannot be used (${code})`;
  return { name, ok: false, detail, fix, isNeeded: true };
}

function tryListen(port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    server.listen({ host: HOST, port }, () => server.close(() => done(undefined)));
  });
}

function tryBind(port: number): Promise<string | undefined> {
  return new Promise((done) => {
    const socket = createSocket("udp4");
    socket.once("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.bind(port, HOST, () => socket.close(() => done(undefined)));
  });
}

/** What listens there says; `""` if it does not. */
async function greetingOf(port: number, flag: PortToCheck["flag"]): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  try {
    if (flag === "--coap-port") return await askCoap(port, signal);
    if (flag === "--grpc-port") return await askHttp2(port, signal);
    return await (await fetch(`http://${HOST}:${port}/`, { signal })).text();
  } catch {
    return "";
  }
}

function askCoap(port: number, signal: AbortSignal): Promise<string> {
  return new Promise((answered, failed) => {
    const socket = createSocket({ type: "udp4", signal });
    socket.once("error", failed);
    socket.once("close", () => failed(new Error("no answer")));
    socket.once("message", (datagram) => {
      answered(datagram.toString("latin1"));
      socket.close();
    });
    socket.send(COAP_GET, port, HOST);
  });
}

function askHttp2(port: number, signal: AbortSignal): Promise<string> {
  return new Promise((answered, failed) => {
    const session = connect(`http://${HOST}:${port}`);
    session.once("error", failed);
    session.once("close", () => failed(new Error("no answer")));
    signal.addEventListener("abort", () => session.destroy());
    const stream = session.request({ ":path": "/" }).setEncoding("utf8");
    stream.once("error", failed);
    stream.once("data", (text: string) => {
      answered(text);
      session.close();
    });
  });
}
