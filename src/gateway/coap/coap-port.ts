import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";

import { systemClock } from "../../ports/clock.js";
import type { Logger } from "../../ports/logger.js";
import { systemTimers } from "../../ports/timers.js";
import type { CallEntry } from "../functions/call-entry.js";
import { CoapCalls } from "./coap-calls.js";
import { Exchanges } from "./exchanges.js";

/** What the CoAP port is built from. */
export interface CoapPortOptions {
  readonly entry: CallEntry;
  readonly bodyLimitBytes: number;
  readonly logger: Logger;
}

/** A CoAP server on one UDP port. */
export interface CoapPort {
  readonly port: number;
  /** Takes nothing new, lets running calls end, and closes after `timeoutMs` whatever still runs. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Takes calls over CoAP, tinyFaaS's way: `coap://HOST/<function>`.
 * @throws the error of the system if the port cannot be had
 */
export async function openCoapPort(
  options: CoapPortOptions,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<CoapPort> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  const calls = new CoapCalls({ ...options, clock: systemClock });
  const exchanges = new Exchanges({
    send: (datagram, peer) => sendQuietly(socket, datagram, peer.port, peer.address),
    onRequest: (message, peer, respond) => calls.handle(message, peer, respond),
    clock: systemClock,
    timers: systemTimers,
    random: Math.random,
  });
  socket.on("message", (datagram, { address: from, port: fromPort }) => {
    exchanges.receive(datagram, { address: from, port: fromPort });
  });
  socket.bind({ address, port });
  await once(socket, "listening");
  socket.on("error", (error) => options.logger.warn({ error: String(error) }, "CoAP: no answer"));
  return {
    port: socket.address().port,
    close: async (timeoutMs) => {
      await within(calls.idle(), timeoutMs);
      // What has just been answered is on its way for a turn of the event loop.
      await nextTurn();
      exchanges.close();
      await new Promise<void>((resolve) => socket.close(resolve));
    },
  };
}

/** A datagram that cannot be sent is lost, as any may be: the peer repeats its request. */
function sendQuietly(socket: Socket, datagram: Buffer, port: number, address: string): void {
  try {
    socket.send(datagram, port, address, () => {});
  } catch {
    // The socket is closed, or the peer has port 0.
  }
}

async function within(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
