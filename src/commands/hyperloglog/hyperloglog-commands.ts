import { NotificationClass } from '../../base/notification-classes.js'
import { countDense, countRegisters, isDense, patternOf, rememberedCount, REGISTERS } from '../../crdt/hyperloglog.js'
import { countSparse } from '../../crdt/hyperloglog-sparse.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import { PFDEBUG_COMMANDS } from './pfdebug-commands.js'
import { broken, mergeRecord, mustBeSketch, mustBeSound, rootForWrite } from './sketch-argument.js'

/**
 * PFADD, PFCOUNT, PFMERGE. Concurrent adds and merges come together by themselves; a removal of the key wins over those that had not seen it. What
 * they mean is in keyspace/hll-store.
 */
const KEY: ArgumentSpec = { name: 'key', type: 'key', keySpecIndex: 0 }

const registers = new Uint8Array(REGISTERS)
const FEW = 64
let patterns = new Int32Array(FEW)

function pfadd(call: Call): void {
  const ref = mustBeSketch(call, call.find(1))
  mustBeSound(call, ref)
  const count = call.argc - 2
  if (count > patterns.length) patterns = new Int32Array(count)
  const { buf, off, len } = call.request
  for (let i = 0; i < count; i++) patterns[i] = patternOf(buf, off[i + 2], len[i + 2])
  const changed = addPatterns(call, ref, count)
  if (count > FEW) patterns = new Int32Array(FEW)
  if (changed) call.notify(NotificationClass.string, 'pfadd', 1)
  call.reply.integer(changed ? 1 : 0)
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
  registers.fill(0)
  for (let i = 1; i < call.argc; i++) {
    const ref = mustBeSketch(call, call.findForRead(i))
    if (ref !== 0) mergeRecord(call, ref, registers)
  }
  call.reply.integer(countRegisters(registers))
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
  registers.fill(0)
  let dense = false
  for (let i = 1; i < call.argc; i++) {
    const ref = mustBeSketch(call, call.findForRead(i))
    if (ref === 0) continue
    mergeRecord(call, ref, registers)
    dense ||= isDense(call.strings.buf, call.strings.off)
  }
  const { buf, off, len } = call.request
  const root = rootForWrite(call, call.find(1), 1)
  call.collections.hlls.merge(call.db, root, call.database, buf, off[1], len[1], registers, dense)
  call.notify(NotificationClass.string, 'pfadd', 1)
  call.reply.ok()
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
