import type { ByteList } from './byte-list.js'
import { NEWEST_RDB_VERSION, RdbType, versionOf } from './rdb-types.js'
import type { RdbWriter } from './rdb-writer.js'
import { isNobody } from './stream-reader.js'
import { writeStream } from './stream-writer.js'
import type { RdbHash, RdbValue } from './value.js'

/**
 * The type under which a value is written: of those that lose nothing, the one that the oldest server reads. most: a version that types of streams may not be newer
 * than; they then leave out what they cannot say.
 */
export function typeOf(value: RdbValue, most = NEWEST_RDB_VERSION): number {
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
    case 'stream': {
      const { groups, marks } = value
      return streamTypeOf(
        groups.every(({ consumers }) => consumers.every(({ seenMs, activeMs }) => seenMs === activeMs)),
        groups.some(({ consumers, released }) => released.length > 0 || consumers.some(isNobody)),
        marks !== null,
        most,
      )
    }
  }
}

/** wasSeenWhenActive: of every consumer. hasReleased: also a consumer that older types would take for who has what was released. most: see typeOf. */
export function streamTypeOf(
  wasSeenWhenActive: boolean,
  hasReleased: boolean,
  hasMarks: boolean,
  most = NEWEST_RDB_VERSION,
): number {
  if (hasReleased && versionOf(RdbType.stream5) <= most) return RdbType.stream5
  if (hasMarks && versionOf(RdbType.stream4) <= most) return RdbType.stream4
  // What redis-server 7.0 does not know is when consumers were last active; it takes the time they were last seen for it.
  return wasSeenWhenActive || versionOf(RdbType.stream3) > most ? RdbType.stream2 : RdbType.stream3
}

/** Writes a value without its type byte. Collections go out element by element; servers pack them as they like when they read. */
export function writeValue(writer: RdbWriter, value: RdbValue, type = typeOf(value)): void {
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
      writeStream(writer, value, type)
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
