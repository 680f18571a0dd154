import type { ConnectedClient } from '../client-registry.js'
import type { Session } from '../session.js'

export type ClientType = 'normal' | 'master' | 'replica' | 'pubsub'

/** What kind of client it is: members do not come as clients. */
export function typeOf(session: Session): ClientType {
  return session.subscriptions === null ? 'normal' : 'pubsub'
}

/** A client type by its name in CLIENT LIST and CLIENT KILL, or null. */
export function clientTypeOf(name: string): ClientType | null {
  switch (name.toLowerCase()) {
    case 'normal':
      return 'normal'
    case 'master':
      return 'master'
    case 'slave':
    case 'replica':
      return 'replica'
    case 'pubsub':
      return 'pubsub'
    default:
      return null
  }
}

/** One line of CLIENT LIST without its end, with the fields of Redis 7.4 in their order. */
export function clientLine(session: Session, client: ConnectedClient | undefined, nowMs: number): string {
  const output = client?.outputBytes ?? 0
  return [
    `id=${session.id}`,
    `addr=${client?.address ?? '?:0'}`,
    `laddr=${client?.localAddress ?? '?:0'}`,
    `fd=${client?.fd ?? -1}`,
    `name=${session.name}`,
    `age=${seconds(nowMs - session.createdMs)}`,
    `idle=${seconds(nowMs - session.lastActiveMs)}`,
    `flags=${flags(session)}`,
    `db=${session.database}`,
    `sub=${session.subscriptions?.channel.size ?? 0}`,
    `psub=${session.subscriptions?.pattern.size ?? 0}`,
    `ssub=${session.subscriptions?.shard.size ?? 0}`,
    `multi=${session.queued === null ? -1 : session.queued.length}`,
    `watch=${session.watched.size}`,
    `qbuf=${client?.queryBufferBytes ?? 0}`,
    `qbuf-free=${client?.queryBufferFreeBytes ?? 0}`,
    'argv-mem=0',
    `multi-mem=${session.queuedBytes}`,
    // Replies are written into one buffer that all clients share; only what could not be sent is a client's own.
    'rbs=0',
    'rbp=0',
    'obl=0',
    `oll=${output > 0 ? 1 : 0}`,
    `omem=${output}`,
    `tot-mem=${client?.totalMemoryBytes ?? 0}`,
    'events=r',
    `cmd=${session.lastCommand}`,
    `user=${session.user}`,
    'redir=-1',
    `resp=${session.protocol}`,
    `lib-name=${session.libraryName}`,
    `lib-ver=${session.libraryVersion}`,
  ].join(' ')
}

function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1000))
}

function flags(session: Session): string {
  const set =
    (session.isMonitor ? 'O' : '') +
    (session.subscriptions === null ? '' : 'P') +
    (session.queued === null ? '' : 'x') +
    (session.blocked === null || session.blocked.isRunning === true ? '' : 'b') +
    (session.watchBroken ? 'd' : '') +
    (session.close === 'none' ? '' : 'c') +
    (session.noEvict ? 'e' : '') +
    (session.noTouch ? 'T' : '')
  return set === '' ? 'N' : set
}
