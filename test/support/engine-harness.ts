import RedisParser from 'redis-parser'
import type { MemberId } from '../../src/base/ids.js'
import { LIMITS } from '../../src/base/limits.js'
import type { ClientRegistry } from '../../src/commands/client-registry.js'
import { CommandTable } from '../../src/commands/command-table.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'
import type { Services } from '../../src/commands/services.js'
import { Session } from '../../src/commands/session.js'
import type { Stability } from '../../src/crdt/apply-context.js'
import { VersionVector } from '../../src/crdt/version-vector.js'
import { Engine, type EngineOptions } from '../../src/engine/engine.js'
import type { Clock } from '../../src/ports/clock.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'
import { Request } from '../../src/resp/request.js'
import { MemoryLog } from './memory-log.js'
import { NO_SETTINGS } from './no-settings.js'

const WRITES_IN_ONE_GO = {
  readElements: LIMITS.slicedReadElements,
  writeElements: Infinity,
  frameBytes: Infinity,
  turnSteps: Infinity,
  stepBytes: 0,
  transactionCommands: Infinity,
}

export const NOTHING_STABLE_YET: Stability = { covers: () => false, coversAllUpTo: () => false }

/** Time that moves only when told. */
export class ManualClock implements Clock {
  now = 1_790_000_000_000
  private timers: { at: number; callback: () => void }[] = []

  wallMs(): number {
    return this.now
  }
  monotonicMs(): number {
    return this.now
  }
  idleMs(): number {
    return this.monotonicMs()
  }
  workUntil(ownMs: number): number {
    return this.monotonicMs() + ownMs
  }
  setTimer(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.now + delayMs, callback }
    this.timers.push(timer)
    return { cancel: () => void (this.timers = this.timers.filter((other) => other !== timer)) }
  }
  defer(callback: () => void): void {
    this.setTimer(0, callback)
  }
  /** Moves time and runs what is due, in order. */
  advance(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.now = Math.max(this.now, next.at)
      next.callback()
    }
    this.now = until
  }
}

export interface HarnessOptions {
  readonly self?: number
  readonly solo?: boolean
  /** What goes in slices; if nothing is said, only long reads. */
  readonly slicing?: EngineOptions['slicing']
  readonly hashSeed?: number
  /** Replaces parts of the services. */
  readonly services?: Partial<Services>
}

/** An engine with a log in memory and no network, for tests of commands and of what two engines make of each other's frames. */
export class EngineHarness {
  readonly clock: ManualClock
  readonly log = new MemoryLog()
  readonly engine: Engine
  readonly session: Session
  readonly services: Services
  private nextSession = 1

