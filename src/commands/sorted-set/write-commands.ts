import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { NO_SCORE_RESETS } from '../../crdt/score-state.js'
import { DistinctRanges } from '../../keyspace/byte-ranges.js'
import { KeyType } from '../../keyspace/database.js'
import { ScoreRemover, ScoresWriter } from '../../keyspace/zset-store.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { WriteSteps } from '../services.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import { MEMBER, MEMBERS, replyScore, rootForWrite, scoreArgument } from './arguments.js'

/** ZADD, ZINCRBY, ZREM. Conditions are looked at here; what is replicated is the score, the increment, the removal. */
const NAN = 'ERR resulting score is not a number (NaN)'

/** Parsed scores of a ZADD; one array for all. */
let scores = new Float64Array(16)

interface AddOptions {
  nx: boolean
  xx: boolean
  gt: boolean
  lt: boolean
  incr: boolean
}

const options: AddOptions = { nx: false, xx: false, gt: false, lt: false, incr: false }

function zadd(call: Call): void {
  const o = options
  o.nx = o.xx = o.gt = o.lt = o.incr = false
  let changes = false
  let first = 2
  for (; first < call.argc; first++) {
    if (call.is(first, 'NX')) o.nx = true
    else if (call.is(first, 'XX')) o.xx = true
    else if (call.is(first, 'CH')) changes = true
    else if (call.is(first, 'INCR')) o.incr = true
    else if (call.is(first, 'GT')) o.gt = true
    else if (call.is(first, 'LT')) o.lt = true
    else break
  }
  const pairs = (call.argc - first) / 2
  if (pairs === 0 || !Number.isInteger(pairs)) throw syntaxError()
  if (o.nx && o.xx) throw new CommandError('ERR XX and NX options at the same time are not compatible')
  if ((o.gt && o.nx) || (o.lt && o.nx) || (o.gt && o.lt)) {
    throw new CommandError('ERR GT, LT, and/or NX options at the same time are not compatible')
  }
  if (o.incr && pairs > 1) throw new CommandError('ERR INCR option supports a single increment-element pair')
  if (!o.incr && isLong(call, pairs)) {
    call.writeKeyInSlices(1, addSteps(call, first, { ...o }, changes))
    return
  }
  if (scores.length < pairs) scores = new Float64Array(pairs * 2)
  for (let i = 0; i < pairs; i++) scores[i] = scoreArgument(call, first + i * 2)
  if (o.incr) increment(call, first + 1)
  else add(call, first + 1, pairs, changes)
}

function add(call: Call, first: number, pairs: number, changes: boolean): void {
  const o = options
  const root = rootForWrite(call, 1)
  const { writer } = call.zsets
  const { buf, off, len } = call.request
  let added = 0
  let updated = 0
  writer.begin(call.database, buf, off[1], len[1], root)
  for (let i = 0; i < pairs; i++) {
    const at = first + i * 2
    const score = scores[i]
    const before = writer.look(buf, off[at], len[at])
    if (!allows(o, score, before)) continue
    if (before !== before) added++
    else if (score !== before) updated++
    writer.write(buf, off[at], len[at], score, before)
  }
  writer.end()
  if (added + updated > 0) call.notify(NotificationClass.sortedSet, 'zadd', 1)
  call.reply.integer(changes ? added + updated : added)
}

/** before: NaN for a member that is not there. */
function allows(o: AddOptions, score: number, before: number): boolean {
  if (before !== before) return !o.xx
  return !o.nx && (!o.lt || score < before) && (!o.gt || score > before)
}

/** In slices; not of members with contributions, of which removals and new scores must say what they saw. */
function isLong(call: Call, members: number): boolean {
  if (!call.bringsMany(members)) return false
  const ref = call.find(1)
  return ref === 0 || call.db.type(ref) !== KeyType.zset || call.zsets.contributed(call.db, call.root(ref)) === 0
}

/** ZADD of many. */
function* addSteps(call: Call, first: number, o: AddOptions, changes: boolean): WriteSteps {
  const { op, request, argc, zsets } = call
  const { solo } = call.effects
  const { buf, off, len } = request
  /** Score of each member, at the argument that is picked for it; NaN while it is not there. */
  const current = new Float64Array(argc)
  const isWritten = new Uint8Array(argc)
  for (let i = first; i < argc; i += 2) {
    scoreArgument(call, i)
    if ((i - first) % LIMITS.slicedReadSeek === 0) yield
  }
  // Scores that are none are told of before a key that holds something else.
  const root = rootForWrite(call, 1)
  const distinct = new DistinctRanges()
  distinct.begin((argc - first) / 2)
  let added = 0
  let updated = 0
  let isChanged = false
  for (let i = first + 1; i < argc; i += 2) {
    const member = distinct.pickedFor(request, i)
    if (member === i) current[i] = zsets.score(call.db, root, buf, off[i], len[i])
    const before = current[member]
    const score = scoreArgument(call, i - 1)
    if (allows(o, score, before)) {
      if (before !== before) added++
      else if (score !== before) updated++
      if (score !== before || !solo) {
        isWritten[member] = 1
        isChanged = true
      }
      current[member] = score
    }
    if ((i - first) % LIMITS.slicedReadStep === 1) yield
  }
  if (isChanged && root === 0) yield* call.clearInSteps(1)
  const writer = new ScoresWriter(op, call.place(1))
  for (let p = 0; p < distinct.count; p++) {
    const i = distinct.picked[p]
    if (isWritten[i] !== 0) writer.push(buf, off[i], len[i], current[i])
    if (p % LIMITS.slicedReadStep === 0) yield
  }
  if (isChanged) yield 'commit'
  if (added + updated > 0) call.notifyAdded(NotificationClass.sortedSet, 'zadd', 1, root !== 0)
  call.reply.integer(changes ? added + updated : added)
}

