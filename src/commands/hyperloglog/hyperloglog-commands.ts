import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { countDense, countRegisters, isDense, patternOf, rememberedCount, REGISTERS } from '../../crdt/hyperloglog.js'
import { countSparse } from '../../crdt/hyperloglog-sparse.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { ReadSteps, WriteSteps } from '../services.js'
import { PFDEBUG_COMMANDS } from './pfdebug-commands.js'
import { broken, mergeRecord, mustBeSketch, mustBeSound, rootForWrite } from './sketch-argument.js'

/**
 * PFADD, PFCOUNT, PFMERGE. Concurrent adds and merges come together by themselves; a removal of the key wins over those that had not seen it. What
 * they mean is in keyspace/hll-store.
 */
const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }

const registers = new Uint8Array(REGISTERS)
const FEW = 64
/** Elements that merging a HyperLogLog counts for: some 30 us. */
const SKETCH_ELEMENTS = 100
let patterns = new Int32Array(FEW)

function pfadd(call: Call): void {
  const ref = mustBeSketch(call, call.find(1))
  mustBeSound(call, ref)
  const count = call.argc - 2
  if (count > call.shortWriteElements && isPlainTarget(call, ref) && call.isLongWrite(count)) {
    call.writeKeyInSlices(1, addSteps(call, ref))
    return
  }
  if (count > patterns.length) patterns = new Int32Array(count)
  const { buf, off, len } = call.request
  for (let i = 0; i < count; i++) patterns[i] = patternOf(buf, off[i + 2], len[i + 2])
  const changed = addPatterns(call, ref, count)
  if (count > FEW) patterns = new Int32Array(FEW)
  if (changed) call.notify(NotificationClass.string, 'pfadd', 1)
  call.reply.integer(changed ? 1 : 0)
}

