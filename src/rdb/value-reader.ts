import { allocateDoubles, parseInteger64 } from '../base/bytes.js'
import { ByteList } from './byte-list.js'
import { readIntset, readListpack, readZiplist, readZipmap } from './packed.js'
import { moduleName } from './module-name.js'
import type { RdbReader } from './rdb-reader.js'
import { FIELDS_APART, FIELDS_LISTPACK, NODE_PACKED, NODE_PLAIN, RdbType } from './rdb-types.js'
import { readStreamSteps, type EntrySink } from './stream-reader.js'
import { checkUnique } from './uniqueness.js'
import type { RdbHash, RdbList, RdbSet, RdbSortedSet, RdbValue } from './value.js'

/** First bytes of a score as text that are no length. */
const TEXT_NAN = 253
const TEXT_INFINITY = 254
const TEXT_NEGATIVE_INFINITY = 255
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/
/** Redis' EB_EXPIRE_TIME_MAX: times of expiry of fields have 48 bits. */
const MAX_FIELD_EXPIRY = 2 ** 48 - 2

/** Elements that are read in one step. */
const STEP_ELEMENTS = 256
/** Nodes of a list, each with some hundred elements. */
const STEP_NODES = 4

type Steps<T> = Generator<undefined, T>

/**
 * Reads the value behind a type byte, a step at a time, some 0.1 ms each; what is packed in one string is read in one step. Null: `reader.failure` says why.
 * sink: takes the entries of a stream instead of the value.
 */
export function* readValueSteps(reader: RdbReader, type: number, sink: EntrySink | null = null): Steps<RdbValue | null> {
  const value = yield* readByType(reader, type, sink)
  return reader.failed ? null : value
}

function* readByType(reader: RdbReader, type: number, sink: EntrySink | null): Steps<RdbValue | null> {
  switch (type) {
    case RdbType.string:
      return { type: 'string', value: reader.string() }
    case RdbType.list:
      return { type: 'list', elements: yield* readStrings(reader, readCount(reader, 1)) }
    case RdbType.listZiplist:
      return { type: 'list', elements: packed(reader, readZiplist) }
    case RdbType.listQuicklist:
    case RdbType.listQuicklist2:
      return yield* readQuicklist(reader, type)
    case RdbType.set:
      return yield* asSet(reader, yield* readStrings(reader, readCount(reader, 1)))
    case RdbType.setIntset:
      return yield* asSet(reader, packed(reader, readIntset))
    case RdbType.setListpack:
      return yield* asSet(reader, packed(reader, readListpack))
    case RdbType.zset:
    case RdbType.zsetText:
      return yield* readSortedSet(reader, type)
    case RdbType.zsetZiplist:
      return yield* asSortedSet(reader, packed(reader, readZiplist))
    case RdbType.zsetListpack:
      return yield* asSortedSet(reader, packed(reader, readListpack))
    case RdbType.hash:
      return yield* asHash(reader, yield* readStrings(reader, 2 * readCount(reader, 2)), 2)
    case RdbType.hashZipmap:
      return yield* asHash(reader, packed(reader, readZipmap), 2)
    case RdbType.hashZiplist:
      return yield* asHash(reader, packed(reader, readZiplist), 2)
    case RdbType.hashListpack:
      return yield* asHash(reader, packed(reader, readListpack), 2)
    case RdbType.hashListpackExpiring:
      // The earliest of the times, for servers that keep the value packed; it says nothing new.
      reader.milliseconds()
      return yield* asHash(reader, packed(reader, readListpack), 3)
    case RdbType.hashListpackExpiringPreRelease:
      return yield* asHash(reader, packed(reader, readListpack), 3)
    case RdbType.hashExpiring:
    case RdbType.hashExpiringPreRelease:
      return yield* readExpiringHash(reader, type)
    case RdbType.hashTemplateListpack:
    case RdbType.hashTemplate:
      return yield* readTemplateHash(reader, type)
    case RdbType.stream:
    case RdbType.stream2:
    case RdbType.stream3:
    case RdbType.stream4:
    case RdbType.stream5:
      return yield* readStreamSteps(reader, type, sink)
    case RdbType.module:
      reader.fail('unsupported', `module type ${moduleName(reader.length64())}`)
      return null
    case RdbType.array:
      reader.fail('unsupported', 'value of type array')
      return null
    case RdbType.modulePreRelease:
      reader.fail('unsupported', 'module type of a release candidate')
      return null
    default:
      reader.fail('malformed', `there is no type ${type}`)
      return null
  }
}

