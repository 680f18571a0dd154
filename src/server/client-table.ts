import type { ClientRegistry, ClientStatistics } from '../engine/command-executor.js'
import type { Connection } from './connection.js'
import type { ServerSettings } from './server-settings.js'

/** The connected clients, in the order of their ids. */
export class ClientTable implements ClientRegistry {
  readonly statistics: ClientStatistics = {
    totalConnections: 0,
    rejectedConnections: 0,
    netInputBytes: 0,
    netOutputBytes: 0,
    outputBufferLimitDisconnections: 0,
    queryBufferLimitDisconnections: 0,
    evictedClients: 0,
  }
  private readonly byId = new Map<number, Connection>()
  private lastId = 0

  constructor(private readonly settings: ServerSettings) {}

  get count(): number {
    return this.byId.size
  }

  get maxClients(): number {
    return this.settings.maxClients
  }

  clients(): Iterable<Connection> {
    return this.byId.values()
  }

  find(id: number): Connection | undefined {
    return this.byId.get(id)
  }

  /** Ids are never given twice while the server runs. */
  nextId(): number {
    return ++this.lastId
  }

  add(connection: Connection): void {
    this.byId.set(connection.id, connection)
  }

  remove(connection: Connection): void {
    this.byId.delete(connection.id)
  }
}
