import type { Link, LinkHandlers, Network, PeerAddress, PeerIdentity } from '../../src/ports/network.js'
import type { SeededRandom } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { Life } from './sim-clock.js'

/** Bytes under way in one direction before the sender's own queue grows; a socket buffer. */
const WINDOW_BYTES = 32 * 1024
const HIGH_WATER_BYTES = 64 * 1024
const LOW_WATER_BYTES = 16 * 1024

/** How one direction between two members behaves; faults change it while it runs. */
export class Route {
  meanLatencyMs: number
  /** Bytes a millisecond. */
  bandwidth = 100_000
  /** Bytes stop (and come later, when it heals) and nothing can be dialled. */
  cut = false
  /** Dialling fails in this direction; standing links go on. */
  dialsFail = false

  constructor(
    readonly random: SeededRandom,
    meanLatencyMs: number,
  ) {
    this.meanLatencyMs = meanLatencyMs
  }

  latency(): number {
    return 0.05 + this.meanLatencyMs * 0.5 + this.random.exponential(this.meanLatencyMs * 0.5)
  }
}

export interface NetworkCounters {
  dials: number
  opened: number
  broken: number
  sentBytes: number
  maxBufferedBytes: number
}

/**
 * The network between all members: links are ordered, reliable byte streams until they break; different links do not wait
 * for each other, so what arrives over two of them may come in any order.
 */
export class SimNetwork {
  private readonly endpoints = new Map<string, Endpoint>()
  private readonly routes = new Map<string, Route>()
  private readonly links = new Set<LinkPair>()
  readonly counters: NetworkCounters = { dials: 0, opened: 0, broken: 0, sentBytes: 0, maxBufferedBytes: 0 }

  constructor(
    readonly scheduler: Scheduler,
    private readonly random: SeededRandom,
    private readonly clusterId: string,
  ) {}

  /** The Network port of one process; it takes the place of a dead one of the same name. */
  port(name: string, life: Life): Network {
    const endpoint = new Endpoint(this, name, life)
    this.endpoints.set(name, endpoint)
    return endpoint
  }

  route(from: string, to: string): Route {
    const key = `${from}>${to}`
    let route = this.routes.get(key)
    if (route === undefined) {
      const random = this.random.stream(key)
      this.routes.set(key, (route = new Route(random, random.pick([0.2, 1, 5, 20]))))
    }
    return route
  }

  /** Stops or heals both directions between two members. */
  setCut(a: string, b: string, cut: boolean): void {
    this.route(a, b).cut = cut
    this.route(b, a).cut = cut
    if (!cut) for (const pair of this.links) pair.wake()
  }

  /** Breaks every standing link between two members; what was under way is lost. */
  breakLinks(a: string, b: string): number {
    let count = 0
    for (const pair of [...this.links]) {
      if (!pair.joins(a, b)) continue
      pair.break(new Error('simulated: connection reset'))
      count++
    }
    return count
  }

  /** Everything works again. */
  heal(): void {
    for (const route of this.routes.values()) {
      route.cut = false
      route.dialsFail = false
      route.bandwidth = 100_000
    }
    for (const pair of this.links) pair.wake()
  }

  /** The process of this name is dead: each link ends, sometimes after what was already sent has arrived. */
  processDied(name: string): void {
    for (const pair of [...this.links]) {
      if (!pair.has(name)) continue
      if (this.random.chance(0.5)) pair.break(new Error('simulated: peer died'))
      else pair.finishFrom(name, new Error('simulated: peer died'))
    }
    this.endpoints.delete(name)
  }

  identityOf(name: string): PeerIdentity {
    return { name, clusterId: this.clusterId }
  }

  endpoint(name: string): Endpoint | undefined {
    return this.endpoints.get(name)
  }

  opened(pair: LinkPair): void {
    this.counters.opened++
    this.links.add(pair)
  }

  gone(pair: LinkPair): void {
    if (this.links.delete(pair)) this.counters.broken++
  }

  linksOf(name: string): LinkPair[] {
    return [...this.links].filter((pair) => pair.has(name))
  }
}

