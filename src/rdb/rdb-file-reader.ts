import { Crc64, CRC64_BYTES } from './crc64.js'
import { RdbCursor } from './rdb-cursor.js'
import { RdbReader } from './rdb-reader.js'
import { CHECKSUM_SINCE_VERSION, FIELDS_APART, ModulePart, NEWEST_RDB_VERSION, RdbOpcode, RdbType } from './rdb-types.js'
import { bytes, length, moduleParts, strings, walkModule, walkValue, type Walk } from './value-walker.js'
import { mayBeIgnored, METADATA_CLASS_BYTES, metadataClassName, moduleName } from './module-name.js'
import { readListpack } from './packed.js'

/**
 * ```
 * file := "REDIS" version:4 digits  item…  0xff [checksum:u64]       checksum: CRC-64 of all before it, 0 when it was switched off
 * item := opcode data | [expiry] [idle | frequency] [metadata] type key value
 * ```
 * Hashes with a template have but a number for their fields, which stand in an item before all keys; they are given as what DUMP would give.
 * Byte ranges in an item are views that are good until the next one is asked for.
 */
export type RdbItem =
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'aux'; readonly name: string; readonly value: string }
  | { readonly kind: 'database'; readonly database: number }
  /** About how many keys the database has, and how many of them expire. */
  | { readonly kind: 'resize'; readonly keys: number; readonly expires: number }
  | { readonly kind: 'function'; readonly offset: number; readonly code: Uint8Array }
  /** Data of a module, or metadata that one has put to the key that follows. */
  | { readonly kind: 'module-aux'; readonly offset: number; readonly module: string }
  | RdbKeyItem
  /** `checked` is false when the file was written without a checksum. */
  | { readonly kind: 'end'; readonly checked: boolean }

export interface RdbKeyItem {
  readonly kind: 'key'
  /** Where its first byte stands in the file. */
  readonly offset: number
  readonly database: number
  readonly key: Uint8Array
  readonly type: number
  /** The encoded value, without its type byte. */
  readonly value: Uint8Array
  /** Unix ms, or null. */
  readonly expiresAtMs: number | null
  /** Since the key was last used; null when the file does not say. */
  readonly idleSeconds: number | null
  /** Logarithmic counter of use; null when the file does not say. */
  readonly frequency: number | null
  /** What it is if it is nothing that Meridian can hold: `the module NAME`, `type array`. */
  readonly unsupported: string | null
}

/** Fields of hashes, as they stand in the file behind its number: how many, and each. */
interface Template {
  readonly count: number
  readonly fields: Uint8Array
}

const APART = Buffer.from([FIELDS_APART])
const MAGIC = 'REDIS'
const VERSION_DIGITS = 4
/** Redis' own limit on the number of a database is that of an int. */
const MAX_DATABASE = 2 ** 31 - 1

/**
 * Reads an RDB file as its bytes come: feed, then next until it gives null, and so on. What is wrong is thrown as an error that says where; whether
 * a value can be decoded is not looked at.
 */
export class RdbFileReader {
  private readonly cursor: RdbCursor
  private readonly items: Generator<RdbItem | null, void, void>
  private readonly crc = new Crc64()
  private version = 0
  private isAtEnd = false
  private readonly templates = new Map<number, Template>()

  /** `source` names the file or server in errors. */
  constructor(source: string) {
    this.cursor = new RdbCursor(source)
    this.items = this.read()
  }

  /** Bytes that have been read as items. */
  get offset(): number {
    return this.cursor.offset
  }

  /** Version in the header; 0 before it has come. */
  get rdbVersion(): number {
    return this.version
  }

  /** What was fed behind the end of the file. */
  get rest(): Uint8Array {
    return this.cursor.buf.subarray(this.cursor.at, this.cursor.end)
  }

  /** Takes more bytes; they are copied. */
  feed(more: Uint8Array): void {
    this.cursor.feed(more)
  }

  /** The next item; null when more bytes are needed for it, or after the end. @throws MeridianError */
  next(): RdbItem | null {
    if (this.isAtEnd) return null
    return this.items.next().value ?? null
  }

  /** To be called when no more bytes will come. @throws MeridianError when the file is not complete. */
  finish(): void {
    if (this.isAtEnd) return
    this.cursor.at = this.cursor.end
    this.cursor.damaged('it ends before its end mark')
  }

