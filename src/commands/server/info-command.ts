import type { Call } from '../call.js'
import type { CommandSpec } from '../command-spec.js'
import { cpuSection, memorySection, persistenceSection, serverSection, statsSection } from './info-process.js'
import type { InfoFields } from './info-fields.js'
import {
  clientsSection,
  clusterSection,
  commandstatsSection,
  errorstatsSection,
  keyspaceSection,
  latencystatsSection,
  modulesSection,
} from './info-data.js'
import { crdtSection, peersSection, replicationSection } from './info-replication.js'

interface Section {
  /** As INFO's argument. */
  readonly name: string
  readonly title: string
  /** Part of INFO without arguments. */
  readonly byDefault: boolean
  /** Part of INFO all: everything has what all leaves out. */
  readonly inAll: boolean
  readonly fields: (call: Call) => InfoFields
}

function section(name: string, fields: (call: Call) => InfoFields, when: Partial<Section> = {}): Section {
  return { name, title: name[0].toUpperCase() + name.slice(1), byDefault: true, inAll: true, fields, ...when }
}

/** In the order in which INFO prints them. */
const SECTIONS: readonly Section[] = [
  section('server', serverSection),
  section('clients', clientsSection),
  section('memory', memorySection),
  section('persistence', persistenceSection),
  section('stats', statsSection),
  section('replication', replicationSection),
  section('crdt', crdtSection, { title: 'CRDT' }),
  section('peers', peersSection),
  section('cpu', cpuSection, { title: 'CPU' }),
  section('modules', modulesSection),
  section('commandstats', commandstatsSection, { byDefault: false }),
  section('errorstats', errorstatsSection),
  section('latencystats', latencystatsSection, { byDefault: false }),
  section('cluster', clusterSection),
  section('keyspace', keyspaceSection),
]

export const INFO_COMMAND: CommandSpec = {
  name: 'info',
  arity: -1,
  flags: ['loading', 'stale'],
  group: 'server',
  categories: ['dangerous'],
  since: '1.0.0',
  summary: 'What the server is, does and has.',
  complexity: 'O(1)',
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
  history: [['7.0.0', 'Several sections may be asked for.']],
  arguments: [{ name: 'section', type: 'string', flags: ['optional', 'multiple'] }],
  handler: (call) => call.reply.verbatim('txt', infoText(call)),
}

function infoText(call: Call): string {
  const wanted = new Set<string>()
  for (let i = 1; i < call.argc; i++) wanted.add(call.text(i).toLowerCase())
  if (wanted.has('module_list')) wanted.add('modules')
  const all = wanted.has('all') || wanted.has('everything')
  const byDefault = wanted.size === 0 || wanted.has('default')
  return SECTIONS.filter((part) => wanted.has(part.name) || (all && part.inAll) || (byDefault && part.byDefault))
    .map(
      (part) =>
        `# ${part.title}\r\n${part
          .fields(call)
          .map(([name, value]) => `${name}:${value}\r\n`)
          .join('')}`,
    )
    .join('\r\n')
}
