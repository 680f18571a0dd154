import { Option, type Command } from 'commander'
import { parse as parseYaml } from 'yaml'
import { MeridianError } from '../base/errors.js'
import { loadConfig, type ConfigOverride } from '../config/load.js'
import { APPENDFSYNC, LOG_FORMATS, LOG_LEVELS, type MemberConfig } from '../config/member-config.js'
import type { RunningServer } from '../node/server.js'
import { collect } from './argument.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'

const EXAMPLES = `
Flags override the file. Without a file this is a database of one region: no peers, no TLS, only reachable from this machine.
Any other key of the file is reached by --set section.key=value.

Examples:
  $ meridian server                                          port 6379, data in ./meridian-data
  $ meridian server --port 7000 --dir /var/lib/meridian
  $ meridian server --config /etc/meridian/us.yaml --log-level debug
  $ meridian server --config sa.yaml --join us.example.net:7101    a new member; see \`meridian region add --help\`
  $ meridian server --config us.yaml --set clients.timeout=5m --set storage.appendfsync=always

SIGTERM or Ctrl-C stops cleanly: clients are disconnected and everything is made durable. A second one ends it at once;
what was acknowledged under appendfsync always is on disk all the same. SIGHUP reads the files of certificates again; links and clients stay.`

/** Flags with a short way, and the key each one overrides. */
const FLAG_PATHS = {
  port: ['clients', 'port'],
  bind: ['clients', 'bind'],
  dir: ['storage', 'dir'],
  appendfsync: ['storage', 'appendfsync'],
  requirepass: ['clients', 'requirepass'],
  logLevel: ['logging', 'level'],
  logFormat: ['logging', 'format'],
  join: ['peers', 'join'],
} as const

type ServerOptions = Partial<Record<keyof typeof FLAG_PATHS, string>> & { config?: string; set?: readonly string[] }

export function addServerCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  program
    .command('server')
    .description('run one member in the foreground')
    .option('-c, --config <file>', 'the YAML file of this member')
    .option('-p, --port <port>', 'port for clients; 0 is none')
    .option('--bind <address>', 'address to listen on for clients; give several separated by spaces')
    .option('-d, --dir <folder>', 'data folder; made if missing')
    .addOption(new Option('--appendfsync <when>', 'when the log is forced to disk').choices(APPENDFSYNC))
    .option('--requirepass <password>', 'password for clients; visible in the process list, so better in the file')
    .addOption(new Option('--log-level <level>', 'how much to log').choices(LOG_LEVELS))
    .addOption(new Option('--log-format <format>', 'lines for machines or people').choices(LOG_FORMATS))
    .option(
      '--join <host:port>',
      'for a member that was added: the peer address of a running one; used while the data folder is empty',
    )
    .option('--set <key=value>', 'override any key of the file, such as clients.maxclients=500; may be repeated', collect)
    .addHelpText('after', EXAMPLES)
    .action(async (options: ServerOptions) => {
      setExitCode(await runServer(loadConfig(options.config ?? null, toOverrides(options)), context))
    })
}

function toOverrides(options: ServerOptions): ConfigOverride[] {
  const overrides: ConfigOverride[] = []
  // Without a file somebody is trying it out at a terminal.
  if (options.config === undefined) overrides.push({ path: FLAG_PATHS.logFormat, value: 'pretty', flag: '--log-format' })
  for (const key of Object.keys(FLAG_PATHS) as (keyof typeof FLAG_PATHS)[]) {
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    if (options[key] !== undefined) overrides.push({ path: FLAG_PATHS[key], value: options[key], flag })
  }
  for (const assignment of options.set ?? []) overrides.push(toOverride(assignment))
  return overrides
}

/** `clients.timeout=5m`; the value is read as it would be in the file. */
function toOverride(assignment: string): ConfigOverride {
  const match = /^([a-z-]+(?:\.[a-z-]+)+)=(.*)$/s.exec(assignment)
  if (match) {
    try {
      return { path: match[1].split('.'), value: parseYaml(match[2]) as unknown, flag: `--set ${match[1]}` }
    } catch {
      // falls through to the one message
    }
  }
  throw new MeridianError('MRD_ARGUMENT', '--set needs section.key=value', 'For example --set clients.maxclients=500.')
}

/** Runs until asked to stop. A second request does not wait for the first. */
async function runServer(config: MemberConfig, context: CliContext): Promise<number> {
  let requests = 0
  const stopping = new AbortController()
  const stopRequested = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()))
  let server: RunningServer | null = null
  const unsubscribe = context.onStopRequest(
    () => {
      requests++
      if (requests === 1) stopping.abort()
      else context.forceExit(EXIT.failed)
    },
    () => server?.reloadCertificates(),
  )
  try {
    server = await context.startServer(config, stopping.signal)
    if (config.logging.format === 'pretty' && !stopping.signal.aborted) printLine(context.stdout, readyLine(config))
    await stopRequested
    await server.stop()
    return EXIT.ok
  } finally {
    unsubscribe()
  }
}

function readyLine(config: MemberConfig): string {
  const port = config.clients.port ?? config.clients.tls?.port
  const flags = [config.clients.port === null ? '--tls' : '', config.clients.requirepass ? '--askpass' : ''].filter(Boolean)
  return `Ready. Try: ${['redis-cli', '-p', port, ...flags].join(' ')}`
}
