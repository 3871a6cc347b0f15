import { crc32, deflateRawSync } from "node:zlib";

/** One regular file that goes into a zip. */
export interface ZipMember {
  /** Relative, with `/` between folders. */
  readonly path: string;
  readonly data: Uint8Array;
  readonly executable: boolean;
}

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
/** 2.0: deflate and folders. */
const VERSION_NEEDED = 20;
/** Unix attributes, so that the executable bit travels. */
const MADE_BY_UNIX = (3 << 8) | VERSION_NEEDED;
const UTF8_NAMES = 0x0800;
const DEFLATE = 8;
/** 1980-01-01, the earliest date there is: equal files give equal bytes on any day. */
const DOS_DATE = 0x0021;

/**
 * Packs `members` into a zip, in the given order; the same members always give the same bytes.
 * Below 4 GiB and 65,535 members, which our limits keep far away.
 */
export function writeZip(members: readonly ZipMember[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const name = Buffer.from(member.path, "utf8");
    const packed = deflateRawSync(member.data);
    const common = commonFields(member, packed.length, name.length);
    const local = Buffer.concat([u32(LOCAL_SIGNATURE), common, name]);
    directory.push(centralHeader(member, common, name, offset));
    bodies.push(local, packed);
    offset += local.length + packed.length;
  }
  const central = Buffer.concat(directory);
  return Buffer.concat([...bodies, central, endRecord(members.length, central.length, offset)]);
}

/** The 26 bytes that local and central headers share, from "version needed" to "extra length". */
function commonFields(member: ZipMember, packedBytes: number, nameBytes: number): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(VERSION_NEEDED, 0);
  fields.writeUInt16LE(UTF8_NAMES, 2);
  fields.writeUInt16LE(DEFLATE, 4);
  fields.writeUInt16LE(DOS_DATE, 8);
  fields.writeUInt32LE(crc32(member.data), 10);
  fields.writeUInt32LE(packedBytes, 14);
  fields.writeUInt32LE(member.data.length, 18);
  fields.writeUInt16LE(nameBytes, 22);
  return fields;
}

function centralHeader(member: ZipMember, common: Buffer, name: Buffer, offset: number): Buffer {
  const tail = Buffer.alloc(14);
  const mode = member.executable ? 0o100755 : 0o100644;
  tail.writeUInt32LE(mode * 0x10000, 6);
  tail.writeUInt32LE(offset, 10);
  return Buffer.concat([u32(CENTRAL_SIGNATURE), u16(MADE_BY_UNIX), common, tail, name]);
}

function endRecord(members: number, centralBytes: number, centralOffset: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(members, 8);
  end.writeUInt16LE(members, 10);
  end.writeUInt32LE(centralBytes, 12);
  end.writeUInt32LE(centralOffset, 16);
  return end;
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
