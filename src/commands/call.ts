import { NotificationClass } from '../base/notification-classes.js'
import { equalBytes, equalsWord, faithfulUtf8, INT64_MIN, parseInteger, parseInteger64 } from '../base/bytes.js'
import type { ReplyWriter } from '../resp/reply-writer.js'
import type { Request } from '../resp/request.js'
import type { Ref } from '../memory/arena.js'
import { KeyType, type Database } from '../keyspace/database.js'
import type { OpBuilder } from '../crdt/op-builder.js'
import type { KeyPlace } from '../keyspace/collection-store.js'
import type { Effects } from '../keyspace/effects.js'
import type { Collections } from '../keyspace/collections.js'
import type { Keys } from '../keyspace/keys.js'
import type { LongEffects } from '../keyspace/long-effects.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { StringStore } from '../keyspace/string-store.js'
import type { ZsetStore } from '../keyspace/zset-store.js'
import { CommandError, Errors, EXCERPT_BYTES } from './command-error.js'
import type { CommandSpec } from './command-spec.js'
import type { EngineService, KeyRange, KeyToHold, KeyWait, ReadSteps, Services, WriteSteps } from './services.js'
import type { Session } from './session.js'

/**
 * One command being run: arguments, reply and everything a handler may use. There is one Call an engine, reused for each command.
 *
 * A handler parses and checks everything first (throwing CommandError), then reads, then changes data by `effects`, then replies. After the
 * first effect it must not throw.
 */
export class Call {
  session!: Session
  request!: Request
  reply!: ReplyWriter
  command!: CommandSpec
  /** The session's selected database. */
  db!: Database

  constructor(
    readonly keyspace: Keyspace,
    readonly strings: StringStore,
    readonly keys: Keys,
    readonly collections: Collections,
    readonly effects: Effects,
    readonly long: LongEffects,
    readonly services: Services,
    readonly engine: EngineService,
  ) {}

  /** The next command is this one. */
  begin(session: Session, request: Request, reply: ReplyWriter, command: CommandSpec): void {
    this.session = session
    this.request = request
    this.reply = reply
    this.command = command
    this.db = this.keyspace.database(session.database)
  }

  get zsets(): ZsetStore {
    return this.collections.zsets
  }

  get argc(): number {
    return this.request.argc
  }

  /** Number of the selected database. */
  get database(): number {
    return this.session.database
  }

  /** Unix ms; one value for the whole command, transaction and turn. */
  get nowMs(): number {
    return this.keyspace.nowMs
  }

  /** The record of the key in argument i if it has a visible value, else 0. For writes: leaves statistics and access clock alone. */
  find(i: number): Ref {
    const { buf, off, len } = this.request
    return this.keyspace.find(this.db, buf, off[i], len[i])
  }

  /** As find, for reads: counts hits and misses and moves the access clock (unless CLIENT NO-TOUCH). */
  findForRead(i: number): Ref {
    const { buf, off, len } = this.request
    return this.keyspace.findForRead(this.db, buf, off[i], len[i], !this.session.noTouch)
  }

  /** As find, for commands that ask about a key but do not use its value: counts hits and misses, leaves the access clock alone. */
  findUntouched(i: number): Ref {
    const { buf, off, len } = this.request
    return this.keyspace.findForRead(this.db, buf, off[i], len[i], false)
  }

  /** As findUntouched, without a keymiss event: OBJECT. */
  findSilently(i: number): Ref {
    const { keyspace } = this
    const { missListener } = keyspace
    keyspace.missListener = null
    const ref = this.findUntouched(i)
    keyspace.missListener = missListener
    return ref
  }

  /** KeyType of the visible value of the key in argument i, KeyType.none for none. */
  typeOf(i: number, database = this.session.database): number {
    const { buf, off, len } = this.request
    const db = this.keyspace.database(database)
    const ref = this.keyspace.find(db, buf, off[i], len[i])
    return ref === 0 ? KeyType.none : db.type(ref)
  }

