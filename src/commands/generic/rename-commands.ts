import { NotificationClass } from '../../base/notification-classes.js'
import { KeyType } from '../../keyspace/database.js'
import type { Ref } from '../../memory/arena.js'
import { databaseArgument } from '../database-argument.js'
import type { Call } from '../call.js'
import { CommandError, Errors, syntaxError } from '../command-error.js'
import { keyRange, type ArgumentSpec, type CommandSpec } from '../command-spec.js'
import type { KeyToHold } from '../services.js'
import { copyValue, isAllDue } from './whole-values.js'

const SAME_OBJECT = 'ERR source and destination objects are the same'

const RENAME_ARGUMENTS: readonly ArgumentSpec[] = [
  { name: 'key', type: 'key', keySpecIndex: 0 },
  { name: 'newkey', type: 'key', keySpecIndex: 1 },
]

/**
 * RENAME, RENAMENX, COPY, MOVE. The value travels as a write of its visible text with its expiry, in the same op as the removal: a concurrent
 * write to the old name stays there, and what other regions add to a counter under its old name meanwhile is not carried along.
 */
export const RENAME_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'rename',
    arity: 3,
    flags: ['write'],
    keys: [...keyRange(1, 1, 1, 'RW', 'access', 'delete'), ...keyRange(2, 2, 1, 'OW', 'update')],
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Gives a value another key, in place of what that key holds.',
    complexity: 'O(N), N being the length of the value',
    arguments: RENAME_ARGUMENTS,
    handler: (call) => rename(call, false, () => call.reply.ok()),
  },
  {
    name: 'renamenx',
    arity: 3,
    flags: ['write', 'fast'],
    keys: [...keyRange(1, 1, 1, 'RW', 'access', 'delete'), ...keyRange(2, 2, 1, 'OW', 'insert')],
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    history: [['3.2.0', 'Equal names are no error any more.']],
    summary: 'Gives a value another key, if that key holds nothing.',
    complexity: 'O(N), N being the length of the value',
    arguments: RENAME_ARGUMENTS,
    handler: (call) => rename(call, true, (isDone) => call.reply.integer(isDone ? 1 : 0)),
  },
  {
    name: 'copy',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [...keyRange(1, 1, 1, 'RO', 'access'), ...keyRange(2, 2, 1, 'OW', 'update')],
    group: 'generic',
    categories: ['keyspace'],
    since: '6.2.0',
    summary: 'Copies a value to another key, also of another database.',
    complexity: 'O(N), N being the length of the value',
    arguments: [
      { name: 'source', type: 'key', keySpecIndex: 0 },
      { name: 'destination', type: 'key', keySpecIndex: 1 },
      { name: 'destination-db', type: 'integer', token: 'DB', flags: ['optional'] },
      { name: 'replace', type: 'pure-token', token: 'REPLACE', flags: ['optional'] },
    ],
    handler: copy,
  },
  {
    name: 'move',
    arity: 3,
    flags: ['write', 'fast'],
    keys: keyRange(1, 1, 1, 'RW', 'access', 'update'),
    group: 'generic',
    categories: ['keyspace'],
    since: '1.0.0',
    summary: 'Moves a key to another database, if that one has none of its name.',
    complexity: 'O(N), N being the length of the value',
    arguments: [
      { name: 'key', type: 'key', keySpecIndex: 0 },
      { name: 'db', type: 'integer' },
    ],
    handler: (call) => {
      const to = databaseArgument(call, 2)
      if (to === call.database) throw new CommandError(SAME_OBJECT)
      const ref = call.find(1)
      if (ref === 0 || call.typeOf(1, to) !== KeyType.none) {
        call.reply.integer(0)
        return
      }
      if (carriesLong(call, ref, to, 1, true)) {
        const said = () => {
          call.notify(NotificationClass.newKey, 'new', 1, to)
          call.notify(NotificationClass.generic, 'move_from', 1)
          call.notify(NotificationClass.generic, 'move_to', 1, to)
          call.reply.integer(1)
        }
        carryInSlices(call, ref, to, 1, true, said)
        return
      }
      carry(call, ref, to, 1)
      removeKey(call, 1)
      call.notify(NotificationClass.generic, 'move_from', 1)
      call.notify(NotificationClass.generic, 'move_to', 1, to)
      call.reply.integer(1)
    },
  },
]

