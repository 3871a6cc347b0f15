import {
  createFunctionPort,
  type FunctionPortOptions,
} from "../gateway/functions/function-port.js";
import { listen, portRefusal, urlHost, type FlaggedAddress } from "./listen.js";
import { openServer, type OpenPort } from "./open-port.js";

/** Where a port is to be; 0 = any free one. */
type PortPlace = Pick<FlaggedAddress, "host" | "port">;

/** Opens the port for calls over HTTP. @throws EnokiError `ENOKI_PORT_IN_USE` */
export async function openFunctionPort(
  options: FunctionPortOptions,
  place: PortPlace,
): Promise<OpenPort> {
  return await openServer(createFunctionPort(options), { ...place, flag: "--function-port" });
}

/** Opens the port for calls over CoAP. @throws EnokiError `ENOKI_PORT_IN_USE` */
export async function openCoap(options: FunctionPortOptions, place: PortPlace): Promise<OpenPort> {
  // why: only a node with such a port pays for its code.
  const { openCoapPort } = await import("../gateway/coap/coap-port.js");
  const opened = await openCoapPort(options, place).catch((error: NodeJS.ErrnoException) => {
    throw portRefusal(error, { ...place, flag: "--coap-port" });
  });
  return { address: `coap://${urlHost(place.host)}:${opened.port}`, close: opened.close };
}

/** Opens the port for calls over gRPC. @throws EnokiError `ENOKI_PORT_IN_USE` */
export async function openGrpc(options: FunctionPortOptions, place: PortPlace): Promise<OpenPort> {
  const { createGrpcPort } = await import("../gateway/grpc/grpc-port.js");
  const { server, close } = createGrpcPort(options);
  const port = await listen(server, { ...place, flag: "--grpc-port" });
  return { address: `${urlHost(place.host)}:${port}`, close };
}
