import type { MemberId } from '../../src/base/ids.js'
import type { PeerSyncOptions } from '../../src/peer-sync/options.js'
import { PeerSync } from '../../src/peer-sync/peer-sync.js'
import type { MemberInfo, Topology } from '../../src/peer-sync/sync-host.js'
import type { Logger } from '../../src/ports/logger.js'
import { FakeHost } from './fake-host.js'
import { FakeClock, SeededRandom } from './fake-time.js'
import { MemoryHub } from './memory-network.js'

export const CLUSTER = 'test-cluster'

export interface LogLine {
  level: string
  fields: object
  message: string
}

export function memberInfo(id: number, name = `m${id}`): MemberInfo {
  return { id: id as MemberId, name, region: name, zone: 'a', address: { name, host: '127.0.0.1', port: 7000 + id } }
}

export function topologyOf(self: number, count: number): Topology {
  const members = Array.from({ length: count }, (_, i) => memberInfo(i + 1))
  return { clusterId: CLUSTER, version: 1, members, self: self as MemberId }
}

export function memoryLogger(lines: LogLine[]): Logger {
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => logger }
  return logger
}

export class MeshMember {
  readonly lines: LogLine[] = []
  sync: PeerSync
  host: FakeHost

  constructor(
    readonly mesh: Mesh,
    topology: Topology,
    private readonly options: Partial<PeerSyncOptions>,
  ) {
    this.host = new FakeHost(topology, mesh.clock)
    this.sync = this.makeSync()
  }

  get name(): string {
    return this.host.topology.members.find((member) => member.id === this.host.self)?.name ?? ''
  }

  /** kill -9 and start again. */
  crash(): void {
    this.host.onLogChange = () => undefined
    this.sync.stop()
    for (const end of [...this.mesh.hub.ends]) if (end.owner === this.name) end.break()
    this.host = this.host.crashed()
    this.sync = this.makeSync()
    this.sync.start()
  }

  private makeSync(): PeerSync {
    const { hub, clock, random } = this.mesh
    const network = hub.network({ name: this.name, clusterId: CLUSTER })
    const sync = new PeerSync(this.host, { network, clock, random, logger: memoryLogger(this.lines) }, this.options)
    this.host.onLogChange = () => sync.onLogChange()
    return sync
  }
}

/** Several members on one clock. */
export class Mesh {
  readonly clock = new FakeClock()
  readonly random: SeededRandom
  readonly hub: MemoryHub
  readonly members: MeshMember[] = []

  constructor(
    readonly count: number,
    seed = 1,
    options: Partial<PeerSyncOptions> = {},
  ) {
    this.random = new SeededRandom(seed)
    this.hub = new MemoryHub(this.clock, this.random)
    for (let id = 1; id <= count; id++) this.members.push(new MeshMember(this, topologyOf(id, count), options))
  }

  start(): this {
    for (const member of this.members) member.sync.start()
    return this
  }

  advance(ms: number): void {
    this.clock.advance(ms)
  }

  converged(): boolean {
    const [first, ...others] = this.members
    return others.every((member) => member.host.applied.equals(first.host.applied))
  }

  stop(): void {
    for (const member of this.members) member.sync.stop()
  }
}
