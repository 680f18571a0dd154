import { NotificationClass } from '../../base/notification-classes.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import { MEMBER, MEMBERS, replyScore, rootForWrite, scoreArgument } from './arguments.js'

/** ZADD, ZINCRBY, ZREM. Conditions are looked at here; what is replicated is the score, the increment, the removal. */
const NAN = 'ERR resulting score is not a number (NaN)'

/** Parsed scores of a ZADD; one array for all. */
let scores = new Float64Array(16)

const options = { nx: false, xx: false, gt: false, lt: false, incr: false }

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
    if (before !== before) {
      if (o.xx) continue
      added++
    } else {
      if (o.nx || (o.lt && score >= before) || (o.gt && score <= before)) continue
      if (score !== before) updated++
    }
    writer.write(buf, off[at], len[at], score, before)
  }
  writer.end()
  if (added + updated > 0) call.notify(NotificationClass.sortedSet, 'zadd', 1)
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
  const sum = (isThere ? before : 0) + n
  if (isThere ? o.nx : o.xx) {
    call.reply.null()
    return
  }
  if (sum !== sum) throw new CommandError(NAN)
  if (isThere && ((o.lt && sum >= before) || (o.gt && sum <= before))) {
    call.reply.null()
    return
  }
  const after = isThere && n === 0 ? before : writer.increment(buf, off[at], len[at], n, before)
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
  const { writer } = call.zsets
  const { buf, off, len } = call.request
  let removed = 0
  writer.begin(call.database, buf, off[1], len[1], root)
  for (let i = 2; i < call.argc && writer.root !== 0; i++) if (writer.remove(buf, off[i], len[i])) removed++
  writer.end()
  if (removed > 0) notifyRemoval(call, 'zrem', 1)
  call.reply.integer(removed)
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
