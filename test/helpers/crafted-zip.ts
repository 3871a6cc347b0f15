import { crc32, deflateRawSync } from "node:zlib";

/** One member of a zip that may lie about itself in any way. */
export interface CraftedMember {
  readonly name: string;
  readonly data?: string | Buffer;
  /** Unix mode with the file type; 0 = none, as archives from elsewhere. */
  readonly mode?: number;
  /** Said instead of the real size. */
  readonly declaredBytes?: number;
  /** Said instead of the real checksum. */
  readonly checksum?: number;
  /** General purpose flags; bit 0 = encrypted. */
  readonly flags?: number;
}

/** Writes a zip byte by byte, without any check. */
export function craftZip(members: readonly CraftedMember[]): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const member of members) {
    const data = Buffer.from(member.data ?? "");
    const packed = deflateRawSync(data);
    const name = Buffer.from(member.name, "utf8");
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800 | (member.flags ?? 0), 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(member.checksum ?? crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(member.declaredBytes ?? data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, name, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((member.mode ?? 0o100644) * 0x10000) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    const signature = Buffer.from("PK\x01\x02\x14\x03", "latin1");
    directory.push(Buffer.concat([signature, common, tail, name]));
    bodies.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, central, end]);
}
