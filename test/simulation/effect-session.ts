import { parseDecimal, type Decimal } from '../../src/base/decimal.js'
import type { Engine } from '../../src/engine/engine.js'
import { ExpiryMode } from '../../src/keyspace/string-store.js'
import { HAS_EXPIRY } from '../../src/memory/record.js'
import { mayWrite, modelCommand } from './command-model.js'
import type { EffectBody } from './effects.js'
import { ModelStore } from './model-store.js'
import type { KeyView } from './oracle.js'
import { bytesOf, latin1 } from './reply.js'
import type { SimulatedSession } from './simulated-member.js'

/** A store that reads from an engine and writes each effect through it at once. */
class EngineStore extends ModelStore {
  constructor(
    private readonly engine: Engine,
    nowMs: number,
  ) {
    super(() => null, nowMs)
  }

  override read(database: number, name: string): KeyView | null {
    const { keyspace, strings } = this.engine
    const key = bytesOf(name)
    const db = keyspace.database(database)
    const ref = keyspace.find(db, key, 0, key.length)
    if (ref === 0) return null
    strings.read(db, ref)
    const value = latin1(strings.buf.subarray(strings.off, strings.off + strings.len))
    const at = db.expiresAt(ref)
    return { value, expireAt: (db.flags(ref) & HAS_EXPIRY) === 0 || at === Infinity ? null : at }
  }

  override set(db: number, name: string, value: string, expiry: number | 'keep' | 'clear'): void {
    const key = bytesOf(name)
    const bytes = bytesOf(value)
    const mode = expiry === 'keep' ? ExpiryMode.keep : expiry === 'clear' ? ExpiryMode.clear : ExpiryMode.set
    this.engine.effects.setString(db, key, 0, key.length, bytes, 0, bytes.length, mode, typeof expiry === 'number' ? expiry : 0)
  }

  override remove(db: number, name: string): void {
    const key = bytesOf(name)
    this.engine.effects.remove(db, key, 0, key.length)
  }

  override increment(db: number, name: string, n: string): string {
    const key = bytesOf(name)
    const before = this.read(db, name)?.value ?? '0'
    const sum = (Number(before) || 0) + Number(n)
    if (Number.isSafeInteger(sum) && Number.isSafeInteger(Number(n)) && Number.isSafeInteger(Number(before))) {
      this.engine.effects.addInteger(db, key, 0, key.length, Number(n), sum)
    } else this.engine.effects.addDecimal(db, key, 0, key.length, decimal(n), decimal(before))
    return this.read(db, name)!.value
  }

  override edit(db: number, name: string, body: EffectBody): string {
    const key = bytesOf(name)
    const { effects } = this.engine
    if (body.kind === 'append') effects.edit(db, key, 0, key.length, { kind: 'append', bytes: bytesOf(body.value) })
    else if (body.kind === 'set-range') {
      effects.edit(db, key, 0, key.length, { kind: 'set-range', offset: body.offset, bytes: bytesOf(body.value) })
    } else if (body.kind === 'set-bits') {
      effects.edit(db, key, 0, key.length, { kind: 'set-bits', offset: body.bitOffset, width: body.width, value: body.bits })
    }
    return this.read(db, name)!.value
  }

  override expire(db: number, name: string, at: number): void {
    const key = bytesOf(name)
    this.engine.effects.expire(db, key, 0, key.length, at)
  }

  override flush(db: number): void {
    this.engine.effects.flush(db)
  }
}

function decimal(text: string): Decimal {
  return parseDecimal(text)!
}

/**
 * A client whose commands are carried out by the simulator's own model of them, on the member's effects: what fails with it is
 * not a command but what is below.
 */
export class EffectSession implements SimulatedSession {
  private db = 0
  private queued: string[][] | null = null

  constructor(
    private readonly engine: Engine,
    private readonly wallMs: () => number,
    private readonly endOp: () => void,
    private readonly size: (db: number) => number,
    private readonly refused: () => boolean,
  ) {}

  call(args: readonly (string | Uint8Array)[]): string {
    const command = args.map((arg) => (typeof arg === 'string' ? arg : latin1(arg)))
    switch (command[0]) {
      case 'SELECT':
        this.db = Number(command[1])
        return '+OK'
      case 'DBSIZE':
        return `:${this.size(this.db)}`
      case 'MULTI':
        this.queued = []
        return '+OK'
      case 'EXEC': {
        const commands = this.queued!
        this.queued = null
        return this.run(commands, (replies) => `*[${replies.join(' ')}]`)
      }
      default:
        if (this.queued === null) return this.run([command], ([reply]) => reply)
        this.queued.push(command)
        return '+QUEUED'
    }
  }

  private run(commands: readonly string[][], reply: (replies: string[]) => string): string {
    if (this.refused() && commands.some(mayWrite)) return '-MISCONF'
    const nowMs = this.wallMs()
    this.engine.keyspace.setTime(nowMs)
    const store = new EngineStore(this.engine, nowMs)
    const replies = commands.map((args) => modelCommand(store, this.db, args))
    this.endOp()
    return reply(replies)
  }
}