class Endpoint implements Network {
  private onLink: ((link: Link, identity: PeerIdentity) => LinkHandlers) | null = null

  constructor(
    private readonly network: SimNetwork,
    readonly name: string,
    readonly life: Life,
  ) {}

  dial(address: PeerAddress, handlers: LinkHandlers): Link {
    const { network } = this
    network.counters.dials++
    const to = address.name || address.host
    const out = network.route(this.name, to)
    const back = network.route(to, this.name)
    const pair = new LinkPair(network, this, out, back, to)
    pair.near.handlers = handlers
    const fail = (delayMs: number, why: string): void => {
      network.scheduler.after(delayMs, () => pair.near.end(new Error(why)))
    }
    if (out.cut || back.cut || out.dialsFail) {
      fail(50 + out.random.exponential(200), 'simulated: no route')
      return pair.near
    }
    network.scheduler.after(out.latency(), () => {
      if (pair.near.closed) return
      const target = network.endpoint(to)
      if (target === undefined || target.onLink === null || !target.life.alive) return fail(out.latency(), 'simulated: refused')
      if (out.cut || back.cut) return fail(100, 'simulated: no route')
      pair.accept(target)
      network.opened(pair)
      pair.far.handlers = target.onLink(pair.far, network.identityOf(this.name))
      network.scheduler.after(back.latency(), () => pair.near.open(network.identityOf(to)))
    })
    return pair.near
  }

  listen(onLink: (link: Link, identity: PeerIdentity) => LinkHandlers): void {
    this.onLink = onLink
  }

  close(): void {
    this.onLink = null
    for (const pair of this.network.linksOf(this.name)) pair.finishFrom(this.name, null)
  }
}

class LinkPair {
  readonly near: LinkEnd
  readonly far: LinkEnd

  constructor(
    readonly network: SimNetwork,
    dialler: Endpoint,
    out: Route,
    back: Route,
    private readonly farName: string,
  ) {
    this.near = new LinkEnd(this, dialler.name, out)
    this.far = new LinkEnd(this, farName, back)
    this.near.peer = this.far
    this.far.peer = this.near
    this.near.life = dialler.life
  }

  accept(target: Endpoint): void {
    this.far.life = target.life
    this.far.standing = true
  }

  has(name: string): boolean {
    return this.near.name === name || this.farName === name
  }

  joins(a: string, b: string): boolean {
    return this.has(a) && this.has(b) && a !== b
  }

  wake(): void {
    this.near.wake()
    this.far.wake()
  }

  break(error: Error): void {
    this.near.fail(error)
    this.far.fail(error)
  }

  finishFrom(name: string, error: Error | null): void {
    const end = this.near.name === name ? this.near : this.far
    end.finish(error)
  }
}

interface Piece {
  readonly bytes: Uint8Array
  readonly arrival: number
}

/** One side of a link: what it sends (queue, then under way to the peer) and what it hears. */
class LinkEnd implements Link {
  peer!: LinkEnd
  handlers: LinkHandlers | null = null
  life: Life | null = null
  /** True once this side may hear: its onOpen has been called, or it was accepted. */
  standing = false
  closed = false
  private readonly queue: Uint8Array[] = []
  private queuedBytes = 0
  private readonly underWay: Piece[] = []
  private underWayBytes = 0
  private lastArrival = 0
  private delivering = false
  private paused = false
  private wasHigh = false
  /** Set once this side will send no more: the peer ends with it after everything sent has arrived. */
  private finished: { readonly error: Error | null } | null = null

  constructor(
    private readonly pair: LinkPair,
    readonly name: string,
    private readonly route: Route,
  ) {}

  get bufferedBytes(): number {
    return this.queuedBytes
  }

  send(bytes: Uint8Array): void {
    if (this.closed || this.finished !== null || bytes.length === 0) return
    const { counters } = this.pair.network
    counters.sentBytes += bytes.length
    // A copy, so that no two members ever share memory; as a Buffer, which is what sockets give, and whose slice is no copy.
    this.queue.push(Buffer.from(bytes))
    this.queuedBytes += bytes.length
    this.pump()
    if (this.queuedBytes > counters.maxBufferedBytes) counters.maxBufferedBytes = this.queuedBytes
    if (this.queuedBytes > HIGH_WATER_BYTES) this.wasHigh = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.peer.schedule()
  }

