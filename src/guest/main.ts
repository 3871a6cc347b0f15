import { EnokiError } from "../core/errors.js";
import { ChannelError, FRAME, LOG_STREAM, PROTOCOL_VERSION } from "../channel/frames.js";
import { parseJsonObject } from "../channel/operations.js";
import { Calls } from "./calls.js";
import { openChannel } from "./channel.js";
import { DirectReads } from "./direct-reads.js";
import { describeError } from "./failure.js";
import { FunctionCalls } from "./function-calls.js";
import { GUEST } from "./global.js";
import { Keygroup } from "./kv.js";
import { loadRuntime, warmLoader } from "./loader.js";
import { captureOutput, LogSender } from "./log.js";
import { Operations } from "./operations.js";
import { OutputWriter } from "./output.js";
import { response } from "./reply.js";
import { NoEntryError, type LoadRequest, type Runtime } from "./runtime.js";

/** The instance finds its end of the channel here. */
const CHANNEL_FD = 3;

/** Wires an instance: everything hangs on its one channel. */
function main(): void {
  let runtime: Runtime | undefined;
  let keygroupName = "";

  const channel = openChannel(CHANNEL_FD, onFrame, (error) => {
    runtime?.close?.();
    if (error) process.exitCode = 1;
    process.exit();
  });
  const { writer } = channel;
  const output = new OutputWriter(writer);
  const calls: Calls = new Calls(writer, output, {
    begun: (asksNode) => asksNode && direct.pause(),
    ended: (callId, asksNode) => {
      log.flush(callId);
      if (asksNode) direct.resume();
    },
  });
  const log = new LogSender(writer, calls.currentId);
  const operations = new Operations(writer, calls.currentId);
  const direct = new DirectReads(calls.noteRead);
  const kv = new Keygroup(operations, () => keygroupName, direct);
  const { call, send } = new FunctionCalls(operations);
  Object.assign(globalThis, { [GUEST]: { kv, EnokiError, response, call, send } });
  captureOutput(log);

  process.on("uncaughtException", (error) => {
    if (calls.failCurrent(error)) return;
    log.write(LOG_STREAM.stderr, `${error instanceof Error ? error.stack : String(error)}\n`);
    runtime?.close?.();
    channel.drain(() => process.exit(1));
  });

  async function load(payload: Buffer): Promise<void> {
    const request = parseJsonObject(payload, 0) as unknown as LoadRequest;
    if (request.protocol !== PROTOCOL_VERSION) {
      throw new ChannelError(`protocol ${request.protocol} is not known here`);
    }
    keygroupName = request.keygroup;
    direct.use(request.store);
    output.outputBytesMax = request.outputBytesMax;
    try {
      runtime = await loadRuntime(request, { openKvSocket });
    } catch (error) {
      const code = error instanceof NoEntryError ? "ENOKI_NO_ENTRY" : "ENOKI_LOAD_FAILED";
      writer.frame(FRAME.loadFailed, 0, JSON.stringify(describeError(error, code)));
      return;
    }
    calls.use(runtime);
    writer.frame(FRAME.ready, 0, JSON.stringify({ concurrency: runtime.concurrency }));
  }

  async function openKvSocket(): Promise<string> {
    const { serveKv } = await import("./kv-socket.js");
    return serveKv(kv, calls);
  }

  function stop(): void {
    calls.whenIdle(() => {
      runtime?.close?.();
      channel.drain(() => process.exit(0));
    });
  }

  function onFrame(type: number, id: number, payload: Buffer): void {
    direct.turned();
    switch (type) {
      case FRAME.invoke:
        return calls.invoke(id, payload);
      case FRAME.reply:
        return operations.onReply(id, payload);
      case FRAME.event:
        return operations.onEvent(id, payload);
      case FRAME.cancel:
        return calls.cancel(id);
      case FRAME.ping:
        return writer.frame(FRAME.pong, id);
      case FRAME.load:
        void load(payload);
        return;
      case FRAME.stop:
        return stop();
      default:
        throw new ChannelError(`a frame of type ${type} is not known here`);
    }
  }
}

main();
warmLoader();
