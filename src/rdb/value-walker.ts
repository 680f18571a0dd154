import { RdbReader } from './rdb-reader.js'
import type { RdbCursor } from './rdb-cursor.js'
import { moduleName } from './module-name.js'
import { readListpack } from './packed.js'
import { ArrayElement, FIELDS_APART, FIELDS_LISTPACK, ModulePart, NODE_PACKED, NODE_PLAIN, RdbType } from './rdb-types.js'

/** Gives null whenever more bytes must be fed before it can go on. */
export type Walk<T = void> = Generator<null, T, void>

const DOUBLE_BYTES = 8
const FLOAT_BYTES = 4
const TIME_BYTES = 8
const RAW_ID_BYTES = 16
/** First bytes of a score as text that no text follows. */
const TEXT_NAN = 253

/**
 * Passes over a value without decoding it: where it ends is all that is asked. Whether its bytes mean something is found by whoever decodes them.
 */
export function* walkValue(cursor: RdbCursor, type: number): Walk {
  switch (type) {
    case RdbType.string:
    case RdbType.hashZipmap:
    case RdbType.listZiplist:
    case RdbType.setIntset:
    case RdbType.zsetZiplist:
    case RdbType.hashZiplist:
    case RdbType.hashListpack:
    case RdbType.zsetListpack:
    case RdbType.setListpack:
    case RdbType.hashListpackExpiringPreRelease:
      return yield* strings(cursor, 1)
    case RdbType.hashListpackExpiring:
      yield* bytes(cursor, TIME_BYTES)
      return yield* strings(cursor, 1)
    case RdbType.list:
    case RdbType.set:
    case RdbType.listQuicklist:
      return yield* strings(cursor, yield* length(cursor))
    case RdbType.hash:
      return yield* strings(cursor, 2 * (yield* length(cursor)))
    case RdbType.listQuicklist2:
      return yield* quicklist(cursor)
    case RdbType.zset:
    case RdbType.zsetText:
      return yield* sortedSet(cursor, type)
    case RdbType.hashExpiring:
      yield* bytes(cursor, TIME_BYTES)
      return yield* expiringHash(cursor)
    case RdbType.hashExpiringPreRelease:
      return yield* expiringHash(cursor)
    case RdbType.stream:
    case RdbType.stream2:
    case RdbType.stream3:
    case RdbType.stream4:
    case RdbType.stream5:
      return yield* stream(cursor, type)
    case RdbType.array:
      return yield* array(cursor)
    case RdbType.hashTemplateListpack:
      yield* templateFields(cursor)
      return yield* strings(cursor, 1)
    case RdbType.hashTemplate:
      return yield* strings(cursor, yield* templateFields(cursor))
    case RdbType.module:
      yield* walkModule(cursor)
      return
    case RdbType.modulePreRelease:
      return cursor.unsupported('a value of a module of a Redis 4.0 release candidate')
    default:
      return cursor.damaged(`there is no type ${type}`)
  }
}

/** Passes over what a module has stored, and names the module. */
export function* walkModule(cursor: RdbCursor): Walk<string> {
  const from = cursor.at - cursor.mark
  yield* length(cursor)
  const name = moduleName(new RdbReader(cursor.buf, cursor.mark + from, cursor.at).length64())
  yield* moduleParts(cursor)
  return name
}

export function* moduleParts(cursor: RdbCursor): Walk {
  for (;;) {
    const part = yield* length(cursor)
    switch (part) {
      case ModulePart.end:
        return
      case ModulePart.signed:
      case ModulePart.unsigned:
        yield* length(cursor)
        break
      case ModulePart.float:
        yield* bytes(cursor, FLOAT_BYTES)
        break
      case ModulePart.double:
        yield* bytes(cursor, DOUBLE_BYTES)
        break
      case ModulePart.string:
        yield* strings(cursor, 1)
        break
      default:
        cursor.damaged(`a module's value has a part of kind ${part}`)
    }
  }
}

export function* bytes(cursor: RdbCursor, count: number): Walk {
  while (!cursor.take(count)) yield null
}

export function* length(cursor: RdbCursor): Walk<number> {
  while (!cursor.length()) yield null
  return cursor.value
}

export function* strings(cursor: RdbCursor, count: number): Walk {
  for (let left = count; left > 0; left--) while (!cursor.string()) yield null
}