  /** The same of a key that is about to be written over, for notifyReplaced and for nothing else: KeyType.none too while nobody is to hear of it. */
  typeToReplace(i: number): number {
    return this.engine.notifications.tellsReplaced ? this.typeOf(i) : KeyType.none
  }

  /** find, and WRONGTYPE unless it is a string or there is none. */
  findString(i: number): Ref {
    return this.mustBeString(this.find(i))
  }

  findStringForRead(i: number): Ref {
    return this.mustBeString(this.findForRead(i))
  }

  mustBeString(ref: Ref): Ref {
    if (ref !== 0 && !this.isString(ref)) throw new CommandError(Errors.wrongType)
    return ref
  }

  /** True for a record that clients take for a string: a HyperLogLog is one to them. */
  isString(ref: Ref): boolean {
    const type = this.db.type(ref)
    return type === KeyType.string || type === KeyType.hll
  }

  /** find, and WRONGTYPE unless it holds this type or there is none. For writes. */
  findTyped(i: number, type: number): Ref {
    return this.mustBe(this.find(i), type)
  }

  findTypedForRead(i: number, type: number): Ref {
    return this.mustBe(this.findForRead(i), type)
  }

  mustBe(ref: Ref, type: number): Ref {
    if (ref !== 0 && this.db.type(ref) !== type) throw new CommandError(Errors.wrongType)
    return ref
  }

  /** The root of the collection in a record that findTyped gave; 0 for none. */
  root(ref: Ref): Ref {
    return ref === 0 ? 0 : this.db.root(ref)
  }

  /**
   * The command found nothing at its keys and waits: the handler returns without a reply. Inside EXEC nothing waits: the reply is that of a time
   * that is up. May throw, so it comes before any effect. A blocking command is written so:
   *
   *   const timeoutMs = blockingTimeout(call, call.argc - 1)       // parse and check everything first
   *   if (popFirst(call)) return                                   // true: popped and replied
   *   call.blockOn({ firstKey: 1, keyCount: call.argc - 2, type: KeyType.list, timeoutMs, retry: popFirst })
   *
   * retry is called, as an op of its own, whenever one of the keys has changed and holds the type, by whatever way: command, transaction, remote op. It may
   * be a closure that keeps what the arguments meant when the command came ($ of XREAD). Clients are tried in the order in which
   * they began to wait, never in the middle of a transaction.
   */
  blockOn(wait: KeyWait): void {
    if (!this.engine.isInExec) this.engine.blocking.block(this, wait)
    else if (wait.timedOut === undefined) this.reply.nullArray()
    else wait.timedOut(this.reply)
  }

  /** True when a command that only reads, and looks at so many elements, is to do so in slices. */
  isLong(elements: number): boolean {
    return elements > this.engine.slicing.readElements && !this.engine.goesInOneGo && this.engine.slices.mayBegin
  }

  /**
   * The command reads its keys, arguments firstKey .. firstKey + keyCount - 1, a slice a turn: the handler returns without a reply. The steps write the
   * reply to `reply`, which is not the handler's; whenever a key changes the handler is run again and gives fresh steps. A generator does, as it
   * does nothing before it is asked for the first step. Steps may keep places in collections, and must not use cursors that they share with other commands.
   * prefixes: what keys begin with that it reads beside those. They are kept. A keyCount of 0: it reads none, and is long by its arguments alone.
   */
  readInSlices(firstKey: number, keyCount: number, steps: ReadSteps, prefixes: readonly Uint8Array[] = []): void {
    if (!this.goesWithExec(steps)) this.engine.slices.begin(this, firstKey, keyCount, steps, prefixes)
  }

  /** The same steps in slices or in one go, as the number of elements that they look at demands. */
  read(firstKey: number, keyCount: number, elements: number, steps: ReadSteps, prefixes?: readonly Uint8Array[]): void {
    if (this.isLong(elements)) this.readInSlices(firstKey, keyCount, steps, prefixes)
    else while (steps.next().done !== true);
  }

