import type { Link, LinkHandlers, Network, PeerAddress, PeerIdentity } from '../../src/ports/network.js'
import type { FakeClock, SeededRandom } from './fake-time.js'

type Listener = (link: Link, identity: PeerIdentity) => LinkHandlers

/** Links between members in one process: ordered, delayed, cut into random chunks, breakable. */
export class MemoryHub {
  readonly listeners = new Map<string, Listener>()
  readonly ends = new Set<MemoryLink>()
  /** `a>b`: a cannot dial b. */
  readonly blocked = new Set<string>()
  /** Where nobody listens. */
  readonly deadHosts = new Set<string>()
  /** Frames delivered per `from>to`, counted by the tests through onBytes. */
  onBytes: (from: string, to: string, bytes: Uint8Array) => void = () => undefined

  constructor(
    readonly clock: FakeClock,
    readonly random: SeededRandom,
    public delayMs = 5,
  ) {}

  network(identity: PeerIdentity): Network {
    return {
      dial: (address, handlers) => this.dial(identity, address, handlers),
      listen: (onLink) => void this.listeners.set(identity.name, onLink),
      close: () => {
        this.listeners.delete(identity.name)
        for (const end of [...this.ends]) if (end.owner === identity.name) end.close()
      },
    }
  }

  block(from: string, to: string): void {
    this.blocked.add(`${from}>${to}`)
    for (const end of [...this.ends]) if (end.dialler && end.owner === from && end.remote === to) end.break()
  }

  blockBoth(a: string, b: string): void {
    this.block(a, b)
    this.block(b, a)
  }

  unblockAll(): void {
    this.blocked.clear()
  }

  end(owner: string, remote: string, dialler: boolean): MemoryLink {
    for (const end of this.ends)
      if (end.owner === owner && end.remote === remote && end.dialler === dialler && !end.closed) return end
    throw new Error(`no link ${owner} to ${remote}`)
  }

  private dial(identity: PeerIdentity, address: PeerAddress, handlers: LinkHandlers): Link {
    const near = new MemoryLink(this, identity.name, address.name, true)
    near.handlers = handlers
    this.clock.setTimer(this.delayMs, () => {
      if (near.closed) return
      const listener = this.listeners.get(address.name)
      if (listener === undefined || this.deadHosts.has(address.host) || this.blocked.has(`${identity.name}>${address.name}`)) {
        near.closed = true
        handlers.onClose(new Error(`connect ECONNREFUSED ${address.name}`))
        return
      }
      const far = new MemoryLink(this, address.name, identity.name, false)
      near.peer = far
      far.peer = near
      this.ends.add(near)
      this.ends.add(far)
      far.handlers = listener(far, identity)
      if (!near.closed) handlers.onOpen?.({ name: address.name, clusterId: identity.clusterId })
    })
    return near
  }
}

export class MemoryLink implements Link {
  handlers: LinkHandlers | null = null
  peer: MemoryLink | null = null
  closed = false
  /** Bytes go into the void: a link that has gone silent. */
  silent = false
  /** Bytes a millisecond that this end takes in; what the other end has queued waits. */
  readBytesPerMs = Infinity
  highestBuffered = 0
  bufferedBytes = 0
  private busyUntilMs = 0
  private wasHigh = false

  constructor(
    private readonly hub: MemoryHub,
    readonly owner: string,
    readonly remote: string,
    readonly dialler: boolean,
  ) {}

  send(bytes: Uint8Array): void {
    if (this.closed) return
    this.bufferedBytes += bytes.length
    this.highestBuffered = Math.max(this.highestBuffered, this.bufferedBytes)
    if (this.bufferedBytes > 64 * 1024) this.wasHigh = true
    if (this.silent) return
    const { clock, random } = this.hub
    const rate = this.peer?.readBytesPerMs ?? Infinity
    for (let at = 0; at < bytes.length;) {
      const size = Math.min(bytes.length - at, random.below(4) === 0 ? 1 + random.below(50) : 40_000)
      const chunk = bytes.slice(at, at + size)
      at += size
      this.busyUntilMs = Math.max(this.busyUntilMs, clock.nowMs + this.hub.delayMs) + size / rate
      // What travels is the operating system's; what the other side is too slow for is queued here.
      clock.setTimer(this.busyUntilMs - this.hub.delayMs - clock.nowMs, () => this.taken(chunk.length))
      clock.setTimer(this.busyUntilMs - clock.nowMs, () => this.deliver(chunk))
    }
  }

  pause(): void {}
  resume(): void {}

  close(): void {
    if (this.closed) return
    const { clock, delayMs } = this.hub
    clock.setTimer(Math.max(this.busyUntilMs - clock.nowMs, delayMs), () => this.peer?.vanish(null))
    this.closed = true
    this.hub.ends.delete(this)
    clock.defer(() => this.handlers?.onClose(null))
  }

  /** Both ends are gone at once; what was on its way is lost. */
  break(): void {
    this.peer?.vanish(new Error('connection reset'))
    this.vanish(new Error('connection reset'))
  }

  private deliver(chunk: Uint8Array): void {
    const to = this.peer
    if (to !== null && !to.closed) {
      this.hub.onBytes(this.owner, this.remote, chunk)
      to.handlers?.onData(chunk)
    }
  }

  private taken(bytes: number): void {
    this.bufferedBytes -= bytes
    if (this.wasHigh && this.bufferedBytes < 16 * 1024 && !this.closed) {
      this.wasHigh = false
      this.handlers?.onDrain()
    }
  }

  private vanish(error: Error | null): void {
    if (this.closed) return
    this.closed = true
    this.hub.ends.delete(this)
    this.handlers?.onClose(error)
  }
}
