import { assert } from "../base/assert.js";
import type { CatchUpChunk, CatchUpRequest } from "./catch-up.js";
import { joinProblem, joinRequest, joinWrites, sweepWrites } from "./joining.js";
import type { RowReader, RowWrite } from "./rows.js";
import { installWrites, leftoverDrops, nextStagingId, stageWrites } from "./staging.js";
import type { ReplicaState } from "./state.js";
import type { ChunkEffects } from "./update.js";
import type { Vector } from "./vector.js";

interface Running {
  readonly from: number;
  /** What was applied when it began: versions that it covers come without their bodies. */
  readonly known: Vector;
  nextSequence: number;
  /** How much it may still stage. */
  roomBytes: number;
}

/** Step 3, at the receiver: the catch-ups that run. What they bring takes effect at their end. */
export class IncomingCatchUps {
  readonly #state: ReplicaState;
  readonly #stagedBytesMax: number;
  readonly #running = new Map<number, Running>();
  #lastId = 0;

  constructor(state: ReplicaState, stagedBytesMax: number) {
    this.#state = state;
    this.#stagedBytesMax = stagedBytesMax;
  }

  /** Begins one. `stagesAll`: however much it brings. */
  begin(reader: RowReader, from: number, stagesAll = false): CatchUpRequest {
    const { identity, vector } = this.#state;
    const id = nextStagingId(reader, this.#lastId);
    this.#lastId = id;
    const request = identity.isServing
      ? { id, member: identity.epoch, vector: vector.clone(), isFresh: false, position: undefined }
      : joinRequest(reader, id, identity.epoch);
    const isSwept = identity.isServing || sweepWrites(reader, 1).length === 0;
    assert(isSwept, "a replica must be swept before it joins");
    // why: a joining replica stores what comes at once, and two senders would mix.
    if (request.isFresh) this.#running.clear();
    const roomBytes = stagesAll ? Infinity : this.#stagedBytesMax;
    this.#running.set(id, { from, known: request.vector, nextSequence: 0, roomBytes });
    return request;
  }

  /** Takes the next chunk of one; `from`, if it is given, must be whom it was asked of. */
  receive(reader: RowReader, chunk: CatchUpChunk, from: number | undefined): ChunkEffects {
    const running = this.#running.get(chunk.id);
    if (!running || (from !== undefined && from !== running.from)) return nothing("ignored");
    if (running.nextSequence++ !== chunk.sequence) return this.#breakOff(chunk, "ignored");
    const problem = this.#problemOf(reader, chunk, running);
    if (problem !== undefined) return { ...this.#breakOff(chunk, "rejected"), problem };
    if (!this.#state.identity.isServing) return this.#join(reader, chunk);
    if (chunk.end) return this.#install(reader, chunk);
    const writes = stageWrites(chunk);
    for (const { key, value } of writes) {
      running.roomBytes -= key.length + (value as Uint8Array).length;
    }
    if (running.roomBytes < 0) return this.#breakOff(chunk, "rejoin");
    return { writes, outcome: "held" };
  }

  /** Breaks off one. */
  cancel(id: number): void {
    this.#running.delete(id);
  }

  /** Breaks off those whose sender is not among `members`. */
  keepOnly(members: readonly number[]): void {
    for (const [id, { from }] of this.#running)
      if (!members.includes(from)) this.#running.delete(id);
  }

  /** Drops up to `limit` rows of those that broke off. */
  dropLeftovers(reader: RowReader, limit: number): RowWrite[] {
    return leftoverDrops(reader, limit, (id) => this.#running.has(id));
  }

  #problemOf(reader: RowReader, chunk: CatchUpChunk, { known }: Running): string | undefined {
    const { identity } = this.#state;
    if (this.#state.isClaimedBeyond(chunk.at)) {
      return "a sender knows commits of this replica that it never made";
    }
    if (this.#state.isWrittenOff(chunk.at)) return "a sender takes a member for gone that is not";
    if (!identity.isServing) return joinProblem(reader, identity.epoch, chunk);
    const isWhole = chunk.records.every(({ live }) =>
      live.every(({ dot, version }) => version !== undefined || known.covers(dot)),
    );
    return isWhole ? undefined : "a record lacks a version";
  }

  /** why at once: the rows are judged by what was applied before, whenever they are asked for. */
  #install(reader: RowReader, chunk: CatchUpChunk): ChunkEffects {
    const current = this.#state.vector.clone();
    const ends = this.#end(chunk);
    const lost = (versions: number): void => {
      this.#state.conflictsTotal += versions;
    };
    const rows = installWrites(reader, chunk, { current, lost });
    return { writes: concat(rows, ends), outcome: "applied" };
  }

  #join(reader: RowReader, chunk: CatchUpChunk): ChunkEffects {
    const writes = joinWrites(reader, chunk);
    if (!chunk.end) return { writes, outcome: "held" };
    return { writes: concat(writes, this.#end(chunk)), outcome: "applied" };
  }

  #end({ id, end }: CatchUpChunk): RowWrite[] {
    assert(end, "only the last chunk ends a catch-up");
    this.#running.delete(id);
    this.#state.joined(end);
    const writes = this.#state.raiseFloor(end.floor.entries());
    writes.push(...this.#state.remember(end.finals.entries()));
    if (!this.#state.identity.isServing) writes.push(...this.#state.serve());
    return writes;
  }

  #breakOff({ id }: CatchUpChunk, outcome: "ignored" | "rejected" | "rejoin"): ChunkEffects {
    this.#running.delete(id);
    return nothing(outcome);
  }
}

function nothing(outcome: ChunkEffects["outcome"]): ChunkEffects {
  return { writes: [], outcome };
}

function* concat(first: Iterable<RowWrite>, second: Iterable<RowWrite>): Generator<RowWrite, void> {
  yield* first;
  yield* second;
}
