import { errorOf, isProblem } from "./problem.js";
import type { NodePorts } from "./node-ports.js";
import { Requests, text, type ClientAnswer, type ClientRequest } from "./transport.js";

/** Codes of a node that does not have the data, or not as fresh as they should be: another may. */
const NOT_HERE = new Set(["ENOKI_KEYGROUP_NOT_FOUND", "ENOKI_STALE"]);

/** Requests about data: to whichever node has them, with the client's session. */
export class DataRequests extends Requests {
  readonly url: string;
  readonly #ports: NodePorts;

  constructor(url: string, ports: NodePorts) {
    super();
    this.url = url;
    this.#ports = ports;
  }

  async send(path: string, request: ClientRequest = {}): Promise<ClientAnswer> {
    return (await this.#ports.send(path, request, isNotHere)).answer;
  }

  lines(path: string, request: ClientRequest = {}): AsyncGenerator<unknown> {
    return this.#ports.lines(path, request);
  }
}

function isNotHere({ status, headers, body }: ClientAnswer): boolean {
  if ((status !== 404 && status !== 503) || !isProblem(headers)) return false;
  return NOT_HERE.has(errorOf("", status, headers, text(body)).code);
}
