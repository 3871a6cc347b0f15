import type { Socket } from "node:net";

import { FRAME, FrameReader } from "../../../src/channel/frames.js";
import type { GuestProcess, Launcher } from "../../../src/ports/runtime.js";

/** What went over the channels of a node's instances. */
export interface ChannelWork {
  /** Frames by name: `invoke`, `reply` … from the node, `result`, `operation` … to it. */
  readonly frames: Readonly<Record<string, number>>;
  /** Writes to sockets by the node: system calls, unless the system is slow to take them. */
  readonly writes: number;
  /** Pieces in which frames of the instances arrived. */
  readonly reads: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

const NAMES = new Map<number, string>(Object.entries(FRAME).map(([name, type]) => [type, name]));

/** Counts everything on the channels of the instances that `launcher` starts from now on. */
export class ChannelTap {
  #frames: Record<string, number> = {};
  #writes = 0;
  #reads = 0;
  #bytesSent = 0;
  #bytesReceived = 0;

  constructor(launcher: Launcher) {
    const launch = launcher.launch.bind(launcher);
    launcher.launch = async (request): Promise<GuestProcess> => {
      const guest = await launch(request);
      this.#listen(guest.channel);
      return guest;
    };
  }

  /** What `work` made of frames, writes and bytes. */
  async during(work: () => Promise<unknown>): Promise<ChannelWork> {
    const before = this.#snapshot();
    await work();
    const after = this.#snapshot();
    const frames = Object.entries(after.frames)
      .map(([name, count]) => [name, count - (before.frames[name] ?? 0)] as const)
      .filter(([, count]) => count > 0);
    return {
      frames: Object.fromEntries(frames),
      writes: after.writes - before.writes,
      reads: after.reads - before.reads,
      bytesSent: after.bytesSent - before.bytesSent,
      bytesReceived: after.bytesReceived - before.bytesReceived,
    };
  }

  #snapshot(): ChannelWork {
    return {
      frames: { ...this.#frames },
      writes: this.#writes,
      reads: this.#reads,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
    };
  }

  #listen(channel: Socket): void {
    const [sent, received] = [new FrameReader(), new FrameReader()];
    const count = (type: number): void => {
      const name = NAMES.get(type) ?? `${type}`;
      this.#frames[name] = (this.#frames[name] ?? 0) + 1;
    };
    const write = channel.write.bind(channel) as (chunk: Uint8Array) => boolean;
    channel.write = ((chunk: Uint8Array): boolean => {
      this.#writes += 1;
      this.#bytesSent += chunk.length;
      // The writer uses its memory again, so the reader gets bytes of its own.
      sent.push(Buffer.from(chunk), count);
      return write(chunk);
    }) as Socket["write"];
    channel.prependListener("data", (chunk: Buffer) => {
      this.#reads += 1;
      this.#bytesReceived += chunk.length;
      received.push(Buffer.from(chunk), count);
    });
  }
}
