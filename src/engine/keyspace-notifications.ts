import { NotificationClass } from '../base/notification-classes.js'
import { TYPE_NAMES } from '../commands/generic/type-names.js'
import type { FieldNames, NotificationService } from '../commands/services.js'
import {
  COLLECTION_SHIFT,
  EffectType,
  FIRST_COLLECTION_EFFECT,
  REMOVE_DUE,
  SET_EXPIRY_GIVEN,
  type EffectReader,
} from '../crdt/effect-reader.js'
import { KeyType } from '../keyspace/database.js'
import type { Effects } from '../keyspace/effects.js'
import { KeyPresence, type AppliedEffectListener, type FrameApplier } from '../keyspace/frame-applier.js'
import type { Keys } from '../keyspace/keys.js'
import type { Keyspace } from '../keyspace/keyspace.js'
import type { PubSub } from './pubsub.js'
import { publishFields, SUBKEY_CHANNELS } from './subkey-channels.js'

const KEY_CHANNELS = NotificationClass.keyspace | NotificationClass.keyevent
const REPLACED = NotificationClass.overwritten | NotificationClass.typeChanged
const CHANNELS = KEY_CHANNELS | SUBKEY_CHANNELS

/**
 * Keyspace events: what happened to keys, published to clients of this member only. Every member publishes for itself: what its own clients do in
 * the words of their commands, and what arrives from other members in the words of the effects (a RENAME there is a `set` and a `del`
 * here). While nothing is selected the keyspace has no listeners, so that it pays nothing.
 */
export class KeyspaceNotifications implements NotificationService, AppliedEffectListener {
  private selected = 0
  private selectsFields = false
  private selectsReplaced = false

  constructor(
    private readonly pubsub: PubSub,
    private readonly keyspace: Keyspace,
    private readonly effects: Effects,
    private readonly applier: FrameApplier,
    private readonly keys: Keys,
  ) {}

  /** Bits of NotificationClass. May change at run time. */
  get classes(): number {
    return this.selected
  }

  set classes(classes: number) {
    this.selected = (classes & CHANNELS) === 0 ? 0 : classes
    this.selectsFields = (classes & SUBKEY_CHANNELS) !== 0 && (classes & NotificationClass.hash) !== 0
    this.selectsReplaced = (classes & KEY_CHANNELS) !== 0 && (classes & REPLACED) !== 0
    const { keyspace, effects, applier } = this
    applier.listener = this.selected === 0 ? null : this
    effects.onNewKey = this.wants(NotificationClass.newKey)
      ? (database, key, off, len) => this.notify(NotificationClass.newKey, 'new', database, key, off, len)
      : null
    keyspace.missListener = this.wants(NotificationClass.keyMiss)
      ? (db, key, off, len) => this.notify(NotificationClass.keyMiss, 'keymiss', keyspace.indexOf(db), key, off, len)
      : null
  }

  /** A key went because its time was up. */
  expired(database: number, key: Uint8Array, off: number, len: number): void {
    this.notify(NotificationClass.expired, 'expired', database, key, off, len)
  }

  notify(kind: number, event: string, database: number, key: Uint8Array, off: number, len: number): void {
    const { selected, pubsub } = this
    if ((selected & kind) === 0 || (selected & KEY_CHANNELS) === 0 || pubsub.clientCount === 0) return
    const name = Buffer.from(key.subarray(off, off + len))
    const word = Buffer.from(event)
    if ((selected & NotificationClass.keyspace) !== 0) {
      pubsub.deliver(Buffer.concat([Buffer.from(`__keyspace@${database}__:`), name]), word, false)
    }
    if ((selected & NotificationClass.keyevent) !== 0) {
      pubsub.deliver(Buffer.from(`__keyevent@${database}__:${event}`), name, false)
    }
  }

  get tellsReplaced(): boolean {
    return this.selectsReplaced && this.pubsub.clientCount > 0
  }

  notifyReplaced(before: number, database: number, key: Uint8Array, off: number, len: number): void {
    this.notify(NotificationClass.overwritten, 'overwritten', database, key, off, len)
    this.notifyIfOtherType(before, database, key, off, len)
  }

