import { assert } from '../base/assert.js'
import { utf8 } from '../base/bytes.js'
import type { Request } from '../resp/request.js'
import type { CommandSpec } from './command-spec.js'
import { LatencyHistogram } from './latency-histogram.js'

/** A command or subcommand with what the engine derives from its spec once. */
export class Command {
  /** Of the spec. Specs come in many shapes, which makes reading a field of one slow; this class has one. */
  readonly handler: CommandSpec['handler']
  readonly arity: number
  readonly isExec: boolean
  readonly hasSubcommands: boolean
  readonly isWrite: boolean
  readonly allowedWhileLoading: boolean
  /** Also where stale data are not to be served: it gives none. */
  readonly allowedWhileStale: boolean
  /** No write by its flags, but it may cause one or reach other members: PUBLISH, EVAL. */
  readonly mayReplicate: boolean
  /** Refused while there is no memory for more. */
  readonly needsMemory: boolean
  readonly noAuth: boolean
  readonly noMulti: boolean
  readonly allowedWhileQueueing: boolean
  /** Gives back what a transaction has queued. */
  readonly endsQueueing: boolean
  /** Also by a RESP2 client that listens to channels. */
  readonly allowedWhileSubscribed: boolean
  readonly subcommands: ReadonlyMap<string, Command>
  calls = 0
  microseconds = 0
  rejectedCalls = 0
  failedCalls = 0
  readonly isFast: boolean
  readonly latency = new LatencyHistogram()

  constructor(
    readonly spec: CommandSpec,
    /** 'get', 'client|list'. */
    readonly fullName: string,
  ) {
    this.handler = spec.handler
    this.arity = spec.arity
    this.isExec = fullName === 'exec'
    this.hasSubcommands = spec.subcommands !== undefined && spec.subcommands.length > 0
    this.isWrite = spec.flags.includes('write')
    this.allowedWhileLoading = spec.flags.includes('loading')
    // Unlike Redis since 7.0: PING says that the process is there, and `meridian up` asks it.
    this.allowedWhileStale = spec.flags.includes('stale') || fullName === 'ping'
    this.mayReplicate = spec.flags.includes('may_replicate')
    this.needsMemory = spec.flags.includes('denyoom')
    this.isFast = spec.flags.includes('fast')
    this.noAuth = spec.flags.includes('no_auth')
    this.noMulti = spec.flags.includes('no_multi')
    this.allowedWhileQueueing = QUEUEING_CONTROL.has(fullName)
    this.endsQueueing = ENDING_CONTROL.has(fullName)
    this.allowedWhileSubscribed = SUBSCRIBER_COMMANDS.has(fullName)
    this.subcommands = new Map(spec.subcommands?.map((sub) => [sub.name, new Command(sub, `${fullName}|${sub.name}`)]) ?? [])
  }

  resetStatistics(): void {
    this.latency.reset()
    this.calls = this.microseconds = this.rejectedCalls = this.failedCalls = 0
  }

  accepts(argc: number): boolean {
    const { arity } = this
    return arity >= 0 ? argc === arity : argc >= -arity
  }
}

const QUEUEING_CONTROL = new Set(['multi', 'exec', 'discard', 'watch', 'quit', 'reset'])
const ENDING_CONTROL = new Set(['exec', 'discard', 'quit', 'reset'])
const SUBSCRIBER_COMMANDS = new Set([
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
  'ping',
  'quit',
  'reset',
])

/** All commands by name, found from the request's bytes without making a string. */
export class CommandTable {
  private readonly byName = new Map<string, Command>()
  private readonly buckets: (Command | undefined)[]
  private readonly names: Uint8Array[]
  private readonly mask: number
  /** What was found last, and its name: commands of one kind often come one after the other. */
  private last: Command | undefined
  private lastName: Uint8Array = new Uint8Array(0)

  /** @throws AssertionError when two specs have one name. */
  constructor(specs: readonly CommandSpec[]) {
    for (const spec of specs) {
      assert(!this.byName.has(spec.name), `two commands are named ${spec.name}`)
      this.byName.set(spec.name, new Command(spec, spec.name))
    }
    let size = 16
    while (size < this.byName.size * 4) size *= 2
    this.mask = size - 1
    this.buckets = new Array<Command | undefined>(size)
    this.names = new Array<Uint8Array>(size)
    for (const command of this.byName.values()) {
      const name = new Uint8Array(Buffer.from(command.spec.name))
      let at = hashName(name, 0, name.length) & this.mask
      while (this.buckets[at] !== undefined) at = (at + 1) & this.mask
      this.buckets[at] = command
      this.names[at] = name
    }
  }

  /** The command that a request names; for a container with a known second word the subcommand. Undefined if there is none. */
  lookup(request: Request): Command | undefined {
    const { buf } = request
    const off = request.off[0]
    const len = request.len[0]
    if (equalsName(this.lastName, buf, off, len)) return this.last
    for (let at = hashName(buf, off, len) & this.mask; ; at = (at + 1) & this.mask) {
      const command = this.buckets[at]
      if (command === undefined) return undefined
      if (equalsName(this.names[at], buf, off, len)) {
        this.last = command
        this.lastName = this.names[at]
        return command
      }
    }
  }

  /** By lower-case name; 'client|list' for a subcommand. */
  find(name: string): Command | undefined {
    const bar = name.indexOf('|')
    if (bar < 0) return this.byName.get(name)
    return this.byName.get(name.slice(0, bar))?.subcommands.get(name.slice(bar + 1))
  }

  /** The subcommand that a request names, if the command is a container. */
  static subcommand(command: Command, request: Request): Command | undefined {
    return command.subcommands.get(utf8(request.buf, request.off[1], request.len[1]).toLowerCase())
  }

  /** The command, or subcommand, of a request that has run or waits to: it is known to be in the table. */
  of(request: Request): Command {
    const command = this.lookup(request)
    assert(command !== undefined, 'a request of no command')
    const sub = command.hasSubcommands && request.argc > 1 ? CommandTable.subcommand(command, request) : undefined
    return sub ?? command
  }

  all(): Iterable<Command> {
    return this.byName.values()
  }

  get size(): number {
    return this.byName.size
  }

  /** CONFIG RESETSTAT. */
  resetStatistics(): void {
    for (const command of this.byName.values()) {
      command.resetStatistics()
      for (const sub of command.subcommands.values()) sub.resetStatistics()
    }
  }
}

/** FNV-1a of the lower-cased bytes. */
function hashName(buf: Uint8Array, off: number, len: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < len; i++) hash = Math.imul(hash ^ (buf[off + i] | 0x20), 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}

function equalsName(name: Uint8Array, buf: Uint8Array, off: number, len: number): boolean {
  if (name.length !== len) return false
  for (let i = 0; i < len; i++) {
    let byte = buf[off + i]
    if (byte >= 65 && byte <= 90) byte |= 0x20
    if (byte !== name[i]) return false
  }
  return true
}