  private *read(): Generator<RdbItem | null, void, void> {
    yield* this.header()
    yield { kind: 'version', version: this.version }
    const { cursor } = this
    let database = 0
    let expiresAtMs: number | null = null
    let idleSeconds: number | null = null
    let frequency: number | null = null
    this.nextItem()
    for (;;) {
      yield* bytes(cursor, 1)
      const opcode = cursor.buf[cursor.at - 1]
      switch (opcode) {
        // What stands before a key belongs to its item.
        case RdbOpcode.expiryMs:
          expiresAtMs = yield* this.milliseconds()
          continue
        case RdbOpcode.expirySeconds:
          expiresAtMs = (yield* this.seconds()) * 1000
          continue
        case RdbOpcode.idle:
          idleSeconds = yield* length(cursor)
          continue
        case RdbOpcode.frequency:
          yield* bytes(cursor, 1)
          frequency = cursor.buf[cursor.at - 1]
          continue
        case RdbOpcode.select:
          database = yield* length(cursor)
          if (database > MAX_DATABASE) cursor.damaged(`there is no database ${database}`)
          yield { kind: 'database', database }
          break
        case RdbOpcode.resize: {
          const keys = yield* length(cursor)
          yield { kind: 'resize', keys, expires: yield* length(cursor) }
          break
        }
        case RdbOpcode.aux:
          yield* strings(cursor, 2)
          yield this.auxField()
          break
        case RdbOpcode.slotInfo:
          for (let i = 0; i < 3; i++) yield* length(cursor)
          break
        case RdbOpcode.functionLibrary:
          yield* strings(cursor, 1)
          yield { kind: 'function', offset: cursor.itemOffset, code: this.decodeString(1) }
          break
        case RdbOpcode.functionPreRelease:
          cursor.unsupported('a function of a Redis 7.0 release candidate')
          break
        case RdbOpcode.moduleAux:
          yield { kind: 'module-aux', offset: cursor.itemOffset, module: yield* this.moduleAux() }
          break
        case RdbOpcode.keyMetadata: {
          const module = yield* this.keyMetadata()
          if (module !== null) yield { kind: 'module-aux', offset: cursor.itemOffset, module }
          break
        }
        case RdbOpcode.hashTemplate:
          yield* this.template()
          break
        case RdbOpcode.end:
          yield* this.end()
          return
        default: {
          const keyAt = cursor.at - cursor.mark
          yield* strings(cursor, 1)
          const valueAt = cursor.at - cursor.mark
          let unsupported: string | null = null
          let type = opcode
          let value: Uint8Array | null = null
          if (opcode === RdbType.module) {
            unsupported = `the module ${yield* walkModule(cursor)}`
          } else if (opcode === RdbType.hashTemplateReference || opcode === RdbType.hashTemplateListpackReference) {
            type = opcode === RdbType.hashTemplateReference ? RdbType.hashTemplate : RdbType.hashTemplateListpack
            value = yield* this.templateHash(type)
          } else {
            yield* walkValue(cursor, opcode)
            if (opcode === RdbType.array) unsupported = 'type array'
          }
          yield {
            kind: 'key',
            offset: cursor.itemOffset,
            database,
            key: this.decodeString(keyAt),
            type,
            value: value ?? cursor.buf.subarray(cursor.mark + valueAt, cursor.at),
            expiresAtMs,
            idleSeconds,
            frequency,
            unsupported,
          }
          expiresAtMs = idleSeconds = frequency = null
        }
      }
      this.nextItem()
    }
  }

  private *header(): Walk {
    const { cursor } = this
    yield* bytes(cursor, MAGIC.length + VERSION_DIGITS)
    const text = Buffer.from(cursor.buf.subarray(0, cursor.at)).toString('latin1')
    const digits = text.slice(MAGIC.length)
    if (!text.startsWith(MAGIC) || !/^\d+$/.test(digits)) {
      cursor.at = 0
      cursor.damaged('it is no RDB file: it does not begin with REDIS and a version')
    }
    this.version = Number(digits)
    if (this.version < 1 || this.version > NEWEST_RDB_VERSION) {
      cursor.unsupported(`RDB version ${this.version} (known are 1 to ${NEWEST_RDB_VERSION})`)
    }
  }