/** A number of elements, not zero. */
function readCount(reader: RdbReader, leastBytes: number): number {
  const count = reader.count(leastBytes)
  if (count === 0) reader.fail('empty', 'a value without elements')
  return count
}

function* readStrings(reader: RdbReader, count: number): Steps<ByteList> {
  const list = new ByteList()
  for (let i = 0; i < count && !reader.failed; i++) {
    reader.stringInto(list)
    if (i % STEP_ELEMENTS === STEP_ELEMENTS - 1) yield
  }
  return list
}

function packed(reader: RdbReader, read: (bytes: Uint8Array) => ByteList | null): ByteList {
  const bytes = reader.string()
  const list = reader.failed ? null : read(bytes)
  if (list === null) reader.fail('malformed', 'a packed value contradicts itself')
  else if (list.count === 0) reader.fail('empty', 'a value without elements')
  return list ?? new ByteList()
}

function* readQuicklist(reader: RdbReader, type: number): Steps<RdbList> {
  const elements = new ByteList()
  for (let left = readCount(reader, 1); left > 0 && !reader.failed; left--) {
    if (left % STEP_NODES === 0) yield
    const container = type === RdbType.listQuicklist2 ? reader.length() : NODE_PACKED
    const bytes = reader.string()
    if (reader.failed) break
    if (container === NODE_PLAIN && bytes.length > 0) {
      elements.push(bytes, 0, bytes.length)
      continue
    }
    const node = container !== NODE_PACKED ? null : type === RdbType.listQuicklist2 ? readListpack(bytes) : readZiplist(bytes)
    if (node === null) reader.fail('malformed', 'a node of a list contradicts itself')
    else elements.pushAll(node)
  }
  if (elements.count === 0) reader.fail('empty', 'a list without elements')
  return { type: 'list', elements }
}

function* asSet(reader: RdbReader, members: ByteList): Steps<RdbSet> {
  yield* failUnlessUnique(reader, members)
  return { type: 'set', members }
}

function* readSortedSet(reader: RdbReader, type: number): Steps<RdbSortedSet> {
  // A score in binary takes 8 bytes, as text 1 at least.
  const count = readCount(reader, type === RdbType.zset ? 9 : 2)
  const members = new ByteList()
  const scores = allocateDoubles(count)
  for (let i = 0; i < count && !reader.failed; i++) {
    reader.stringInto(members)
    scores[i] = type === RdbType.zset ? reader.f64() : textScore(reader)
    if (Number.isNaN(scores[i])) reader.fail('malformed', 'a score is not a number')
    if (i % STEP_ELEMENTS === STEP_ELEMENTS - 1) yield
  }
  yield* failUnlessUnique(reader, members)
  return { type: 'zset', members, scores }
}

function textScore(reader: RdbReader): number {
  const length = reader.u8()
  if (length === TEXT_INFINITY) return Infinity
  if (length === TEXT_NEGATIVE_INFINITY) return -Infinity
  if (length === TEXT_NAN) return Number.NaN
  const at = reader.take(length)
  return at < 0 ? 0 : parseScore(reader.buf.subarray(at, at + length))
}

/** NaN for what is no score. */
function parseScore(text: Uint8Array): number {
  // No double takes more; Redis itself reads at most 127 bytes.
  if (text.length > 127) return Number.NaN
  const word = Buffer.from(text).toString('latin1')
  if (FLOAT.test(word)) return Number(word)
  if (word === 'inf' || word === '+inf') return Infinity
  return word === '-inf' ? -Infinity : Number.NaN
}

function* asSortedSet(reader: RdbReader, pairs: ByteList): Steps<RdbSortedSet> {
  if (pairs.count % 2 !== 0) reader.fail('malformed', 'a member without a score')
  const members = new ByteList()
  const scores = allocateDoubles(pairs.count >> 1)
  for (let i = 0; i + 1 < pairs.count && !reader.failed; i += 2) {
    members.pushFrom(pairs, i)
    scores[i >> 1] = parseScore(pairs.at(i + 1))
    if (Number.isNaN(scores[i >> 1])) reader.fail('malformed', 'a score is not a number')
  }
  yield* failUnlessUnique(reader, members)
  return { type: 'zset', members, scores }
}

