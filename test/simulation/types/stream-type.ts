import type { ByteReader } from '../byte-reader.js'
import { Cleared, byDot, observes } from '../cleared.js'
import {
  compareIds,
  type AssignedPosition,
  type Effect,
  type EffectBody,
  type StreamBody,
  type StreamId,
  type StreamPosition,
} from '../effects.js'
import type { ModelStore } from '../model-store.js'
import { has } from '../options.js'
import { shown, type Reply } from '../reply.js'
import { VALUES } from '../samples.js'
import {
  NO_MARKS,
  liveMarks,
  newestTime,
  parsePosition,
  positionText,
  type GroupView,
  type MarkView,
  type Owner,
  type StreamEntry,
  type ValueOf,
} from '../values.js'
import { dumpedIn, restoredStream, showDumped, STREAM_PAYLOADS, type DumpedStream } from './stream-payloads.js'
import type { Hearing, Surviving, ValueType } from './value-type.js'

type Stream = ValueOf<'stream'>

const NIL = '_'
const OK = '+OK'
const ERR = '-ERR'
const NO_GROUP = '-NOGROUP'
const ZERO: StreamId = { ms: 0, seq: 0 }
const GROUPS = ['g1', 'g2']
/** Of XNACK. */
const MODES = ['SILENT', 'FAIL', 'FATAL']
/** Has what was released. */
const NOBODY = ''
/** Stands for 2^63 - 1. */
const MAX_DELIVERIES = 2 ** 32 - 1

const comparePositions = (a: StreamPosition, b: StreamPosition): number => compareIds(a, b) || a.region - b.region
const idText = ({ ms, seq }: StreamId): string => `${ms}-${seq}`

function parseId(text: string, missing: number): StreamId {
  if (text === '-') return ZERO
  if (text === '+') return { ms: Infinity, seq: Infinity }
  const [ms, seq] = text.split('-')
  return { ms: Number(ms), seq: seq === undefined ? missing : Number(seq) }
}

function streamOf(store: ModelStore, db: number, key: string): Stream | null {
  return store.typed(db, key, 'stream')
}

function put(store: ModelStore, db: number, key: string, stream: Stream): void {
  store.write(db, key, 'stream', stream)
}

const EMPTY: Stream = { type: 'stream', entries: [], last: ZERO, added: 0, groups: new Map(), ...NO_MARKS }

function entryReply({ ms, seq, fields }: StreamEntry): Reply {
  return [`$${ms}-${seq}`, fields.map((field) => `$${field}`)]
}

/** The ID that XADD must give: the one that is asked for, or one that its reply names and that may be. Null: refused. */
function newId(store: ModelStore, asked: string, last: StreamId): StreamId | null {
  const [ms, seq] = asked.split('-')
  if (asked !== '*' && seq !== '*') {
    const id = parseId(asked, 0)
    return compareIds(id, last) > 0 ? id : null
  }
  const named = store.hint === null ? '' : shown(store.hint).slice(1)
  const id = parseId(named, -1)
  const fits = compareIds(id, last) > 0 && (asked === '*' || id.ms === Number(ms))
  if (fits && id.seq % 256 === store.self) return id
  // No ID is left in this millisecond, or the model says one itself.
  if (asked !== '*' && Number(ms) < last.ms) return null
  return { ms: asked === '*' ? Math.max(store.nowMs, last.ms + 1) : Number(ms), seq: store.self }
}

/** What MAXLEN n or MINID id, with KEEPREF, DELREF or ACKED, leave of a stream. */
function trimmed(store: ModelStore, before: Stream, args: readonly string[]): Stream {
  const { entries, groups } = before
  const length = args.indexOf('MAXLEN')
  const id = args.indexOf('MINID')
  if (length < 0 && id < 0) return before
  const policy = policyOf(args)
  const going = new Set<StreamEntry>()
  for (const entry of entries) {
    if (length >= 0 ? entries.length - going.size <= Number(args[length + 1]) : compareIds(entry, parseId(args[id + 1], 0)) >= 0)
      break
    if (policy !== 'ACKED' || !isNeeded(store, before, [entry])) going.add(entry)
  }
  return {
    ...before,
    entries: entries.filter((entry) => !going.has(entry)),
    groups: policy === 'DELREF' ? acknowledgedEverywhere(before, [...going].map(positionText)) : groups,
  }
}

/** XCFGSET key IDMP-MAXSIZE n: a change forgets what is marked. */
function limitMarks(store: ModelStore, db: number, [, key, , size]: readonly string[]): Reply {
  const before = streamOf(store, db, key)
  if (before === null) return ERR
  const { durationS, maxSize } = before.markLimits
  if (maxSize !== Number(size)) put(store, db, key, { ...before, marks: [], markLimits: { durationS, maxSize: Number(size) } })
  return OK
}

/** XADD key [NOMKSTREAM] [IDMP producer name] [MAXLEN n [KEEPREF | DELREF | ACKED]] id field value. */
function add(store: ModelStore, db: number, args: readonly string[]): Reply {
  const key = args[1]
  const before = streamOf(store, db, key)
  const fields = args.slice(-2)
  if (before === null && has(args, 'NOMKSTREAM', 2)) return NIL
  const isMarked = args[2] === 'IDMP'
  if (isMarked && before !== null) {
    const [known] = liveMarks(before, store.nowMs).filter((mark) => mark.producer === args[3] && mark.message === args[4])
    if (known !== undefined) return `$${idText(known.id)}`
  }
  const id = newId(store, args[args.length - 3], before?.last ?? ZERO)
  if (id === null) return ERR
  const entry = { ...id, region: store.self, fields }
  const groups = [...(before?.groups ?? [])].map(([name, view]): readonly [string, GroupView] => {
    if (compareIds(id, view.reached.get(store.self) ?? ZERO) > 0) return [name, view]
    const given = new Set([...(view.delivered.get(store.self) ?? []), positionText(entry)])
    return [name, { ...view, delivered: new Map(view.delivered).set(store.self, given) }]
  })
  const marks = [...(before?.marks ?? [])]
  if (isMarked) {
    const time = Math.max(store.nowMs, newestTime(marks))
    marks.push({ producer: args[3], message: args[4], id, region: store.self, time })
  }
  const added = (before?.added ?? 0) + 1
  const entries = [...(before?.entries ?? []), entry]
  const after = { ...EMPTY, ...before, groups: new Map(groups), entries, last: id, added, marks }
  put(store, db, key, trimmed(store, after, args.slice(2, -3)))
  return `$${idText(id)}`
}