  private *end(): Generator<RdbItem | null, void, void> {
    const { cursor } = this
    this.nextItem()
    let checked = false
    if (this.version >= CHECKSUM_SINCE_VERSION) {
      yield* bytes(cursor, CRC64_BYTES)
      const at = cursor.at - CRC64_BYTES
      checked = cursor.buf.subarray(at, cursor.at).some((byte) => byte !== 0)
      if (checked && !this.crc.equals(cursor.buf, at)) {
        cursor.at = at
        cursor.damaged('the checksum is not that of the bytes before it: some of them have changed')
      }
    }
    cursor.begin()
    this.isAtEnd = true
    yield { kind: 'end', checked }
  }

  /** Metadata of modules before a key; gives a class that may not be left out, if there is one. */
  private *keyMetadata(): Walk<string | null> {
    const { cursor } = this
    let module: string | null = null
    for (let left = yield* length(cursor); left > 0; left--) {
      yield* bytes(cursor, METADATA_CLASS_BYTES)
      const at = cursor.at - METADATA_CLASS_BYTES
      if (!mayBeIgnored(cursor.buf, at)) module = metadataClassName(cursor.buf, at)
      yield* moduleParts(cursor)
    }
    return module
  }

  /** `number fields field{fields}` */
  private *template(): Walk {
    const { cursor, templates } = this
    const number = yield* length(cursor)
    if (templates.has(number)) cursor.damaged(`there are two templates ${number}`)
    const from = cursor.at - cursor.mark
    const count = yield* length(cursor)
    if (count === 0) cursor.damaged(`the template ${number} has no fields`)
    yield* strings(cursor, count)
    templates.set(number, { count, fields: cursor.buf.slice(cursor.mark + from, cursor.at) })
  }

  /** The value of a hash whose template has been told, as one that tells its fields. type: of that. */
  private *templateHash(type: number): Walk<Uint8Array> {
    const { cursor } = this
    const from = cursor.at - cursor.mark
    if (type === RdbType.hashTemplate) {
      const { count, fields } = this.templateOf(yield* length(cursor))
      const values = cursor.at - cursor.mark
      yield* strings(cursor, count)
      return Buffer.concat([APART, fields, cursor.buf.subarray(cursor.mark + values, cursor.at)])
    }
    yield* strings(cursor, 1)
    const numbered = readListpack(this.decodeString(from))
    const number = numbered === null || numbered.count === 0 ? '' : Buffer.from(numbered.at(0)).toString('latin1')
    const { fields } = this.templateOf(/^\d+$/.test(number) ? Number(number) : -1)
    return Buffer.concat([APART, fields, cursor.buf.subarray(cursor.mark + from, cursor.at)])
  }

  private templateOf(number: number): Template {
    return this.templates.get(number) ?? this.cursor.damaged(`there is no template ${number}`)
  }

  private nextItem(): void {
    const { cursor } = this
    this.crc.update(cursor.buf, cursor.mark, cursor.at - cursor.mark)
    cursor.begin()
  }

  private *milliseconds(): Walk<number> {
    const { cursor } = this
    yield* bytes(cursor, 8)
    const at = new RdbReader(cursor.buf, cursor.at - 8, cursor.at).milliseconds()
    // What lies further away than a number can say never comes.
    return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(at, Number.MAX_SAFE_INTEGER))
  }

  private *seconds(): Walk<number> {
    const { cursor } = this
    yield* bytes(cursor, 4)
    const { buf, at } = cursor
    return buf[at - 4] | (buf[at - 3] << 8) | (buf[at - 2] << 16) | (buf[at - 1] << 24)
  }

  private auxField(): RdbItem {
    const { cursor } = this
    const reader = new RdbReader(cursor.buf, cursor.mark + 1, cursor.at)
    const [name, value] = [reader.string(), reader.string()]
    if (reader.failure !== null) cursor.damaged(reader.failure.detail)
    return { kind: 'aux', name: Buffer.from(name).toString(), value: Buffer.from(value).toString() }
  }

  /** The string that begins so far behind the beginning of the item. */
  private decodeString(from: number): Uint8Array {
    const { cursor } = this
    const reader = new RdbReader(cursor.buf, cursor.mark + from, cursor.at)
    const value = reader.string()
    if (reader.failure !== null) cursor.damaged(reader.failure.detail)
    return value
  }

  private *moduleAux(): Walk<string> {
    const { cursor } = this
    yield* length(cursor)
    const name = moduleName(new RdbReader(cursor.buf, cursor.mark + 1, cursor.at).length64())
    const opcode = yield* length(cursor)
    if (opcode !== ModulePart.unsigned) cursor.damaged(`a module's data begins with a part of kind ${opcode}`)
    yield* length(cursor)
    yield* moduleParts(cursor)
    return name
  }
}
