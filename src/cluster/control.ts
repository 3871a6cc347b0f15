import { EnokiError } from "../core/errors.js";
import type { FunctionName, KeygroupName, NodeName } from "../core/ids.js";
import type { Right } from "../core/rights.js";
import { isOutcomeUnknown, type Naming, NAMING_WRITES_MAX } from "../ports/naming.js";
import type { Announcement } from "./announcement.js";
import {
  deployed,
  type Deploy,
  removed,
  replaced,
  withCurrent,
  withoutTarget,
  withTargets,
} from "./function-changes.js";
import {
  configured,
  dropped,
  founded,
  granted,
  joined,
  type KeygroupConfiguration,
  type KeygroupDefaults,
  moved,
  type Place,
  refounded,
  rejoined,
  replicated,
  withoutMember,
} from "./keygroup-changes.js";
import { Places } from "./places.js";
import { encodeRecord, isLasting } from "./record-codec.js";
import type { RecordChanges } from "./record-changes.js";
import { functionKey, functionNodeKey, keygroupKey } from "./record-keys.js";
import {
  type ClusterFunctionRecord,
  type FunctionNodeRecord,
  type FunctionTargets,
  type Grantee,
  type KeygroupRecord,
  type MemberDurability,
  memberOn,
  type Placement,
} from "./records.js";
import type { View } from "./view.js";

/** What control operations work with. */
export interface ClusterControlOptions {
  readonly place: Place;
  readonly naming: Naming;
  readonly changes: RecordChanges;
  readonly view: View;
  readonly announcement: Announcement;
}

const REASON_CHARACTERS_MAX = 4000;

/**
 * The changes of the global configuration, as this node makes them. Each is one transaction, fails at
 * once with `ENOKI_NAMING_UNAVAILABLE` while naming is away, and may be repeated after an unknown
 * outcome: what was done already is not done twice. They resolve once this node has stored the record.
 */
export class ClusterControl {
  readonly #options: ClusterControlOptions;
  readonly #places: Places;

  constructor(options: ClusterControlOptions) {
    this.#options = options;
    this.#places = new Places(options.place, options.view);
  }

  /** @throws EnokiError `ENOKI_KEYGROUP_EXISTS`, `ENOKI_UNSUPPORTED` for strict in memory */
  async createKeygroup(name: KeygroupName, defaults: KeygroupDefaults): Promise<KeygroupRecord> {
    const { place, changes } = this.#options;
    this.#requireFounder(defaults);
    let mine: KeygroupRecord | undefined;
    return changes.change("keygroup", keygroupKey(name), (before, isRepeat) => {
      if (before === undefined || before.isDropped) {
        mine = founded(before, name, place, defaults);
        return mine;
      }
      const founder = before.members.find(({ isFounder }) => isFounder);
      const isMine =
        before.generation === mine?.generation && founder?.node === mine.members[0]?.node;
      if (isRepeat && isMine) return before;
      throw new EnokiError("ENOKI_KEYGROUP_EXISTS", `keygroup "${name}" exists already`);
    });
  }

  /**
   * Makes this node a member with the disk that it has, and the keygroup if there is none. Where the
   * data are to lie on another node, the record comes back without this node in it.
   */
  async joinKeygroup(name: KeygroupName, defaults: KeygroupDefaults): Promise<KeygroupRecord> {
    const { place, changes } = this.#options;
    this.#requireFounder(defaults);
    return changes.change("keygroup", keygroupKey(name), (before) =>
      before === undefined || before.isDropped
        ? founded(before, name, place, defaults)
        : joined(before, place, defaults.durability),
    );
  }

  /** This node's replica that was named `lostEpoch` is lost: another one takes its place. */
  async rejoinKeygroup(name: KeygroupName, lostEpoch: number): Promise<KeygroupRecord> {
    this.#options.announcement.requireName();
    return this.#changeKeygroup(name, (before) => rejoined(before, lostEpoch, this.#options.place));
  }

