import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { EffectType } from '../../crdt/effect-reader.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import { KeyType } from '../../keyspace/database.js'
import type { MapCursor } from '../../keyspace/map-cursor.js'
import { MembersWriter } from '../../keyspace/set-store.js'
import type { Ref } from '../../memory/arena.js'
import { ByteList } from '../../rdb/byte-list.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { scanMap } from '../map-scan.js'
import { SCAN_ARGUMENTS } from '../scan-options.js'
import { randomElement, sampleLooks, sampleSteps } from '../random-choice.js'
import type { ReadSteps, WriteSteps } from '../services.js'
import { MEMBER, MEMBERS, readSet, setSpec, writtenSet } from './arguments.js'

/** Commands on the members of one set. An add wins over a concurrent removal. */
const OUT_OF_RANGE = 'ERR value is out of range'

function sadd(call: Call): void {
  const root = writtenSet(call)
  if (call.bringsMany(call.argc - 2)) {
    call.writeKeyInSlices(1, addSteps(call, root))
    return
  }
  const added = call.collections.sets.add(call.db, root, call.database, call.request, 2, call.argc)
  if (added > 0) call.notify(NotificationClass.set, 'sadd', 1)
  call.reply.integer(added)
}

/** SADD of many. */
function* addSteps(call: Call, root: Ref): WriteSteps {
  const { op, request } = call
  const { sets } = call.collections
  const { solo } = call.effects
  const distinct = new DistinctRanges()
  yield* distinct.pickLastInSteps(request, 2, call.argc, 1)
  if (root === 0) yield* call.clearInSteps(1)
  const writer = new MembersWriter(op, EffectType.setAdd, call.place(1))
  const { buf, off, len } = request
  let added = 0
  for (let p = 0; p < distinct.count; p++) {
    const i = distinct.picked[p]
    const isThere = sets.has(call.db, root, buf, off[i], len[i])
    if (!isThere) added++
    if (!isThere || !solo) writer.push(buf, off[i], len[i])
    if (p % LIMITS.slicedReadStep === 0) yield
  }
  if (op.effects > 0) yield 'commit'
  if (added > 0) call.notifyAdded(NotificationClass.set, 'sadd', 1, root !== 0)
  call.reply.integer(added)
}

function srem(call: Call): void {
  const root = writtenSet(call)
  if (root !== 0 && call.bringsMany(call.argc - 2)) {
    call.writeKeyInSlices(1, removeSteps(call, root))
    return
  }
  const removed = call.collections.sets.removeMembers(call.db, root, call.database, call.request, 2, call.argc)
  if (removed > 0) notifyRemoval(call, 'srem')
  call.reply.integer(removed)
}

/** SREM of many. */
function* removeSteps(call: Call, root: Ref): WriteSteps {
  const { op, request } = call
  const { sets } = call.collections
  const distinct = new DistinctRanges()
  distinct.begin(call.argc - 2)
  const writer = new MembersWriter(op, EffectType.setRemove, call.place(1))
  const { buf, off, len } = request
  for (let i = 2; i < call.argc; i++) {
    if (sets.has(call.db, root, buf, off[i], len[i]) && distinct.pick(request, i)) writer.push(buf, off[i], len[i])
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  if (writer.count === sets.size(call.db, root)) yield* call.emptyInSteps(1)
  if (writer.count > 0) {
    yield 'commit'
    notifyRemoval(call, 'srem')
  }
  call.reply.integer(writer.count)
}

/** The event of a removal of members; when they were the last ones, also that of the key. */
function notifyRemoval(call: Call, event: string): void {
  call.notify(NotificationClass.set, event, 1)
  if (call.find(1) === 0) call.notify(NotificationClass.generic, 'del', 1)
}

function sismember(call: Call): void {
  const root = readSet(call)
  const { buf, off, len } = call.request
  call.reply.integer(call.collections.sets.has(call.db, root, buf, off[2], len[2]) ? 1 : 0)
}

function smismember(call: Call): void {
  const root = readSet(call)
  const { buf, off, len } = call.request
  if (call.isLong(call.argc - 2)) {
    call.readInSlices(1, 1, memberOfSteps(call, root))
    return
  }
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    call.reply.integer(call.collections.sets.has(call.db, root, buf, off[i], len[i]) ? 1 : 0)
  }
}