  close(): void {
    if (this.closed) return
    this.finish(null)
    this.pair.network.scheduler.after(0, () => this.end(null))
  }

  open(identity: PeerIdentity): void {
    if (this.closed || !this.life!.alive) return
    this.standing = true
    this.handlers!.onOpen?.(identity)
    this.peer.schedule()
  }

  /** No more is sent; when the rest has arrived the peer hears of the end. */
  finish(error: Error | null): void {
    if (this.finished !== null) return
    this.finished = { error }
    this.schedule()
  }

  /** Ends at a random moment soon, without what was under way. */
  fail(error: Error): void {
    this.queue.length = 0
    this.underWay.length = 0
    this.finished ??= { error }
    this.pair.network.scheduler.after(this.route.random.exponential(5), () => this.end(error))
  }

  end(error: Error | null): void {
    if (this.closed) return
    this.closed = true
    if (this.peer.closed) this.pair.network.gone(this.pair)
    if (this.handlers !== null && this.life !== null && this.life.alive) this.handlers.onClose(error)
    // The other side of a link that ends here finds out too.
    if (!this.peer.closed) {
      this.finished ??= { error }
      this.schedule()
    }
  }

  wake(): void {
    this.schedule()
  }

  private pump(): void {
    const { random } = this.route
    const now = this.pair.network.scheduler.now
    while (this.queue.length > 0 && this.underWayBytes < WINDOW_BYTES) {
      let bytes = this.queue[0]
      if (bytes.length > WINDOW_BYTES) {
        this.queue[0] = bytes.subarray(WINDOW_BYTES)
        bytes = bytes.subarray(0, WINDOW_BYTES)
      } else this.queue.shift()
      this.queuedBytes -= bytes.length
      this.underWayBytes += bytes.length
      const arrival = Math.max(this.lastArrival, now + this.route.latency()) + bytes.length / this.route.bandwidth
      this.lastArrival = arrival
      // Chunks of any size, as a socket gives them.
      if (bytes.length > 1 && random.chance(0.3)) {
        const at = random.between(1, bytes.length - 1)
        this.underWay.push({ bytes: bytes.subarray(0, at), arrival })
        bytes = bytes.subarray(at)
      }
      this.underWay.push({ bytes, arrival })
    }
    this.schedule()
  }

  /** Makes sure that the head of what is under way will be delivered, unless something is in its way. */
  schedule(): void {
    if (
      this.delivering ||
      this.route.cut ||
      this.peer.closed ||
      this.peer.paused ||
      !this.peer.standing ||
      !this.peer.life!.alive
    )
      return
    const { scheduler } = this.pair.network
    const head = this.underWay.at(0)
    if (head === undefined) {
      if (this.finished === null || this.queue.length > 0) return
      this.delivering = true
      scheduler.after(this.route.latency(), () => {
        this.delivering = false
        if (this.route.cut) return
        this.peer.end(this.finished!.error)
      })
      return
    }
    this.delivering = true
    scheduler.at(head.arrival, () => {
      this.delivering = false
      this.deliver()
    })
  }

  private deliver(): void {
    const { peer } = this
    const now = this.pair.network.scheduler.now
    const { random } = this.route
    while (this.underWay.length > 0 && this.underWay[0].arrival <= now) {
      if (this.route.cut || peer.closed || peer.paused || !peer.life!.alive) break
      let bytes = this.underWay.shift()!.bytes
      const next = this.underWay.at(0)
      if (next !== undefined && next.arrival <= now && random.chance(0.3)) {
        this.underWay.shift()
        bytes = Buffer.concat([bytes, next.bytes])
      }
      this.underWayBytes -= bytes.length
      peer.handlers!.onData(bytes)
    }
    if (this.queue.length > 0) this.pump()
    if (this.wasHigh && this.queuedBytes < LOW_WATER_BYTES && !this.closed) {
      this.wasHigh = false
      if (this.life!.alive) this.handlers!.onDrain()
    }
    this.schedule()
  }
}
