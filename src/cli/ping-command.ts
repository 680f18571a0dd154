import type { Command } from 'commander'
import { MeridianError } from '../base/errors.js'
import { addConnectionOptions, targetsOf, type ConnectionOptions } from './connection-options.js'
import { EXIT, printLine, type CliContext, type SetExitCode } from './context.js'
import { RedisClient, ReplyError } from './redis-client.js'

const EXAMPLES = `
For health checks. Exit code: 0 it serves, 1 it answers but does not serve (loading, wrong password), 2 no answer.

Examples:
  $ meridian ping 127.0.0.1:7001
  $ meridian ping --config us.yaml`

export function addPingCommand(program: Command, context: CliContext, setExitCode: SetExitCode): void {
  const command = program
    .command('ping')
    .description('ask one member whether it serves')
    .argument('[address]', 'host:port of the member')
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (address: string | undefined, options: ConnectionOptions) => {
      const [target] = targetsOf(address === undefined ? [] : [address], options)
      let client: RedisClient | null = null
      try {
        client = await RedisClient.connect(target, options.timeout)
        printLine(context.stdout, await client.text('PING'))
      } catch (error) {
        if (!(error instanceof ReplyError || error instanceof MeridianError)) throw error
        printLine(context.stderr, error instanceof ReplyError ? error.message : `meridian: ${error.message}`)
        setExitCode(error instanceof ReplyError ? EXIT.failed : EXIT.unreachable)
      } finally {
        client?.close()
      }
    })
}