function remove(store: ModelStore, db: number, [, key, ...ids]: readonly string[]): Reply {
  const before = streamOf(store, db, key)
  if (before === null) return ':0'
  const entries = before.entries.filter((entry) => !ids.includes(idText(entry)))
  const gone = before.entries.length - entries.length
  if (gone > 0) put(store, db, key, { ...before, entries })
  // The same ID from two regions is one or two.
  return store.between(new Set(before.entries.map(idText).filter((id) => ids.includes(id))).size, gone)
}

function trim(store: ModelStore, db: number, args: readonly string[]): Reply {
  const before = streamOf(store, db, args[1])
  if (before === null) return ':0'
  const after = trimmed(store, before, args)
  const count = before.entries.length - after.entries.length
  if (count > 0) put(store, db, args[1], after)
  return `:${count}`
}

function range(store: ModelStore, db: number, [name, key, from, to, , count]: readonly string[]): Reply {
  const backwards = name === 'XREVRANGE'
  const [low, high] = backwards ? [to, from] : [from, to]
  const found = (streamOf(store, db, key)?.entries ?? []).filter(
    (entry) => compareIds(entry, parseId(low, 0)) >= 0 && compareIds(entry, parseId(high, Infinity)) <= 0,
  )
  if (backwards) found.reverse()
  return found.slice(0, count === undefined ? undefined : Number(count)).map(entryReply)
}

function readReply(key: string, entries: readonly StreamEntry[]): Reply {
  return entries.length === 0 ? NIL : [[`$${key}`, entries.map(entryReply)]]
}

/** XGROUP CREATE key group start [MKSTREAM], XGROUP SETID key group start, XGROUP DESTROY key group. */
function group(store: ModelStore, db: number, [, does, key, name, start]: readonly string[]): Reply {
  const before = streamOf(store, db, key)
  const groups = new Map(before?.groups ?? [])
  const had = groups.get(name)
  if (does === 'DESTROY') {
    if (before === null) return ERR
    if (!groups.delete(name)) return ':0'
    put(store, db, key, { ...before, groups })
    return ':1'
  }
  if (does === 'SETID') {
    if (before === null) return ERR
    if (had === undefined) return NO_GROUP
  } else if (had !== undefined) return '-BUSYGROUP'
  const stream = before ?? EMPTY
  groups.set(name, {
    start: start === '$' ? stream.last : parseId(start, 0),
    place: null,
    done: new Set(),
    delivered: new Map(),
    reached: new Map(),
    pending: had?.pending ?? new Map<number, ReadonlyMap<string, Owner>>(),
  })
  put(store, db, key, { ...stream, groups })
  return '+OK'
}

/** What a group has pending at the client's member, in order. */
function pendingOf(store: ModelStore, view: GroupView): ({ position: StreamPosition; text: string } & Owner)[] {
  return [...(view.pending.get(store.self) ?? [])]
    .map(([text, owner]) => ({ position: parsePosition(text), text, ...owner }))
    .sort((a, b) => comparePositions(a.position, b.position))
}

/** Changes a group; what is pending at the client's member becomes `own` if that is given. */
function change(
  store: ModelStore,
  db: number,
  key: string,
  before: Stream,
  name: string,
  view: GroupView,
  own?: ReadonlyMap<string, Owner>,
): void {
  const pending = own === undefined ? view.pending : withOwn(view.pending, store.self, own)
  put(store, db, key, { ...before, groups: new Map(before.groups).set(name, { ...view, pending }) })
}

function withOwn(pending: GroupView['pending'], member: number, own: ReadonlyMap<string, Owner>): GroupView['pending'] {
  const all = new Map(pending)
  if (own.size > 0) all.set(member, own)
  else all.delete(member)
  return all
}

/** XREADGROUP GROUP group consumer COUNT n [NOACK] STREAMS key > (or 0, for what is pending). */
function readGroup(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [, , name, consumer, , count] = args
  const [key, behind] = args.slice(-2)
  const before = streamOf(store, db, key)
  const view = before?.groups.get(name)
  if (before === null || view === undefined) return NO_GROUP
  if (behind !== '>') {
    const again = pendingOf(store, view)
      .filter((each) => each.consumer === consumer)
      .slice(0, Number(count))
    const own = new Map(view.pending.get(store.self) ?? [])
    const there = new Set(before.entries.map(positionText))
    for (const { text, deliveries } of again) {
      if (there.has(text)) own.set(text, { consumer, deliveries: Math.min(deliveries + 1, MAX_DELIVERIES) })
    }
    if (again.length > 0) change(store, db, key, before, name, view, own)
    return [[`$${key}`, again.map(({ position, text }) => entryNamed(before, text, position))]]
  }
  const given = view.delivered.get(store.self) ?? new Set<string>()
  const due = before.entries.filter((entry) => !isDone(store, view, entry)).slice(0, Number(count))
  const positions = due.map(positionText)
  if (due.length > 0 && has(args, 'NOACK', 6)) {
    const pending = withoutPositions(view.pending, positions, store.self)
    change(store, db, key, before, name, { ...view, done: new Set([...view.done, ...positions]), pending })
  } else if (due.length > 0) {
    const delivered = new Map(view.delivered).set(store.self, new Set([...given, ...positions]))
    const own = new Map(view.pending.get(store.self) ?? [])
    for (const position of positions) own.set(position, { consumer, deliveries: 1 })
    change(store, db, key, before, name, { ...view, delivered }, own)
  }
  return readReply(key, due)
}

function entryNamed(stream: Stream, text: string, position: StreamPosition): Reply {
  const entry = stream.entries.find((each) => positionText(each) === text)
  return entry === undefined ? [`$${idText(position)}`, NIL] : entryReply(entry)
}

/** Not pending any more in any member, or any but one. */
function withoutPositions(pending: GroupView['pending'], positions: readonly string[], but = 0): GroupView['pending'] {
  let all = pending
  for (const [member, own] of pending) {
    if (member === but) continue
    all = withOwn(all, member, new Map([...own].filter(([position]) => !positions.includes(position))))
  }
  return all
}

/** The positions of an ID that an acknowledgement is for: what is pending here is done, and so is what has not been given out here. */
function acknowledgeable(store: ModelStore, stream: Stream, view: GroupView, id: string): string[] {
  const pending = pendingOf(store, view).filter(({ position }) => idText(position) === id)
  const undone = stream.entries.filter((entry) => idText(entry) === id && !isDone(store, view, entry))
  return [...new Set([...pending.map(({ text }) => text), ...undone.map(positionText)])]
}

function isDone(store: ModelStore, view: GroupView, entry: StreamPosition): boolean {
  return isDoneIn(store.self, view, entry)
}

