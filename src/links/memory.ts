import { assert } from "../base/assert.js";
import type { NodeName } from "../core/ids.js";
import type { LinkEvents, LinkLane, LinkPeer, Links } from "../ports/links.js";
import { createTurn, type Turn } from "../ports/turn.js";
import { Incoming } from "./incoming.js";
import { checkMessageSize } from "../ports/message-size.js";
import { Outgoing } from "./outgoing.js";
import { LANE_NUMBER, LANES } from "./wire.js";

/** Batches that one direction of a link moves in one turn. */
const BATCHES_PER_TURN = 4;

/** Links between nodes of one process: the same lanes and bounds, and no network. */
export class MemoryLinkHub {
  readonly #nodes = new Map<NodeName, MemoryLinks>();
  readonly #turn: Turn;

  constructor(turn: Turn = createTurn()) {
    this.#turn = turn;
  }

  /** Adds a node and gives its links; none is up yet. */
  join(node: NodeName): Links {
    assert(!this.#nodes.has(node), `the node ${node} is here already`);
    const links = new MemoryLinks(node, () => void this.#nodes.delete(node));
    this.#nodes.set(node, links);
    return links;
  }

  /** Opens a link between two nodes that are both listening. */
  connect(left: NodeName, right: NodeName): void {
    const [from, to] = [this.#node(left), this.#node(right)];
    assert(!from.ends.has(right), `${left} and ${right} are linked already`);
    const toRight = new Direction(from, to, this.#turn);
    const toLeft = new Direction(to, from, this.#turn);
    from.ends.set(right, { out: toRight, in: toLeft });
    to.ends.set(left, { out: toLeft, in: toRight });
    from.events.up(right);
    to.events.up(left);
  }

  /** Cuts the link between two nodes, if there is one; what was not delivered is lost. */
  cut(left: NodeName, right: NodeName): void {
    this.#nodes.get(left)?.cut(right);
  }

  #node(name: NodeName): MemoryLinks {
    const node = this.#nodes.get(name);
    assert(node, `there is no node ${name}`);
    return node;
  }
}

/** One end of a link: what goes to the peer, and what comes from it. */
interface End {
  readonly out: Direction;
  readonly in: Direction;
}

class MemoryLinks implements Links {
  readonly ends = new Map<NodeName, End>();
  readonly name: NodeName;
  readonly #leave: () => void;
  #events: LinkEvents | undefined;

  constructor(node: NodeName, leave: () => void) {
    this.name = node;
    this.#leave = leave;
  }

  get events(): LinkEvents {
    assert(this.#events, `nobody listens to the links of ${this.name}`);
    return this.#events;
  }

  listen(events: LinkEvents): void {
    assert(!this.#events, "links have one listener");
    this.#events = events;
  }

  send(to: NodeName, lane: LinkLane, payload: Uint8Array): boolean {
    checkMessageSize(payload);
    return this.ends.get(to)?.out.offer(lane, payload) ?? false;
  }

  backlogBytes(to: NodeName, lane: LinkLane): number {
    return this.ends.get(to)?.out.outgoing.backlogBytes(LANE_NUMBER[lane]) ?? 0;
  }

  hold(peer: NodeName): () => void {
    return this.ends.get(peer)?.in.hold() ?? (() => {});
  }

  peers(): readonly LinkPeer[] {
    return [...this.ends.keys()].map((node) => ({ node, roundTripMs: undefined }));
  }

  close(): Promise<void> {
    this.#leave();
    for (const peer of this.ends.keys()) this.cut(peer);
    return Promise.resolve();
  }

  cut(peer: NodeName): void {
    const end = this.ends.get(peer);
    if (!end) return;
    const other = end.out.receiver;
    end.out.isOpen = false;
    end.in.isOpen = false;
    this.ends.delete(peer);
    other.ends.delete(this.name);
    this.events.down(peer);
    other.events.down(this.name);
  }
}

/** What one node sends to another. */
class Direction {
  readonly outgoing = new Outgoing();
  readonly receiver: MemoryLinks;
  isOpen = true;
  readonly #incoming = new Incoming();
  readonly #sender: MemoryLinks;
  readonly #turn: Turn;
  #isDue = false;
  #holds = 0;

  constructor(sender: MemoryLinks, receiver: MemoryLinks, turn: Turn) {
    this.#sender = sender;
    this.receiver = receiver;
    this.#turn = turn;
  }

  offer(lane: LinkLane, payload: Uint8Array): boolean {
    const isTaken = this.outgoing.offer(LANE_NUMBER[lane], payload);
    if (isTaken) this.#deliverLater();
    return isTaken;
  }

  hold(): () => void {
    this.#holds += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#holds -= 1;
      this.#deliverLater();
    };
  }

  #deliverLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#turn.flush(() => {
      this.#isDue = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const events = {
      message: (payload: Uint8Array): void => {
        if (this.isOpen) this.receiver.events.message(this.#sender.name, payload);
      },
      heartbeat: () => {},
    };
    try {
      for (let batches = 0; batches < BATCHES_PER_TURN && this.#canMove; batches++) {
        this.#incoming.push(this.outgoing.nextBatch(), events);
      }
    } catch {
      this.receiver.cut(this.#sender.name);
    }
    for (const lane of this.outgoing.takeRelieved()) {
      this.#sender.events.room?.(this.receiver.name, LANES[lane] as LinkLane);
    }
    if (this.#canMove) this.#deliverLater();
  }

  get #canMove(): boolean {
    return this.isOpen && this.#holds === 0 && !this.outgoing.isEmpty;
  }
}
