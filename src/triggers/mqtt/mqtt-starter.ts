import { isUtf8 } from "node:buffer";

import { LIMITS } from "../../core/limits.js";
import type { Logger } from "../../ports/logger.js";
import type { Timers } from "../../ports/timers.js";
import type { FiredEvent, RunningSource, SourceStart } from "../trigger-sources.js";
import { parseMqttAddress } from "./mqtt-address.js";
import { endMqttSession, mqttClientId } from "./mqtt-session.js";
import { MqttSource, type MqttMessage } from "./mqtt-source.js";

/** What subscriptions are made with. */
export interface MqttStarterOptions {
  readonly node: string;
  /** Tells the function from others of its name elsewhere, which may use the same broker. */
  readonly identityOf: (name: string) => string;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}