function isDoneIn(member: number, { start, done, delivered }: GroupView, entry: StreamPosition): boolean {
  const text = positionText(entry)
  return compareIds(entry, start) <= 0 || done.has(text) || delivered.get(member)?.has(text) === true
}

function acknowledged(view: GroupView, positions: readonly string[]): GroupView {
  const pending = withoutPositions(view.pending, positions)
  return { ...view, done: new Set([...view.done, ...positions]), pending }
}

function acknowledge(store: ModelStore, db: number, [, key, name, ...ids]: readonly string[]): Reply {
  const before = streamOf(store, db, key)
  const view = before?.groups.get(name)
  if (before === null || view === undefined) return ':0'
  const found = [...new Set(ids)].map((id) => acknowledgeable(store, before, view, id)).filter(({ length }) => length > 0)
  if (found.length === 0) return ':0'
  put(store, db, key, { ...before, groups: new Map(before.groups).set(name, acknowledged(view, found.flat())) })
  return `:${found.length}`
}

/** What XDELEX does with an ID: the stream after it, and the answer. */
function deleteId(store: ModelStore, before: Stream, id: string, policy: string | undefined): [Stream, Reply] {
  const going = before.entries.filter((entry) => idText(entry) === id)
  if (going.length === 0) return [before, ':-1']
  if (policy === 'ACKED' && isNeeded(store, before, going)) return [before, ':2']
  const groups = policy === 'DELREF' ? acknowledgedEverywhere(before, going.map(positionText)) : before.groups
  return [{ ...before, entries: before.entries.filter((entry) => idText(entry) !== id), groups }, ':1']
}

/** Some group has not read these entries, or not acknowledged. */
function isNeeded(store: ModelStore, { groups }: Stream, entries: readonly StreamEntry[]): boolean {
  return [...groups.values()].some((view) =>
    entries.some((entry) => !isDone(store, view, entry) || view.pending.get(store.self)?.has(positionText(entry)) === true),
  )
}

function acknowledgedEverywhere({ groups }: Stream, positions: readonly string[]): Map<string, GroupView> {
  return new Map([...groups].map(([name, view]) => [name, acknowledged(view, positions)]))
}

function policyOf(args: readonly string[]): string | undefined {
  return args.find((arg) => arg === 'KEEPREF' || arg === 'DELREF' || arg === 'ACKED')
}

/** XDELEX key [policy] IDS n id…, XACKDEL key group [policy] IDS n id…. */
function deleteWithReferences(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [command, key, name] = args
  const ids = args.slice(args.indexOf('IDS') + 2)
  const before = streamOf(store, db, key)
  if (before === null) return ids.map(() => ':-1')
  let stream = before
  // First all are acknowledged, then they are deleted.
  const known = new Set(ids)
  if (command === 'XACKDEL') {
    const view = before.groups.get(name)
    if (view === undefined) return ids.map(() => ':-1')
    const positions = new Map([...known].map((id) => [id, acknowledgeable(store, before, view, id)]))
    for (const [id, { length }] of positions) if (length === 0) known.delete(id)
    stream = { ...before, groups: new Map(before.groups).set(name, acknowledged(view, [...positions.values()].flat())) }
  }
  const replies = ids.map((id): Reply => {
    if (command === 'XACKDEL' && !known.delete(id)) return ':-1'
    const [after, reply] = deleteId(store, stream, id, policyOf(args))
    stream = after
    return command === 'XACKDEL' && reply === ':-1' ? ':1' : reply
  })
  if (stream !== before) put(store, db, key, stream)
  return replies
}

/** XSETID key id [ENTRIESADDED n]. */
function setId(store: ModelStore, db: number, [, key, id, , added]: readonly string[]): Reply {
  const before = streamOf(store, db, key)
  if (before === null) return ERR
  const last = parseId(id, 0)
  const top = before.entries.at(-1)
  if (top !== undefined && compareIds(last, top) < 0) return ERR
  if (top !== undefined && added !== undefined && before.entries.length > Number(added)) return ERR
  put(store, db, key, { ...before, last, added: added === undefined ? before.added : Number(added) })
  return OK
}

/** What is not asked of the model is as the member says. */
function told(store: ModelStore, ...path: number[]): Reply {
  return path.reduce<Reply>((reply, i) => (typeof reply === 'string' ? reply : (reply[i] ?? NIL)), store.hint ?? NIL)
}

/** XINFO STREAM key, XINFO GROUPS key. */
function describe(store: ModelStore, db: number, [, what, key]: readonly string[]): Reply {
  const stream = streamOf(store, db, key)
  if (stream === null) return ERR
  const { entries, last, added, groups } = stream
  if (what === 'STREAM') {
    const marks = liveMarks(stream, store.nowMs)
    const first = entries.at(0)
    const top = entries.at(-1)
    return [
      ...['$length', `:${entries.length}`, '$radix-tree-keys', told(store, 3), '$radix-tree-nodes', told(store, 5)],
      ...['$last-generated-id', `$${idText(last)}`, '$max-deleted-entry-id', told(store, 9), '$entries-added', `:${added}`],
      ...['$recorded-first-entry-id', `$${idText(first ?? ZERO)}`],
      ...['$idmp-duration', `:${stream.markLimits.durationS}`, '$idmp-maxsize', `:${stream.markLimits.maxSize}`],
      ...['$pids-tracked', `:${new Set(marks.map(({ producer }) => producer)).size}`],
      ...[
        '$iids-tracked',
        `:${marks.length}`,
        '$iids-added',
        told(store, 23),
        '$iids-duplicates',
        told(store, 25),
        '$groups',
        `:${groups.size}`,
      ],
      ...['$first-entry', first === undefined ? NIL : entryReply(first)],
      ...['$last-entry', top === undefined ? NIL : entryReply(top)],
    ]
  }
  return [...groups.keys()].sort().map((name, i) => {
    const view = groups.get(name)!
    const lag = entries.filter((entry) => !isDone(store, view, entry)).length
    return [
      ...['$name', `$${name}`, '$consumers', told(store, i, 3), '$pending', `:${pendingOf(store, view).length}`],
      ...['$last-delivered-id', told(store, i, 7), '$entries-read', `:${Math.max(0, added - lag)}`, '$lag', `:${lag}`],
    ]
  })
}

/** RESTORE key 0 payload [REPLACE]. */
function restore(store: ModelStore, db: number, [, key, , payload, replaces]: readonly string[]): Reply {
  const isThere = store.read(db, key) !== null
  if (isThere && replaces === undefined) return '-BUSYKEY'
  if (isThere) store.remove(db, key)
  put(store, db, key, restoredStream(payload, store.self, store.nowMs))
  return OK
}

