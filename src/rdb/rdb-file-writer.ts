import { Crc64, CRC64_BYTES } from './crc64.js'
import { RdbOpcode } from './rdb-types.js'
import { RdbWriter } from './rdb-writer.js'

/**
 * Writes an RDB file piece by piece: the body comes out of take(), the header and the checksum out of seal(), because which version the file has is
 * known only when everything is in it. See RdbFileReader for the layout.
 */
export class RdbFileWriter {
  private writer = new RdbWriter()
  private readonly crc = new Crc64()
  private bodyBytes = 0

  /** Bytes that wait to be taken. */
  get pendingBytes(): number {
    return this.writer.size
  }

  aux(name: string, value: string): void {
    this.writer.u8(RdbOpcode.aux)
    this.writer.string(Buffer.from(name))
    this.writer.string(Buffer.from(value))
  }

  /** What follows is in this database, which has about so many keys. */
  database(database: number, keys: number, expires: number): void {
    this.writer.u8(RdbOpcode.select)
    this.writer.length(database)
    this.writer.u8(RdbOpcode.resize)
    this.writer.length(keys)
    this.writer.length(expires)
  }

  /** A key with its encoded value; the expiry is in Unix ms. */
  key(key: Uint8Array, type: number, value: Uint8Array, expiresAtMs: number | null): void {
    if (expiresAtMs !== null) {
      this.writer.u8(RdbOpcode.expiryMs)
      this.writer.milliseconds(expiresAtMs)
    }
    this.writer.u8(type)
    this.writer.string(key)
    this.writer.raw(value)
  }

  end(): void {
    this.writer.u8(RdbOpcode.end)
  }

  /** The next bytes of the body, which begins behind the header. */
  take(): Uint8Array {
    const { bytes, size } = this.writer
    this.crc.update(bytes, 0, size)
    this.bodyBytes += size
    // The bytes are the caller's from now on.
    this.writer = new RdbWriter(Math.min(bytes.length, 1024 * 1024))
    return bytes.subarray(0, size)
  }

  /** What stands before and behind the body, once all of it has been taken. */
  seal(version: number): { readonly header: Buffer; readonly checksum: Buffer } {
    const header = rdbHeader(version)
    const checksum = Buffer.alloc(CRC64_BYTES)
    this.crc.behind(header, this.bodyBytes).write(checksum, 0)
    return { header, checksum }
  }
}

export function rdbHeader(version: number): Buffer {
  return Buffer.from(`REDIS${String(version).padStart(4, '0')}`, 'latin1')
}
