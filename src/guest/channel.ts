import { Socket } from "node:net";
import { FrameReader, FrameWriter } from "../channel/frames.js";

const READ_BUFFER_BYTES = 64 * 1024;

/** The instance's end of the function channel. */
export interface GuestChannel {
  readonly writer: FrameWriter;
  /** Sends what is gathered, then calls `done` once the system has taken it. */
  drain(done: () => void): void;
}

/**
 * Opens the channel on file descriptor `fd`. `onClosed` is called once when the node has gone or
 * has broken the protocol.
 */
export function openChannel(
  fd: number,
  onFrame: (type: number, id: number, payload: Buffer) => void,
  onClosed: (error: Error | undefined) => void,
): GuestChannel {
  const reader = new FrameReader();
  const small = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  let buffer: Buffer = small;
  const onread = {
    // One buffer is read into again and again: copying a few hundred bytes is far cheaper than
    // the 64 KiB that Node would otherwise take and give back for every read. What is missing of a
    // large frame is read to where it belongs.
    buffer: (): Buffer => {
      buffer = reader.wanted(READ_BUFFER_BYTES) ?? small;
      return buffer;
    },
    callback: (sizeBytes: number): boolean => {
      try {
        if (buffer === small) reader.push(copyOf(small, sizeBytes), onFrame);
        else reader.filled(sizeBytes, onFrame);
      } catch (error) {
        onClosed(error as Error);
      }
      return true;
    },
  };
  // `onread` is documented for connections that are made; it works the same for one that exists.
  const socket = new Socket({ fd, onread } as ConstructorParameters<typeof Socket>[0]);
  socket.once("error", onClosed);
  socket.once("close", () => onClosed(undefined));
  socket.once("end", () => onClosed(undefined));
  socket.resume();
  const writer = new FrameWriter(socket);
  const drain = (done: () => void): void => {
    writer.flush();
    socket.write("", () => done());
  };
  return { writer, drain };
}

function copyOf(buffer: Buffer, sizeBytes: number): Buffer {
  const copy = Buffer.allocUnsafe(sizeBytes);
  buffer.copy(copy, 0, 0, sizeBytes);
  return copy;
}
