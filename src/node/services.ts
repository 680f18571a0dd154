import { CommandTable } from '../commands/command-table.js'
import { ALL_COMMANDS } from '../commands/registry.js'
import type { ClientRegistry } from '../commands/client-registry.js'
import type {
  PeerReport,
  ReplicationService,
  ServerService,
  Services,
  SettingsService,
  TransactionService,
} from '../commands/services.js'
import type { Session } from '../commands/session.js'
import type { Member } from './member.js'
import { MemberTopology } from './topology-service.js'

/** Transactions of an engine that is made after the services. */
export function transactionsOf(member: () => Member): TransactionService {
  const of = (): TransactionService => member().engine.transactions
  return {
    multi: (session: Session) => of().multi(session),
    discard: (session) => of().discard(session),
    watch: (session, database, key) => of().watch(session, database, key),
    unwatch: (session) => of().unwatch(session),
    reset: (session) => of().reset(session),
  }
}

/** How far writes have got, from the member and its peer sync. */
export class MemberReplication implements ReplicationService {
  constructor(private readonly member: () => Member) {}

  get memberId(): ReplicationService['memberId'] {
    return this.member().topology.self
  }
  get applied(): ReplicationService['applied'] {
    return this.member().applied
  }
  get durable(): ReplicationService['durable'] {
    return this.member().durable
  }
  get stable(): ReplicationService['stable'] {
    return this.member().stable
  }
  get peers(): readonly PeerReport[] {
    const { sync, topology } = this.member()
    if (sync === null) return []
    return sync.peers().map((peer) => ({
      id: peer.member.id,
      name: peer.member.name,
      region: peer.member.region,
      link: peer.outbound.state === 'up' ? 'up' : peer.outbound.state === 'waiting' ? 'down' : 'connecting',
      inbound: peer.inbound.state === 'up' ? 'up' : 'down',
      lagMs: peer.lagMs,
      behindMs: peer.behindMs,
      roundTripMs: peer.roundTripMs ?? 0,
      bytesIn: peer.bytesReceived,
      bytesOut: peer.bytesSent,
      relay: topology.members.find((member) => member.id === peer.relay)?.name ?? null,
      error: peer.lastError === null ? null : `${peer.lastError.code}: ${peer.lastError.message}`,
      applied: peer.applied,
      durable: peer.durable,
    }))
  }
  onProgress(listener: () => void): void {
    this.member().onProgress(listener)
  }
}

/** The services of one member, from their parts. */
export function makeServices(
  member: () => Member,
  clients: () => ClientRegistry,
  settings: SettingsService,
  server: ServerService,
): Services {
  return {
    table: new CommandTable(ALL_COMMANDS),
    get clients() {
      return clients()
    },
    settings,
    replication: new MemberReplication(member),
    server,
    topology: new MemberTopology(member),
    transactions: transactionsOf(member),
  }
}
