import type { KeygroupName } from "../core/ids.js";
import type { Founding, OpenOptions } from "../core/opening.js";
import type { Replica } from "../core/replica.js";
import type { RowReader } from "../core/rows.js";
import type { Clock } from "../ports/clock.js";
import type { Logger } from "../ports/logger.js";
import type { Storage } from "../ports/storage.js";
import type { Timers } from "../ports/timers.js";
import type { Turn } from "../ports/turn.js";
import type { KeygroupConfig } from "./types.js";
import type { Reactions } from "./reactions.js";
import type { SendEncoder } from "./write.js";

/** What a keygroup is opened from. */
export interface KeygroupOptions {
  readonly name: KeygroupName;
  readonly config: KeygroupConfig;
  readonly storage: Storage;
  readonly storageKind: string;
  readonly nodeName: string;
  /** The nodes that hold it; without it, this one. */
  readonly members?: (() => readonly string[]) | undefined;
  /** See `Replica.open`: false when the stored state may be older than what was acknowledged. */
  readonly resumes: boolean;
  readonly turn: Turn;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly syncIntervalMs: number;
  /** Turns the sends of a batch into local rows of the same commit. */
  readonly encodeSends: SendEncoder;
  /** What depends on the changes of a keygroup; without it, or `undefined`, nothing does. */
  readonly reactionsOf?: ((name: KeygroupName) => Reactions | undefined) | undefined;
  /** What a replica in an empty store becomes; without it, founder and only member. */
  readonly founding?: Founding;
  /** How often garbage is looked for; 2 s unless said otherwise. */
  readonly collectIntervalMs?: number;
  /** `Replica.open`, or what stands in for it where every step of a replica is watched. */
  readonly openReplica?: (reader: RowReader, options: OpenOptions) => OpenedReplica;
}

/** What `Replica.open` gives. */
export type OpenedReplica = ReturnType<typeof Replica.open>;