function* memberOfSteps(call: Call, root: Ref): ReadSteps {
  const { buf, off, len } = call.request
  call.reply.array(call.argc - 2)
  for (let i = 2; i < call.argc; i++) {
    call.reply.integer(call.collections.sets.has(call.db, root, buf, off[i], len[i]) ? 1 : 0)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}

function scard(call: Call): void {
  call.reply.integer(call.collections.sets.size(call.db, readSet(call)))
}

function smembers(call: Call): void {
  const root = readSet(call)
  const { sets } = call.collections
  if (call.isLong(sets.size(call.db, root))) {
    call.readInSlices(1, 1, memberSteps(call, root))
    return
  }
  call.reply.set(sets.countShown(call.db, root))
  replyMembers(call, sets.walk(call.db, root), Infinity)
}

function* memberSteps(call: Call, root: Ref): ReadSteps {
  const { sets } = call.collections
  call.reply.set(sets.countShown(call.db, root))
  const cursor = sets.walkApart(call.db, root)
  while (replyMembers(call, cursor, LIMITS.slicedReadStep)) yield
}

/** Replies with the next members, at most so many; false when there are no more. */
function replyMembers(call: Call, cursor: MapCursor, most: number): boolean {
  for (let left = most; left > 0; left--) {
    if (!cursor.next()) return false
    replyMember(call, cursor)
  }
  return true
}

function replyMember(call: Call, cursor: MapCursor): void {
  call.reply.bulk(cursor.buf, cursor.keyOff, cursor.keyLen)
}

function spop(call: Call): void {
  if (call.argc > 3) throw syntaxError()
  const { sets } = call.collections
  const { buf, off, len } = call.request
  if (call.argc === 2) {
    const root = writtenSet(call)
    if (!randomElement(call, sets, root)) {
      call.reply.null()
      return
    }
    const { cursor } = sets
    replyMember(call, cursor)
    sets.removeOne(call.database, buf, off[1], len[1], cursor.buf, cursor.keyOff, cursor.keyLen, cursor.ref)
    notifyRemoval(call, 'spop')
    return
  }
  const count = call.integer64(2, 'ERR value is out of range, must be positive')
  if (count < 0n) throw new CommandError('ERR value is out of range, must be positive')
  const root = writtenSet(call)
  const size = sets.countShown(call.db, root)
  const wanted = count > BigInt(size) ? size : Number(count)
  if (call.isLongWrite(wanted, 1)) {
    call.writeKeyInSlices(1, popSteps(call, root, size, wanted))
    return
  }
  call.reply.set(wanted)
  if (wanted === 0) return
  if (wanted === size) {
    const cursor = sets.walk(call.db, root)
    while (cursor.next()) replyMember(call, cursor)
    call.effects.remove(call.database, buf, off[1], len[1])
  } else {
    const popped = new ByteList()
    const steps = sampleSteps(call, sets, root, size, wanted, (cursor) => {
      replyMember(call, cursor)
      popped.push(cursor.buf, cursor.keyOff, cursor.keyLen)
    })
    while (steps.next().done !== true);
    sets.removeList(call.database, buf, off[1], len[1], popped)
  }
  notifyRemoval(call, 'spop')
}

function* popSteps(call: Call, root: Ref, size: number, wanted: number): Generator<undefined | 'commit', void> {
  const { op, long } = call
  const at = call.place(1)
  const removes = wanted === size ? null : new MembersWriter(op, EffectType.setRemove, at)
  call.reply.set(wanted)
  yield* sampleSteps(call, call.collections.sets, root, size, wanted, (cursor) => {
    replyMember(call, cursor)
    removes?.push(cursor.buf, cursor.keyOff, cursor.keyLen)
  })
  if (removes === null) yield* long.remove(op, at)
  yield 'commit'
  notifyRemoval(call, 'spop')
}

function srandmember(call: Call): void {
  const { reply } = call
  const { sets } = call.collections
  if (call.argc > 3) throw syntaxError()
  if (call.argc === 2) {
    const root = readSet(call)
    if (randomElement(call, sets, root)) replyMember(call, sets.cursor)
    else reply.null()
    return
  }
  const count = call.negatableInteger64(2)
  const root = readSet(call)
  const size = sets.countShown(call.db, root)
  if (count < 0n) {
    if (size > 0 && count < -BigInt(LIMITS.randomRepetitions)) throw new CommandError(OUT_OF_RANGE)
    const repetitions = size === 0 ? 0 : Number(-count)
    call.read(1, 1, repetitions, repeatSteps(call, root, repetitions))
    return
  }
  const wanted = count > BigInt(size) ? size : Number(count)
  call.read(1, 1, sampleLooks(call, sets, root, size, wanted), choiceSteps(call, root, size, wanted))
}

function* choiceSteps(call: Call, root: Ref, size: number, wanted: number): ReadSteps {
  call.reply.array(wanted)
  yield* sampleSteps(call, call.collections.sets, root, size, wanted, (cursor) => replyMember(call, cursor))
}

function* repeatSteps(call: Call, root: Ref, repetitions: number): ReadSteps {
  const { sets } = call.collections
  call.reply.array(repetitions)
  for (let i = 1; i <= repetitions; i++) {
    randomElement(call, sets, root)
    replyMember(call, sets.cursor)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
}

function smove(call: Call): void {
  const { sets } = call.collections
  const { buf, off, len } = call.request
  const source = writtenSet(call, 1)
  if (source === 0) {
    call.reply.integer(0)
    return
  }
  const target = writtenSet(call, 2)
  const isMember = sets.has(call.db, source, buf, off[3], len[3])
  if (!isMember || source === target) {
    call.reply.integer(isMember ? 1 : 0)
    return
  }
  sets.removeOne(call.database, buf, off[1], len[1], buf, off[3], len[3])
  call.notify(NotificationClass.set, 'srem', 1)
  if (call.find(1) === 0) call.notify(NotificationClass.generic, 'del', 1)
  if (sets.addOne(call.db, target, call.database, buf, off[2], len[2], buf, off[3], len[3])) {
    call.notify(NotificationClass.set, 'sadd', 2)
  }
  call.reply.integer(1)
}

export const MEMBER_COMMANDS: readonly CommandSpec[] = [
  {
    ...setSpec(
      'sadd',
      -3,
      ['write', 'denyoom', 'fast'],
      ['RW', 'insert'],
      '1.0.0',
      'Adds members to a set.',
      'O(N), N being the number of members',
      [MEMBERS],
      sadd,
    ),
    history: [['2.4.0', 'Several members at once.']],
  },
  {
    ...setSpec(
      'srem',
      -3,
      ['write', 'fast'],
      ['RW', 'delete'],
      '1.0.0',
      'Removes members of a set, and the set when it has no more.',
      'O(N), N being the number of members',
      [MEMBERS],
      srem,
    ),
    history: [['2.4.0', 'Several members at once.']],
  },
  setSpec(
    'sismember',
    3,
    ['readonly', 'fast'],
    ['RO'],
    '1.0.0',
    'Tells whether a set has a member.',
    'O(1)',
    [MEMBER],
    sismember,
  ),
  setSpec(
    'smismember',
    -3,
    ['readonly', 'fast'],
    ['RO', 'access'],
    '6.2.0',
    'Tells of each of some members whether a set has it.',
    'O(N), N being the number of members asked about',
    [MEMBERS],
    smismember,
  ),
  setSpec('scard', 2, ['readonly', 'fast'], ['RO'], '1.0.0', 'Counts the members of a set.', 'O(1)', [], scard),
  {
    ...setSpec(
      'smembers',
      2,
      ['readonly'],
      ['RO', 'access'],
      '1.0.0',
      'Lists the members of a set.',
      'O(N), N being the size of the set',
      [],
      smembers,
    ),
    tips: ['nondeterministic_output_order'],
  },
  {
    ...setSpec(
      'spop',
      -2,
      ['write', 'fast'],
      ['RW', 'access', 'delete'],
      '1.0.0',
      'Removes any members of a set, each as likely as another, and replies with them.',
      'O(1) without a count, else O(N), N being the count',
      [{ name: 'count', type: 'integer', flags: ['optional'], since: '3.2.0' }],
      spop,
    ),
    history: [['3.2.0', 'The argument count.']],
    tips: ['nondeterministic_output'],
  },
  {
    ...setSpec(
      'srandmember',
      -2,
      ['readonly'],
      ['RO', 'access'],
      '1.0.0',
      'Names any members of a set, each as likely as another.',
      'O(1) without a count, else O(N), N being the count',
      [{ name: 'count', type: 'integer', flags: ['optional'], since: '2.6.0' }],
      srandmember,
    ),
    history: [['2.6.0', 'The argument count.']],
    tips: ['nondeterministic_output'],
  },
  {
    name: 'smove',
    arity: 4,
    flags: ['write', 'fast'],
    keys: [...keyRange(1, 1, 1, 'RW', 'access', 'delete'), ...keyRange(2, 2, 1, 'RW', 'insert')],
    group: 'set',
    categories: ['set'],
    since: '1.0.0',
    summary: 'Moves a member from one set to another.',
    complexity: 'O(1)',
    arguments: [{ name: 'source', type: 'key', keySpecIndex: 0 }, { name: 'destination', type: 'key', keySpecIndex: 1 }, MEMBER],
    handler: smove,
  },
  {
    ...setSpec(
      'sscan',
      -3,
      ['readonly'],
      ['RO', 'access'],
      '2.8.0',
      'Walks the members of a set, a few a call.',
      'O(1) for each call, O(N) for a whole walk, N being the size of the set',
      SCAN_ARGUMENTS,
      (call) => scanMap(call, call.collections.sets, KeyType.set, false),
    ),
    tips: ['nondeterministic_output'],
  },
]
