import { crc32FromTable } from '../../src/base/crc32.js'
import { stampAt, type MemberId, type Stamp } from '../../src/base/ids.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import type { AppendFile } from '../../src/ports/disk.js'
import type { Link, LinkHandlers } from '../../src/ports/network.js'
import { modelCommand } from './command-model.js'
import { decodeFrame } from './frame-decoder.js'
import { encodeFrame } from './frame-encoder.js'
import { History } from './history.js'
import { ModelStore } from './model-store.js'
import { latin1, shown, type Reply } from './reply.js'
import type { MemberEnvironment, MemberKind, SimulatedMember, SimulatedSession } from './simulated-member.js'
import { VALUE_TYPES, typeOfBody } from './types/all-types.js'
import { isDue, showView } from './values.js'

/** What a plain member can be told to do wrong. */
export type PlainBug =
  | 'no-gate'
  | 'no-duplicate-check'
  | 'send-before-sync'
  | 'torn-tail-stays'
  | 'clock-ignores-remote'
  | 'clock-ignores-log'
  | 'applied-in-memory-only'
  | 'wrong-reply'

/**
 * A member made of the oracle: it keeps the history and answers from it. Slow and right by construction, so that what fails with it is
 * the simulator; and with a bug planted, so that what does not fail is too.
 */
class PlainMember implements SimulatedMember {
  readonly applied = new VersionVector()
  readonly durable = new VersionVector()
  private readonly history = new History()
  private readonly frames: Uint8Array[] = []
  private readonly waiting: Uint8Array[] = []
  private readonly log: AppendFile
  private readonly streams = new Set<{ link: Link; position: number }>()
  private syncing = false
  private last = 0

  constructor(
    private readonly environment: MemberEnvironment,
    private readonly bug: PlainBug | null,
  ) {
    const { disk, dataFolder, network, topology, id } = environment
    disk.ensureFolder(dataFolder)
    const path = `${dataFolder}/log`
    if (disk.exists(path)) this.recover(path)
    this.log = disk.openAppend(path)
    disk.syncFolder(dataFolder)
    network.listen((link) => this.serve(link))
    for (const peer of topology.members) if (peer.id !== id) this.dial(peer.name)
    this.watchExpiry()
  }

  newSession(): SimulatedSession {
    let db = 0
    let queued: string[][] | null = null
    return {
      call: (args) => {
        const command = args.map((arg) => (typeof arg === 'string' ? arg : latin1(arg)))
        const [name] = command
        if (name === 'SELECT') {
          db = Number(command[1])
          return '+OK'
        }
        if (name === 'DBSIZE') return `:${this.size(db)}`
        if (name === 'MULTI') {
          queued = []
          return '+OK'
        }
        if (name === 'EXEC') {
          const commands = queued!
          queued = null
          return this.execute(db, commands)
        }
        if (queued !== null) {
          queued.push(command)
          return '+QUEUED'
        }
        return this.execute(db, [command])[0]
      },
    }
  }

  digest(): string {
    const lines: string[] = []
    for (const { db, key } of this.history.places()) {
      const view = this.history.visible(db, key, this.applied.stamps)
      if (view !== null) lines.push(`${db}:${key}=${showView(view)}`)
    }
    return String(crc32FromTable(Buffer.from(lines.sort().join('\n'), 'latin1')))
  }

  endTurn(): void {}

  stop(): void {}

  private isRefused(): boolean {
    return this.environment.disk.freeBytes(this.environment.dataFolder) === 0
  }

  private size(db: number): number {
    let count = 0
    for (const place of this.history.places()) {
      if (place.db === db && this.history.visible(db, place.key, this.applied.stamps) !== null) count++
    }
    return count
  }

  private execute(db: number, commands: string[][]): Reply[] {
    const { stamps } = this.applied
    const store = new ModelStore((from, key) => this.history.visible(from, key, stamps), this.environment.clock.wallMs(), {
      hasOrphanExpiry: (from, key) => this.history.effectsOn(from, key).length > 0,
      typesOn: (from, key) => {
        const bodies = this.history.effectsOn(from, key).map(({ body }) => typeOfBody(body))
        return VALUE_TYPES.filter((type) => bodies.includes(type)).map(({ keyType }) => keyType)
      },
      hasIncrements: (from, key) => this.history.effectsOn(from, key).some(({ body }) => body.kind === 'increment'),
    })
    const replies = commands.map((args) => modelCommand(store, db, args))
    if (this.bug === 'wrong-reply' && commands[0][0] === 'INCR' && shown(replies[0]).endsWith('3')) replies[0] = ':4'
    if (store.effects.length > 0) {
      if (this.isRefused()) return commands.map(() => '-MISCONF')
      this.make(store)
    }
    return replies
  }

  private make(store: ModelStore): void {
    const { id, clock } = this.environment
    const previous = this.applied.get(id)
    const first = Math.max(stampAt(clock.wallMs()), this.last + 1)
    const bytes = encodeFrame({ origin: id, previous, first, context: this.applied.stamps.subarray(0, 16), ops: [store.effects] })
    this.last = first + store.effects.length - 1
    this.take(bytes)
  }

  /** Applies and logs a frame whose turn it is. */
  private take(bytes: Uint8Array): void {
    this.environment.onFrame(bytes)
    this.apply(bytes)
    if (this.bug === 'applied-in-memory-only' && this.frames.length % 7 === 3) return
    this.log.append(bytes)
    this.syncSoon()
    if (this.bug === 'send-before-sync') this.push()
  }

