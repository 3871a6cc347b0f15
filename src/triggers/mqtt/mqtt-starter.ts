import { isUtf8 } from "node:buffer";

import { EnokiError } from "../../core/errors.js";
import type { FunctionName } from "../../core/ids.js";
import { LIMITS } from "../../core/limits.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { FiredEvent, RunningSource, SourceStart } from "../trigger-sources.js";
import { parseMqttAddress, showBroker, type MqttAddress } from "./mqtt-address.js";
import { endMqttSession, mqttClientId } from "./mqtt-session.js";
import { MqttSource, type MqttMessage } from "./mqtt-source.js";

/** What subscriptions are made with. */
export interface MqttStarterOptions {
  readonly node: string;
  /** Tells the function from others of its name elsewhere, which may use the same broker. */
  readonly identityOf: (name: string) => string;
  /** Opens a secret of a function. @throws EnokiError `ENOKI_SECRET_UNREADABLE` */
  readonly openSecret: (owner: FunctionName, name: string, sealed: string) => string;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

const BODY_BYTES_MAX = LIMITS.requestBodyBytesMax;

/** Subscribes for one trigger on this node. */
export function startMqtt(options: MqttStarterOptions, start: SourceStart): RunningSource {
  try {
    return subscribe(options, start);
  } catch (error) {
    if (!(error instanceof EnokiError)) throw error;
    // It starts anew when the secret does.
    return { failure: error, close: () => Promise.resolve() };
  }
}

function subscribe(options: MqttStarterOptions, start: SourceStart): RunningSource {
  const { node, identityOf } = options;
  const { trigger, fire } = start;
  const { cause, at, id, function: name } = trigger;
  if (cause.kind !== "mqtt") throw new Error(`no broker: ${cause.kind}`);
  const address = addressOf(options, start, cause.address);
  // With `one` the node that takes over goes on with the session of the one before.
  const clientId = mqttClientId([identityOf(name), id, ...(at === "every" ? [node] : [])]);
  const source = new MqttSource({
    ...options,
    name,
    address,
    clientId,
    payloadBytesMax: BODY_BYTES_MAX,
    fire: async (message) => fire(eventOf(message)),
  });
  return {
    get failure() {
      return source.state.kind === "failing" ? source.state.error : undefined;
    },
    close: async (isGone) => {
      await source.close();
      if (isGone) void endSession(options, name, address, clientId);
    },
  };
}

/** @throws EnokiError `ENOKI_INVALID_TRIGGER`, `ENOKI_SECRET_UNREADABLE` where the password cannot be had */
function addressOf(
  { openSecret }: MqttStarterOptions,
  { trigger }: SourceStart,
  text: string,
): MqttAddress {
  const address = parseMqttAddress(text);
  const { passwordSecret } = address;
  if (passwordSecret === undefined) return address;
  const { function: owner, sealedSecret } = trigger;
  if (sealedSecret === undefined) {
    const detail = `${owner} has no secret ${passwordSecret}: \`enoki secrets set\``;
    throw new EnokiError("ENOKI_INVALID_TRIGGER", detail);
  }
  return { ...address, password: openSecret(owner, passwordSecret, sealedSecret) };
}

async function endSession(
  { timers, logger }: MqttStarterOptions,
  name: string,
  address: MqttAddress,
  clientId: string,
): Promise<void> {
  const error = await endMqttSession(address, clientId, timers);
  if (!error) return;
  const detail = { function: name, broker: showBroker(address), code: error.code };
  logger.warn(detail, `messages for a trigger that is gone wait at their broker: ${error.message}`);
}

/**
 * No two messages are the same call: brokers give them no names.
 * @throws EnokiError `ENOKI_BODY_TOO_LARGE`
 */
function eventOf({ topic, payload, isRetained, isRepeated }: MqttMessage): FiredEvent {
  const data = {
    source: "mqtt",
    topic,
    ...(isUtf8(payload)
      ? { payload: payload.toString("utf8") }
      : { payload: payload.toString("base64"), payloadEncoding: "base64" }),
    ...(isRetained && { retained: true }),
    ...(isRepeated && { repeated: true }),
  };
  // What is no text becomes longer in JSON, and some of what is.
  const sizeBytes =
    payload.length * 6 < BODY_BYTES_MAX ? 0 : Buffer.byteLength(JSON.stringify(data));
  if (sizeBytes <= BODY_BYTES_MAX) return { data, idempotencyKey: "" };
  const detail = `as JSON it has ${sizeBytes} bytes, and a call takes at most ${BODY_BYTES_MAX}`;
  throw new EnokiError("ENOKI_BODY_TOO_LARGE", detail);
}
