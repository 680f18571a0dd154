import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startServer } from '../node/server.js'
import type { CliContext } from './context.js'
import { runCli } from './program.js'

/** The process: standard streams, signals, exit code. Everything else is in program.ts, where tests reach it. */

const packageFolder = new URL('../../', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', packageFolder), 'utf8')) as { version: string }

const context: CliContext = {
  startServer,
  stdout: process.stdout,
  stderr: process.stderr,
  launcher: [process.execPath, fileURLToPath(new URL('bin/meridian', packageFolder))],
  sampleFolder: fileURLToPath(new URL('config', packageFolder)),
  onStopRequest(callback, onHangup = callback) {
    const events = ['SIGINT', 'SIGTERM'] as const
    for (const event of events) process.on(event, callback)
    process.on('SIGHUP', onHangup)
    // Set when `up` started this process: the channel closes when `up` is gone, however it went.
    process.on('disconnect', callback)
    return () => {
      for (const event of events) process.off(event, callback)
      process.off('SIGHUP', onHangup)
      process.off('disconnect', callback)
    }
  },
  forceExit: (code) => process.exit(code),
}

// A reader that went away (`meridian status | head -1`) is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exit(await runCli(process.argv.slice(2), version, context))
