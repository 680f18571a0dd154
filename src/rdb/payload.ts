import { Crc64, writeCrc64 } from './crc64.js'
import { mayBeIgnored, METADATA_CLASS_BYTES, metadataClassName } from './module-name.js'
import { RdbReader, type RdbFailure } from './rdb-reader.js'
import { ModulePart, NEWEST_RDB_VERSION, OLDEST_PAYLOAD_VERSION, RdbOpcode, versionOf } from './rdb-types.js'
import { RdbWriter } from './rdb-writer.js'
import type { EntrySink } from './stream-reader.js'
import { readValueSteps } from './value-reader.js'
import { typeOf, writeValue } from './value-writer.js'
import type { RdbValue } from './value.js'

/**
 * What DUMP gives and RESTORE takes: `[metadata] type:u8 value version:u16 crc64:u64`, the last two little-endian. Modules of a redis-server may have put metadata to
 * the key: an opcode, the number of classes, and for each of these what it is and parts as of a module's value.
 */
const FOOTER_BYTES = 10
const CRC_BYTES = 8
/** Bytes that are summed in one step. */
const SUMMED_BYTES = 64 * 1024
/** Type byte, encoding byte and two lengths in front of a string, and the footer. */
const FRAME_BYTES = 1 + 1 + 2 * 9 + FOOTER_BYTES

export type PayloadFailure = RdbFailure | { readonly code: 'version' | 'checksum'; readonly detail: string }

/** The value, or why there is none. Never throws. */
export type PayloadResult =
  { readonly value: RdbValue; readonly failure: null } | { readonly value: null; readonly failure: PayloadFailure }

/** Says version 6 to 14: the lowest that can hold the value, so that older servers take it. most: see typeOf. */
export function writePayload(value: RdbValue, most = NEWEST_RDB_VERSION): Uint8Array {
  const writer = new RdbWriter(value.type === 'string' ? value.value.length + FRAME_BYTES : undefined)
  const type = typeOf(value, most)
  writer.u8(type)
  writeValue(writer, value, type)
  const version = versionOf(type)
  writer.u8(version & 0xff)
  writer.u8(version >>> 8)
  writer.f64(0)
  const { bytes, size } = writer
  writeCrc64(bytes, 0, size - CRC_BYTES, bytes, size - CRC_BYTES)
  return bytes.subarray(0, size)
}

/** Strings in the value may be views of the payload. */
export function readPayload(payload: Uint8Array): PayloadResult {
  const steps = readPayloadSteps(payload)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

/** The same a step at a time, some 0.1 ms each. sink: takes the entries of a stream instead of the value. */
export function* readPayloadSteps(payload: Uint8Array, sink: EntrySink | null = null): Generator<undefined, PayloadResult> {
  const end = payload.length - FOOTER_BYTES
  if (end < 0) return refusal('checksum', `${payload.length} bytes are too few`)
  const version = payload[end] | (payload[end + 1] << 8)
  if (version > NEWEST_RDB_VERSION) return refusal('version', `version ${version}, known are up to ${NEWEST_RDB_VERSION}`)
  const crc = new Crc64()
  const summed = payload.length - CRC_BYTES
  for (let from = 0; from < summed; from += SUMMED_BYTES) {
    crc.update(payload, from, Math.min(SUMMED_BYTES, summed - from))
    if (from + SUMMED_BYTES < summed) yield
  }
  if (!crc.equals(payload, summed)) return refusal('checksum', 'the checksum is another')

  const reader = new RdbReader(payload, 0, end)
  let type = reader.u8()
  if (type === RdbOpcode.keyMetadata) {
    passMetadata(reader)
    type = reader.u8()
  }
  const value = yield* readValueSteps(reader, type, sink)
  if (reader.remaining > 0) reader.fail('malformed', `${reader.remaining} bytes follow the value`)
  if (value !== null && reader.failure === null) return { value, failure: null }
  return { value: null, failure: reader.failure ?? { code: 'malformed', detail: 'no value' } }
}

/** Passes over metadata of modules, which may be left out if it says so. */
function passMetadata(reader: RdbReader): void {
  for (let left = reader.count(METADATA_CLASS_BYTES + 1); left > 0 && !reader.failed; left--) {
    const at = reader.take(METADATA_CLASS_BYTES)
    if (at >= 0 && !mayBeIgnored(reader.buf, at)) {
      reader.fail('unsupported', `value with metadata of the class ${metadataClassName(reader.buf, at)}`)
    }
    passModuleParts(reader)
  }
}

function passModuleParts(reader: RdbReader): void {
  while (!reader.failed) {
    const part = reader.length()
    switch (part) {
      case ModulePart.end:
        return
      case ModulePart.signed:
      case ModulePart.unsigned:
        reader.length()
        break
      case ModulePart.float:
        reader.take(4)
        break
      case ModulePart.double:
        reader.take(8)
        break
      case ModulePart.string:
        reader.string()
        break
      default:
        reader.fail('malformed', `metadata has a part of kind ${part}`)
    }
  }
}

/** The payload that RESTORE takes of a value as a file has it: its type, its bytes, and the version of the file. */
export function sealPayload(type: number, value: Uint8Array, fileVersion: number): Buffer {
  const version = Math.max(fileVersion, OLDEST_PAYLOAD_VERSION)
  const size = 1 + value.length + FOOTER_BYTES
  const payload = Buffer.allocUnsafe(size)
  payload[0] = type
  payload.set(value, 1)
  payload.writeUInt16LE(version, size - FOOTER_BYTES)
  writeCrc64(payload, 0, size - CRC_BYTES, payload, size - CRC_BYTES)
  return payload
}

/** Type and bytes of the value in what DUMP gave, and the version that it needs. */
export function openPayload(payload: Uint8Array): {
  readonly type: number
  readonly value: Uint8Array
  readonly version: number
} {
  const end = payload.length - FOOTER_BYTES
  return { type: payload[0], value: payload.subarray(1, end), version: payload[end] | (payload[end + 1] << 8) }
}

function refusal(code: 'version' | 'checksum', detail: string): PayloadResult {
  return { value: null, failure: { code, detail } }
}
