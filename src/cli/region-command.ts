import type { Command } from 'commander'
import Table from 'cli-table3'
import { MeridianError } from '../base/errors.js'
import { parseHostPort } from '../base/names.js'
import { addConnectionOptions, targetsOf, type ConnectionOptions } from './connection-options.js'
import { printLine, type CliContext } from './context.js'
import { fieldsOf } from './member-list.js'
import { RedisClient, ReplyError, type Reply } from './redis-client.js'

const EXAMPLES = `
The list of members is data that all of them share: any one takes a change, also while others are down, and the others follow.
Say whom to ask with --via HOST:PORT (its port for clients; the password comes from REDISCLI_AUTH) or --config FILE.

Examples:
  $ meridian region list --via us.example.net:6379
  $ meridian region add sa --region sa-east --zone sa-east-1a --peer-address sa.example.net:7101 --via us.example.net:6379
  $ meridian region set sa --zone sa-east-1b --via us.example.net:6379
  $ meridian region remove sa --via us.example.net:6379             what sa has is fetched by the others first
  $ meridian region remove sa --force --via us.example.net:6379     sa is gone for good`

type RegionOptions = ConnectionOptions & { via?: string }
type AddOptions = RegionOptions & { region?: string; zone?: string; peerAddress: string; clientAddress?: string }
type SetOptions = RegionOptions & { region?: string; zone?: string; peerAddress?: string; clientAddress?: string }

export function addRegionCommand(program: Command, context: CliContext): void {
  const region = program.command('region').description('show, add, remove and change members').addHelpText('after', EXAMPLES)
  via(region.command('list').description('show everybody who is or was a member').option('--json', 'print JSON')).action(
    async (options: RegionOptions & { json?: boolean }) => listMembers(options, context),
  )
  via(
    region
      .command('add')
      .description('add a member, and say how to start it')
      .argument('<name>', 'its name: new, and in its certificate')
      .option('--region <region>', 'where it is; its name when left out')
      .option('--zone <zone>', 'failure domain inside the region; the region when left out')
      .requiredOption('--peer-address <host:port>', 'where the other members will reach it')
      .option('--client-address <host:port>', 'where clients will reach it'),
  ).action(async (name: string, options: AddOptions) => addMember(name, options, context))
  via(
    region
      .command('remove')
      .description('remove a member for ever')
      .argument('<name>')
      .option('--force', 'do not wait for what it may still have: it is gone'),
  ).action(async (name: string, options: RegionOptions & { force?: boolean }) => removeMember(name, options, context))
  via(
    region
      .command('set')
      .description('change the labels or addresses of a member; nothing is restarted')
      .argument('<name>')
      .option('--region <region>', 'where it is')
      .option('--zone <zone>', 'failure domain inside the region')
      .option('--peer-address <host:port>', 'where the other members reach it')
      .option('--client-address <host:port>', 'where clients reach it'),
  ).action(async (name: string, options: SetOptions) => setMember(name, options, context))
}

function via(command: Command): Command {
  return addConnectionOptions(command.option('--via <host:port>', 'the member to ask, at its port for clients'))
}

async function listMembers(options: RegionOptions & { json?: boolean }, context: CliContext): Promise<void> {
  const members = (await ask(options, ['CRDT.TOPOLOGY', 'LIST'])) as Reply[]
  const entries = members.map(fieldsOf)
  if (options.json === true) {
    printLine(context.stdout, JSON.stringify({ members: entries.map((entry) => Object.fromEntries(entry)) }, null, 2))
    return
  }
  const table = new Table({
    head: ['id', 'name', 'region', 'zone', 'peer address', 'state', 'last write'],
    style: { head: [], border: [] },
  })
  for (const entry of entries) {
    const text = (key: string): string => String(entry.get(key) ?? '')
    table.push([
      text('id'),
      text('name'),
      text('region'),
      text('zone'),
      text('peer-address'),
      text('state'),
      timeOf(entry.get('last-write-ms')),
    ])
  }
  printLine(context.stdout, table.toString())
}

