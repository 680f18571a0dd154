import { afterEach } from 'vitest'
import { ClientServer, type ClientServerOptions } from '../../src/server/client-server.js'
import { defaultServerSettings, type ServerSettings } from '../../src/server/server-settings.js'
import { FakeEngine, RecordingLogger, realClock } from './fake-engine.js'
import { TestClient } from './test-client.js'

export interface TestServer {
  readonly server: ClientServer
  readonly engine: FakeEngine
  readonly logger: RecordingLogger
  readonly settings: ServerSettings
  readonly port: number
  client(): Promise<TestClient>
}

const running: ClientServer[] = []
const clients: TestClient[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(running.splice(0).map((server) => server.stop()))
})

export function remember(client: TestClient): TestClient {
  clients.push(client)
  return client
}

/** A server on 127.0.0.1 that is stopped after the test. */
export async function startServer(options: Partial<ClientServerOptions> = {}): Promise<TestServer> {
  const engine = new FakeEngine(options.clock)
  const logger = new RecordingLogger()
  const settings = defaultServerSettings()
  const server = new ClientServer({
    executor: engine,
    clock: realClock,
    logger,
    settings,
    bind: ['127.0.0.1'],
    port: 0,
    tls: null,
    admit: (session) => {
      session.authenticated = true
    },
    ...options,
  })
  engine.registry = server.registry
  await server.start()
  running.push(server)
  const port = server.addresses[0]?.port ?? 0
  return { server, engine, logger, settings, port, client: async () => remember(await TestClient.plain(port)) }
}