/** tuple: 2 for field and value, 3 for field, value and time of expiry. */
function* asHash(reader: RdbReader, elements: ByteList, tuple: 2 | 3): Steps<RdbHash> {
  if (elements.count % tuple !== 0) reader.fail('malformed', 'a field without a value')
  const fields = new ByteList()
  const values = new ByteList()
  const expiries = tuple === 3 ? allocateDoubles(elements.count / tuple) : null
  for (let i = 0; i + tuple <= elements.count && !reader.failed; i += tuple) {
    fields.pushFrom(elements, i)
    values.pushFrom(elements, i + 1)
    if (i % STEP_ELEMENTS === 0) yield
    if (expiries === null) continue
    const text = elements.at(i + 2)
    expiries[i / tuple] = checkedExpiry(reader, Number(parseInteger64(text, 0, text.length) ?? Number.NaN))
  }
  yield* failUnlessUnique(reader, fields)
  return { type: 'hash', fields, values, expiries: yield* someExpiry(expiries) }
}

function* readExpiringHash(reader: RdbReader, type: number): Steps<RdbHash> {
  const relative = type === RdbType.hashExpiring
  const earliest = relative ? reader.milliseconds() : 0
  const count = readCount(reader, 3)
  const fields = new ByteList()
  const values = new ByteList()
  const expiries = allocateDoubles(count)
  for (let i = 0; i < count && !reader.failed; i++) {
    const time = reader.length()
    expiries[i] = checkedExpiry(reader, relative && time !== 0 ? time + earliest - 1 : time)
    reader.stringInto(fields)
    reader.stringInto(values)
    if (i % STEP_ELEMENTS === STEP_ELEMENTS - 1) yield
  }
  yield* failUnlessUnique(reader, fields)
  return { type: 'hash', fields, values, expiries: yield* someExpiry(expiries) }
}

/**
 * ```
 * hash   := form fields values
 * fields := listpack | n field{n}      by form
 * values := listpack of a number that means nothing here, and n values | value{n}      by type
 * ```
 */
function* readTemplateHash(reader: RdbReader, type: number): Steps<RdbHash> {
  const form = reader.length()
  if (form !== FIELDS_LISTPACK && form !== FIELDS_APART) reader.fail('malformed', `fields of the form ${form}`)
  const fields = form === FIELDS_LISTPACK ? readListpack(reader.string()) : yield* readStrings(reader, reader.count(1))
  if (fields === null || fields.count === 0) {
    reader.fail('malformed', 'a template without fields')
    return NO_FIELDS
  }
  yield* failUnlessRising(reader, fields)
  if (type === RdbType.hashTemplate) {
    return { type: 'hash', fields, values: yield* readStrings(reader, fields.count), expiries: null }
  }
  const numbered = readListpack(reader.string())
  if (numbered?.count !== fields.count + 1 || parseInteger64(numbered.at(0), 0, numbered.end(0)) === null) {
    reader.fail('malformed', 'values that do not fit their template')
    return NO_FIELDS
  }
  const values = new ByteList()
  for (let i = 1; i < numbered.count; i++) values.pushFrom(numbered, i)
  return { type: 'hash', fields, values, expiries: null }
}

const NO_FIELDS: RdbHash = { type: 'hash', fields: new ByteList(), values: new ByteList(), expiries: null }

/** By length, then by bytes: so no field of a template stands twice. */
function* failUnlessRising(reader: RdbReader, fields: ByteList): Steps<void> {
  for (let i = 1; i < fields.count; i++) {
    const byLength = fields.end(i) - fields.start(i) - (fields.end(i - 1) - fields.start(i - 1))
    if (byLength < 0 || (byLength === 0 && fields.compare(i - 1, i) >= 0)) {
      reader.fail('malformed', 'fields of a template that do not rise')
      return
    }
    if (i % STEP_ELEMENTS === 0) yield
  }
}

function checkedExpiry(reader: RdbReader, at: number): number {
  if (at >= 0 && at <= MAX_FIELD_EXPIRY) return at
  reader.fail('malformed', 'a time of expiry of a field')
  return 0
}

function* someExpiry(expiries: Float64Array | null): Steps<Float64Array | null> {
  if (expiries === null) return null
  for (let i = 0; i < expiries.length; i++) {
    if (expiries[i] !== 0) return expiries
    if (i % STEP_ELEMENTS === STEP_ELEMENTS - 1) yield
  }
  return null
}

function* failUnlessUnique(reader: RdbReader, list: ByteList): Steps<void> {
  if (reader.failed) return
  const result = yield* checkUnique(list)
  if (result !== 'unique') reader.fail('malformed', `members or fields: ${result}`)
}
