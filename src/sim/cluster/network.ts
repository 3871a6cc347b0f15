// Why so long: links, their faults and what is on its way share one state.

import type { Prng } from "../../base/prng.js";
import type { NodeName } from "../../core/ids.js";
import { REQUEST_MESSAGE } from "../../peers/router.js";
import type { LinkEvents, LinkLane, LinkPeer, Links } from "../../ports/links.js";
import type { VirtualTime } from "./virtual-time.js";

/** How the network of one run behaves. */
export interface NetworkPlan {
  /**
   * `links`: whole, in order, at most once while a link lives. `raw`: anything may happen to what
   * replicas tell each other; requests rely on links and get them.
   */
  readonly mode: "links" | "raw";
  readonly lossRate: number;
  readonly duplicateRate: number;
  readonly reorderRate: number;
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Bytes in one direction that have not arrived before a link takes no more. */
  readonly backlogBytesMax: number;
  /** A direction that carries nothing for so long ends the link. */
  readonly keepaliveMs: number;
  /** Which nodes have a link at all. */
  readonly isLinked: (left: number, right: number) => boolean;
}

/** What can be seen of the network. */
export interface NetworkEvents {
  happened(what: string): void;
  /** A message is delivered. */
  delivered(from: NodeName, to: NodeName, lane: LinkLane, payload: Uint8Array): void;
}

interface Port {
  readonly index: number;
  readonly name: NodeName;
  /** The process that listens; `undefined` while it is down. */
  process: { readonly events: LinkEvents; readonly isAlive: () => boolean } | undefined;
}

interface Message {
  readonly lane: LinkLane;
  readonly payload: Uint8Array;
  /** It is carried as links carry: whole, in order, at most once while the link lives. */
  readonly isExact: boolean;
}

interface Direction {
  readonly from: Port;
  readonly to: Port;
  readonly delayMs: number;
  isCut: boolean;
  /** It is cut, or what got stuck has not arrived yet: nothing overtakes that. */
  isHeld: boolean;
  /** What would have arrived meanwhile, on a link that still lives. */
  stuck: Message[];
  backlog: Record<LinkLane, number>;
  /** Lanes that refused a message and have told of no room since. */
  readonly refusing: Set<LinkLane>;
  /** When the last message of each lane arrives: later ones do not overtake it. */
  lastMs: Record<LinkLane, number>;
}

interface Pair {
  readonly directions: readonly [Direction, Direction];
  /** Rises with each link: what belongs to an older one is lost. */
  link: number;
  isUp: boolean;
}

const EMPTY_BACKLOG = { control: 0, update: 0, bulk: 0 } as const;

/** All links between the nodes of a simulation. */
export class Network {
  plan: NetworkPlan;
  /** The largest message so far: a link takes one even if it is above its limit. */
  largestBytes = 0;
  readonly #time: VirtualTime;
  readonly #random: Prng;
  readonly #events: NetworkEvents;
  readonly #ports: Port[] = [];
  readonly #pairs = new Map<string, Pair>();

  constructor(
    plan: NetworkPlan,
    parts: { time: VirtualTime; random: Prng; events: NetworkEvents },
  ) {
    this.plan = plan;
    this.#time = parts.time;
    this.#random = parts.random;
    this.#events = parts.events;
  }