/** DUMP key: the payload may be any that says what the stream is. Of other types the model does not know it. */
function dump(store: ModelStore, db: number, [, key]: readonly string[]): Reply {
  const view = store.read(db, key)
  if (view === null) return NIL
  const given = told(store)
  // Of a hash all may be due.
  if (view.value.type === 'hash') return store.typed(db, key, 'hash') === null || given === NIL ? NIL : given
  const payload = typeof given === 'string' && given.startsWith('$') ? given : '$'
  if (view.value.type !== 'stream') return payload
  const expected = showDumped(dumped(store, view.value))
  const said = dumpedIn(payload.slice(1))
  return said !== null && showDumped(said) === expected ? payload : `$${expected}`
}

/** An ID that is there already is the next one; of what is pending with one ID nobody's stays, or that of the first consumer by name. */
function dumped(store: ModelStore, stream: Stream): DumpedStream {
  let before: StreamId = { ms: -1, seq: 0 }
  const entries = stream.entries.map(({ ms, seq, fields }) => {
    before = compareIds({ ms, seq }, before) > 0 ? { ms, seq } : { ms: before.ms, seq: before.seq + 1 }
    return { ...before, fields }
  })
  const groups = [...stream.groups].map(([name, group]) => {
    const stays = new Map<string, { consumer: string; deliveries: string }>()
    for (const { position, consumer, deliveries } of pendingOf(store, group)) {
      const other = stays.get(idText(position))
      if (other !== undefined && other.consumer <= consumer) continue
      stays.set(idText(position), { consumer, deliveries: shownDeliveries(deliveries) })
    }
    return [name, stays] as const
  })
  // Of several entries of a message the lowest ID is the answer.
  const messages = new Map<string, MarkView>()
  for (const mark of liveMarks(stream, store.nowMs).reverse()) messages.set(`${mark.producer} ${mark.message}`, mark)
  const { added, markLimits: limits } = stream
  const last = compareIds(before, stream.last) > 0 ? before : stream.last
  return { entries, last, added, groups: new Map(groups), limits, messages: [...messages.values()] }
}

interface Claimed {
  readonly position: StreamPosition
  readonly text: string
  readonly deliveries: number
}

/** XCLAIM key group consumer 0 id… [FORCE] [JUSTID], XAUTOCLAIM key group consumer 0 start COUNT n. */
function claim(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [command, key, name, consumer, , from] = args
  const before = streamOf(store, db, key)
  const view = before?.groups.get(name)
  if (before === null || view === undefined) return NO_GROUP
  const isThere = (text: string): boolean => before.entries.some((entry) => positionText(entry) === text)
  const all = pendingOf(store, view)
  const options = args.findIndex((arg, i) => i >= 5 && !/^\d/.test(arg))
  const asked = args.slice(5, options < 0 ? undefined : options)
  let wanted: Claimed[] = all.filter(({ position }) => compareIds(position, parseId(from, 0)) >= 0)
  let next: Reply = '$0-0'
  if (command === 'XAUTOCLAIM') {
    const count = Number(args[args.length - 1])
    if (wanted.length > count) next = `$${idText(wanted[count].position)}`
    wanted = wanted.slice(0, count)
  } else {
    wanted = [...new Set(asked)].flatMap((id): Claimed[] => {
      const owned = all.filter(({ position }) => idText(position) === id)
      if (owned.length > 0 || !has(args, 'FORCE', 6)) return owned
      return before.entries
        .filter((entry) => idText(entry) === id)
        .map((position) => ({ position, text: positionText(position), deliveries: 1 }))
    })
  }
  const own = new Map(view.pending.get(store.self) ?? [])
  const gone = wanted.filter(({ text }) => !isThere(text))
  const claimed = wanted.filter(({ text }) => isThere(text))
  for (const { text } of gone) own.delete(text)
  // Twice the same ID counts twice.
  const times = (id: string): number => (command === 'XCLAIM' ? asked.filter((one) => one === id).length : 1)
  const retries = args.indexOf('RETRYCOUNT')
  for (const { text, position, deliveries } of claimed) {
    const counted = has(args, 'JUSTID', 6) ? deliveries : Math.min(deliveries + times(idText(position)), MAX_DELIVERIES)
    own.set(text, { consumer, deliveries: retries < 0 ? counted : Number(args[retries + 1]) })
  }
  const passed = args.indexOf('LASTID')
  const upTo = passed < 0 ? ZERO : parseId(args[passed + 1], 0)
  const reached = before.entries.filter((entry) => compareIds(entry, upTo) <= 0).map(positionText)
  const given = new Set([...(view.delivered.get(store.self) ?? []), ...reached])
  const delivered = reached.length === 0 ? view.delivered : new Map(view.delivered).set(store.self, given)
  const isFurther = compareIds(upTo, view.reached.get(store.self) ?? ZERO) > 0
  const reaches = isFurther ? new Map(view.reached).set(store.self, upTo) : view.reached
  if (wanted.length > 0 || passed >= 0) change(store, db, key, before, name, { ...view, delivered, reached: reaches }, own)
  const reply = claimed.map(({ position, text }) =>
    has(args, 'JUSTID', 6) ? `$${idText(position)}` : entryNamed(before, text, position),
  )
  return command === 'XCLAIM' ? reply : [next, reply, gone.map(({ position }) => `$${idText(position)}`)]
}

/** XNACK key group mode IDS n id… [RETRYCOUNT n] [FORCE]. */
function release(store: ModelStore, db: number, args: readonly string[]): Reply {
  const [, key, name, mode, , count] = args
  const before = streamOf(store, db, key)
  const view = before?.groups.get(name)
  if (before === null || view === undefined) return NO_GROUP
  const ids = args.slice(6, 6 + Number(count))
  const retries = args.indexOf('RETRYCOUNT')
  const after = (deliveries: number): number => {
    if (retries >= 0) return Number(args[retries + 1])
    if (mode === 'FATAL' || deliveries === MAX_DELIVERIES) return MAX_DELIVERIES
    return mode === 'SILENT' ? Math.max(0, deliveries - 1) : deliveries
  }
  const own = new Map(view.pending.get(store.self) ?? [])
  let released = 0
  for (const id of ids) {
    const held = [...own.keys()].filter((text) => idText(parsePosition(text)) === id)
    const forced = held.length > 0 || !has(args, 'FORCE', 6) ? [] : before.entries.filter((entry) => idText(entry) === id)
    const positions = [...held, ...forced.map(positionText)]
    for (const text of positions) own.set(text, { consumer: NOBODY, deliveries: after(own.get(text)?.deliveries ?? 0) })
    if (positions.length > 0) released++
  }
  if (released > 0) change(store, db, key, before, name, view, own)
  return `:${released}`
}