function* quicklist(cursor: RdbCursor): Walk {
  for (let left = yield* length(cursor); left > 0; left--) {
    const container = yield* length(cursor)
    if (container !== NODE_PLAIN && container !== NODE_PACKED) cursor.damaged(`a list has a node of kind ${container}`)
    while (!cursor.string()) yield null
  }
}

function* sortedSet(cursor: RdbCursor, type: number): Walk {
  for (let left = yield* length(cursor); left > 0; left--) {
    while (!cursor.string()) yield null
    if (type === RdbType.zset) {
      while (!cursor.take(DOUBLE_BYTES)) yield null
      continue
    }
    yield* bytes(cursor, 1)
    const text = cursor.buf[cursor.at - 1]
    if (text < TEXT_NAN) yield* bytes(cursor, text)
  }
}

function* expiringHash(cursor: RdbCursor): Walk {
  for (let left = yield* length(cursor); left > 0; left--) {
    while (!cursor.length()) yield null
    while (!cursor.string()) yield null
    while (!cursor.string()) yield null
  }
}

function* stream(cursor: RdbCursor, type: number): Walk {
  const since2 = type !== RdbType.stream
  // Nodes: a key and a listpack each. Then entries, last ID; since 7.0 first ID, highest deleted ID, entries ever added.
  yield* strings(cursor, 2 * (yield* length(cursor)))
  for (let left = since2 ? 8 : 3; left > 0; left--) yield* length(cursor)
  for (let groups = yield* length(cursor); groups > 0; groups--) {
    yield* strings(cursor, 1)
    for (let left = since2 ? 3 : 2; left > 0; left--) yield* length(cursor)
    for (let pending = yield* length(cursor); pending > 0; pending--) {
      while (!cursor.take(RAW_ID_BYTES + TIME_BYTES)) yield null
      while (!cursor.length()) yield null
    }
    for (let consumers = yield* length(cursor); consumers > 0; consumers--) {
      yield* strings(cursor, 1)
      yield* bytes(cursor, type >= RdbType.stream3 ? 2 * TIME_BYTES : TIME_BYTES)
      for (let pending = yield* length(cursor); pending > 0; pending--) while (!cursor.take(RAW_ID_BYTES)) yield null
    }
    if (type < RdbType.stream5) continue
    for (let released = yield* length(cursor); released > 0; released--) while (!cursor.take(RAW_ID_BYTES)) yield null
  }
  if (type >= RdbType.stream4) yield* streamMarks(cursor)
}

function* streamMarks(cursor: RdbCursor): Walk {
  // For how long and how many; behind the producers: how many there were, how many came again.
  for (let left = 2; left > 0; left--) yield* length(cursor)
  for (let producers = yield* length(cursor); producers > 0; producers--) {
    yield* strings(cursor, 1)
    for (let marks = yield* length(cursor); marks > 0; marks--) {
      while (!cursor.string()) yield null
      for (let left = 2; left > 0; left--) while (!cursor.length()) yield null
    }
  }
  for (let left = 2; left > 0; left--) yield* length(cursor)
}

/** Gives their number; 0 where they are none. */
function* templateFields(cursor: RdbCursor): Walk<number> {
  const form = yield* length(cursor)
  if (form !== FIELDS_LISTPACK && form !== FIELDS_APART) cursor.damaged(`a hash has fields of the form ${form}`)
  if (form === FIELDS_LISTPACK) {
    const from = cursor.at - cursor.mark
    yield* strings(cursor, 1)
    return readListpack(new RdbReader(cursor.buf, cursor.mark + from, cursor.at).string())?.count ?? 0
  }
  const count = yield* length(cursor)
  yield* strings(cursor, count)
  return count
}

/** `elements hasNext [next] (index kind element){elements}` */
function* array(cursor: RdbCursor): Walk {
  const count = yield* length(cursor)
  if ((yield* length(cursor)) !== 0) yield* length(cursor)
  for (let left = count; left > 0; left--) {
    while (!cursor.length()) yield null
    const kind = yield* length(cursor)
    switch (kind) {
      case ArrayElement.string:
      case ArrayElement.shortString:
        while (!cursor.string()) yield null
        break
      case ArrayElement.integer:
      case ArrayElement.float:
        while (!cursor.take(DOUBLE_BYTES)) yield null
        break
      default:
        cursor.damaged(`an array has an element of kind ${kind}`)
    }
  }
}