  /** Says so if the key holds another type than before, to clients. */
  private notifyIfOtherType(before: number, database: number, key: Uint8Array, off: number, len: number): void {
    if (!this.wants(NotificationClass.typeChanged)) return
    const db = this.keyspace.database(database)
    const ref = db.lookup(key, off, len)
    if (TYPE_NAMES[ref === 0 ? KeyType.none : db.type(ref)] === TYPE_NAMES[before]) return
    this.notify(NotificationClass.typeChanged, 'type_changed', database, key, off, len)
  }

  get tellsFields(): boolean {
    return this.selectsFields && this.pubsub.clientCount > 0
  }

  notifyFields(event: string, database: number, key: Uint8Array, off: number, len: number, fields: FieldNames): void {
    for (const steps = this.fieldSteps(event, database, key, off, len, fields); steps.next().done !== true;);
  }

  fieldSteps(
    event: string,
    database: number,
    key: Uint8Array,
    off: number,
    len: number,
    fields: FieldNames,
  ): Generator<undefined, void> {
    return publishFields(this.pubsub, this.selected & SUBKEY_CHANNELS, event, database, key.subarray(off, off + len), fields)
  }

  /** An effect of another member was applied: says so if the key is visibly concerned. */
  effectApplied(effect: EffectReader, before: KeyPresence, typeBefore: number): void {
    const { type, database, bytes, keyOff, keyLen } = effect
    if (type === EffectType.flushDb) return
    const db = this.keyspace.database(database)
    const ref = db.lookup(bytes, keyOff, keyLen)
    const isVisible = ref !== 0 && this.keyspace.isVisible(db, ref)
    if (isVisible && before === KeyPresence.visible && this.selectsReplaced) {
      if (type === EffectType.setString) this.notifyReplaced(typeBefore, database, bytes, keyOff, keyLen)
      else this.notifyIfOtherType(typeBefore, database, bytes, keyOff, keyLen)
    }
    if (type === EffectType.remove) {
      if (before === KeyPresence.absent || isVisible) return
      if ((effect.flags & REMOVE_DUE) !== 0) this.expired(database, bytes, keyOff, keyLen)
      else if (before === KeyPresence.visible) this.tell(effect, NotificationClass.generic, 'del')
      return
    }
    if (type >= FIRST_COLLECTION_EFFECT) {
      const keyType = type >> COLLECTION_SHIFT
      const root = ref !== 0 && db.type(ref) === keyType ? db.root(ref) : 0
      const store = this.keys.store(keyType)
      const end = effect.rewind()
      const event = store.eventOf(effect, db, root)
      effect.goOn(end)
      if (isVisible && before !== KeyPresence.visible) this.tell(effect, NotificationClass.newKey, 'new')
      if (event !== null && (isVisible || before === KeyPresence.visible)) {
        this.tell(effect, event.kind, event.event)
        if (this.tellsFields && store.fieldsOf !== undefined) {
          effect.rewind()
          const fields = store.fieldsOf(effect, db, root)
          effect.goOn(end)
          if (fields.count > 0) this.notifyFields(event.event, database, bytes, keyOff, keyLen, fields)
        }
      }
      if (!isVisible && before === KeyPresence.visible) this.tell(effect, NotificationClass.generic, 'del')
      return
    }
    if (!isVisible) return
    if (before !== KeyPresence.visible) this.tell(effect, NotificationClass.newKey, 'new')
    if (type === EffectType.expire) {
      this.tell(effect, NotificationClass.generic, effect.at === Infinity ? 'persist' : 'expire')
      return
    }
    this.tell(effect, NotificationClass.string, STRING_EVENTS[type] ?? 'set')
    if (type === EffectType.setString && (effect.flags & SET_EXPIRY_GIVEN) !== 0) {
      this.tell(effect, NotificationClass.generic, 'expire')
    }
  }

  private tell({ database, bytes, keyOff, keyLen }: EffectReader, kind: number, event: string): void {
    this.notify(kind, event, database, bytes, keyOff, keyLen)
  }

  private wants(kind: number): boolean {
    return (this.selected & kind) !== 0
  }
}

const STRING_EVENTS: Readonly<Record<number, string>> = {
  [EffectType.setString]: 'set',
  [EffectType.increment]: 'incrby',
  [EffectType.append]: 'append',
  [EffectType.setRange]: 'setrange',
  [EffectType.setBits]: 'setbit',
}
