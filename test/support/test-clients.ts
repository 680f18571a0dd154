import type { ClientRegistry, ClientStatistics, ConnectedClient } from '../../src/commands/client-registry.js'
import { Session } from '../../src/commands/session.js'
import { ReplyWriter } from '../../src/resp/reply-writer.js'

/** A client without a socket: keeps what is delivered to it. */
export class TestClient extends Session implements ConnectedClient {
  readonly session = this
  readonly localAddress = '127.0.0.1:6379'
  readonly fd = 8
  readonly queryBufferBytes = 10
  readonly queryBufferFreeBytes = 90
  readonly outputBytes = 0
  readonly totalMemoryBytes = 1000
  delivered = ''
  killed = false
  unblockedTimes = 0

  constructor(
    id: number,
    readonly address: string,
    private readonly registry: TestClients,
  ) {
    super(id)
  }

  override deliver(write: (reply: ReplyWriter) => void): void {
    const reply = new ReplyWriter()
    reply.protocol = this.protocol
    write(reply)
    this.delivered += reply.take().toString('latin1')
  }

  override unblocked(): void {
    this.unblockedTimes++
  }

  kill(): void {
    this.killed = true
    this.registry.remove(this)
  }
}

export class TestClients implements ClientRegistry {
  readonly maxClients = 10_000
  readonly statistics: ClientStatistics = {
    totalConnections: 0,
    rejectedConnections: 0,
    netInputBytes: 0,
    netOutputBytes: 0,
    outputBufferLimitDisconnections: 0,
    queryBufferLimitDisconnections: 0,
    evictedClients: 0,
  }
  private readonly byId = new Map<number, TestClient>()
  private nextId = 1000

  connect(createdMs = 0): TestClient {
    const id = this.nextId++
    const client = new TestClient(id, `127.0.0.1:${id}`, this)
    client.createdMs = client.lastActiveMs = createdMs
    this.byId.set(id, client)
    return client
  }
  remove(client: TestClient): void {
    this.byId.delete(client.id)
  }
  clients(): Iterable<TestClient> {
    return this.byId.values()
  }
  find(id: number): TestClient | undefined {
    return this.byId.get(id)
  }
  get count(): number {
    return this.byId.size
  }
}