  /** Adds a node's place in the network. */
  addNode(name: NodeName): void {
    const port: Port = { index: this.#ports.length, name, process: undefined };
    for (const other of this.#ports) {
      if (!this.plan.isLinked(other.index, port.index)) continue;
      const { delayMinMs, delayMaxMs } = this.plan;
      const delayMs = delayMinMs + this.#random.next() * (delayMaxMs - delayMinMs);
      const directions = [
        direction(other, port, delayMs),
        direction(port, other, delayMs),
      ] as const;
      this.#pairs.set(pairKey(other, port), { directions, link: 0, isUp: false });
    }
    this.#ports.push(port);
  }

  /** The links of a process that starts now on that node. */
  attach(index: number, isAlive: () => boolean): Links {
    const port = this.#ports[index] as Port;
    return {
      listen: (events) => {
        port.process = { events, isAlive };
        this.#eachPair(port, (pair) => this.#connectLater(pair));
      },
      send: (to, lane, payload) => isAlive() && this.#send(port, to, lane, payload),
      backlogBytes: (to, lane) => this.#find(port, to)?.direction.backlog[lane] ?? 0,
      hold: () => () => {},
      peers: () => this.#peersOf(port),
      close: () => {
        this.detach(index, 0);
        return Promise.resolve();
      },
    };
  }

  /** The process of that node is gone; the others notice within `noticeMs`. */
  detach(index: number, noticeMs: number): void {
    const port = this.#ports[index] as Port;
    port.process = undefined;
    this.#eachPair(port, (pair) => {
      const { link } = pair;
      this.#time.after(this.#random.next() * noticeMs, () => {
        if (pair.link === link) this.#disconnect(pair);
      });
    });
  }

  /** Breaks a link, which comes back soon. */
  breakLink(left: number, right: number): void {
    const pair = this.#pair(left, right);
    if (pair?.isUp) this.#disconnect(pair);
  }

  /** Cuts one direction; a link that lives then ends after its keepalive. */
  cut(from: number, to: number): void {
    const found = this.#direction(from, to);
    if (!found || found.direction.isCut) return;
    const { pair, direction } = found;
    direction.isCut = true;
    direction.isHeld = true;
    if (this.plan.mode === "raw") return;
    const { link } = pair;
    this.#time.after(this.plan.keepaliveMs * (0.5 + this.#random.next()), () => {
      if (direction.isCut && pair.link === link) this.#disconnect(pair);
    });
  }

  /** Mends one direction. */
  mend(from: number, to: number): void {
    const found = this.#direction(from, to);
    if (!found?.direction.isCut) return;
    const { pair, direction } = found;
    direction.isCut = false;
    this.#time.after(direction.delayMs, () => this.#release(pair, direction));
    this.#connectLater(pair);
  }

  /** Mends everything. */
  mendAll(): void {
    for (const { directions } of this.#pairs.values()) {
      for (const { from, to } of directions) this.mend(from.index, to.index);
    }
  }

  /** The longest way there and back between two linked nodes. */
  get roundTripMaxMs(): number {
    let longest = 0;
    for (const { directions } of this.#pairs.values()) {
      longest = Math.max(longest, 2 * directions[0].delayMs);
    }
    return longest;
  }

  /** True when all processes that run are linked with each other as planned. */
  get isWhole(): boolean {
    for (const { isUp, directions } of this.#pairs.values()) {
      const [there, back] = directions;
      const bothRun = there.from.process && there.to.process;
      if (bothRun && (!isUp || there.isCut || back.isCut)) return false;
    }
    return true;
  }

  #send(from: Port, to: NodeName, lane: LinkLane, payload: Uint8Array): boolean {
    const found = this.#find(from, to);
    if (!found?.pair.isUp) return false;
    const { pair, direction } = found;
    const backlog = direction.backlog[lane];
    if (backlog > 0 && backlog + payload.length > this.plan.backlogBytesMax) {
      this.#events.happened("link.full");
      direction.refusing.add(lane);
      return false;
    }
    direction.backlog[lane] += payload.length;
    this.largestBytes = Math.max(this.largestBytes, payload.length);
    const isExact = this.plan.mode === "links" || payload[0] === REQUEST_MESSAGE;
    this.#carry(pair, direction, { lane, payload, isExact });
    return true;
  }

  #release(pair: Pair, direction: Direction): void {
    if (direction.isCut) return;
    direction.isHeld = false;
    const { stuck } = direction;
    direction.stuck = [];
    for (const message of stuck) if (pair.isUp) this.#arrive(direction, message);
  }

  #carry(pair: Pair, direction: Direction, message: Message): void {
    const { lossRate, duplicateRate } = this.plan;
    if (message.isExact) {
      this.#deliverLater(pair, direction, message, true);
      return;
    }
    const isLost = direction.isCut || this.#random.next() < lossRate;
    if (isLost) this.#events.happened("message.lost");
    else this.#deliverLater(pair, direction, message, true);
    if (isLost) direction.backlog[message.lane] -= message.payload.length;
    if (!isLost && this.#random.next() < duplicateRate) {
      this.#events.happened("message.duplicated");
      this.#deliverLater(pair, direction, message, false);
    }
  }

  #deliverLater(pair: Pair, direction: Direction, message: Message, isFirst: boolean): void {
    const { lane, payload, isExact } = message;
    const { reorderRate } = this.plan;
    let atMs = this.#time.nowMs + direction.delayMs * (0.9 + 0.2 * this.#random.next());
    if (!isExact && this.#random.next() < reorderRate) {
      this.#events.happened("message.reordered");
      atMs += direction.delayMs * 8 * this.#random.next();
    } else {
      atMs = Math.max(atMs, direction.lastMs[lane]);
      direction.lastMs[lane] = atMs;
    }
    const { link } = pair;
    this.#time.after(atMs - this.#time.nowMs, () => {
      if (isExact && pair.link !== link) return;
      if (isFirst) direction.backlog[lane] -= payload.length;
      if (!pair.isUp) return;
      this.#tellOfRoom(direction, lane);
      if (!direction.isHeld) this.#arrive(direction, message);
      else if (isExact) direction.stuck.push(message);
    });
  }

  /** A sender that was refused learns that there is room again, when real links tell it. */
  #tellOfRoom({ from, to, backlog, refusing }: Direction, lane: LinkLane): void {
    if (!refusing.has(lane) || backlog[lane] > this.plan.backlogBytesMax / 2) return;
    refusing.delete(lane);
    this.#events.happened("link.room");
    if (from.process?.isAlive()) from.process.events.room?.(to.name, lane);
  }

  #arrive({ from, to }: Direction, { lane, payload }: Message): void {
    if (!to.process?.isAlive()) return;
    this.#events.delivered(from.name, to.name, lane, payload);
    to.process.events.message(from.name, payload);
  }

  #connectLater(pair: Pair): void {
    const delayMs = pair.directions[0].delayMs * (1 + this.#random.next()) + 5;
    this.#time.after(delayMs, () => this.#connect(pair));
  }

  #connect(pair: Pair): void {
    const [there, back] = pair.directions;
    if (pair.isUp || there.isCut || back.isCut) return;
    const [left, right] = [there.from.process, there.to.process];
    if (!left?.isAlive() || !right?.isAlive()) return;
    pair.isUp = true;
    this.#events.happened("link.up");
    left.events.up(there.to.name);
    right.events.up(there.from.name);
  }

  #disconnect(pair: Pair): void {
    if (!pair.isUp) return;
    pair.isUp = false;
    pair.link += 1;
    this.#events.happened("link.down");
    for (const direction of pair.directions) {
      direction.stuck = [];
      direction.backlog = { ...EMPTY_BACKLOG };
      direction.refusing.clear();
      direction.lastMs = { ...EMPTY_BACKLOG };
      const { process } = direction.to;
      if (process?.isAlive()) process.events.down(direction.from.name);
    }
    this.#connectLater(pair);
  }

  #peersOf(port: Port): LinkPeer[] {
    const peers: LinkPeer[] = [];
    this.#eachPair(port, ({ isUp, directions }) => {
      const [there] = directions;
      const other = there.from === port ? there.to : there.from;
      if (isUp) peers.push({ node: other.name, roundTripMs: 2 * there.delayMs });
    });
    return peers;
  }

  #eachPair(port: Port, visit: (pair: Pair) => void): void {
    for (const other of this.#ports) {
      const pair = other === port ? undefined : this.#pairs.get(pairKey(other, port));
      if (pair) visit(pair);
    }
  }

  #find(from: Port, to: NodeName): { pair: Pair; direction: Direction } | undefined {
    const other = this.#ports.find(({ name }) => name === to);
    return other && this.#direction(from.index, other.index);
  }

  #direction(from: number, to: number): { pair: Pair; direction: Direction } | undefined {
    const pair = this.#pair(from, to);
    const found = pair?.directions.find((one) => one.from.index === from);
    return pair && found && { pair, direction: found };
  }

  #pair(left: number, right: number): Pair | undefined {
    return this.#pairs.get(pairKey(this.#ports[left] as Port, this.#ports[right] as Port));
  }
}

function direction(from: Port, to: Port, delayMs: number): Direction {
  const [backlog, lastMs] = [{ ...EMPTY_BACKLOG }, { ...EMPTY_BACKLOG }];
  const refusing = new Set<LinkLane>();
  return { from, to, delayMs, isCut: false, isHeld: false, stuck: [], backlog, refusing, lastMs };
}

function pairKey(left: Port, right: Port): string {
  return left.index < right.index ? `${left.index} ${right.index}` : `${right.index} ${left.index}`;
}
