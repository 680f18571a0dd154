import { LIMITS } from '../../base/limits.js'
import type { VersionVector } from '../../crdt/version-vector.js'
import { KeyspaceDigest } from '../../keyspace/digest.js'
import type { Keyspace } from '../../keyspace/keyspace.js'
import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { Call } from '../call.js'
import type { EngineService, ReadSteps, SessionWait } from '../services.js'

const RETRY_MS = 50
const CHANGING =
  'TRYAGAIN The data changes faster than it can be digested. Ask again when fewer writes arrive, or for fewer slots at a time'

/**
 * A digest made over several turns of the event loop. Tidying up, which moves records and has something to look at once a second while anything is not stable, waits for
 * it, though not for ever. It means something only together with the version vector that it was made at, so it begins
 * anew when the vector moves meanwhile, a bounded number of times.
 */
export class SlicedDigest implements SessionWait {
  readonly command = 'crdt.digest'
  private readonly engine: EngineService
  private readonly keyspace: Keyspace
  private readonly fresh: () => KeyspaceDigest
  private digest: KeyspaceDigest
  private vector: VersionVector
  /** As the keyspace's, when the digest was begun. */
  private settlings: number
  private attempts = 1
  private state: 'running' | 'done' | 'failed' | 'over' = 'running'

  constructor(call: Call, firstSlot: number, lastSlot: number) {
    const { engine, keyspace, strings, keys } = call
    this.engine = engine
    this.keyspace = keyspace
    this.fresh = () => new KeyspaceDigest(keyspace, { strings, keys }, firstSlot, lastSlot)
    this.digest = this.fresh()
    this.vector = engine.position()
    this.settlings = keyspace.settlings
  }

  /** The first slice. What is not done then is for goOnAlone, or stepsInExec. */
  begin(): void {
    if (this.step()) this.state = 'done'
  }

  /** The rest by itself: tells the engine's waits when it is done. */
  goOnAlone(): void {
    this.holdSettling()
    this.engine.clock.defer(() => this.goOn())
  }

  /** The rest as steps of EXEC, between which nothing changes, and the reply. */
  *stepsInExec(call: Call): ReadSteps {
    while (!this.digest.step(LIMITS.digestStepBytes)) yield
    this.state = 'done'
    this.reply(call.reply)
  }

  private holdSettling(): void {
    this.keyspace.settlingHeldUntilMs = this.engine.clock.wallMs() + LIMITS.heldSettlingMs
  }

  isDone(): boolean {
    return this.state !== 'running'
  }

  reply(reply: ReplyWriter): void {
    if (this.state !== 'done') {
      reply.error(CHANGING)
      return
    }
    reply.map(2)
    reply.bulkString('digest')
    reply.bulkString(this.digest.hex)
    reply.bulkString('vector')
    reply.bulkString(this.vector.toString())
  }

  ended(): void {
    this.keyspace.settlingHeldUntilMs = 0
    this.state = 'over'
  }

  private goOn(): void {
    if (this.state !== 'running') return
    const { engine } = this
    const now = engine.position()
    const isSame = now.equals(this.vector) && this.keyspace.settlings === this.settlings && !engine.longWrites.isApplying
    if (isSame) this.slice()
    else this.beginAnew()
  }

  /** The data must not change between two slices: it is at rest perhaps a little later. */
  private beginAnew(): void {
    const { engine } = this
    if (this.attempts === LIMITS.digestAttempts) {
      this.end('failed')
      return
    }
    this.attempts++
    engine.clock.setTimer(RETRY_MS, () => {
      if (this.state !== 'running') return
      if (engine.longWrites.isApplying) {
        this.beginAnew()
        return
      }
      this.digest = this.fresh()
      this.vector = engine.position()
      this.settlings = this.keyspace.settlings
      this.holdSettling()
      this.slice()
    })
  }

  private slice(): void {
    if (this.step()) this.end('done')
    else this.engine.clock.defer(() => this.goOn())
  }

  /** A turn's share; true when everything is in. */
  private step(): boolean {
    const { clock } = this.engine
    const untilMs = clock.workUntil(LIMITS.digestTurnMs)
    for (let steps = 0; steps < LIMITS.digestTurnSteps; steps++) {
      if (this.digest.step(LIMITS.digestStepBytes)) return true
      if (clock.monotonicMs() >= untilMs) return false
    }
    return false
  }

  private end(state: 'done' | 'failed'): void {
    this.keyspace.settlingHeldUntilMs = 0
    this.state = state
    this.engine.waits.check()
  }
}
