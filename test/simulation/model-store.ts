import { applyEdit, type EffectBody, type PlacedEffect } from './effects.js'
import { add, formatSum, parseDecimal, ZERO } from './decimal.js'
import { isDue, type KeyView } from './oracle.js'

/** What a client does not see of a key, but a member that makes effects must know. Where it is not sure, true does no harm. */
export interface HiddenFacts {
  /**
   * An absent key still has an expiry which nothing has removed (a DEL and a concurrent EXPIRE): a write must remove that first,
   * or the new value would inherit it.
   */
  hasOrphanExpiry(db: number, key: string): boolean
  /** There are increments on the key: an edit becomes a write of the whole text. */
  hasIncrements(db: number, key: string): boolean
}

/**
 * What one client sees of the keys while its commands run: the state before, and the commands' own writes over it. Also collects
 * the writes as abstract effects, for the members that the simulator's own tests use.
 */
export class ModelStore {
  private readonly written = new Map<string, KeyView | null>()
  private readonly flushed = new Set<number>()
  readonly effects: PlacedEffect[] = []

  constructor(
    private readonly before: (db: number, key: string) => KeyView | null,
    readonly nowMs: number,
    private readonly facts: HiddenFacts | null = null,
  ) {}

  /** The key as a client sees it: due keys are gone. */
  read(db: number, key: string): KeyView | null {
    const view = this.stored(db, key)
    return view === null || isDue(view.expireAt, this.nowMs) ? null : view
  }

  set(db: number, key: string, value: string, expiry: number | 'keep' | 'clear'): void {
    const before = this.fresh(db, key)
    const expireAt = expiry === 'keep' ? (before?.expireAt ?? null) : expiry === 'clear' ? null : expiry
    this.put(db, key, { value, expireAt }, { kind: 'set-string', value, expiry })
  }

  remove(db: number, key: string): void {
    this.put(db, key, null, { kind: 'remove', due: false })
  }

  increment(db: number, key: string, n: string): string {
    const before = this.fresh(db, key)
    const base = before === null ? ZERO : parseDecimal(before.value)
    const value = formatSum(add(base!, parseDecimal(n)!))
    this.put(db, key, { value, expireAt: before?.expireAt ?? null }, { kind: 'increment', n })
    return value
  }

  edit(db: number, key: string, body: EffectBody): string {
    const before = this.fresh(db, key)
    const value = applyEdit(before?.value ?? '', body)
    const counts = this.facts !== null && before !== null && (this.facts.hasIncrements(db, key) || this.incremented(db, key))
    this.put(
      db,
      key,
      { value, expireAt: before?.expireAt ?? null },
      counts ? { kind: 'set-string', value, expiry: 'keep' } : body,
    )
    return value
  }

  /** Infinity persists. */
  expire(db: number, key: string, at: number): void {
    const { value } = this.read(db, key)!
    this.put(db, key, { value, expireAt: at === Infinity ? null : at }, { kind: 'expire', at })
  }

  flush(db: number): void {
    this.flushed.add(db)
    for (const place of this.written.keys()) if (place.startsWith(`${db}:`)) this.written.delete(place)
    this.effects.push({ db, key: '', body: { kind: 'flush-db' } })
  }

  /** Every key written here, as it must be now. */
  *expected(): Generator<{ db: number; key: string; view: KeyView | null }> {
    for (const [place, stored] of this.written) {
      const colon = place.indexOf(':')
      yield {
        db: Number(place.slice(0, colon)),
        key: place.slice(colon + 1),
        view: stored !== null && isDue(stored.expireAt, this.nowMs) ? null : stored,
      }
    }
  }

  get flushedDatabases(): ReadonlySet<number> {
    return this.flushed
  }

  /** The key for a write; one that is due is removed first, so that its time does not fall on what is written now. */
  private fresh(db: number, key: string): KeyView | null {
    const stored = this.stored(db, key)
    if (stored === null ? (this.facts?.hasOrphanExpiry(db, key) ?? false) : isDue(stored.expireAt, this.nowMs)) {
      this.remove(db, key)
      return null
    }
    return stored
  }

  private stored(db: number, key: string): KeyView | null {
    const written = this.written.get(`${db}:${key}`)
    if (written !== undefined) return written
    return this.flushed.has(db) ? null : this.before(db, key)
  }

  private incremented(db: number, key: string): boolean {
    return this.effects.some((effect) => effect.db === db && effect.key === key && effect.body.kind === 'increment')
  }

  private put(db: number, key: string, view: KeyView | null, body: EffectBody): void {
    this.written.set(`${db}:${key}`, view)
    this.effects.push({ db, key, body })
  }
}
