import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SocketTarget } from './target.js'

/** Version of the redis-server on the PATH, or null. */
export function redisVersion(): string | null {
  const { stdout, status } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' })
  return status === 0 ? (/v=(\S+)/.exec(stdout)?.[1] ?? null) : null
}

/** A redis-server of its own on a free port, without persistence. */
export class RedisServerTarget extends SocketTarget {
  private constructor(
    port: number,
    name: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {
    super(name, '127.0.0.1', port)
  }

  static async start(name = 'redis'): Promise<RedisServerTarget> {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), 'meridian-differential-'))
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
    // SORT ALPHA compares as the locale says.
    const env = { ...process.env, LC_ALL: 'C' }
    const child = spawn('redis-server', options, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    await new Promise<void>((resolve, reject) => {
      let said = ''
      child.stdout.on('data', (bytes: Buffer) => {
        said += bytes.toString()
        if (said.includes('Ready to accept connections')) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`redis-server did not start: ${said}`)))
    })
    return new RedisServerTarget(port, name, child, folder)
  }

  override close(): Promise<void> {
    return new Promise((resolve) => {
      this.child.once('exit', () => {
        rmSync(this.folder, { recursive: true, force: true })
        resolve()
      })
      this.child.kill('SIGKILL')
    })
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}
