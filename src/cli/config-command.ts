import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { loadConfig } from '../config/load.js'
import type { MemberConfig } from '../config/member-config.js'
import { readPem } from './certificate-folder.js'
import { printLine, type CliContext } from './context.js'

const EXAMPLES = `
Every problem is listed with file:line:column, what was found and what is allowed.

Examples:
  $ meridian config check us.yaml
  $ meridian config check --files us.yaml      also: certificates can be read, the data folder can be written
  $ meridian config check config/*.yaml`

export function addConfigCommand(program: Command, context: CliContext): void {
  const config = program.command('config').description('work with configuration files')
  config
    .command('check')
    .description('say whether files are valid')
    .argument('<file...>', 'YAML files of members')
    .option('--files', 'also check the files and folders that they name, on this machine')
    .addHelpText('after', EXAMPLES)
    .action((files: string[], options: { files?: boolean }) => {
      for (const file of files) {
        const loaded = loadConfig(file)
        if (options.files) checkFiles(loaded)
        printLine(context.stdout, `${file}: ${summary(loaded)}`)
      }
    })
}

function summary(config: MemberConfig): string {
  const { member, clients, peers } = config
  const ports = [clients.port === null ? '' : `port ${clients.port}`, clients.tls ? `tls-port ${clients.tls.port}` : ''].filter(
    Boolean,
  )
  const mesh = peers ? `${peers.members.length} members, peer port ${peers.port}` : 'one region'
  return `valid: member ${member.id} ${member.name} of cluster ${config.clusterId}, ${ports.join(', ')}, ${mesh}`
}

function checkFiles(config: MemberConfig): void {
  const { tls } = config.clients
  const named = [config.peers?.certFile, config.peers?.keyFile, config.peers?.caFile, tls?.certFile, tls?.keyFile, tls?.caFile]
  for (const file of named) if (typeof file === 'string') readPem(file)
  let folder = config.storage.dir
  while (!existsSync(folder)) folder = dirname(folder)
  try {
    accessSync(folder, constants.W_OK)
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is a file`)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new MeridianError(
      'MRD_DATA_FOLDER',
      `${config.storage.dir} cannot be used: ${reason}`,
      'Choose a folder that can be written.',
      {
        cause: error,
      },
    )
  }
}