async function addMember(name: string, options: AddOptions, context: CliContext): Promise<void> {
  const { peerAddress, clientAddress } = options
  const region = options.region ?? name
  const command = ['CRDT.TOPOLOGY', 'ADD', name, region, options.zone ?? region, peerAddress]
  const port = parseHostPort(peerAddress)?.port ?? 0
  const added = fieldsOf(await ask(options, clientAddress === undefined ? command : [...command, clientAddress]))
  const clientPort = clientAddress === undefined ? '6379' : String(parseHostPort(clientAddress)?.port ?? 6379)
  const lines = [
    `Added ${name} as member ${String(added.get('id'))}. It takes part when it was started:`,
    '',
    `  1. Where the authority's key is: meridian certs issue ${name} --dir certs`,
    `     and bring certs/${name}.crt, certs/${name}.key and certs/ca.crt to its machine.`,
    `  2. There, with an empty data folder, and with ${name}.yaml as this:`,
    '',
    `     cluster: { id: ${String(added.get('cluster'))} }`,
    `     member: { name: ${name} }`,
    `     storage: { dir: data }`,
    `     clients: { port: ${clientPort} }`,
    `     peers:`,
    `       port: ${port}`,
    `       tls-cert-file: certs/${name}.crt`,
    `       tls-key-file: certs/${name}.key`,
    `       tls-ca-cert-file: certs/ca.crt`,
    `       join: ${String(added.get('join'))}`,
    '',
    `     meridian server --config ${name}.yaml`,
    '',
    'It takes writes when it has caught up; `meridian status` shows it.',
  ]
  printLine(context.stdout, lines.join('\n'))
}

async function removeMember(name: string, options: RegionOptions & { force?: boolean }, context: CliContext): Promise<void> {
  const force = options.force === true
  const removed = fieldsOf(await ask(options, ['CRDT.TOPOLOGY', 'REMOVE', name, ...(force ? ['FORCE'] : [])]))
  if (!force) {
    const lines = [
      `Removed ${name}. It takes no writes any more; what it has is fetched by the others, and then it is refused.`,
      'Stop it when `meridian region list` says that it has left. If it never comes back: meridian region remove --force.',
    ]
    printLine(context.stdout, lines.join('\n'))
    return
  }
  printLine(context.stdout, `Removed ${name} by force. Of its writes the others have, as far as known:`)
  for (const entry of removed.get('last-write-ms') as Reply[]) {
    const [member, ms] = entry as [string, number]
    printLine(context.stdout, `  ${member}: ${ms === 0 ? 'none' : `up to ${timeOf(ms)}`}`)
  }
  const rest = [
    'They give each other what one of them has. Later ones are lost, unless its data folder is found: started from it, it is refused by the others, but',
    'serves reads, and `meridian export` writes what it has to a file.',
  ]
  printLine(context.stdout, rest.join('\n'))
}

async function setMember(name: string, options: SetOptions, context: CliContext): Promise<void> {
  const changes: [string, string][] = []
  if (options.region !== undefined) changes.push(['REGION', options.region])
  if (options.zone !== undefined) changes.push(['ZONE', options.zone])
  if (options.peerAddress !== undefined) changes.push(['PEER-ADDRESS', options.peerAddress])
  if (options.clientAddress !== undefined) changes.push(['CLIENT-ADDRESS', options.clientAddress])
  if (changes.length === 0) {
    throw new MeridianError(
      'MRD_ARGUMENT',
      'Nothing is to be changed',
      'Give --region, --zone, --peer-address or --client-address.',
    )
  }
  for (const [attribute, value] of changes) await ask(options, ['CRDT.TOPOLOGY', 'SET', name, attribute, value])
  printLine(context.stdout, `Changed ${changes.map(([attribute]) => attribute.toLowerCase()).join(', ')} of ${name}.`)
  if (options.peerAddress !== undefined) {
    printLine(
      context.stdout,
      `The others dial ${options.peerAddress} now. Links to the address before live on where it does not answer; \`meridian status\` and the logs say so then.`,
    )
  }
}

/** @throws MeridianError when the member does not answer or says no. */
async function ask(options: RegionOptions, command: readonly string[]): Promise<Reply> {
  const [target] = targetsOf(options.via === undefined ? [] : [options.via], options)
  const client = await RedisClient.connect(target, options.timeout).catch(refusal)
  try {
    return await client.command(...command)
  } catch (error) {
    return refusal(error)
  } finally {
    client.close()
  }
}

function refusal(error: unknown): never {
  if (!(error instanceof ReplyError)) throw error
  throw new MeridianError('MRD_REFUSED', error.message.replace(/^ERR /, '').replace(/\.$/, ''), 'Nothing was changed.')
}

function timeOf(ms: Reply | undefined): string {
  return typeof ms === 'number' && ms > 0 ? new Date(ms).toISOString() : ''
}