  constructor(options: HarnessOptions = {}, clock = new ManualClock()) {
    this.clock = clock
    const clients: ClientRegistry = {
      clients: () => [],
      find: () => undefined,
      count: 1,
      maxClients: 10_000,
      statistics: {
        totalConnections: 1,
        rejectedConnections: 0,
        netInputBytes: 0,
        netOutputBytes: 0,
        outputBufferLimitDisconnections: 0,
        queryBufferLimitDisconnections: 0,
        evictedClients: 0,
      },
    }
    const self = (options.self ?? 1) as MemberId
    const services: Services = {
      table: new CommandTable(ALL_COMMANDS),
      clients,
      settings: NO_SETTINGS,
      replication: {
        memberId: self,
        applied: new VersionVector(),
        transfer: null,
        transfersDone: { count: 0, bytesReceived: 0, snapshotBytes: 0, keysChanged: 0, elapsedMs: 0 },
        transfersServed: [],
        snapshotBytesSent: 0,
        durable: new VersionVector(),
        stable: new VersionVector(),
        peers: [],
        linkBytes: 0,
        onProgress: () => undefined,
      },
      server: {
        version: '0.0.0',
        clusterId: 'test',
        memberName: 'test',
        region: 'test',
        zone: 'a',
        startedMs: this.clock.now,
        runId: 'f'.repeat(40),
        tcpPort: 0,
        tlsPort: 0,
        configFile: '',
        processId: 1,
        residentBytes: () => 1,
        cpuSeconds: () => ({ user: 0, system: 0 }),
        log: {
          appendedBytes: 0,
          durableBytes: 0,
          firstByte: 0,
          backlogLimit: 0,
          segments: 1,
          policy: 'everysec',
          lastError: null,
          recentBytes: 0,
          pendingBytes: 0,
          delayedSyncs: 0,
          lastSyncMs: 0,
          syncingMs: 0,
        },
        eventLoop: () => ({ cycles: 0, activeMs: 0 }),
        nowMicroseconds: () => this.clock.now * 1000,
        random: () => 4,
        shutdown: () => undefined,
        writeRefusal: null,
        staleRefusal: null,
        sleep: (ms) => this.clock.advance(ms),
      },
      topology: {
        version: 1,
        ownState: 'active',
        isDurable: true,
        list: () => [],
        add: () => 2,
        remove: () => [],
        set: () => undefined,
      },
      persistence: {
        report: {
          loading: null,
          running: null,
          scheduled: null,
          runningSeconds: -1,
          lastSaveMs: this.clock.now,
          completed: 0,
          lastStatus: { save: 'ok', rewrite: 'ok' },
          lastDuration: { save: -1, rewrite: -1 },
          lastError: null,
          changesSinceSave: 0,
          baseBytes: 0,
          totalBytes: 0,
        },
        refusal: null,
        begin: () => undefined,
        schedule: () => undefined,
        saveNow: () => 'no disk',
        reload: () => 'ERR no disk',
      },
      backups: {
        begin: () => 1,
        state: () => ({ state: 'snapshot', snapshotBytes: 0, logPosition: 0, logBytes: 0 }),
        read: () => new Uint8Array(0),
        end: () => undefined,
      },
      dialer: {
        dial: () => {
          throw new Error('no network')
        },
      },
      transactions: {
        multi: (session) => this.engine.transactions.multi(session),
        discard: (session) => this.engine.transactions.discard(session),
        watch: (session, database, key) => this.engine.transactions.watch(session, database, key),
        unwatch: (session) => this.engine.transactions.unwatch(session),
        reset: (session) => this.engine.transactions.reset(session),
      },
      ...options.services,
    }
    this.services = services
    const { slicing = WRITES_IN_ONE_GO } = options
    this.engine = new Engine(
      { self, databases: 16, solo: options.solo ?? true, hashSeed: options.hashSeed ?? 7, slicing },
      this.clock,
      services,
    )
    // In a mesh nothing is known to be everywhere until the others have reported, which no harness does.
    if (options.solo === false) this.engine.keyspace.stability = NOTHING_STABLE_YET
    this.engine.start(this.log)
    this.session = this.newSession()
  }

  newSession(): Session {
    return new Session(this.nextSession++)
  }

  /** The raw reply bytes of one command. */
  raw(args: readonly (string | Uint8Array)[], session = this.session): string {
    const reply = new ReplyWriter()
    reply.protocol = session.protocol
    this.engine.beginBatch()
    this.engine.execute(session, Request.of(args), reply)
    this.engine.endTurn()
    return reply.take().toString('latin1')
  }

  /** Runs one command and gives its RESP2 reply: null, number, string (latin1), Error or array. */
  run(...args: (string | Uint8Array)[]): unknown {
    return this.runIn(this.session, ...args)
  }

  runIn(session: Session, ...args: (string | Uint8Array)[]): unknown {
    let result: unknown
    const parser = new RedisParser({
      returnReply: (reply) => void (result = reply),
      returnError: (error) => void (result = error),
      returnBuffers: true,
    })
    parser.execute(Buffer.from(this.raw(args, session), 'latin1'))
    return decode(result)
  }

  /** Applies every frame of another engine that this one has not; both must be quiet. Causal order is the caller's business. */
  receive(from: EngineHarness): void {
    for (const frame of from.log.frames) {
      if (frame.last > this.engine.applied.get(frame.origin)) this.engine.remote.apply(frame)
    }
  }
}

function decode(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1')
  return Array.isArray(reply) ? reply.map(decode) : reply
}
