import type { ByteList } from './byte-list.js'
import { RdbType } from './rdb-types.js'
import type { RdbWriter } from './rdb-writer.js'
import { writeStream } from './stream-writer.js'
import type { RdbHash, RdbValue } from './value.js'

/** The type under which a value is written: of those that lose nothing, the one that the oldest server reads. */
export function typeOf(value: RdbValue): number {
  switch (value.type) {
    case 'string':
      return RdbType.string
    case 'list':
      return RdbType.list
    case 'set':
      return RdbType.set
    case 'zset':
      return RdbType.zset
    case 'hash':
      return value.expiries === null ? RdbType.hash : RdbType.hashExpiring
    case 'stream':
      return streamTypeOf(value.groups.every(({ consumers }) => consumers.every(({ seenMs, activeMs }) => seenMs === activeMs)))
  }
}

/** wasSeenWhenActive: of every consumer. */
export function streamTypeOf(wasSeenWhenActive: boolean): number {
  // What redis-server 7.0 does not know is when consumers were last active; it takes the time they were last seen for it.
  return wasSeenWhenActive ? RdbType.stream2 : RdbType.stream3
}

/** Writes a value without its type byte. Collections go out element by element; servers pack them as they like when they read. */
export function writeValue(writer: RdbWriter, value: RdbValue): void {
  switch (value.type) {
    case 'string':
      writer.string(value.value)
      break
    case 'list':
      writeStrings(writer, value.elements)
      break
    case 'set':
      writeStrings(writer, value.members)
      break
    case 'zset':
      writer.length(value.members.count)
      for (let i = 0; i < value.members.count; i++) {
        writer.string(value.members.at(i))
        writer.f64(value.scores[i])
      }
      break
    case 'hash':
      writeHash(writer, value)
      break
    case 'stream':
      writeStream(writer, value, typeOf(value))
      break
  }
}

function writeStrings(writer: RdbWriter, list: ByteList): void {
  writer.length(list.count)
  for (const item of list) writer.string(item)
}

function writeHash(writer: RdbWriter, { fields, values, expiries }: RdbHash): void {
  let earliest = 0
  if (expiries !== null) {
    earliest = expiries.reduce((least, at) => (at === 0 ? least : Math.min(least, at)), Infinity)
    writer.milliseconds(earliest)
  }
  writer.length(fields.count)
  for (let i = 0; i < fields.count; i++) {
    // Times count from one before the earliest, so that 0 can mean none.
    if (expiries !== null) writer.length(expiries[i] === 0 ? 0 : expiries[i] - earliest + 1)
    writer.string(fields.at(i))
    writer.string(values.at(i))
  }
}
