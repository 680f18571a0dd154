import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'
import { formatHostPort } from '../base/names.js'
import type { Clock, Timer } from '../ports/clock.js'
import type { Logger } from '../ports/logger.js'
import type { Link, Network } from '../ports/network.js'
import type { Random } from '../ports/random.js'
import type { HostPort } from '../topology/topology-change.js'
import { RefusedError } from './link-session.js'
import * as wire from './messages.js'
import { MESSAGE } from './messages.js'
import { MessageReader } from './message-reader.js'

export interface JoinPorts {
  readonly network: Network
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export interface Joiner {
  readonly clusterId: string
  readonly name: string
  /** Any member. */
  readonly at: HostPort
}

const ATTEMPT_MS = 10_000
const PAUSE_MS = 500
/** It may take a while until the member that is asked has heard of the new one, or has started. */
const GIVE_UP_MS = 60_000

const TO_BE_ADDED = 'Add NAME with `meridian region add` at any member, and start it with that name and its own certificate.'
/** What is to be done by the operator of one that was refused. */
const REMEDIES = {
  MRD_PEER_UNKNOWN: TO_BE_ADDED,
  MRD_PEER_IDENTITY: TO_BE_ADDED,
  MRD_PEER_REMOVED: 'The name NAME is never used again: start it as the new one.',
  MRD_JOIN_TARGET: 'NAME itself was not refused: start it once more, with the peer address of another member in --join.',
} as const

/**
 * Asks a member for the topology, as one that was added to it and has nothing yet, not even its id: HELLO with member 0 is answered by HELLO
 * and TOPOLOGY. Tries again until it has it, is told that it never will, or a minute has passed.
 */
export class JoinRequest {
  private readonly startedMs: number
  private timer: Timer | null = null
  private lastError: Error | null = null

  constructor(
    private readonly ports: JoinPorts,
    private readonly joiner: Joiner,
    private readonly done: (result: Uint8Array | Error) => void,
  ) {
    this.startedMs = ports.clock.monotonicMs()
    this.attempt()
  }

  private attempt(): void {
    const { network, clock, random } = this.ports
    const { clusterId, name, at } = this.joiner
    const reader = new MessageReader(LIMITS.linkMessageBytes)
    let over = false
    let link: Link | null = null
    let isOpen = false
    const end = (result: Uint8Array | Error): void => {
      if (over) return
      over = true
      this.timer?.cancel()
      link?.close()
      this.ended(result)
    }
    const hello = (): void => {
      link?.send(
        wire.encodeHello({
          minVersion: wire.TOPOLOGY_VERSION,
          maxVersion: wire.PROTOCOL_MAX,
          member: 0,
          incarnation: random.uint32(),
          topologyVersion: 0,
          clusterId,
          name,
        }),
      )
    }
    this.timer = clock.setTimer(ATTEMPT_MS, () => end(this.unreachable(`no answer within ${ATTEMPT_MS} ms`)))
    link = network.dial(
      { name: '', ...at },
      {
        onOpen: () => {
          isOpen = true
          hello()
        },
        onData: (bytes) => {
          if (over) return
          try {
            reader.push(bytes)
            while (!over && reader.next()) {
              if (reader.type === MESSAGE.refused) {
                const { code, text } = wire.decodeRefused(reader.payload)
                end(new RefusedError(code, `Refused by ${formatHostPort(at)}: ${text}`))
              } else if (reader.type === MESSAGE.topology) end(reader.payload.slice())
              else if (reader.type !== MESSAGE.hello) throw wire.protocolError(`message type ${reader.type} to one that joins`)
            }
          } catch (error) {
            if (!(error instanceof MeridianError)) throw error
            end(error)
          }
        },
        onDrain: () => undefined,
        onClose: (error) => end(error ?? this.unreachable('it closed the link')),
      },
    )
    // A transport may open the link before dial() has returned it.
    if (isOpen) hello()
  }

  private ended(result: Uint8Array | Error): void {
    const { clock, logger } = this.ports
    if (result instanceof Uint8Array) return this.done(result)
    const code = result instanceof RefusedError || result instanceof MeridianError ? result.code : ''
    const isFinal = code !== 'MRD_PEER_UNREACHABLE' && code !== 'MRD_PEER_UNKNOWN' && code !== ''
    if (isFinal || clock.monotonicMs() - this.startedMs > GIVE_UP_MS) return this.done(this.failure(result, code))
    if (result.message !== this.lastError?.message) logger.info({ code }, `Joining is tried again: ${result.message}`)
    this.lastError = result
    clock.setTimer(PAUSE_MS, () => this.attempt())
  }

  private failure(error: Error, code: string): Error {
    if (error instanceof MeridianError) return error
    const { name } = this.joiner
    const known =
      code === 'MRD_PEER_REMOVED' || code === 'MRD_PEER_UNKNOWN' || code === 'MRD_JOIN_TARGET' ? code : 'MRD_PEER_IDENTITY'
    return new MeridianError(known, `${name} could not join: ${error.message}`, REMEDIES[known].replace('NAME', name), {
      cause: error,
    })
  }

  private unreachable(why: string): MeridianError {
    return new MeridianError(
      'MRD_PEER_UNREACHABLE',
      `${formatHostPort(this.joiner.at)} cannot be asked for the list of members: ${why}`,
      'Give --join the peer address of a running member.',
    )
  }
}
