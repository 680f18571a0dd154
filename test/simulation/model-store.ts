import type { EffectBody, Expiry, PlacedEffect } from './effects.js'
import type { Reply } from './reply.js'
import { typeNamed } from './types/all-types.js'
import {
  isDue,
  presentAt,
  type FieldView,
  type DueFields,
  type KeyView,
  type TypeName,
  type Value,
  type ValueOf,
} from './values.js'

/** What a client does not see of a key, but a member that makes effects must know. Where it is not sure, more does no harm. */
export interface HiddenFacts {
  /**
   * An absent key still has an expiry which nothing has removed (a DEL and a concurrent EXPIRE): a write must remove that first,
   * or the new value would inherit it.
   */
  hasOrphanExpiry(db: number, key: string): boolean
  /** There are increments on the key: an edit becomes a write of the whole text. */
  hasIncrements(db: number, key: string): boolean
  /** Types (KeyType) of which something was ever written to the key: a write of another one removes them. */
  typesOn(db: number, key: string): readonly number[]
}

/** A command meets a key that holds something else. */
export class WrongType extends Error {}

/**
 * What one client sees of the keys while its commands run: the state before, and the commands' own writes over it. Also collects
 * the writes as abstract effects, for the members that the simulator's own tests use.
 */
export class ModelStore {
  private readonly written = new Map<string, KeyView | null>()
  private readonly flushed = new Set<number>()
  /** Keys whose values commands have looked into. */
  private readonly seen = new Set<string>()
  private readonly seenNow = new Set<string>()
  readonly effects: PlacedEffect[] = []
  /** What a member answered to the command at hand, for commands that may choose. */
  hint: Reply | null = null

  constructor(
    private readonly before: (db: number, key: string) => KeyView | null,
    readonly nowMs: number,
    private readonly facts: HiddenFacts | null = null,
    private readonly dueFieldsAre: DueFields = 'gone',
    /** The member whose client it is. */
    readonly self = 0,
  ) {}

  /** The key as a client sees it: what is due is gone. */
  read(db: number, key: string): KeyView | null {
    const stored = this.stored(db, key)
    const present = presentAt(stored, this.nowMs)
    if (present !== null || stored === null || isDue(stored.expireAt, this.nowMs)) return present
    return this.keepsDue(db, key) ? { ...stored, value: { type: 'hash', fields: new Map() } } : null
  }

  /** Fields of a hash that are due and may not have been removed. */
  dueFields(db: number, key: string): (readonly [string, FieldView])[] {
    const stored = this.stored(db, key)
    if (this.read(db, key) === null || stored?.value.type !== 'hash') return []
    return [...stored.value.fields].filter(([, { expireAt }]) => isDue(expireAt, this.nowMs))
  }

  private keepsDue(db: number, key: string): boolean {
    return this.dueFieldsAre === 'here' || (this.dueFieldsAre === 'gone once seen' && !this.seen.has(`${db}:${key}`))
  }

  /** The value of a key that must hold one type or nothing. @throws WrongType */
  typed<T extends TypeName>(db: number, key: string, type: T): ValueOf<T> | null {
    const view = this.read(db, key)
    if (view === null) return null
    if (view.value.type !== type) throw new WrongType()
    this.seenNow.add(`${db}:${key}`)
    return view.value as ValueOf<T>
  }

  /** An integer where several are right: that of the member's reply if it is one of them. */
  between(low: number, high: number): string {
    const given = typeof this.hint === 'string' && this.hint.startsWith(':') ? Number(this.hint.slice(1)) : low
    return `:${given >= low && given <= high ? given : low}`
  }

  /** The command at hand is over. */
  endCommand(): void {
    for (const place of this.seenNow) this.seen.add(place)
    this.seenNow.clear()
  }

  /** A string over whatever there is. */
  set(db: number, key: string, text: string, expiry: Expiry): void {
    const before = this.fresh(db, key, 'string')
    const expireAt = expiry === 'keep' ? (before?.expireAt ?? null) : expiry === 'clear' ? null : expiry
    this.put(db, key, { value: { type: 'string', text }, expireAt }, { kind: 'set-string', value: text, expiry })
  }

  /** A value as it is after effects of its type; null when nothing is left. The expiry stays. */
  write(db: number, key: string, type: TypeName, value: Value | null, ...bodies: EffectBody[]): void {
    const before = this.fresh(db, key, type)
    this.put(db, key, value === null ? null : { value, expireAt: before?.expireAt ?? null }, ...bodies)
  }

  /** A whole value to a key that holds nothing. */
  create(db: number, key: string, { value: original, expireAt }: KeyView): void {
    // Fields that are due are not copied, and there may be no others.
    if (original.type === 'hash' && original.fields.size === 0) return
    const value = typeNamed(original.type).copyOf?.(original, this.self) ?? original
    this.write(db, key, value.type, value, ...(typeNamed(value.type).plain?.copy(value) ?? []))
    if (expireAt !== null) this.expire(db, key, expireAt)
  }

  remove(db: number, key: string): void {
    this.put(db, key, null, { kind: 'remove', due: false })
  }

  /** Infinity persists. */
  expire(db: number, key: string, at: number): void {
    const { value } = this.stored(db, key)!
    this.put(db, key, { value, expireAt: at === Infinity ? null : at }, { kind: 'expire', at })
  }

  flush(db: number): void {
    this.flushed.add(db)
    for (const place of this.written.keys()) if (place.startsWith(`${db}:`)) this.written.delete(place)
    this.effects.push({ db, key: '', body: { kind: 'flush-db' } })
  }

  mayHaveIncrements(db: number, key: string): boolean {
    if (this.facts === null) return false
    const here = this.effects.some((effect) => effect.db === db && effect.key === key && effect.body.kind === 'increment')
    return here || this.facts.hasIncrements(db, key)
  }

  /** Every key written here, as it must be now. */
  *expected(): Generator<{ db: number; key: string; view: KeyView | null }> {
    for (const [place, stored] of this.written) {
      const colon = place.indexOf(':')
      yield { db: Number(place.slice(0, colon)), key: place.slice(colon + 1), view: presentAt(stored, this.nowMs) }
    }
  }

  get flushedDatabases(): ReadonlySet<number> {
    return this.flushed
  }

  /** The key for a write of a type; one that is due is removed first, so that its time does not fall on what is written now. */
  private fresh(db: number, key: string, type: TypeName): KeyView | null {
    const stored = this.stored(db, key)
    const gone = this.read(db, key) === null
    if (stored === null ? (this.facts?.hasOrphanExpiry(db, key) ?? false) : gone) {
      this.remove(db, key)
      return null
    }
    this.removeOthers(db, key, type)
    return gone ? null : stored
  }

  private removeOthers(db: number, key: string, type: TypeName): void {
    for (const other of this.facts?.typesOn(db, key) ?? []) {
      if (other !== typeNamed(type).keyType) this.effects.push({ db, key, body: { kind: 'remove', due: false, only: other } })
    }
  }

  private stored(db: number, key: string): KeyView | null {
    const written = this.written.get(`${db}:${key}`)
    if (written !== undefined) return written
    return this.flushed.has(db) ? null : this.before(db, key)
  }

  private put(db: number, key: string, view: KeyView | null, ...bodies: EffectBody[]): void {
    this.written.set(`${db}:${key}`, view)
    for (const body of bodies) this.effects.push({ db, key, body })
  }
}
