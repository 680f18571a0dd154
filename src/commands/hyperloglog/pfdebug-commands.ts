import {
  countDense,
  DENSE_BYTES,
  denseRegister,
  isDense,
  patternOf,
  indexOf,
  rankIn,
  REGISTERS,
  setDenseRegister,
  SPARSE_MAX_BYTES,
  writeDense,
} from '../../crdt/hyperloglog.js'
import { ADD_BYTES, countSparse, describeRuns, EMPTY_BYTES, raiseSparse, writeEmpty } from '../../crdt/hyperloglog-sparse.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { mergeRecord, mustBeSketch, mustBeSound } from './sketch-argument.js'

/** PFDEBUG and PFSELFTEST: looking into HyperLogLogs. */
export const PFDEBUG_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'pfdebug',
    arity: 3,
    flags: ['write', 'denyoom', 'admin'],
    keys: keyRange(2, 2, 1, 'RW', 'access'),
    group: 'hyperloglog',
    categories: ['hyperloglog'],
    since: '2.8.9',
    summary: 'Shows a HyperLogLog from inside: GETREG, DECODE, ENCODING; TODENSE changes its representation in this region.',
    complexity: 'O(1), with a large factor',
    arguments: [
      { name: 'subcommand', type: 'string' },
      { name: 'key', type: 'key', keySpecIndex: 0 },
    ],
    handler: pfdebug,
  },
  {
    name: 'pfselftest',
    arity: 1,
    flags: ['admin'],
    group: 'hyperloglog',
    categories: ['hyperloglog'],
    since: '2.8.9',
    summary: 'Tests registers, representations and estimates of HyperLogLogs.',
    complexity: 'O(1), with a large factor',
    handler: (call) => {
      const failure = selfTest((bound) => call.services.server.random() % bound)
      if (failure !== null) throw new CommandError(`TESTFAILED ${failure}`)
      call.reply.ok()
    },
  },
]

const registers = new Uint8Array(REGISTERS)

function pfdebug(call: Call): void {
  if (call.is(1, 'SIMD')) throw new CommandError('ERR PFDEBUG SIMD is not supported: there is one implementation')
  const ref = mustBeSketch(call, call.find(2))
  if (ref === 0) throw new CommandError('ERR The specified key does not exist')
  const { reply, strings } = call
  if (call.is(1, 'GETREG')) {
    registers.fill(0)
    mergeRecord(call, ref, registers)
    makeDense(call, ref)
    reply.array(REGISTERS)
    for (let i = 0; i < REGISTERS; i++) reply.integer(registers[i])
    return
  }
  strings.read(call.db, ref)
  const { buf, off, len } = strings
  if (call.is(1, 'DECODE')) {
    if (isDense(buf, off)) throw new CommandError('ERR HLL encoding is not sparse')
    reply.bulkString(describeRuns(buf, off, len))
  } else if (call.is(1, 'ENCODING')) {
    reply.simpleString(isDense(buf, off) ? 'dense' : 'sparse')
  } else if (call.is(1, 'TODENSE')) {
    mustBeSound(call, ref)
    reply.integer(makeDense(call, ref) ? 1 : 0)
  } else {
    throw new CommandError(`ERR Unknown PFDEBUG subcommand '${call.text(1)}'`)
  }
}

/** True when the representation was sparse. It is each member's own affair, so nothing is written; one in a string stays as it is. */
function makeDense(call: Call, ref: Ref): boolean {
  const { db, strings } = call
  strings.read(db, ref)
  if (isDense(strings.buf, strings.off)) return false
  if (db.type(ref) === KeyType.hll) db.setRoot(ref, call.collections.hlls.makeDense(db, db.root(ref)))
  return true
}

/** Elements added by the test: about 20 ms. */
const TEST_ELEMENTS = 100_000
const ERROR_FACTOR = 6 * (1.04 / Math.sqrt(REGISTERS))

/** Null, or what is wrong. */
function selfTest(random: (bound: number) => number): string | null {
  const dense = new Uint8Array(DENSE_BYTES)
  const wanted = Uint8Array.from(registers, () => random(64))
  writeDense(new Uint8Array(REGISTERS), dense, 0)
  for (let i = 0; i < REGISTERS; i++) setDenseRegister(dense, 0, i, wanted[i])
  for (let i = 0; i < REGISTERS; i++) {
    const is = denseRegister(dense, 0, i)
    if (is !== wanted[i]) return `Register ${i} should be ${wanted[i]} but is ${is}`
  }

  writeDense(new Uint8Array(REGISTERS), dense, 0)
  const sparse = new Uint8Array(SPARSE_MAX_BYTES + ADD_BYTES)
  writeEmpty(sparse, 0)
  let sparseLength = EMPTY_BYTES
  const element = new Uint8Array(8)
  const view = new DataView(element.buffer)
  view.setUint32(4, random(2 ** 32))
  let checkpoint = 1
  for (let i = 1; i <= TEST_ELEMENTS; i++) {
    view.setUint32(0, i)
    const pattern = patternOf(element, 0, element.length)
    const index = indexOf(pattern)
    if (denseRegister(dense, 0, index) < rankIn(pattern)) setDenseRegister(dense, 0, index, rankIn(pattern))
    if (sparseLength > 0) {
      const length = raiseSparse(sparse, 0, sparseLength, index, rankIn(pattern), SPARSE_MAX_BYTES)
      if (length !== 0) sparseLength = Math.max(0, length)
      if (sparseLength === 0 && i < SPARSE_MAX_BYTES / 4) return 'sparse encoding not used'
    }
    if (i !== checkpoint) continue
    const count = countDense(dense, 0)
    if (sparseLength > 0 && countSparse(sparse, 0, sparseLength) !== count) return 'dense/sparse disagree'
    const most = i === 10 ? 1 : Math.ceil(ERROR_FACTOR * i)
    if (Math.abs(count - i) > most) return `Too big error. card:${i} abserr:${Math.abs(count - i)}`
    checkpoint *= 10
  }
  return null
}
