import type { Call } from '../call.js'
import type { ConnectedClient } from '../client-registry.js'
import { CommandError, syntaxError } from '../command-error.js'
import { DEFAULT_USER } from './authentication.js'
import { clientTypeOf, typeOf, type ClientType } from './client-line.js'

interface Filter {
  id: number | null
  address: string | null
  localAddress: string | null
  type: ClientType | null
  minimumAgeSeconds: number
  skipMe: boolean
}

/** CLIENT KILL ip:port, or with filters that must all fit. */
export function killClients(call: Call): void {
  const old = call.argc === 3
  const filter: Filter = { id: null, address: null, localAddress: null, type: null, minimumAgeSeconds: 0, skipMe: true }
  if (old) {
    filter.address = call.text(2)
    // In the old form a client may kill itself.
    filter.skipMe = false
  } else {
    parse(call, filter)
  }
  let killed = 0
  for (const client of [...call.services.clients.clients()]) {
    if (!fits(call, client, filter)) continue
    // The own connection ends after this reply.
    if (client.session === call.session) client.session.close = 'after-reply'
    else client.kill()
    killed++
  }
  if (!old) call.reply.integer(killed)
  else if (killed > 0) call.reply.ok()
  else throw new CommandError('ERR No such client')
}

function parse(call: Call, filter: Filter): void {
  for (let i = 2; i < call.argc; i += 2) {
    const value = i + 1
    if (value === call.argc) throw syntaxError()
    if (call.is(i, 'ID')) {
      filter.id = call.integer(value, 'ERR client-id should be greater than 0')
      if (filter.id < 1) throw new CommandError('ERR client-id should be greater than 0')
    } else if (call.is(i, 'MAXAGE')) {
      filter.minimumAgeSeconds = call.integer(value, 'ERR maxage is not an integer or out of range')
      if (filter.minimumAgeSeconds <= 0) throw new CommandError('ERR maxage should be greater than 0')
    } else if (call.is(i, 'TYPE')) {
      filter.type = clientTypeOf(call.text(value))
      if (filter.type === null) throw new CommandError(`ERR Unknown client type '${call.text(value)}'`)
    } else if (call.is(i, 'ADDR')) {
      filter.address = call.text(value)
    } else if (call.is(i, 'LADDR')) {
      filter.localAddress = call.text(value)
    } else if (call.is(i, 'USER')) {
      // There is one user, so this filter never takes anyone out.
      if (call.text(value) !== DEFAULT_USER) throw new CommandError(`ERR No such user '${call.text(value)}'`)
    } else if (call.is(i, 'SKIPME')) {
      if (!call.is(value, 'YES') && !call.is(value, 'NO')) throw syntaxError()
      filter.skipMe = call.is(value, 'YES')
    } else {
      throw syntaxError()
    }
  }
}

function fits(call: Call, client: ConnectedClient, filter: Filter): boolean {
  if (filter.skipMe && client.session === call.session) return false
  if (filter.address !== null && client.address !== filter.address) return false
  if (filter.localAddress !== null && client.localAddress !== filter.localAddress) return false
  if (filter.id !== null && client.session.id !== filter.id) return false
  if (filter.type !== null && filter.type !== typeOf(client.session)) return false
  const ageSeconds = Math.floor((call.nowMs - client.session.createdMs) / 1000)
  return ageSeconds >= filter.minimumAgeSeconds
}
