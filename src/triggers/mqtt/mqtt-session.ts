import { createHash } from "node:crypto";

import type { EnokiError } from "../../core/errors.js";
import type { Timers } from "../../ports/timers.js";
import type { MqttAddress } from "./mqtt-address.js";
import { MqttConnection } from "./mqtt-connection.js";

/** Every broker takes ids of 23 letters and digits (MQTT 3.1.1, section 3.1.3.1). */
const ID_DIGITS = 18;

/** The name of a session at a broker: the same whenever `parts` are, and otherwise another one. */
export function mqttClientId(parts: readonly string[]): string {
  const digest = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return `enoki${digest.slice(0, ID_DIGITS)}`;
}

/** Lets the broker forget a session and what waits in it. Resolves with why it did not, if so. */
export async function endMqttSession(
  address: MqttAddress,
  clientId: string,
  timers: Timers,
): Promise<EnokiError | undefined> {
  return new Promise((resolve) => {
    const connection = new MqttConnection(
      { address, clientId, isClean: true, packetBytesMax: 0, timers },
      {
        connected: () => {
          connection.close();
          resolve(undefined);
        },
        subscribed: () => {},
        message: () => {},
        closed: resolve,
      },
    );
  });
}
