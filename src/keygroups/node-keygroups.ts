import type { KeygroupName } from "../core/ids.js";
import type { Keygroup } from "./keygroup.js";
import type { KeygroupsFacade } from "./types.js";

/** The keygroups that have something on this node, for whoever puts the node together. */
export interface NodeKeygroups extends KeygroupsFacade {
  /** Opens every keygroup that was here before. */
  open(): Promise<void>;
  list(): readonly Keygroup[];
  /** The keygroup, if it can be read and written here. */
  get(name: KeygroupName): Keygroup | undefined;
  /** @throws EnokiError `ENOKI_KEYGROUP_NOT_FOUND` */
  find(name: KeygroupName): Keygroup;
  /** Brings the keygroup of a function that is deployed here: it is made if there is none. */
  ensure(name: KeygroupName): Promise<unknown>;
  /** The same for a function that was here before the node's last stop: nothing else changes. */
  resume(name: KeygroupName): Promise<unknown>;
  /** Ends the keygroup with all its data. */
  remove(name: KeygroupName): Promise<void>;
  /** Takes the keygroup from this node; where nobody else has it, it ends. */
  leave(name: KeygroupName): Promise<void>;
  /** Commits, syncs and closes all of them. */
  close(): Promise<void>;
}
