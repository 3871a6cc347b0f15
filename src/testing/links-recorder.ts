import type { NodeName } from "../core/ids.js";
import type { LinkEvents, LinkLane } from "../ports/links.js";

/** One thing that links told. */
export type LinkEvent =
  | { readonly kind: "up" | "down"; readonly peer: NodeName }
  | { readonly kind: "message"; readonly peer: NodeName; readonly payload: Uint8Array }
  | { readonly kind: "room"; readonly peer: NodeName; readonly lane: LinkLane };

/** Keeps what links tell, and waits for it. */
export class LinkRecorder implements LinkEvents {
  readonly events: LinkEvent[] = [];
  readonly #counts = new Map<string, number>();
  readonly #waiters = new Set<() => void>();
  /** Called with each message before it is kept. */
  onMessage: (peer: NodeName, payload: Uint8Array) => void = () => {};

  up(peer: NodeName): void {
    this.#keep({ kind: "up", peer });
  }

  down(peer: NodeName): void {
    this.#keep({ kind: "down", peer });
  }

  message(peer: NodeName, payload: Uint8Array): void {
    this.onMessage(peer, payload);
    this.#keep({ kind: "message", peer, payload });
  }

  room(peer: NodeName, lane: LinkLane): void {
    this.#keep({ kind: "room", peer, lane });
  }

  /** The messages so far. */
  get payloads(): Uint8Array[] {
    return this.events.flatMap((event) => (event.kind === "message" ? [event.payload] : []));
  }

  /** How often that happened so far, with any peer or with one. */
  count(kind: LinkEvent["kind"], peer?: NodeName): number {
    return this.#counts.get(`${kind} ${peer ?? ""}`) ?? 0;
  }

  /** Resolves as soon as `condition` holds, which is looked at after each event. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
    });
  }

  /** Resolves once that has happened `times` times in all. */
  async seen(kind: LinkEvent["kind"], times = 1, peer?: NodeName): Promise<void> {
    await this.until(() => this.count(kind, peer) >= times);
  }

  #keep(event: LinkEvent): void {
    this.events.push(event);
    for (const key of [`${event.kind} `, `${event.kind} ${event.peer}`]) {
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
    for (const look of this.#waiters) look();
  }
}
