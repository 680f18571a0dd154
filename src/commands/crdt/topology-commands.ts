import { stampToUnixMs, type Stamp } from '../../base/ids.js'
import { DNS_LABEL, formatHostPort, parseHostPort, PLACE_LABEL } from '../../base/names.js'
import type { ReplyWriter } from '../../resp/reply-writer.js'
import type { HostPort, TopologyAttribute } from '../../topology/topology-change.js'
import type { Call } from '../call.js'
import { CommandError } from '../command-error.js'
import type { CommandSpec } from '../command-spec.js'
import { helpSubcommand, wrongSubcommand } from '../help.js'

const CHANGE = {
  flags: ['admin', 'noscript', 'blocking', 'stale', 'no_multi'],
  group: 'crdt',
  categories: ['crdt'],
  since: '7.4.0',
  complexity: 'O(N), N being the number of members that ever were',
} as const

/** What a change may wait for the disk before it is answered all the same. */
const DURABLE_WITHIN_MS = 10_000

/** CRDT.TOPOLOGY: the list of members. `meridian region` is made of these. */
export const TOPOLOGY_COMMAND: CommandSpec = {
  name: 'crdt.topology',
  arity: -2,
  flags: [],
  group: 'crdt',
  categories: ['crdt'],
  since: '7.4.0',
  summary: 'Commands about the list of members.',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      ...CHANGE,
      flags: ['admin', 'noscript', 'loading', 'stale'],
      name: 'list',
      arity: 2,
      summary: 'Everybody who is or was a member.',
      handler: list,
    },
    {
      ...CHANGE,
      name: 'add',
      arity: -6,
      summary: 'Adds a member, which then joins with the name given here.',
      arguments: [
        { name: 'name', type: 'string' },
        { name: 'region', type: 'string' },
        { name: 'zone', type: 'string' },
        { name: 'peer-address', type: 'string' },
        { name: 'client-address', type: 'string', flags: ['optional'] },
      ],
      handler: add,
    },
    {
      ...CHANGE,
      name: 'remove',
      arity: -3,
      summary: 'Removes a member for ever: drained, or by force when it is gone.',
      arguments: [
        { name: 'name', type: 'string' },
        { name: 'force', type: 'pure-token', token: 'FORCE', flags: ['optional'] },
      ],
      handler: remove,
    },
    {
      ...CHANGE,
      name: 'set',
      arity: 5,
      summary: 'Changes the region, zone or an address of a member.',
      arguments: [
        { name: 'name', type: 'string' },
        { name: 'attribute', type: 'string' },
        { name: 'value', type: 'string' },
      ],
      handler: set,
    },
    helpSubcommand(
      '7.4.0',
      [
        'LIST',
        '    Everybody who is or was a member.',
        'ADD <name> <region> <zone> <peer-host:port> [<client-host:port>]',
        '    Add a member. It takes part once it was started with that name, an empty data folder and --join.',
        'REMOVE <name> [FORCE]',
        '    Remove a member for ever. It takes no writes from then on, and what it has is fetched by the others; with FORCE that is',
        '    not waited for: for one that is gone.',
        'SET <name> REGION|ZONE|PEER-ADDRESS|CLIENT-ADDRESS <value>',
        '    Change what is known of a member. An empty CLIENT-ADDRESS is none.',
      ],
      ['crdt'],
    ),
  ],
}

function list({ services, reply }: Call): void {
  const entries = services.topology.list()
  reply.array(entries.length)
  for (const { id, name, region, zone, address, client, state, freeIds, lastStamp } of entries) {
    reply.map(9)
    reply.bulkString('id')
    reply.integer(id)
    const fields = [
      ['name', name],
      ['region', region],
      ['zone', zone],
      ['peer-address', formatHostPort(address)],
      ['client-address', client === null ? '' : formatHostPort(client)],
      ['state', state],
    ] as const
    for (const [field, value] of fields) {
      reply.bulkString(field)
      reply.bulkString(value)
    }
    reply.bulkString('free-ids')
    reply.integer(freeIds)
    reply.bulkString('last-write-ms')
    reply.integer(unixMs(lastStamp))
  }
}

function add(call: Call): void {
  if (call.argc > 7) throw wrongSubcommand(call)
  const name = call.text(2)
  if (!DNS_LABEL.test(name) || name === 'ca') {
    throw new CommandError(
      'ERR a name has 1 to 63 characters of a-z, 0-9 and -, begins and ends with a letter or digit, and is not ca',
    )
  }
  const region = label(call, 3)
  const zone = label(call, 4)
  const address = hostPort(call, 5)
  const client = call.argc > 6 && call.text(6) !== '' ? hostPort(call, 6) : null
  const { topology, server } = call.services
  const own = topology.list().find((entry) => entry.name === server.memberName)
  const id = topology.add({ name, region, zone, address, client })
  whenDurable(call, (reply) => {
    reply.map(3)
    reply.bulkString('id')
    reply.integer(id)
    reply.bulkString('cluster')
    reply.bulkString(server.clusterId)
    reply.bulkString('join')
    reply.bulkString(own === undefined ? '' : formatHostPort(own.address))
  })
}

function remove(call: Call): void {
  const forced = call.argc === 4 && call.is(3, 'FORCE')
  if (call.argc > 4 || (call.argc === 4 && !forced)) throw wrongSubcommand(call)
  const known = call.services.topology.remove(call.text(2), forced)
  whenDurable(call, (reply) => {
    reply.map(2)
    reply.bulkString('state')
    reply.bulkString(forced ? 'removed' : 'draining')
    reply.bulkString('last-write-ms')
    reply.array(known.length)
    for (const { name, lastStamp } of known) {
      reply.array(2)
      reply.bulkString(name)
      reply.integer(unixMs(lastStamp))
    }
  })
}

function set(call: Call): void {
  const name = call.text(2)
  const attribute = attributeOf(call)
  call.services.topology.set(name, attribute)
  whenDurable(call, (reply) => reply.ok())
}

function attributeOf(call: Call): TopologyAttribute {
  if (call.is(3, 'REGION')) return { field: 'region', value: label(call, 4) }
  if (call.is(3, 'ZONE')) return { field: 'zone', value: label(call, 4) }
  if (call.is(3, 'PEER-ADDRESS')) return { field: 'address', value: hostPort(call, 4) }
  if (call.is(3, 'CLIENT-ADDRESS')) return { field: 'client', value: call.text(4) === '' ? null : hostPort(call, 4) }
  throw new CommandError('ERR the attribute must be REGION, ZONE, PEER-ADDRESS or CLIENT-ADDRESS')
}

function label(call: Call, i: number): string {
  const text = call.text(i)
  if (!PLACE_LABEL.test(text))
    throw new CommandError('ERR a region or zone has 1 to 63 characters of letters, digits, dot, - and _')
  return text
}

function hostPort(call: Call, i: number): HostPort {
  const parsed = parseHostPort(call.text(i))
  if (parsed === null) throw new CommandError('ERR an address is written host:port')
  return parsed
}

/** Other members, and the new one, hear of a change when it is on the disk here: so does the operator. */
function whenDurable(call: Call, reply: (reply: ReplyWriter) => void): void {
  const { topology } = call.services
  call.engine.waits.begin(call.session, { command: 'crdt.topology', isDone: () => topology.isDurable, reply }, DURABLE_WITHIN_MS)
}

function unixMs(stamp: Stamp): number {
  return stamp === 0 ? 0 : stampToUnixMs(stamp)
}
