import { LIMITS } from '../base/limits.js'
import type { RequestLimits } from '../resp/request-decoder.js'

/** When a client that does not read its replies is disconnected; 0 is no limit. Redis' client-output-buffer-limit. */
export interface OutputLimit {
  /** Disconnected at once when more than this waits. */
  hardBytes: number
  /** Disconnected when more than this has waited for softSeconds without a break. */
  softBytes: number
  softSeconds: number
}

/** What CONFIG SET may change while the server runs: the server reads this one object afresh every time. */
export interface ServerSettings extends RequestLimits {
  maxClients: number
  /** Seconds without input after which a client is disconnected; 0 for never. */
  idleTimeoutSeconds: number
  /** Seconds of silence after which TCP probes the client, for connections made from then on; 0 for never. */
  tcpKeepAliveSeconds: number
  /** Input that a client may have waiting: a command that is not complete, or commands that have not run. */
  queryBufferBytes: number
  /** What all clients together may take before those that take most are disconnected; 0 for no bound. Redis' maxmemory-clients. */
  clientMemoryBytes: number
  outputLimit: OutputLimit
  /** For clients that listen to channels. */
  pubsubOutputLimit: OutputLimit
}

/** Redis' defaults. */
export function defaultServerSettings(): ServerSettings {
  return {
    maxClients: 10_000,
    idleTimeoutSeconds: 0,
    tcpKeepAliveSeconds: 300,
    queryBufferBytes: 1024 * 1024 * 1024,
    clientMemoryBytes: 0,
    maxBulkBytes: LIMITS.maxBulkBytes,
    maxArguments: LIMITS.maxArguments,
    outputLimit: { hardBytes: 0, softBytes: 0, softSeconds: 0 },
    pubsubOutputLimit: { hardBytes: 32 * 1024 * 1024, softBytes: 8 * 1024 * 1024, softSeconds: 60 },
  }
}
