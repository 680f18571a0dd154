import { LIMITS } from '../../base/limits.js'
import { NotificationClass } from '../../base/notification-classes.js'
import { ZsetCursor } from '../../keyspace/zset-cursor.js'
import type { Ref } from '../../memory/arena.js'
import type { Call } from '../call.js'
import { CommandError, syntaxError } from '../command-error.js'
import { keyRange, type CommandSpec } from '../command-spec.js'
import type { KeyToHold } from '../services.js'
import { KEY, oneOf, optional, token } from '../string/arguments.js'
import { countedKeys, NUMKEYS, replyScore, rootForWrite, SOME_KEYS } from './arguments.js'
import { notifyRemoval } from './write-commands.js'

/** ZPOPMIN, ZPOPMAX, ZMPOP. */
const NOT_POSITIVE = 'ERR value is out of range, must be positive'

function zpop(call: Call, max: boolean): void {
  if (call.argc > 3) throw syntaxError()
  const counted = call.argc === 3
  const count = counted ? call.integer(2, NOT_POSITIVE) : 1
  if (count < 0) throw new CommandError(NOT_POSITIVE)
  const root = rootForWrite(call, 1)
  const { reply, zsets, db } = call
  const pops = root === 0 ? 0 : Math.min(count, zsets.size(db, root))
  const nested = counted && reply.protocol === 3
  if (call.isLongWrite(pops, 1)) {
    call.writeKeyInSlices(1, popSteps(call, 1, root, max, pops, nested))
    return
  }
  reply.array(nested ? pops : pops * 2)
  if (pops > 0) popMembers(call, 1, root, max, pops, nested)
}

/** Takes many members out and replies with them, the array's header included. */
function* popSteps(
  call: Call,
  key: number,
  root: Ref,
  max: boolean,
  count: number,
  nested: boolean,
): Generator<undefined | 'commit', void> {
  const { op, reply, zsets, db, long } = call
  const size = zsets.size(db, root)
  const cursor = zsets.seek(db, root, max ? size - 1 : 0, new ZsetCursor())
  reply.array(nested ? count : count * 2)
  for (let left = count; left > 0; left--) {
    if (nested) reply.array(2)
    reply.bulk(cursor.buf, cursor.off, cursor.len)
    replyScore(reply, cursor.score)
    if (left > 1) cursor.step(!max)
    if (left % LIMITS.slicedReadStep === 0) yield
  }
  const at = call.place(key)
  if (count === size) yield* long.remove(op, at)
  else yield* zsets.buildRemoval(db, root, max ? size - count : 0, max ? size : count, op, at)
  yield 'commit'
  call.notify(NotificationClass.sortedSet, max ? 'zpopmax' : 'zpopmin', key)
  if (count === size) call.notify(NotificationClass.generic, 'del', key)
}

function* multiPopSteps(call: Call, key: number, root: Ref, max: boolean, count: number): Generator<undefined | 'commit', void> {
  const { buf, off, len } = call.request
  call.reply.array(2)
  call.reply.bulk(buf, off[key], len[key])
  yield* popSteps(call, key, root, max, count, true)
}

/** Takes so many members out and replies with them; the array's header stands already. */
export function popMembers(call: Call, key: number, root: Ref, max: boolean, count: number, nested: boolean): void {
  const { reply, zsets, db } = call
  const { buf, off, len } = call.request
  const { writer } = zsets
  writer.begin(call.database, buf, off[key], len[key], root)
  for (let left = count; left > 0; left--) {
    const cursor = zsets.seek(db, writer.root, max ? zsets.size(db, writer.root) - 1 : 0)
    if (nested) reply.array(2)
    reply.bulk(cursor.buf, cursor.off, cursor.len)
    replyScore(reply, cursor.score)
    writer.remove(cursor.buf, cursor.off, cursor.len)
  }
  writer.end()
  notifyRemoval(call, max ? 'zpopmax' : 'zpopmin', key)
}

/** Arguments of ZMPOP and BZMPOP from the number of keys on. */
export interface MultiPop {
  readonly firstKey: number
  readonly keys: number
  readonly max: boolean
  readonly count: number
}

export function parseMultiPop(call: Call, at: number): MultiPop {
  const keys = call.integer(at, 'ERR numkeys should be greater than 0')
  if (keys < 1) throw new CommandError('ERR numkeys should be greater than 0')
  const where = at + keys + 1
  if (where >= call.argc) throw syntaxError()
  const max = call.is(where, 'MAX')
  if (!max && !call.is(where, 'MIN')) throw syntaxError()
  let count = 0
  for (let i = where + 1; i < call.argc; i += 2) {
    if (count > 0 || !call.is(i, 'COUNT') || i + 1 >= call.argc) throw syntaxError()
    count = call.integer(i + 1, 'ERR count should be greater than 0')
    if (count < 1) throw new CommandError('ERR count should be greater than 0')
  }
  return { firstKey: at + 1, keys, max, count: Math.max(1, count) }
}

/** Pops from the first key that has something, much of it in slices; false when none has. */
export function multiPop(call: Call, { firstKey, keys, max, count }: MultiPop): boolean {
  const { reply, zsets, db } = call
  for (let key = firstKey; key < firstKey + keys; key++) {
    const root = rootForWrite(call, key)
    if (root === 0) continue
    const pops = Math.min(count, zsets.size(db, root))
    if (call.isLongWrite(pops, key)) {
      // Those before it are held too: no sorted set may come there.
      const held: KeyToHold[] = []
      for (let i = firstKey; i <= key; i++) held.push({ database: call.database, argument: i, isWritten: i === key })
      call.writeInSlices(held, multiPopSteps(call, key, root, max, pops))
      return true
    }
    reply.array(2)
    reply.bulk(call.request.buf, call.request.off[key], call.request.len[key])
    reply.array(pops)
    popMembers(call, key, root, max, pops, true)
    return true
  }
  return false
}

function zmpop(call: Call): void {
  const pop = parseMultiPop(call, 1)
  if (!multiPop(call, pop)) call.reply.nullArray()
}

function popSpec(name: string, summary: string, max: boolean): CommandSpec {
  return {
    name,
    arity: -2,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'delete'),
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '5.0.0',
    summary,
    complexity: 'O(log(N)*M), N being the number of members in the sorted set and M that of those popped',
    arguments: [KEY, { name: 'count', type: 'integer', flags: ['optional'] }],
    handler: (call) => zpop(call, max),
  }
}

export const WHERE = oneOf('where', token('min'), token('max'))
export const POP_COUNT = optional({ name: 'count', type: 'integer', token: 'COUNT' })

export const POP_COMMANDS: readonly CommandSpec[] = [
  popSpec('zpopmin', 'Removes and lists the members with the lowest scores.', false),
  popSpec('zpopmax', 'Removes and lists the members with the highest scores.', true),
  {
    name: 'zmpop',
    arity: -4,
    flags: ['write', 'movablekeys'],
    keys: [countedKeys(1, 'RW', 'access', 'delete')],
    group: 'sorted-set',
    categories: ['sortedset'],
    since: '7.0.0',
    summary: 'Removes and lists members with the lowest or highest scores of the first sorted set that has any.',
    complexity: 'O(K) + O(M*log(N)), K being the number of keys, N that of members in the sorted set and M that of those popped',
    arguments: [NUMKEYS, SOME_KEYS, WHERE, POP_COUNT],
    handler: zmpop,
  },
]
