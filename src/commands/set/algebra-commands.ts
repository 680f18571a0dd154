import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { EffectType } from '../../crdt/effect-reader.js'
import { KeyType } from '../../keyspace/database.js'
import { MembersWriter } from '../../keyspace/set-store.js'
import type { Ref } from '../../memory/arena.js'
import { ByteList } from '../../rdb/byte-list.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { KeyToHold, ReadSteps } from '../services.js'
import { readSet, SET_KEY, SET_KEYS, walkInSteps } from './arguments.js'

/**
 * Intersection, union and difference of sets. No other collection is built to find them: a member is looked up in the sets that it has to be in, or
 * must not be in. The STORE forms remove and write in one op.
 */

/** Where the members of a result go. */
interface MemberSink {
  push(buf: Uint8Array, off: number, len: number): void
}

/** Is told of a member; false: of no more. */
type Visit = (buf: Uint8Array, off: number, len: number) => boolean

/** Calls visit with the members of a result, each once, a step at a time, until it says false. */
type Operation = (call: Call, roots: readonly Ref[], visit: Visit) => ReadSteps

/** The members that all sets have. The smallest set is walked. */
function* intersection(call: Call, roots: readonly Ref[], visit: Visit): ReadSteps {
  if (roots.includes(0)) return
  const { db } = call
  const { sets } = call.collections
  const bySize = [...roots].sort((a, b) => sets.size(db, a) - sets.size(db, b))
  const cursor = walkInSteps(call, bySize[0])
  for (let looked = 1; cursor.next(); looked++) {
    const { buf, keyOff, keyLen } = cursor
    let i = 1
    while (i < bySize.length && sets.has(db, bySize[i], buf, keyOff, keyLen)) i++
    if (i === bySize.length && !visit(buf, keyOff, keyLen)) return
    if (looked % LIMITS.slicedReadStep === 0) yield
  }
}

function into(members: MemberSink): Visit {
  return (buf, off, len) => {
    members.push(buf, off, len)
    return true
  }
}

function union(call: Call, roots: readonly Ref[], visit: Visit): ReadSteps {
  // The largest first: what it has need not be looked up anywhere.
  const { sets } = call.collections
  const bySize = roots.filter((root) => root !== 0).sort((a, b) => sets.size(call.db, b) - sets.size(call.db, a))
  return gather(call, [], bySize, visit)
}

function difference(call: Call, roots: readonly Ref[], visit: Visit): ReadSteps {
  const { sets } = call.collections
  // A member is most likely found in a large one.
  const others = roots
    .slice(1)
    .filter((root) => root !== 0)
    .sort((a, b) => sets.size(call.db, b) - sets.size(call.db, a))
  return gather(call, others, roots[0] === 0 ? [] : [roots[0]], visit)
}

/** The members of some sets, without those that are in any of the others. */
function* gather(call: Call, without: readonly Ref[], roots: readonly Ref[], visit: Visit): ReadSteps {
  const { db } = call
  const { sets } = call.collections
  const known = [...without, ...roots]
  for (let n = without.length; n < known.length; n++) {
    const cursor = walkInSteps(call, known[n])
    for (let looked = 1; cursor.next(); looked++) {
      const { buf, keyOff, keyLen } = cursor
      let i = 0
      while (i < n && !sets.has(db, known[i], buf, keyOff, keyLen)) i++
      if (i === n && !visit(buf, keyOff, keyLen)) return
      if (looked % LIMITS.slicedReadStep === 0) yield
    }
  }
}

function* replySteps(call: Call, roots: readonly Ref[], operation: Operation): ReadSteps {
  const members = new ByteList()
  const steps = operation(call, roots, into(members))
  while (steps.next().done !== true) yield
  call.reply.set(members.count)
  for (let i = 0; i < members.count; i++) {
    const start = members.start(i)
    call.reply.bulk(members.bytesOf(i), start, members.end(i) - start)
    if ((i + 1) % LIMITS.slicedReadStep === 0) yield
  }
}

/** Members that an operation looks at. */
function sizeOf(call: Call, roots: readonly Ref[]): number {
  let size = 0
  for (const root of roots) size += call.collections.sets.size(call.db, root)
  return size
}

function replying(operation: Operation): (call: Call) => void {
  return (call) => {
    const roots: Ref[] = []
    for (let i = 1; i < call.argc; i++) roots.push(readSet(call, i))
    call.read(1, roots.length, sizeOf(call, roots), replySteps(call, roots, operation))
  }
}

function storing(operation: Operation, event: string): (call: Call) => void {
  return (call) => {
    const roots: Ref[] = []
    for (let i = 2; i < call.argc; i++) roots.push(readSet(call, i))
    if (call.isLongWrite(sizeOf(call, roots), 1)) {
      const keys: KeyToHold[] = [{ database: call.database, argument: 1, isWritten: true }]
      for (let i = 2; i < call.argc; i++) keys.push({ database: call.database, argument: i, isWritten: false })
      call.writeInSlices(keys, storeSteps(call, roots, operation, event))
      return
    }
    const members = new ByteList()
    const steps = operation(call, roots, into(members))
    while (steps.next().done !== true);
    const { buf, off, len } = call.request
    const before = call.typeOf(1)
    call.effects.unannounced(() => {
      call.effects.remove(call.database, buf, off[1], len[1])
      if (members.count > 0) call.collections.sets.addList(call.database, buf, off[1], len[1], members)
    })
    call.stored(NotificationClass.set, event, 1, members.count, before)
  }
}