  /** Elements that a write may change in one go. */
  get shortWriteElements(): number {
    return this.engine.slicing.writeElements
  }

  /**
   * True when a command that changes so many elements is to do so in slices. `removed`: arguments of the selected database, or of another one, whose keys
   * it replaces or removes.
   */
  isLongWrite(elements: number, ...removed: readonly (number | KeyPlace)[]): boolean {
    if (elements <= this.engine.slicing.writeElements || this.engine.goesInOneGo) return false
    return removed.every((each) => this.long.canRemove(typeof each === 'number' ? this.place(each) : each))
  }

  /**
   * isLongWrite for a command that brings the elements itself, and builds on what is at its only key, argument 1. Costs short ones next to nothing.
   */
  bringsMany(elements: number): boolean {
    return elements > this.engine.slicing.writeElements && this.isLongWrite(elements, 1)
  }

  /**
   * The command writes in slices: the handler returns without a reply and without effects. It is run again when its turn has come, and then the steps are
   * gone through while its keys are held, so they do not change under it. The steps
   *
   *   1. read, and write the effects into `op` (OpBuilder, LongEffects), which changes nothing yet; what throws a CommandError ends the command;
   *   2. yield 'commit', unless there is nothing to change: op is logged and applied before they are asked to go on;
   *   3. publish events and reply, in one go.
   *
   * The reply may be begun before. Steps that have written nothing yet may yield 'again', but not in EXEC: then the handler is run once more, its keys held, for it will be shorter, or
   * wait, now that they have made something ready that is no part of the data. As for readInSlices, steps must not use cursors that they share, and do nothing before they are asked for the first step.
   * prefixes: what keys begin with that they read besides. They are kept.
   */
  writeInSlices(keys: readonly KeyToHold[], steps: WriteSteps, prefixes: readonly Uint8Array[] = []): void {
    if (!this.goesWithExec(steps)) this.engine.longWrites.begin(this, keys, steps, prefixes)
  }

  /** True when a command that changes so many keys, or (isRead) looks at so many, is to do so in slices: see workOnKeysInSlices. */
  hasManyKeys(keys: number, isRead = false): boolean {
    const { slicing } = this.engine
    return keys > (isRead ? slicing.readElements : slicing.writeElements) && !this.engine.goesInOneGo
  }

  /**
   * As writeInSlices, for a command of very many keys, also for one that only reads them: it never starts again, others that would write them wait. The handler has
   * looked at none of them: they are held, some hundred a step, before the steps begin. Behind the commit there may be more than one step, and where the effects
   * cannot be said beforehand the steps yield 'at-once' instead, and then write them in one go.
   */
  workOnKeysInSlices(keys: KeyRange, steps: WriteSteps): void {
    if (!this.goesWithExec(steps)) this.engine.longWrites.begin(this, keys, steps)
  }

  /** True inside EXEC, which goes through the steps itself: everything is held for it, so a read does not start again and a write needs no keys of its own. */
  private goesWithExec(steps: WriteSteps): boolean {
    const { engine } = this
    if (engine.isInExec) engine.goInSteps(this, steps)
    return engine.isInExec
  }

  /** The first step of a write in slices that makes the collection in argument i, of which clients see nothing: what is left of it goes, as in openCollection. */
  *clearInSteps(i: number): Generator<undefined, void> {
    yield* this.long.remove(this.op, this.place(i))
  }

  /**
   * The last step of one that removes all elements of the collection in argument i. A member that is alone says that the expiry goes with the key, as in
   * closeCollection: in a mesh that stays until it is stable.
   */
  *emptyInSteps(i: number): Generator<undefined, void> {
    if (this.effects.solo) yield* this.long.remove(this.op, this.place(i))
  }

  /** Events of a write that has added to the collection in argument i, and has not said itself that it is new. */
  notifyAdded(kind: number, event: string, i: number, wasThere: boolean): void {
    if (wasThere) this.notify(kind, event, i)
    else this.notifyStored(kind, event, i)
  }