  /**
   * Makes a node a member, which takes its place when it sees the record. Without `durability` it is
   * as durable as the others, if it can be; one that is a member already becomes as durable as is said.
   * @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_UNSUPPORTED`, `ENOKI_PLACEMENT_CONFLICT`
   */
  async addMember(
    name: KeygroupName,
    node: NodeName,
    durability?: MemberDurability,
  ): Promise<KeygroupRecord> {
    this.#places.requireKnown(node);
    if (durability) this.#places.requireDurable(node, durability);
    return this.#changeKeygroup(name, (before) => {
      if (!durability) return replicated(before, this.#places.joining(before, node));
      const memberDurability = { [node]: durability };
      return configured(replicated(before, { node, durability }), { memberDurability });
    });
  }

  /**
   * Takes a member out, dead or not. With `atEpoch` only under that record, for what holds under one
   * may not hold under the next. @throws EnokiError `ENOKI_LAST_REPLICA`, `ENOKI_VERSION_CONFLICT`
   */
  async removeMember(
    name: KeygroupName,
    node: NodeName,
    atEpoch?: number,
  ): Promise<KeygroupRecord> {
    return this.#changeKeygroup(name, (before) => {
      const isOther = atEpoch !== undefined && before.epoch !== atEpoch;
      if (!isOther || memberOn(before, node) === undefined) return withoutMember(before, node);
      const detail = `the members of keygroup "${name}" have changed meanwhile`;
      throw new EnokiError("ENOKI_VERSION_CONFLICT", detail);
    });
  }

  /** @throws EnokiError `ENOKI_UNSUPPORTED` for strict at a replica in memory */
  async configureKeygroup(
    name: KeygroupName,
    change: KeygroupConfiguration,
  ): Promise<KeygroupRecord> {
    return this.#changeKeygroup(name, (before) => {
      const next = configured(before, change);
      for (const member of next.members) {
        const isAsBefore = memberOn(before, member.node)?.durability === member.durability;
        if (!isAsBefore) this.#places.requireDurable(member.node, member.durability);
      }
      return next;
    });
  }

  /**
   * Places the data anew: on one node, from which on members elsewhere leave by themselves, each in
   * its time; or on all nodes that run the function of that name, which join.
   * @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_UNSUPPORTED` for strict data in memory
   */
  async moveKeygroup(
    name: KeygroupName,
    placement: Placement,
    durability?: MemberDurability,
  ): Promise<KeygroupRecord> {
    const { view } = this.#options;
    if (placement.kind === "at") {
      const { node } = placement;
      this.#places.requireKnown(node);
      return this.#changeKeygroup(name, (before) => {
        const wanted = durability ?? before.members[0]?.durability ?? "relaxed";
        if (memberOn(before, node) === undefined) this.#places.requireDurable(node, wanted);
        return moved(before, placement, [{ node, durability: wanted }]);
      });
    }
    const running = view.functionProgress(name as string as FunctionName);
    return this.#changeKeygroup(name, (before) =>
      moved(
        before,
        placement,
        running.map(({ node }) => this.#places.joining(before, node)),
      ),
    );
  }

  /** Gives a function or a token exactly those rights on the keygroup, in place of what it had. */
  async grant(name: KeygroupName, to: Grantee, rights: readonly Right[]): Promise<KeygroupRecord> {
    return this.#changeKeygroup(name, (before) => granted(before, to, rights));
  }

  /**
   * A node founds the keygroup anew, empty, after a generation's data were lost; members on other
   * nodes that are there join it.
   * @throws EnokiError `ENOKI_NODE_NOT_FOUND`, `ENOKI_PEER_UNREACHABLE` for a node that is away
   */
  async refoundKeygroup(
    name: KeygroupName,
    lostGeneration: number,
    node: NodeName,
  ): Promise<KeygroupRecord> {
    const { view, announcement } = this.#options;
    announcement.requireName();
    const place = this.#places.placeOf(node);
    return this.#changeKeygroup(name, (before) => {
      const others = before.members.filter((member) => view.isPresent(member.node));
      return refounded(before, lostGeneration, place, others);
    });
  }

  /** Ends the keygroup with its data and rights. */
  async dropKeygroup(name: KeygroupName): Promise<KeygroupRecord> {
    return this.#options.changes.change("keygroup", keygroupKey(name), (before, isRepeat) => {
      if (before?.isDropped && isRepeat) return before;
      return dropped(requireKeygroup(name, before));
    });
  }

  /**
   * Makes the next revision, or brings the current one to further nodes: see `deployed`; with `instead`
   * only if that is the current one's number: see `replaced`.
   */
  async deployFunction(
    name: FunctionName,
    deploy: Omit<Deploy, "deployedOn">,
    targets: Partial<FunctionTargets>,
    instead?: number,
  ): Promise<ClusterFunctionRecord> {
    const { place, changes, announcement } = this.#options;
    announcement.requireName();
    const full = { ...deploy, deployedOn: place.node };
    return changes.change("function", functionKey(name), (before) =>
      instead === undefined
        ? deployed(before, name, full, targets)
        : replaced(requireFunction(name, before), full, instead),
    );
  }

  /** Adds nodes to a function; absent ones follow by themselves. */
  async addFunctionNodes(
    name: FunctionName,
    targets: Partial<FunctionTargets>,
  ): Promise<ClusterFunctionRecord> {
    return this.#changeFunction(name, (before) => withTargets(before, targets));
  }

  /** Takes a function off a node. @throws EnokiError `ENOKI_INVALID_INPUT` if a label puts it there */
  async removeFunctionNode(name: FunctionName, node: NodeName): Promise<ClusterFunctionRecord> {
    const known = this.#options.view.node(node)?.record;
    const record = await this.#changeFunction(name, (before) => withoutTarget(before, node, known));
    await this.#clear(functionNodeKey(name, node));
    return record;
  }

  /** Makes a kept revision the current one. @throws EnokiError `ENOKI_REVISION_NOT_FOUND` */
  async rollBackFunction(name: FunctionName, revision: number): Promise<ClusterFunctionRecord> {
    return this.#changeFunction(name, (before) => withCurrent(before, revision));
  }

  /** Removes a function from all nodes. Its keygroup stays. */
  async removeFunction(name: FunctionName): Promise<void> {
    const { changes } = this.#options;
    await changes.change("function", functionKey(name), (before, isRepeat) => {
      if (before?.isRemoved && isRepeat) return before;
      return removed(requireFunction(name, before));
    });
    await this.#clear(`function-nodes/${name}/`);
  }

  /** Says how far a function is on this node. */
  async reportFunctionState(report: Omit<FunctionNodeRecord, "node">): Promise<void> {
    const { place, naming } = this.#options;
    const reason = report.reason?.slice(0, REASON_CHARACTERS_MAX);
    const record: FunctionNodeRecord = { ...report, node: place.node, reason };
    const key = functionNodeKey(report.function, place.node);
    const writes = [{ key, value: encodeRecord({ kind: "function-node", record }) }];
    // The same words again do no harm, so an unknown outcome is simply made known.
    await naming.transact([], writes).catch(async (error: unknown) => {
      if (!isOutcomeUnknown(error)) throw error;
      await naming.transact([], writes);
    });
  }

  /** Writes those of the lasting records again that this node knows newer than naming does. */
  async restore(keys: readonly string[]): Promise<void> {
    const { changes, view } = this.#options;
    for (const key of keys) {
      const known = view.get(key);
      if (known === undefined || !isLasting(known)) continue;
      await changes.restore(key).catch((error: unknown) => {
        // Naming went away again, or cannot be read there: the next reset is the next try.
        if (!(error instanceof EnokiError)) throw error;
      });
    }
  }

  /** Deletes what nodes have said of a function. What is left over speaks of a revision long gone. */
  async #clear(prefix: string): Promise<void> {
    const { naming } = this.#options;
    const keys = (await naming.read(prefix)).map(({ key }) => key);
    for (let start = 0; start < keys.length; start += NAMING_WRITES_MAX) {
      const some = keys.slice(start, start + NAMING_WRITES_MAX);
      await naming.transact(
        [],
        some.map((key) => ({ key, value: undefined })),
      );
    }
  }

  async #changeKeygroup(
    name: KeygroupName,
    change: (before: KeygroupRecord) => KeygroupRecord,
  ): Promise<KeygroupRecord> {
    return this.#options.changes.change("keygroup", keygroupKey(name), (before) =>
      change(requireKeygroup(name, before)),
    );
  }

  async #changeFunction(
    name: FunctionName,
    change: (before: ClusterFunctionRecord) => ClusterFunctionRecord,
  ): Promise<ClusterFunctionRecord> {
    return this.#options.changes.change("function", functionKey(name), (before) =>
      change(requireFunction(name, before)),
    );
  }

  #requireFounder({ placement, durability }: KeygroupDefaults): void {
    const { place, announcement } = this.#options;
    announcement.requireName();
    if (placement.kind === "at") this.#places.requireKnown(placement.node);
    this.#places.requireDurable(placement.kind === "at" ? placement.node : place.node, durability);
  }
}

function requireKeygroup(name: KeygroupName, before: KeygroupRecord | undefined): KeygroupRecord {
  if (before !== undefined && !before.isDropped) return before;
  throw new EnokiError("ENOKI_KEYGROUP_NOT_FOUND", `there is no keygroup "${name}"`);
}

function requireFunction(
  name: FunctionName,
  before: ClusterFunctionRecord | undefined,
): ClusterFunctionRecord {
  if (before !== undefined && !before.isRemoved) return before;
  throw new EnokiError("ENOKI_FUNCTION_NOT_FOUND", `there is no function "${name}"`);
}
