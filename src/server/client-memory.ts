import type { Logger } from '../ports/logger.js'
import type { ClientTable } from './client-table.js'
import type { Connection } from './connection.js'
import type { ServerSettings } from './server-settings.js'

/**
 * Bounds what all clients together take (Redis' maxmemory-clients): when they take more, those that take most are disconnected. Clients
 * that said CLIENT NO-EVICT are spared, but count. The sum is kept from event to event, so that looking at it costs the same however many clients there are.
 */
export class ClientMemory {
  private total = 0
  private boundSeen = 0
  /** The bound is exceeded by clients that must be spared: not looked at again before the next upkeep. */
  private isInVain = false

  constructor(
    private readonly table: ClientTable,
    private readonly settings: ServerSettings,
    private readonly logger: Logger,
  ) {}

  /** Called whenever what a client takes may have changed. A comparison or two while there is no bound. */
  changed(connection: Connection): void {
    const bound = this.settings.clientMemoryBytes
    if (bound !== this.boundSeen) this.recount(bound)
    if (bound === 0) return
    this.count(connection)
    if (this.total > bound && !this.isInVain) this.disconnect(bound)
  }

  /** Once a second. */
  upkeep(): void {
    this.isInVain = false
  }

  left(connection: Connection): void {
    this.total -= connection.countedBytes
    connection.countedBytes = 0
  }

  private count(connection: Connection): void {
    const bytes = connection.isLeaving ? 0 : connection.totalMemoryBytes
    this.total += bytes - connection.countedBytes
    connection.countedBytes = bytes
  }

  private recount(bound: number): void {
    this.boundSeen = bound
    this.isInVain = false
    for (const connection of this.table.clients()) {
      if (bound === 0) this.left(connection)
      else this.count(connection)
    }
  }

  private disconnect(bound: number): void {
    const candidates = [...this.table.clients()].filter((connection) => !connection.noEvict && !connection.isLeaving)
    candidates.sort((a, b) => b.countedBytes - a.countedBytes)
    for (const connection of candidates) {
      if (this.total <= bound) return
      const { id, address, name, countedBytes } = connection
      this.logger.warn({ client: id, address, name, bytes: countedBytes }, 'client takes most of maxmemory-clients: disconnected')
      this.table.statistics.evictedClients++
      connection.evict()
      this.left(connection)
    }
    this.isInVain = this.total > bound
  }
}
