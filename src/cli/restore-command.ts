import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { MAX_MEMBER_ID, type MemberId } from '../base/ids.js'
import { DNS_LABEL } from '../base/names.js'
import { loadConfig } from '../config/load.js'
import { restoreFolder } from '../node/backup-files.js'
import { integerArgument } from './argument.js'
import { printLine, type CliContext } from './context.js'
import { ProgressLine, duration, plural } from './progress-line.js'

const EXAMPLES = `
Makes the data folder of one member, offline; start it then with \`meridian server\`. It has the state of the backup; which members there were is not carried over: its configuration says
that, and it begins alone, or with others that start with empty folders. Add them with \`meridian region add\`.

While one region of a cluster lives, do not restore: remove the lost one (meridian region remove NAME --force), add one with an empty folder, and it takes everything from the others.
Restoring as the cluster that the backup is of needs --all-regions-lost, and an old region of it must never be started again.

Examples:
  $ meridian restore shop.mbackup --config us.yaml
  $ meridian restore shop.mbackup --dir data --cluster-id shop2 --member-id 1 --member-name us
  $ meridian restore shop.mbackup --config us.yaml --all-regions-lost`

interface Options {
  config?: string
  dir?: string
  clusterId?: string
  memberId?: number
  memberName?: string
  allRegionsLost?: boolean
}

export function addRestoreCommand(program: Command, context: CliContext): void {
  program
    .command('restore')
    .description('make the data folder of the first member of a cluster from a backup')
    .argument('<file>', 'the backup')
    .option('-c, --config <file>', "the member's YAML file: it says folder, cluster, id and name")
    .option('-d, --dir <folder>', 'data folder; it must be empty')
    .option('--cluster-id <id>', 'of the new cluster')
    .option('--member-id <id>', 'of the member', integerArgument(1, MAX_MEMBER_ID))
    .option('--member-name <name>', 'of the member')
    .option('--all-regions-lost', 'restore as the cluster that the backup is of: nothing else is left of it')
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: Options) => {
      const { folder, member, configured } = placeOf(options)
      const progress = new ProgressLine(context.stderr)
      const allRegionsLost = options.allRegionsLost === true
      const { keys, clusterId, memberName, takenMs, members } = restoreFolder(
        { file: resolve(file), folder, member, allRegionsLost },
        (what, share) => progress.update(() => `${what}: ${Math.floor(100 * share)} %`),
      )
      progress.clear()
      const lines = [
        `restored ${plural(keys, 'key')} in ${duration(progress.elapsedMs)}: what member ${memberName} of cluster ${clusterId} had at ${new Date(takenMs).toISOString()}`,
        `  ${folder} is now the data folder of member ${member.memberName} (id ${member.memberId}) of cluster ${member.clusterId}; start it with \`meridian server\``,
        '  other regions begin with empty folders: `meridian region add`',
        ...(allRegionsLost ? otherMembers(configured, members) : []),
      ]
      printLine(context.stdout, lines.join('\n'))
    })
}

interface Named {
  readonly id: number
  readonly name: string
}

/** What the list in the configuration has that the one of the backup's time had not, and the other way round. Only whoever knows what became of them can tell whether that is right. */
function otherMembers(configured: readonly Named[], former: readonly (Named & { readonly isActive: boolean })[]): string[] {
  if (former.length === 0) return []
  const lines: string[] = []
  for (const { id, name } of configured) {
    const before = former.find((each) => each.id === id)
    if (before !== undefined && before.name !== name)
      lines.push(`id ${id} is given to ${name}, and was ${before.name}'s: give ${name} an id that nobody had`)
    else if (before === undefined) lines.push(`${name} (id ${id}) is in peers.members, and was no member then`)
    else if (!before.isActive)
      lines.push(`${name} (id ${id}) is in peers.members, and had been removed: give it a new name and id`)
  }
  for (const { id, name, isActive } of former)
    if (isActive && configured.length > 1 && !configured.some((each) => each.id === id))
      lines.push(`${name} (id ${id}) was a member then, and is not in peers.members`)
  if (lines.length === 0) return []
  return [
    'warning: peers.members is not the list of members that the cluster had. The new one begins with peers.members:',
    ...lines.map((line) => `  ${line}`),
  ]
}

interface Place {
  readonly folder: string
  readonly member: { readonly clusterId: string; readonly memberId: MemberId; readonly memberName: string }
  /** With whom the cluster will begin, as the file says; empty where nothing says it. */
  readonly configured: readonly Named[]
}

/** What the flags say, and the file where they say nothing. */
function placeOf({ config: path, dir, clusterId, memberId, memberName }: Options): Place {
  const config = path === undefined ? null : loadConfig(path)
  if (config !== null && config.peers !== null && config.peers.join !== null) {
    throw new MeridianError(
      'MRD_RESTORE',
      `${config.member.name} is to join a cluster (peers.join): there it takes everything from the others`,
      'Restore the first member of a cluster; its configuration has peers.members, or no peers.',
    )
  }
  const folder = dir ?? config?.storage.dir
  const place = {
    clusterId: clusterId ?? config?.clusterId,
    memberId: (memberId as MemberId | undefined) ?? config?.member.id,
    memberName: memberName ?? config?.member.name,
  }
  if (folder === undefined || place.clusterId === undefined || place.memberId === undefined || place.memberName === undefined) {
    throw new MeridianError(
      'MRD_ARGUMENT',
      'It is not said whose data folder is to be made',
      'Give --config FILE, or --dir, --cluster-id, --member-id and --member-name.',
    )
  }
  if (!DNS_LABEL.test(place.clusterId) || !DNS_LABEL.test(place.memberName)) {
    throw new MeridianError(
      'MRD_ARGUMENT',
      'The id of a cluster and the name of a member have 1 to 63 characters of a-z, 0-9 and -',
      'They begin and end with a letter or digit.',
    )
  }
  return {
    folder: resolve(folder),
    member: { clusterId: place.clusterId, memberId: place.memberId, memberName: place.memberName },
    configured: config?.peers?.members ?? [],
  }
}