/** done is told false when the new name was taken, or is the old one, and that counts. */
function rename(call: Call, onlyIfFree: boolean, done: (isDone: boolean) => void): void {
  const ref = call.find(1)
  if (ref === 0) throw new CommandError(Errors.noSuchKey)
  const before = call.typeOf(2)
  if (call.areSame(1, 2) || (onlyIfFree && before !== KeyType.none)) {
    done(false)
    return
  }
  const said = () => {
    call.notify(NotificationClass.generic, 'rename_from', 1)
    call.notify(NotificationClass.generic, 'rename_to', 2)
    call.notifyReplaced(before, 2)
    done(true)
  }
  if (carriesLong(call, ref, call.database, 2, true)) {
    carryInSlices(call, ref, call.database, 2, true, () => {
      call.notify(NotificationClass.newKey, 'new', 2)
      said()
    })
    return
  }
  carry(call, ref, call.database, 2)
  removeKey(call, 1)
  said()
}

function copy(call: Call): void {
  let to = call.database
  let replace = false
  for (let i = 3; i < call.argc; i++) {
    if (call.is(i, 'REPLACE')) replace = true
    else if (call.is(i, 'DB') && i + 1 < call.argc) to = databaseArgument(call, ++i)
    else throw syntaxError()
  }
  if (to === call.database && call.areSame(1, 2)) throw new CommandError(SAME_OBJECT)
  const ref = call.findForRead(1)
  const before = call.typeOf(2, to)
  // What is due is not copied; of a hash with nothing else there is nothing to copy.
  if (ref === 0 || isAllDue(call, ref) || (!replace && before !== KeyType.none)) {
    call.reply.integer(0)
    return
  }
  if (carriesLong(call, ref, to, 2, false)) {
    carryInSlices(call, ref, to, 2, false, () => {
      call.notifyStored(NotificationClass.generic, 'copy_to', 2, to)
      call.notifyReplaced(before, 2, to)
      call.reply.integer(1)
    })
    return
  }
  carry(call, ref, to, 2)
  call.notify(NotificationClass.generic, 'copy_to', 2, to)
  call.notifyReplaced(before, 2, to)
  call.reply.integer(1)
}

/** True when a record's collection is to be carried to the key in argument i in slices. */
function carriesLong(call: Call, ref: Ref, database: number, i: number, removes: boolean): boolean {
  const { db, keys, long } = call
  const type = db.type(ref)
  if (!long.canCopy(type)) return false
  const places = [call.place(i, database), ...(removes ? [call.place(1)] : [])]
  return call.isLongWrite(keys.parts(type, db, db.root(ref)), ...places)
}

/** As carry, and as removeKey if it says so. */
function carryInSlices(call: Call, ref: Ref, database: number, i: number, removes: boolean, done: () => void): void {
  const keys: KeyToHold[] = [
    { database: call.database, argument: 1, isWritten: removes },
    { database, argument: i, isWritten: true },
  ]
  call.writeInSlices(keys, carrySteps(call, ref, database, i, removes, done))
}

function* carrySteps(
  call: Call,
  ref: Ref,
  database: number,
  i: number,
  removes: boolean,
  done: () => void,
): Generator<undefined | 'commit', void> {
  const { op, long } = call
  yield* long.copy(op, call.db, ref, call.place(i, database))
  if (removes) yield* long.remove(op, call.place(1))
  yield 'commit'
  done()
}

/** Writes the value and expiry of a record of the selected database to the key in argument i of another, or the same, database. */
function carry(call: Call, ref: Ref, database: number, i: number): void {
  const { buf, off, len } = call.request
  const writesOver = call.db.type(ref) === KeyType.string && call.typeOf(i, database) !== KeyType.none
  copyValue(call, call.db, ref, database, buf, off[i], len[i])
  // To Redis what is replaced goes first, as it does here for all but a string.
  if (writesOver) call.notify(NotificationClass.newKey, 'new', i, database)
}

function removeKey(call: Call, i: number): void {
  const { buf, off, len } = call.request
  call.effects.remove(call.database, buf, off[i], len[i])
}