const shownDeliveries = (deliveries: number): string => (deliveries === MAX_DELIVERIES ? '9223372036854775807' : `${deliveries}`)

/** XPENDING key group [- + count]. */
function summarize(store: ModelStore, db: number, [, key, name, from]: readonly string[]): Reply {
  const view = streamOf(store, db, key)?.groups.get(name)
  if (view === undefined) return NO_GROUP
  const own = pendingOf(store, view)
  if (from !== undefined) {
    return own.map(({ position, consumer, deliveries }, i) => [
      ...[`$${idText(position)}`, `$${consumer}`, consumer === NOBODY ? ':-1' : told(store, i, 2)],
      `:${shownDeliveries(deliveries)}`,
    ])
  }
  if (own.length === 0) return [':0', NIL, NIL, NIL]
  const consumers = [...new Set(own.map(({ consumer }) => consumer))].filter((each) => each !== NOBODY).sort()
  const counts = consumers.map((each) => [`$${each}`, `$${own.filter(({ consumer }) => consumer === each).length}`])
  return [`:${own.length}`, `$${idText(own[0].position)}`, `$${idText(own[own.length - 1].position)}`, counts]
}

function readId(reader: ByteReader): StreamId {
  return { ms: reader.longVarint(), seq: reader.longVarint() }
}

function readPosition(reader: ByteReader): StreamPosition {
  return { ...readId(reader), region: reader.u8() }
}

function decodeGroup(reader: ByteReader): StreamBody {
  const op = reader.u8()
  if (op === 3) return { kind: 'stream-group', does: 'destroy-all' }
  const name = reader.block()
  if (op === 2) return { kind: 'stream-group', does: 'destroy', group: name }
  if (op > 3) throw new Error(`stream-group of op ${op}`)
  const start = readId(reader)
  reader.varint()
  return { kind: 'stream-group', does: op === 0 ? 'create' : 'place', group: name, start }
}

function decodePending(reader: ByteReader): StreamBody {
  const name = reader.block()
  const length = reader.varint()
  const end = reader.at + length
  const op = reader.u8()
  let consumer = ''
  const delivered: StreamPosition[] = []
  const assigned: AssignedPosition[] = []
  const dropped: StreamPosition[] = []
  let passed: StreamId | null = null
  if (op === 2 || op === 3 || op === 6) {
    consumer = reader.block()
    reader.f64()
    if (op === 2) reader.varint()
    else reader.f64()
    for (let count = reader.varint(); count > 0; count--) {
      const position = readPosition(reader)
      if (op === 2) delivered.push(position)
      const extra = op === 2 ? reader.u8() : reader.varint()
      assigned.push({ ...position, deliveries: op === 2 ? 1 : extra })
    }
  } else if (op === 4) {
    for (let count = reader.varint(); count > 0; count--) dropped.push(readPosition(reader))
  } else if (op === 5) {
    passed = readId(reader)
  }
  reader.at = end
  return { kind: 'stream-pending', group: name, consumer, delivered, assigned, dropped, passed }
}

interface Dotted {
  readonly effect: Effect
  readonly body: StreamBody
}

/** Entries that no removal, trim or deletion has taken whose origin had observed them. */
function survivingEntries(all: readonly Dotted[], cleared: Cleared): StreamEntry[] {
  const found = new Map<string, StreamEntry>()
  const removals = all.filter(({ body }) => body.kind === 'stream-remove' || body.kind === 'stream-trim')
  for (const { effect, body } of all) {
    if (body.kind !== 'stream-add' || cleared.has(effect)) continue
    for (const added of body.entries) {
      const entry = { ...added, region: effect.origin }
      const takes = ({ effect: by, body: removal }: Dotted): boolean => {
        if (!observes(by, effect)) return false
        if (removal.kind === 'stream-remove') return removal.ids.some((id) => compareIds(id, entry) === 0)
        return removal.kind === 'stream-trim' && comparePositions(entry, removal.upTo) <= 0
      }
      if (!removals.some(takes)) found.set(positionText(entry), entry)
    }
  }
  return [...found.values()].sort(comparePositions)
}

/** XCFGSET forgets the messages and settings that its member had seen; of settings that are left the newest are in force. */
function marksOf(all: readonly Dotted[], cleared: Cleared): Pick<Stream, 'marks' | 'markLimits'> {
  const gone = new Cleared(cleared)
  for (const { effect, body } of all) if (body.kind === 'stream-mark-limits') gone.by(effect)
  const left = all.filter(({ effect }) => !gone.has(effect)).sort((a, b) => byDot(a.effect, b.effect))
  const marks = left.flatMap(({ effect, body }) =>
    body.kind === 'stream-mark'
      ? [{ producer: body.producer, message: body.message, id: body.id, region: effect.origin, time: body.time }]
      : [],
  )
  const limits = left.flatMap(({ body }) => (body.kind === 'stream-mark-limits' ? [body] : [])).at(-1)
  return { marks, markLimits: limits ?? NO_MARKS.markLimits }
}

interface Statement {
  readonly effect: Effect
  readonly last: StreamId
  readonly added: number
}

/** What members said last of the last ID and of how many they have added: each its newest, unless an XSETID that had seen it replaced it. */
function statements(all: readonly Dotted[], cleared: Cleared): Statement[] {
  const gone = new Cleared(cleared)
  for (const { effect, body } of all) if (body.kind === 'stream-set-id') gone.by(effect)
  const newest = new Map<number, Statement>()
  for (const { effect, body } of all) {
    if ((body.kind !== 'stream-add' && body.kind !== 'stream-set-id') || gone.has(effect)) continue
    const ids = body.kind === 'stream-add' ? body.entries : [body.last]
    const before = newest.get(effect.origin)
    if (before !== undefined && byDot(before.effect, effect) > 0) continue
    const last = ids.reduce<StreamId>((a, b) => (compareIds(a, b) > 0 ? a : b), ZERO)
    newest.set(effect.origin, { effect, last, added: body.added })
  }
  return [...newest.values()]
}

/**
 * By member: what it made pending last, and for whom, unless it or anybody acknowledged that since. An acknowledgement that the member had seen before came for an
 * earlier delivery. Who reads without acknowledgement leaves alone what is pending with itself.
 */