/** ZADD INCR and ZINCRBY: by scores[0], the member in an argument. */
function increment(call: Call, at: number): void {
  const o = options
  const root = rootForWrite(call, 1)
  const { writer } = call.zsets
  const { buf, off, len } = call.request
  const n = scores[0]
  writer.begin(call.database, buf, off[1], len[1], root)
  const before = writer.look(buf, off[at], len[at])
  const isThere = before === before
  const sum = isThere ? before + n : n
  if (isThere ? o.nx : o.xx) {
    call.reply.null()
    return
  }
  if (sum !== sum) throw new CommandError(NAN)
  if (isThere && ((o.lt && sum >= before) || (o.gt && sum <= before))) {
    call.reply.null()
    return
  }
  const after = isThere && n === 0 ? sum : writer.increment(buf, off[at], len[at], n, before)
  writer.end()
  if (after !== before) call.notify(NotificationClass.sortedSet, 'zincr', 1)
  replyScore(call.reply, after)
}

function zincrby(call: Call): void {
  const o = options
  o.nx = o.xx = o.gt = o.lt = false
  scores[0] = scoreArgument(call, 2)
  increment(call, 3)
}

function zrem(call: Call): void {
  const root = rootForWrite(call, 1)
  if (root === 0) {
    call.reply.integer(0)
    return
  }
  if (isLong(call, call.argc - 2)) {
    call.writeKeyInSlices(1, removeSteps(call, root))
    return
  }
  const { writer } = call.zsets
  const { buf, off, len } = call.request
  let removed = 0
  writer.begin(call.database, buf, off[1], len[1], root)
  for (let i = 2; i < call.argc && writer.root !== 0; i++) if (writer.remove(buf, off[i], len[i])) removed++
  writer.end()
  if (removed > 0) notifyRemoval(call, 'zrem', 1)
  call.reply.integer(removed)
}

/** ZREM of many. */
function* removeSteps(call: Call, root: Ref): WriteSteps {
  const { op, request, zsets } = call
  const { buf, off, len } = request
  const distinct = new DistinctRanges()
  distinct.begin(call.argc - 2)
  const remover = new ScoreRemover(op, call.place(1), false)
  for (let i = 2; i < call.argc; i++) {
    const score = zsets.score(call.db, root, buf, off[i], len[i])
    if (score === score && distinct.pick(request, i)) remover.push(buf, off[i], len[i], NO_SCORE_RESETS)
    if (i % LIMITS.slicedReadStep === 0) yield
  }
  if (remover.count === zsets.size(call.db, root)) yield* call.emptyInSteps(1)
  if (remover.count > 0) {
    yield 'commit'
    call.notify(NotificationClass.sortedSet, 'zrem', 1)
    if (call.find(1) === 0) call.notify(NotificationClass.generic, 'del', 1)
  }
  call.reply.integer(remover.count)
}

/** Members of the set that the writer has just dealt with are gone, and maybe the key. */
export function notifyRemoval(call: Call, event: string, key: number): void {
  call.notify(NotificationClass.sortedSet, event, key)
  if (call.zsets.writer.root === 0) call.notify(NotificationClass.generic, 'del', key)
}

export const WRITE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'zadd',
    arity: -4,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'update'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '1.2.0',
    summary: 'Adds members with scores to a sorted set, or gives members other scores.',
    complexity: 'O(log(N)) for each member, N being the number of members in the sorted set',
    history: [
      ['2.4.0', 'Several members at once.'],
      ['3.0.2', 'Options XX, NX, CH and INCR.'],
      ['6.2.0', 'Options GT and LT.'],
    ],
    arguments: [
      KEY,
      { ...optional(oneOf('condition', token('nx'), token('xx'))), since: '3.0.2' },
      { ...optional(oneOf('comparison', token('gt'), token('lt'))), since: '6.2.0' },
      { ...optional(token('change', 'CH')), since: '3.0.2' },
      { ...optional(token('increment', 'INCR')), since: '3.0.2' },
      { name: 'data', type: 'block', flags: ['multiple'], arguments: [{ name: 'score', type: 'double' }, MEMBER] },
    ],
    handler: zadd,
  },
  {
    name: 'zincrby',
    arity: 4,
    flags: ['write', 'denyoom', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '1.2.0',
    summary: 'Adds to the score of a member; one that is not there counts as 0.',
    complexity: 'O(log(N)), N being the number of members in the sorted set',
    arguments: [KEY, { name: 'increment', type: 'double' }, MEMBER],
    handler: zincrby,
  },
  {
    name: 'zrem',
    arity: -3,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'delete'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '1.2.0',
    summary: 'Removes members of a sorted set.',
    complexity: 'O(M*log(N)), M being the number of members to be removed and N that of members in the sorted set',
    history: [['2.4.0', 'Several members at once.']],
    arguments: [KEY, MEMBERS],
    handler: zrem,
  },
]