  private apply(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes)
    this.history.add(bytes, frame)
    this.applied.raise(frame.origin as MemberId, frame.last as Stamp)
    if (this.bug !== 'clock-ignores-remote') this.last = Math.max(this.last, frame.last)
    this.frames.push(bytes)
  }

  private syncSoon(): void {
    if (this.syncing) return
    this.syncing = true
    const reached = this.applied.clone()
    this.log.sync((error) => {
      this.syncing = false
      if (error === null) this.durable.merge(reached)
      this.push()
      if (!this.durable.equals(this.applied)) this.syncSoon()
    })
  }

  private recover(path: string): void {
    const { disk } = this.environment
    const bytes = disk.readWhole(path)
    let at = 0
    while (at + 40 <= bytes.length) {
      const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true)
      try {
        this.apply(bytes.slice(at, at + length))
      } catch {
        break
      }
      at += length
    }
    if (this.bug !== 'torn-tail-stays') disk.truncate(path, at)
    this.durable.copyFrom(this.applied)
    if (this.bug === 'clock-ignores-log') this.last = 0
  }

  // --- links: the dialling side says what it has, the other streams its own frames from there

  private dial(name: string): void {
    const { network, clock, random, topology } = this.environment
    const peer = topology.members.find((member) => member.name === name)!
    const parser = new FrameSplitter((bytes) => this.receive(bytes))
    const link = network.dial(peer.address, {
      onOpen: () => {
        link.send(new Uint8Array(new Float64Array([this.applied.get(peer.id)]).buffer))
      },
      onData: (bytes) => parser.push(bytes),
      onDrain: () => {},
      onClose: () => {
        clock.setTimer(10 + (random.uint32() % 40), () => this.dial(name))
      },
    })
  }

  private serve(link: Link): LinkHandlers {
    const hello: number[] = []
    const stream = { link, position: -1 }
    return {
      onData: (bytes) => {
        hello.push(...bytes)
        if (hello.length < 8) return
        const from = new Float64Array(Uint8Array.from(hello.slice(0, 8)).buffer)[0]
        stream.position = this.bug === 'no-duplicate-check' ? 0 : this.positionAfter(from)
        this.streams.add(stream)
        this.push()
      },
      onDrain: () => this.push(),
      onClose: () => this.streams.delete(stream),
    }
  }

  private positionAfter(stamp: number): number {
    const { id } = this.environment
    let at = 0
    this.frames.forEach((bytes, i) => {
      const frame = decodeFrame(bytes)
      if (frame.origin === id && frame.last <= stamp) at = i + 1
    })
    return at
  }

  private push(): void {
    const { id } = this.environment
    for (const stream of this.streams) {
      for (; stream.position < this.frames.length; stream.position++) {
        const bytes = this.frames[stream.position]
        if (bytes[10] !== id) continue
        if (this.bug !== 'send-before-sync' && !this.durable.covers(id, decodeFrame(bytes).last)) break
        stream.link.send(bytes)
      }
    }
  }

  private receive(bytes: Uint8Array): void {
    this.waiting.push(bytes)
    this.applyWaiting()
  }

  private applyWaiting(): void {
    for (let again = !this.isRefused(); again;) {
      again = false
      for (let i = 0; i < this.waiting.length; i++) {
        const frame = decodeFrame(this.waiting[i])
        if (frame.last <= this.applied.stamps[frame.origin] && this.bug !== 'no-duplicate-check') {
          this.waiting.splice(i--, 1)
          continue
        }
        const gated = frame.context.some((stamp, member) => stamp > this.applied.stamps[member])
        const next = frame.previous === this.applied.stamps[frame.origin] || this.bug === 'no-duplicate-check'
        if (!next || (gated && this.bug !== 'no-gate')) continue
        this.take(this.waiting.splice(i, 1)[0])
        again = true
        break
      }
    }
  }

  private watchExpiry(): void {
    const { clock } = this.environment
    clock.setTimer(40, () => {
      this.watchExpiry()
      if (this.isRefused()) return
      this.applyWaiting()
      const nowMs = clock.wallMs()
      const store = new ModelStore(() => null, nowMs)
      for (const { db, key } of this.history.places()) {
        const view = this.history.visible(db, key, this.applied.stamps)
        if (view === null) continue
        const { value } = view
        const fields = value.type === 'hash' ? [...value.fields].filter(([, { expireAt }]) => isDue(expireAt, nowMs)) : []
        if (isDue(view.expireAt, nowMs)) store.effects.push({ db, key, body: { kind: 'remove', due: true } })
        else if (fields.length > 0)
          store.effects.push({ db, key, body: { kind: 'hash-remove', due: true, fields: fields.map(([field]) => field) } })
      }
      if (store.effects.length > 0) this.make(store)
    })
  }
}

/** Cuts a byte stream into frames by their length. */
class FrameSplitter {
  private rest = new Uint8Array(0)

  constructor(private readonly onFrame: (bytes: Uint8Array) => void) {}

  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.rest.length + bytes.length)
    joined.set(this.rest)
    joined.set(bytes, this.rest.length)
    let at = 0
    while (joined.length - at >= 4) {
      const length = new DataView(joined.buffer, at, 4).getUint32(0, true)
      if (joined.length - at < length) break
      this.onFrame(joined.slice(at, at + length))
      at += length
    }
    this.rest = joined.slice(at)
  }
}

/** Commands of types that it does without. */
const NOT_PLAIN = new Set(VALUE_TYPES.filter(({ plain }) => plain === undefined).flatMap(({ commands }) => Object.keys(commands)))

export function plainMemberKind(bug: PlainBug | null = null): MemberKind {
  return {
    start: (environment) => new PlainMember(environment, bug),
    decode: decodeFrame,
    supports: (command) => !NOT_PLAIN.has(command),
  }
}