/** PFADD of many. */
function* addSteps(call: Call, ref: Ref): WriteSteps {
  const { argc } = call
  const { buf, off, len } = call.request
  const merged = new Uint8Array(REGISTERS)
  if (ref !== 0) mergeRecord(call, ref, merged)
  let raises = false
  for (let i = 2; i < argc; i++) {
    const pattern = patternOf(buf, off[i], len[i])
    const index = pattern & (REGISTERS - 1)
    if (pattern >>> 14 > merged[index]) {
      merged[index] = pattern >>> 14
      raises = true
    }
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  if (raises) {
    yield* buildSteps(call, ref, merged, false)
    yield 'commit'
    call.notifyAdded(NotificationClass.string, 'pfadd', 1, ref !== 0)
  }
  call.reply.integer(raises ? 1 : 0)
}

function addPatterns(call: Call, ref: Ref, count: number): boolean {
  const { db, request, database } = call
  const { hlls } = call.collections
  const { buf, off, len } = request
  const isString = ref !== 0 && db.type(ref) === KeyType.string
  if (isString) {
    registers.fill(0)
    mergeRecord(call, ref, registers)
    if (!raisesAny(count)) return false
  }
  return hlls.add(db, rootForWrite(call, ref, 1), database, buf, off[1], len[1], patterns, count)
}

function raisesAny(count: number): boolean {
  for (let i = 0; i < count; i++) if (patterns[i] >>> 14 > registers[patterns[i] & (REGISTERS - 1)]) return true
  return false
}

function pfcount(call: Call): void {
  if (call.argc === 2) {
    const ref = mustBeSketch(call, call.findForRead(1))
    call.reply.integer(ref === 0 ? 0 : countOne(call, ref))
    return
  }
  const refs = allRefs(call)
  if (call.isLong(refs.length * SKETCH_ELEMENTS)) {
    call.readInSlices(1, refs.length, countSteps(call, refs))
    return
  }
  registers.fill(0)
  mergeAll(call, refs, registers)
  call.reply.integer(countRegisters(registers))
}

/** The records of all keys. What comes behind one that holds something else is not looked for. */
function allRefs(call: Call): readonly Ref[] {
  const refs: Ref[] = []
  for (let i = 1; i < call.argc; i++) refs.push(mustBeSketch(call, call.findForRead(i)))
  return refs
}

/** Raises registers to those of some records, one a step. Gives whether any of them is dense. */
function* mergeSteps(call: Call, refs: readonly Ref[], merged: Uint8Array): Generator<undefined, boolean> {
  let dense = false
  for (const ref of refs) {
    if (ref === 0) continue
    mergeRecord(call, ref, merged)
    dense ||= isDense(call.strings.buf, call.strings.off)
    yield
  }
  return dense
}

function mergeAll(call: Call, refs: readonly Ref[], merged: Uint8Array): boolean {
  const steps = mergeSteps(call, refs, merged)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

function* countSteps(call: Call, refs: readonly Ref[]): ReadSteps {
  const merged = new Uint8Array(REGISTERS)
  yield* mergeSteps(call, refs, merged)
  call.reply.integer(countRegisters(merged))
}

function countOne(call: Call, ref: Ref): number {
  const { db, strings } = call
  if (db.type(ref) === KeyType.hll) return call.collections.hlls.count(db, db.root(ref))
  strings.read(db, ref)
  const { buf, off, len } = strings
  const known = rememberedCount(buf, off)
  if (known === known) return known
  const count = isDense(buf, off) ? countDense(buf, off) : countSparse(buf, off, len)
  if (count !== count) throw broken()
  return count
}

function pfmerge(call: Call): void {
  const refs = allRefs(call)
  if (isPlainTarget(call, refs[0]) && call.isLongWrite(refs.length * SKETCH_ELEMENTS)) {
    const keys = refs.map((_, i) => ({ database: call.database, argument: i + 1, isWritten: i === 0 }))
    call.writeInSlices(keys, mergeIntoSteps(call, refs))
    return
  }
  registers.fill(0)
  const dense = mergeAll(call, refs, registers)
  const { buf, off, len } = call.request
  const root = rootForWrite(call, call.find(1), 1)
  call.collections.hlls.merge(call.db, root, call.database, buf, off[1], len[1], registers, dense)
  call.notify(NotificationClass.string, 'pfadd', 1)
  call.reply.ok()
}

/** The first key holds a HyperLogLog and nothing hidden, or nothing at all: what else there may be of it has to go first, which is not done in steps. */
function isPlainTarget({ db, request: { buf, off, len } }: Call, ref: Ref): boolean {
  if (db.mayHide(buf, off[1], len[1])) return false
  return ref === 0 ? db.lookup(buf, off[1], len[1]) === 0 : db.type(ref) === KeyType.hll
}

function* mergeIntoSteps(call: Call, refs: readonly Ref[]): WriteSteps {
  const merged = new Uint8Array(REGISTERS)
  const dense = yield* mergeSteps(call, refs, merged)
  yield* buildSteps(call, refs[0], merged, dense)
  yield 'commit'
  call.notifyAdded(NotificationClass.string, 'pfadd', 1, refs[0] !== 0)
  call.reply.ok()
}

/** Writes what registers have beyond those of the first key's record. */
function* buildSteps(call: Call, ref: Ref, merged: Uint8Array, dense: boolean): Generator<undefined, void> {
  // Other members may have old expiries of it.
  if (ref === 0) yield* call.clearInSteps(1)
  call.collections.hlls.buildMerge(call.db, call.root(ref), call.op, call.place(1), merged, dense)
}

export const HYPERLOGLOG_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'pfadd',
    arity: -2,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'insert'),
    group: 'hyperloglog',
    categories: ['hyperloglog'],
    since: '2.8.9',
    summary: 'Adds elements to a HyperLogLog; makes one if there is none.',
    complexity: 'O(1) for each element',
    arguments: [KEY, { name: 'element', type: 'string', flags: ['optional', 'multiple'] }],
    handler: pfadd,
  },
  {
    name: 'pfcount',
    arity: -2,
    flags: ['readonly', 'may_replicate'],
    keys: keyRange(1, -1, 1, 'RW', 'access'),
    group: 'hyperloglog',
    categories: ['hyperloglog'],
    since: '2.8.9',
    summary: 'Estimates how many different elements were added to one HyperLogLog, or to several together.',
    complexity: 'O(1) for one key; O(N) for N keys, with a large factor',
    arguments: [{ ...KEY, flags: ['multiple'] }],
    handler: pfcount,
  },
  {
    name: 'pfmerge',
    arity: -2,
    flags: ['write', 'denyoom'],
    keys: [...keyRange(1, 1, 1, 'RW', 'access', 'insert'), ...keyRange(2, -1, 1, 'RO', 'access')],
    group: 'hyperloglog',
    categories: ['hyperloglog'],
    since: '2.8.9',
    summary: 'Merges HyperLogLogs into one.',
    complexity: 'O(N) for N keys, with a large factor',
    arguments: [
      { name: 'destkey', type: 'key', keySpecIndex: 0 },
      { name: 'sourcekey', type: 'key', keySpecIndex: 1, flags: ['optional', 'multiple'] },
    ],
    handler: pfmerge,
  },
  ...PFDEBUG_COMMANDS,
]