function pendingIn(counted: readonly Dotted[], heard?: Hearing): GroupView['pending'] {
  const owners = new Map<number, Map<string, Owner & { effect: Effect }>>()
  for (const { effect, body } of [...counted].sort((a, b) => byDot(a.effect, b.effect))) {
    if (body.kind !== 'stream-pending') continue
    const own = owners.get(effect.origin) ?? new Map<string, Owner & { effect: Effect }>()
    for (const position of body.assigned) {
      own.set(positionText(position), { consumer: body.consumer, deliveries: position.deliveries, effect })
    }
    for (const position of body.dropped) own.delete(positionText(position))
    owners.set(effect.origin, own)
  }
  for (const { effect, body } of counted) {
    if (body.kind !== 'stream-ack') continue
    for (const [member, own] of owners) {
      if (body.isRead && member === effect.origin) continue
      for (const position of body.positions) {
        const owner = own.get(positionText(position))
        if (owner === undefined || (heard?.member === member && !heard.hasHeard(effect, position, owner.effect))) continue
        if (!observes(owner.effect, effect)) own.delete(positionText(position))
      }
    }
  }
  const shown = [...owners].map(
    ([member, own]) =>
      [member, new Map([...own].map(([text, { consumer, deliveries }]) => [text, { consumer, deliveries }]))] as const,
  )
  return new Map(shown.filter(([, own]) => own.size > 0))
}

/** A destroy wins over what had not observed it. */
function groupsOf(
  all: readonly Dotted[],
  cleared: Cleared,
  heard?: Hearing,
): { groups: Map<string, GroupView>; creates: Effect[] } {
  const groups = new Map<string, GroupView>()
  const creates: Effect[] = []
  const added = all.flatMap(({ effect, body }) =>
    body.kind === 'stream-add' ? body.entries.map(({ ms, seq }) => ({ ms, seq, region: effect.origin, effect })) : [],
  )
  /** XCLAIM LASTID comes to what is there, and to what its member adds before that ID. */
  const isReached = (entry: (typeof added)[number], by: Effect, upTo: StreamId): boolean =>
    compareIds(entry, upTo) <= 0 && (entry.region === by.origin || observes(by, entry.effect))
  const names = new Set(all.flatMap(({ body }) => ('group' in body ? [body.group] : [])))
  for (const name of names) {
    const destroys = all.filter(
      ({ body }) =>
        body.kind === 'stream-group' && (body.does === 'destroy-all' || (body.does === 'destroy' && body.group === name)),
    )
    const counted = all.filter(
      ({ effect, body }) => 'group' in body && body.group === name && destroys.every(({ effect: by }) => observes(effect, by)),
    )
    const made = counted.filter(
      ({ effect, body }) => body.kind === 'stream-group' && body.does === 'create' && !cleared.has(effect),
    )
    if (made.length === 0) continue
    creates.push(...made.map(({ effect }) => effect))
    // The newest SETID says where the group starts; what was done without knowing of it is not done.
    const places = counted.filter(({ body }) => body.kind === 'stream-group' && body.does === 'place')
    const place = places.reduce<Dotted | null>((a, b) => (a === null || byDot(b.effect, a.effect) > 0 ? b : a), null)
    const starts = (place === null ? made : [place]).map(({ body }) => ('start' in body ? body.start : ZERO))
    const done = new Set(place === null ? [] : heard?.doneBesides(name, place.effect))
    const delivered = new Map<number, Set<string>>()
    const reached = new Map<number, StreamId>()
    for (const { effect, body } of counted) {
      if (place !== null && !observes(effect, place.effect)) continue
      if (body.kind === 'stream-ack') for (const position of body.positions) done.add(positionText(position))
      if (body.kind !== 'stream-pending') continue
      const { passed } = body
      const seen = (place !== null ? [place] : made).filter((by) => observes(effect, by.effect))
      const behind = seen.map(({ body: by }) => ('start' in by ? by.start : ZERO)).sort(compareIds)[0] ?? ZERO
      // What lies before the start that the group had then it does not come past.
      const anew =
        passed === null
          ? body.delivered
          : added.filter((entry) => compareIds(entry, behind) > 0 && isReached(entry, effect, passed))
      const before = reached.get(effect.origin) ?? ZERO
      if (passed !== null && compareIds(passed, before) > 0) reached.set(effect.origin, passed)
      if (anew.length === 0) continue
      const given = delivered.get(effect.origin) ?? new Set<string>()
      for (const position of anew) given.add(positionText(position))
      delivered.set(effect.origin, given)
    }
    const start = starts.reduce((a, b) => (compareIds(a, b) < 0 ? a : b))
    groups.set(name, { start, place: place?.effect ?? null, done, delivered, reached, pending: pendingIn(counted, heard) })
  }
  return { groups, creates }
}

