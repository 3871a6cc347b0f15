import { EnokiError } from "../../core/errors.js";
import type { CoapMessage, CoapOption } from "./message.js";

/** Numbers of the options that this node knows (RFC 7252, 7959, 9175). */
export const OPTION = {
  uriHost: 3,
  etag: 4,
  uriPort: 7,
  uriPath: 11,
  contentFormat: 12,
  maxAge: 14,
  uriQuery: 15,
  accept: 17,
  block2: 23,
  block1: 27,
  size2: 28,
  proxyUri: 35,
  proxyScheme: 39,
  size1: 60,
  requestTag: 292,
  /** Ours, of the numbers for experiments: the text of HTTP's `Authorization`. Elective, not for proxies. */
  authorization: 65_002,
} as const;

/** Options with odd numbers must be understood, or the request be refused. */
const UNDERSTOOD: ReadonlySet<number> = new Set(Object.values(OPTION));

/** One block of a body: its number, whether more follow, and how large blocks are. */
export interface Block {
  readonly number: number;
  readonly isMore: boolean;
  /** A power of two from 16 to 1,024. */
  readonly sizeBytes: number;
}

const BLOCK_BITS_MIN = 4;
const BLOCK_EXPONENT_MAX = 6;
/** A number of at most 20 bits, one for more, three for the size. */
const BLOCK_BYTES_MAX = 3;

/** The first critical option that this node does not know; `undefined` if it knows all. */
export function unknownCritical({ options }: CoapMessage): number | undefined {
  return options.find(({ number }) => number % 2 === 1 && !UNDERSTOOD.has(number))?.number;
}

/** The first value of an option. */
export function optionOf({ options }: CoapMessage, number: number): Buffer | undefined {
  return options.find((option) => option.number === number)?.value;
}

/** All values of an option as text. @throws EnokiError `ENOKI_INVALID_INPUT` if one is not UTF-8 */
export function textsOf({ options }: CoapMessage, number: number): string[] {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    return options
      .filter((option) => option.number === number)
      .map(({ value }) => decoder.decode(value));
  } catch {
    throw new EnokiError("ENOKI_INVALID_INPUT", `option ${number} is not UTF-8`);
  }
}

/** An option that is a number. @throws EnokiError `ENOKI_INVALID_INPUT` if it has more than 4 bytes */
export function numberOf(message: CoapMessage, number: number): number | undefined {
  const value = optionOf(message, number);
  if (value === undefined) return undefined;
  if (value.length > 4) {
    throw new EnokiError("ENOKI_INVALID_INPUT", `option ${number} is too long for a number`);
  }
  return value.length === 0 ? 0 : value.readUIntBE(0, value.length);
}

/** An option with a number, in as few bytes as it takes. */
export function numberOption(number: number, value: number): CoapOption {
  let length = 0;
  while (value >= 2 ** (8 * length)) length += 1;
  const bytes = Buffer.alloc(length);
  if (length > 0) bytes.writeUIntBE(value, 0, length);
  return { number, value: bytes };
}

/** A Block1 or Block2 option. @throws EnokiError `ENOKI_INVALID_INPUT` for a size that is reserved */
export function blockOf(message: CoapMessage, number: number): Block | undefined {
  const value = numberOf(message, number);
  if (value === undefined) return undefined;
  const exponent = value & 0b111;
  if (exponent > BLOCK_EXPONENT_MAX || value >= 2 ** (8 * BLOCK_BYTES_MAX)) {
    throw new EnokiError("ENOKI_INVALID_INPUT", "blocks over UDP have 16 to 1,024 bytes");
  }
  const sizeBytes = 2 ** (exponent + BLOCK_BITS_MIN);
  return { number: value >>> 4, isMore: (value & 0b1000) !== 0, sizeBytes };
}

/** The option for a block. */
export function blockOption(number: number, block: Block): CoapOption {
  const exponent = Math.log2(block.sizeBytes) - BLOCK_BITS_MIN;
  return numberOption(number, block.number * 16 + (block.isMore ? 8 : 0) + exponent);
}