function* storeSteps(
  call: Call,
  roots: readonly Ref[],
  operation: Operation,
  event: string,
): Generator<undefined | 'commit', void> {
  const { op, long } = call
  const at = call.place(1)
  const before = call.typeOf(1)
  yield* long.remove(op, at)
  const members = new MembersWriter(op, EffectType.setAdd, at)
  const steps = operation(call, roots, into(members))
  while (steps.next().done !== true) yield
  if (before !== KeyType.none || members.count > 0) yield 'commit'
  call.stored(NotificationClass.set, event, 1, members.count, before)
}

/** SINTERCARD and its kin. isEstimate: APPROX is taken, and the answer is exact all the same: nothing is built that an estimate would do without. */
function counting(operation: Operation, isEstimate = false): (call: Call) => void {
  return (call) => {
    const count = call.integer(1, 'ERR numkeys should be greater than 0')
    if (count < 1) throw new CommandError('ERR numkeys should be greater than 0')
    if (count > call.argc - 2) throw new CommandError("ERR Number of keys can't be greater than number of args")
    let limit = 0
    for (let i = 2 + count; i < call.argc; i++) {
      if (isEstimate && call.is(i, 'APPROX')) continue
      if (!call.is(i, 'LIMIT') || i + 1 === call.argc) throw syntaxError()
      limit = call.integer(++i, "ERR LIMIT can't be negative")
      if (limit < 0) throw new CommandError("ERR LIMIT can't be negative")
    }
    const roots: Ref[] = []
    for (let i = 2; i < 2 + count; i++) roots.push(readSet(call, i))
    call.read(2, count, looksOf(call, roots, operation), countSteps(call, roots, operation, limit))
  }
}

/** Members that an operation walks, each as often as it may be looked up. */
function looksOf(call: Call, roots: readonly Ref[], operation: Operation): number {
  const sizes = roots.map((root) => call.collections.sets.size(call.db, root))
  if (operation === union) return sizes.reduce((sum, size) => sum + size, 0) * roots.length
  return (operation === difference ? sizes[0] : Math.min(...sizes)) * roots.length
}

function* countSteps(call: Call, roots: readonly Ref[], operation: Operation, limit: number): ReadSteps {
  let found = 0
  const steps = operation(call, roots, () => ++found !== limit)
  while (steps.next().done !== true) yield
  call.reply.integer(found)
}

function readingSpec(name: string, summary: string, complexity: string, operation: Operation): CommandSpec {
  return {
    name,
    arity: -2,
    flags: ['readonly'],
    keys: keyRange(1, -1, 1, 'RO', 'access'),
    group: 'set',
    categories: ['set'],
    since: '1.0.0',
    summary,
    complexity,
    tips: ['nondeterministic_output_order'],
    arguments: [SET_KEYS],
    handler: replying(operation),
  }
}

function countingSpec(
  name: string,
  since: string,
  summary: string,
  complexity: string,
  operation: Operation,
  isEstimate = false,
): CommandSpec {
  const approx: ArgumentSpec = { name: 'approx', type: 'pure-token', token: 'APPROX', flags: ['optional'] }
  return {
    name,
    arity: -3,
    flags: ['readonly'],
    keys: [{ flags: ['RO', 'access'], beginSearch: { index: 1 }, findKeys: { keyNumIndex: 0, firstKey: 1, step: 1 } }],
    group: 'set',
    categories: ['set'],
    since,
    summary,
    complexity,
    arguments: [
      { name: 'numkeys', type: 'integer' },
      { ...SET_KEY, flags: ['multiple'] },
      ...(isEstimate ? [approx] : []),
      { name: 'limit', type: 'integer', token: 'LIMIT', flags: ['optional'] },
    ],
    handler: counting(operation, isEstimate),
  }
}

function storingSpec(name: string, summary: string, complexity: string, operation: Operation): CommandSpec {
  return {
    name,
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [...keyRange(1, 1, 1, 'OW', 'update'), ...keyRange(2, -1, 1, 'RO', 'access')],
    group: 'set',
    categories: ['set'],
    since: '1.0.0',
    summary,
    complexity,
    arguments: [
      { name: 'destination', type: 'key', keySpecIndex: 0 },
      { ...SET_KEYS, keySpecIndex: 1 },
    ],
    handler: storing(operation, name),
  }
}

const INTERSECTION_COST = 'O(N*M), N being the size of the smallest set and M the number of sets'
const UNION_COST = 'O(N*M), N being the number of members in all sets and M the number of sets'
const DIFFERENCE_COST = 'O(N*M), N being the size of the first set and M the number of sets'

export const ALGEBRA_COMMANDS: readonly CommandSpec[] = [
  readingSpec('sinter', 'Lists the members that all of some sets have.', INTERSECTION_COST, intersection),
  countingSpec(
    'sintercard',
    '7.0.0',
    'Counts the members that all of some sets have, up to a limit.',
    INTERSECTION_COST,
    intersection,
  ),
  storingSpec('sinterstore', 'Keeps in a set the members that all of some sets have.', INTERSECTION_COST, intersection),
  readingSpec('sunion', 'Lists the members that any of some sets has.', UNION_COST, union),
  countingSpec('sunioncard', '8.10.0', 'Counts the members that any of some sets has, up to a limit.', UNION_COST, union, true),
  storingSpec('sunionstore', 'Keeps in a set the members that any of some sets has.', UNION_COST, union),
  readingSpec('sdiff', 'Lists the members of a set that no other of some sets has.', DIFFERENCE_COST, difference),
  countingSpec(
    'sdiffcard',
    '8.10.0',
    'Counts the members of a set that no other of some sets has, up to a limit.',
    DIFFERENCE_COST,
    difference,
  ),
  storingSpec('sdiffstore', 'Keeps in a set the members of a set that no other of some sets has.', DIFFERENCE_COST, difference),
]