export const STREAM_TYPE: ValueType = {
  name: 'stream',
  keyType: 6,
  prefix: 'x',
  kinds: {
    'stream-add': 48,
    'stream-remove': 49,
    'stream-trim': 50,
    'stream-set-id': 51,
    'stream-group': 52,
    'stream-ack': 53,
    'stream-pending': 54,
    'stream-mark': 55,
    'stream-mark-limits': 55,
    'stream-mark-forget': 55,
  },

  decode(type, reader): EffectBody | null {
    switch (type) {
      case 48: {
        reader.u8()
        const added = reader.varint()
        const entries = reader.list(() => ({
          ...readId(reader),
          fields: reader.list(() => [reader.block(), reader.block()]).flat(),
        }))
        return { kind: 'stream-add', added, entries }
      }
      case 49: {
        const flags = reader.u8()
        if ((flags & 1) === 0) readId(reader)
        return { kind: 'stream-remove', ids: reader.list(() => readId(reader)) }
      }
      case 50:
        return { kind: 'stream-trim', upTo: { ...readId(reader), region: reader.varint() } }
      case 51: {
        const last = readId(reader)
        const added = reader.varint()
        readId(reader)
        return { kind: 'stream-set-id', last, added }
      }
      case 52:
        return decodeGroup(reader)
      case 53: {
        const flags = reader.u8()
        const name = reader.block()
        const isRead = (flags & 1) !== 0
        if (isRead) reader.varint()
        return { kind: 'stream-ack', group: name, isRead, positions: reader.list(() => readPosition(reader)) }
      }
      case 54:
        return decodePending(reader)
      case 55: {
        const op = reader.u8()
        if (op === 0) {
          const producer = reader.block()
          return { kind: 'stream-mark', producer, message: reader.block(), id: readId(reader), time: reader.f64() }
        }
        if (op === 2) {
          for (let blocks = 0; blocks < 4; blocks++) reader.block()
          return { kind: 'stream-mark-forget' }
        }
        return { kind: 'stream-mark-limits', durationS: reader.varint(), maxSize: reader.varint() }
      }
      default:
        return null
    }
  },

  /**
   * All entries are of the member's region. An ID stands once: further entries with it get the next ones that are free. A group goes on at the first entry that the
   * member has not read; what it has pending is pending in the copy.
   */
  copyOf(value, member) {
    if (value.type !== 'stream') return value
    const taken = new Set(value.entries.map(idText))
    const renamed = new Map<string, StreamPosition>()
    let last: StreamId = ZERO
    const entries = value.entries.map((entry): StreamEntry => {
      const id = { ms: entry.ms, seq: entry.seq }
      if (compareIds(id, last) === 0) while (taken.has(idText(id))) id.seq++
      else last = id
      taken.add(idText(id))
      renamed.set(positionText(entry), { ...id, region: member })
      return { ...entry, ...id, region: member }
    })
    const highest = entries.reduce<StreamId>((a, b) => (compareIds(a, b) >= 0 ? a : b), value.last)
    const groups = [...value.groups].map(([name, group]): readonly [string, GroupView] => {
      const at = value.entries.findIndex((entry) => !isDoneIn(member, group, entry))
      const own = [...(group.pending.get(member) ?? [])].map(([position, owner]) => {
        const to = renamed.get(position) ?? { ...parsePosition(position), region: member }
        return [positionText(to), owner] as const
      })
      // Behind the last one that was read: of that ID all come once more if some were not, and so do others that get an ID behind it.
      const passed = group.reached.get(member) ?? ZERO
      const before = at < 0 ? (compareIds(passed, highest) > 0 ? passed : highest) : at === 0 ? ZERO : value.entries[at - 1]
      const place = compareIds(group.start, before) > 0 ? group.start : before
      const isSame = at >= 0 && compareIds(place, value.entries[at]) === 0
      const start = { ms: place.ms, seq: place.seq - (isSame ? 1 : 0) }
      const pending = withOwn(new Map(), member, new Map(own))
      return [name, { start, place: null, done: new Set(), delivered: new Map(), reached: new Map(), pending }]
    })
    const marks = liveMarks(value).map((mark): MarkView => {
      const entry = renamed.get(positionText({ ...mark.id, region: mark.region }))
      return { ...mark, id: entry === undefined ? mark.id : { ms: entry.ms, seq: entry.seq }, region: member }
    })
    return { ...value, entries: entries.sort(comparePositions), last: highest, groups: new Map(groups), marks }
  },

  visible(effects, cleared, _fired, heard): Surviving | null {
    const all = effects.map((effect) => ({ effect, body: effect.body as StreamBody }))
    const said = statements(all, cleared)
    const { groups, creates } = groupsOf(all, cleared, heard)
    if (said.length === 0 && groups.size === 0) return null
    const last = said.reduce<StreamId>((highest, one) => (compareIds(one.last, highest) > 0 ? one.last : highest), ZERO)
    const added = said.reduce((sum, one) => sum + one.added, 0)
    const value: Stream = {
      type: 'stream',
      entries: survivingEntries(all, cleared),
      last,
      added,
      groups,
      ...marksOf(all, cleared),
    }
    return { value, writes: [...said.map(({ effect }) => effect), ...creates] }
  },

  commands: {
    XADD: add,
    XDEL: remove,
    XTRIM: trim,
    XLEN: (store, db, [, key]) => `:${streamOf(store, db, key)?.entries.length ?? 0}`,
    XRANGE: range,
    XREVRANGE: range,
    XREAD: (store, db, [, , count, , key, from]) =>
      readReply(
        key,
        (streamOf(store, db, key)?.entries ?? [])
          .filter((entry) => compareIds(entry, parseId(from, 0)) > 0)
          .slice(0, Number(count)),
      ),
    XGROUP: group,
    XREADGROUP: readGroup,
    XACK: acknowledge,
    XCLAIM: claim,
    XAUTOCLAIM: claim,
    XNACK: release,
    XPENDING: summarize,
    XDELEX: deleteWithReferences,
    XACKDEL: deleteWithReferences,
    XSETID: setId,
    XCFGSET: limitMarks,
    XINFO: describe,
    RESTORE: restore,
    DUMP: dump,
  },

  unordered: {},

  workload: {
    stream: (random, keys) => {
      const fields = ['f', random.pick(VALUES)]
      const id = (): string => `${random.between(1, 30)}-${random.below(3)}`
      return random.pick([
        () => ['XADD', keys.key(), '*', ...fields],
        () => ['XADD', keys.key(), '*', ...fields],
        () => ['XADD', keys.key(), id(), ...fields],
        () => ['XADD', keys.key(), `${random.between(1, 30)}-*`, ...fields],
        () => ['XADD', keys.key(), 'NOMKSTREAM', 'MAXLEN', String(random.below(6)), '*', ...fields],
        () => ['XDEL', keys.key(), id(), id(), id()],
        () => ['XTRIM', keys.key(), 'MAXLEN', String(random.below(6))],
        () => ['XTRIM', keys.key(), 'MINID', id()],
        () => ['XADD', keys.key(), 'IDMP', random.pick(['p', 'q']), String(random.below(6)), '*', ...fields],
        () => ['XADD', keys.key(), 'IDMP', random.pick(['p', 'q']), String(random.below(6)), '*', ...fields],
        () =>
          random.chance(0.3)
            ? ['XCFGSET', keys.key(), 'IDMP-MAXSIZE', String(random.between(1, 4))]
            : ['XADD', keys.key(), 'IDMP', 'p', String(random.below(6)), '*', ...fields],
      ])()
    },
    group: (random, keys) => {
      const name = random.pick(GROUPS)
      const ids = Array.from({ length: 4 }, () => `${random.between(1, 30)}-${random.below(3)}`)
      return random.pick([
        () => ['XGROUP', 'CREATE', keys.key(), name, random.pick(['0', '0', '$']), 'MKSTREAM'],
        () => ['XGROUP', 'CREATE', keys.key(), name, '0', 'MKSTREAM'],
        () => ['XREADGROUP', 'GROUP', name, 'c', 'COUNT', String(random.between(1, 4)), 'STREAMS', keys.key(), '>'],
        () => ['XREADGROUP', 'GROUP', name, 'c', 'COUNT', String(random.between(1, 4)), 'STREAMS', keys.key(), '>'],
        () => ['XREADGROUP', 'GROUP', name, 'c', 'COUNT', '100', 'STREAMS', keys.key(), '>'],
        () => ['XREADGROUP', 'GROUP', name, 'd', 'COUNT', '3', 'NOACK', 'STREAMS', keys.key(), '>'],
        () => ['XREADGROUP', 'GROUP', name, random.pick(['c', 'd']), 'COUNT', '3', 'STREAMS', keys.key(), '0'],
        () => ['XCLAIM', keys.key(), name, 'd', '0', ...ids, ...random.pick([[], ['JUSTID'], ['FORCE']])],
        () => [
          'XAUTOCLAIM',
          keys.key(),
          name,
          random.pick(['c', 'd']),
          '0',
          random.pick(['0', '7']),
          'COUNT',
          String(random.between(1, 4)),
        ],
        () => ['XPENDING', keys.key(), name],
        () => ['XNACK', keys.key(), name, random.pick(MODES), 'IDS', '4', ...ids, ...random.pick([[], ['FORCE']])],
        () => ['XGROUP', 'SETID', keys.key(), name, random.pick(['0', '$', '9-1'])],
        () => ['XACK', keys.key(), name, ...ids],
        () => ['XADD', keys.key(), `${random.between(1, 30)}-${random.below(3)}`, 'f', random.pick(VALUES)],
        () => (random.chance(0.3) ? ['XGROUP', 'DESTROY', keys.key(), name] : ['XACK', keys.key(), name, ...ids]),
      ])()
    },
    // IDs that are likely to be there, so that much is read, acknowledged and claimed. No LASTID: in the state of a member what it passes counts as acknowledged
    // (docs/decisions/0021).
    groupWork: (random, keys) => {
      const name = random.pick(GROUPS)
      const ids = Array.from({ length: 4 }, () => `31-${256 * random.below(3) + random.between(1, 3)}`)
      const consumer = random.pick(['c', 'd'])
      const read = (): string[] => {
        const count = String(random.between(1, 3))
        return [
          'XREADGROUP',
          'GROUP',
          name,
          consumer,
          'COUNT',
          count,
          ...random.pick([[], [], ['NOACK']]),
          'STREAMS',
          keys.key(),
          '>',
        ]
      }
      return random.pick([
        () => ['XADD', keys.key(), '31-*', 'f', random.pick(VALUES)],
        () => ['XADD', keys.key(), '31-*', 'f', random.pick(VALUES)],
        () => ['XGROUP', 'CREATE', keys.key(), name, '0', 'MKSTREAM'],
        read,
        read,
        read,
        () => ['XACK', keys.key(), name, ...ids],
        () => ['XACK', keys.key(), name, ...ids],
        () => ['XCLAIM', keys.key(), name, consumer, '0', ...ids, ...random.pick([[], ['JUSTID'], ['FORCE']])],
        () => ['XNACK', keys.key(), name, random.pick(MODES), 'IDS', '4', ...ids, ...random.pick([[], [], ['FORCE']])],
        () => ['XPENDING', keys.key(), name],
        () =>
          random.pick([
            () => ['XGROUP', 'SETID', keys.key(), name, random.pick(['0', '$', '31-257'])],
            () => ['XGROUP', 'DESTROY', keys.key(), name],
            () => ['XDEL', keys.key(), ...ids],
            () => ['XTRIM', keys.key(), 'MAXLEN', String(random.below(6))],
          ])(),
      ])()
    },
    // What is seldom used: entries that go with what groups have pending of them, what is said of claims, streams and groups, and streams that come whole.
    groupMore: (random, keys) => {
      const name = random.pick(GROUPS)
      const id = (): string =>
        random.pick([`${random.between(1, 30)}-${random.below(3)}`, `31-${256 * random.below(3) + random.between(1, 3)}`, '7-1'])
      const ids = Array.from({ length: random.between(1, 4) }, id)
      const block = [...random.pick([[], ['KEEPREF'], ['DELREF'], ['ACKED']]), 'IDS', String(ids.length), ...ids]
      const claim = ['XCLAIM', keys.key(), name, random.pick(['c', 'd']), '0', ...ids]
      return random.pick([
        () => ['XDELEX', keys.key(), ...block],
        () => ['XACKDEL', keys.key(), name, ...block],
        () => [
          ...claim,
          ...random.pick([[], ['FORCE']]),
          ...random.pick([[], ['JUSTID']]),
          'RETRYCOUNT',
          String(random.below(9)),
        ],
        () => [...claim, ...random.pick([[], ['FORCE']]), ...random.pick([[], ['JUSTID']]), 'LASTID', id()],
        () => [
          ...['XNACK', keys.key(), name, random.pick(MODES), 'IDS', String(ids.length), ...ids],
          ...random.pick([[], ['RETRYCOUNT', String(random.below(9))]]),
          ...random.pick([[], ['FORCE']]),
        ],
        () => ['XGROUP', 'SETID', keys.key(), name, random.pick(['0', '$', '9-1']), 'ENTRIESREAD', String(random.below(9))],
        // Never back: entries that get IDs of before are read already.
        () => ['XSETID', keys.key(), '@+100000', ...random.pick([[], ['ENTRIESADDED', String(random.below(50))]])],
        () => ['RESTORE', keys.key(), '0', random.pick(STREAM_PAYLOADS), ...random.pick([[], ['REPLACE']])],
        () => {
          const trims = ['MAXLEN', String(random.below(6)), random.pick(['DELREF', 'ACKED'])]
          return random.chance(0.5)
            ? ['XTRIM', keys.key(), ...trims]
            : ['XADD', keys.key(), ...trims, '31-*', 'f', random.pick(VALUES)]
        },
        () => ['XINFO', 'STREAM', keys.key()],
        () => ['XINFO', 'GROUPS', keys.key()],
        () => ['XPENDING', keys.key(), name, '-', '+', '100'],
      ])()
    },
    // Streams that come, go and are copied whole, with groups, and with messages of producers.
    streamWhole: (random, keys) =>
      random.pick([
        () => ['RESTORE', keys.key(), '0', random.pick(STREAM_PAYLOADS), 'REPLACE'],
        () => ['RESTORE', keys.key(), '0', random.pick(STREAM_PAYLOADS), ...random.pick([[], ['REPLACE']])],
        () => ['COPY', keys.key(), keys.key(), 'REPLACE'],
        () => ['RENAME', keys.key(), keys.key()],
        () => ['DUMP', keys.key()],
      ])(),
    streamRead: (random, keys) =>
      random.pick([
        () => ['XRANGE', keys.key(), '-', '+'],
        () => ['XRANGE', keys.key(), String(random.below(20)), '+', 'COUNT', '3'],
        () => ['XREVRANGE', keys.key(), '+', '-', 'COUNT', '3'],
        () => ['XLEN', keys.key()],
        () => ['XREAD', 'COUNT', '5', 'STREAMS', keys.key(), String(random.below(20))],
      ])(),
  },

  readBack: (key) => [
    ['XRANGE', key, '-', '+'],
    ['DUMP', key],
    ['XINFO', 'STREAM', key],
    ['XINFO', 'GROUPS', key],
    ...GROUPS.flatMap((name) => [
      ['XPENDING', key, name],
      ['XPENDING', key, name, '-', '+', '1000'],
    ]),
  ],
}
