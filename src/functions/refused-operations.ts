import type { FrameWriter } from "../channel/frames.js";
import { encodeErrorReply } from "../channel/replies.js";
import type { OperationServer } from "./operations-port.js";

/** For an instance that is only tried out, on a node that holds no data for it: refuses everything. */
export class RefusedOperations implements OperationServer {
  serve(writer: FrameWriter, id: number): void {
    encodeErrorReply(writer, id, {
      code: "ENOKI_UNSUPPORTED",
      message:
        "this node only tries whether the code loads: deploy on a node that runs the function",
    });
  }

  close(): void {}
}