  /** The same, where the only key is that in argument i, which is written. */
  writeKeyInSlices(i: number, steps: WriteSteps): void {
    this.writeInSlices([{ database: this.database, argument: i, isWritten: true }], steps)
  }

  /** Where the steps of a write in slices write their effects. */
  get op(): OpBuilder {
    return this.engine.op
  }

  /** The key in argument i. */
  place(i: number, database = this.session.database): KeyPlace {
    const { buf, off, len } = this.request
    return { database, key: buf, off: off[i], len: len[i] }
  }

  /** Publishes a keyspace event (a class of NotificationClass, Redis' word) about the key in argument i. Called after its effect. */
  notify(kind: number, event: string, i: number, database = this.session.database): void {
    const { buf, off, len } = this.request
    this.engine.notifications.notify(kind, event, database, buf, off[i], len[i])
  }

  /** Events of the key in argument i, which held a value of type `before` (typeOf, typeToReplace) and has been given another one; none if it held nothing. */
  notifyReplaced(before: number, i: number, database = this.session.database): void {
    if (before === KeyType.none || !this.engine.notifications.tellsReplaced) return
    const { buf, off, len } = this.request
    this.engine.notifications.notifyReplaced(before, database, buf, off[i], len[i])
  }

  /** As notify, for a key that a write in slices has made. */
  notifyStored(kind: number, event: string, i: number, database = this.session.database): void {
    this.notify(NotificationClass.newKey, 'new', i, database)
    this.notify(kind, event, i, database)
  }

  /**
   * Says that the key in argument i holds a result of so many elements, in place of what it held before (typeOf), and replies with their number. Only a key that
   * did not exist is new, though the result is written after what was there went.
   */
  stored(kind: number, event: string, i: number, count: number, before: number): void {
    const existed = before !== KeyType.none
    if (count > 0) {
      this.notifyReplaced(before, i)
      this.notifyAdded(kind, event, i, existed)
    } else if (existed) this.notify(NotificationClass.generic, 'del', i)
    this.reply.integer(count)
  }

  /** True when two arguments are the same bytes. */
  areSame(i: number, j: number): boolean {
    const { buf, off, len } = this.request
    return len[i] === len[j] && equalBytes(buf, off[i], buf, off[j], len[i])
  }

  /** Case-insensitive comparison of argument i with an upper-case word. */
  is(i: number, word: string): boolean {
    return equalsWord(this.request.buf, this.request.off[i], this.request.len[i], word)
  }

  /** Argument i as text; what is not UTF-8 of it is sent back as it is in an error. */
  text(i: number): string {
    return faithfulUtf8(this.request.buf, this.request.off[i], this.request.len[i])
  }

  /** As much of argument i as an error shows that is about a word: its first 128 bytes. */
  excerpt(i: number): string {
    return faithfulUtf8(this.request.buf, this.request.off[i], Math.min(this.request.len[i], EXCERPT_BYTES))
  }

  /** Argument i as a view; valid while the command runs. */
  bytes(i: number): Uint8Array {
    const start = this.request.off[i]
    return this.request.buf.subarray(start, start + this.request.len[i])
  }

  /** Argument i as a signed 64-bit integer, as a number: beyond 2^53 it is only near. Throws Redis' error. */
  integer(i: number, error: string = Errors.notInteger): number {
    const { buf, off, len } = this.request
    const small = parseInteger(buf, off[i], len[i])
    if (small === small) return small
    return Number(this.integer64(i, error))
  }

  /** Argument i as a signed 64-bit integer, exactly. */
  integer64(i: number, error: string = Errors.notInteger): bigint {
    const { buf, off, len } = this.request
    const value = parseInteger64(buf, off[i], len[i])
    if (value === null) throw new CommandError(error)
    return value
  }

  /** As integer64, but without the one value that has no negative. */
  negatableInteger64(i: number): bigint {
    const value = this.integer64(i)
    if (value === INT64_MIN) throw new CommandError(Errors.notNegatable)
    return value
  }
}
