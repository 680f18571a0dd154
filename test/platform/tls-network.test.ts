import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MeridianError } from '../../src/base/errors.js'
import { LIMITS } from '../../src/base/limits.js'
import { NodeClock } from '../../src/platform/node-clock.js'
import { identityOf, type PeerCredentials } from '../../src/platform/peer-credentials.js'
import { TlsNetwork } from '../../src/platform/tls-network.js'
import type { Link, LinkHandlers, PeerIdentity } from '../../src/ports/network.js'
import type { Logger } from '../../src/ports/logger.js'
import { issue, makeAuthority, type TestAuthority } from './test-certificates.js'

const open: TlsNetwork[] = []
const lines: string[] = []
const log = (_: object, message: string) => void lines.push(message)
const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger }

let authority: TestAuthority
let east: PeerCredentials
let west: PeerCredentials

beforeAll(async () => {
  authority = await makeAuthority()
  ;[east, west] = await Promise.all([issue(authority, { name: 'east' }), issue(authority, { name: 'west' })])
})

afterEach(() => {
  for (const network of open.splice(0)) network.close()
  lines.length = 0
})

async function network(credentials: PeerCredentials, port = 0): Promise<TlsNetwork> {
  const made = await TlsNetwork.open({
    host: '127.0.0.1',
    port,
    logger,
    clock: new NodeClock(),
    handshakeTimeoutMs: 300,
    ...credentials,
  })
  open.push(made)
  return made
}

/** One end of a link that keeps what happens to it. */
class End implements LinkHandlers {
  link: Link | null = null
  identity: PeerIdentity | null = null
  received = Buffer.alloc(0)
  drains = 0
  closedWith: Error | null | undefined

  onOpen(identity: PeerIdentity): void {
    this.identity = identity
  }
  onData(bytes: Uint8Array): void {
    this.received = Buffer.concat([this.received, bytes])
  }
  onDrain(): void {
    this.drains++
  }
  onClose(error: Error | null): void {
    this.closedWith = error
  }
}

function listen(on: TlsNetwork): End[] {
  const ends: End[] = []
  on.listen((link, identity) => {
    const end = new End()
    end.link = link
    end.identity = identity
    ends.push(end)
    return end
  })
  return ends
}

function dial(from: TlsNetwork, name: string, port: number): End {
  const end = new End()
  end.link = from.dial({ name, host: '127.0.0.1', port }, end)
  return end
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error(`waited in vain: ${what}; log: ${lines.join(' | ')}`)
}

async function refusal(end: End): Promise<MeridianError> {
  await until(() => end.closedWith !== undefined, 'the link closes')
  expect(end.closedWith).toBeInstanceOf(MeridianError)
  return end.closedWith as MeridianError
}

describe('a link', () => {
  it('names both sides by their certificates and carries bytes both ways', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    const end = dial(a, 'west', b.port)
    await until(() => accepted.length === 1 && end.identity !== null, 'both ends open')
    expect(end.identity).toEqual({ name: 'west', clusterId: 'test' })
    expect(accepted[0].identity).toEqual({ name: 'east', clusterId: 'test' })
    for (let i = 0; i < 100; i++) end.link?.send(Buffer.from(`<${i}>`))
    accepted[0].link?.send(Buffer.from('back'))
    await until(() => accepted[0].received.length === 390 && end.received.length === 4, 'bytes')
    expect(accepted[0].received.toString()).toBe(Array.from({ length: 100 }, (_, i) => `<${i}>`).join(''))
  })

  it('delivers what was sent before close, and both ends hear of a clean end', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    const end = dial(a, 'west', b.port)
    await until(() => accepted.length === 1, 'open')
    accepted[0].link?.send(Buffer.alloc(300_000, 7))
    accepted[0].link?.close()
    await until(() => end.closedWith !== undefined && accepted[0].closedWith !== undefined, 'closed')
    expect(end.received.length).toBe(300_000)
    expect(end.closedWith).toBeNull()
    expect(accepted[0].closedWith).toBeNull()
    end.link?.send(Buffer.from('into the void'))
  })

  it('reports what is queued for a reader that pauses, and when it has drained', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    const end = dial(a, 'west', b.port)
    await until(() => accepted.length === 1 && end.identity !== null, 'open')
    accepted[0].link?.pause()
    const total = 16 * 1024 * 1024
    for (let i = 0; i < 16; i++) end.link?.send(Buffer.alloc(total / 16))
    expect(end.link?.bufferedBytes).toBeGreaterThan(LIMITS.linkBufferedBytes)
    expect(end.drains).toBe(0)
    const taken: number[] = []
    accepted[0].onData = (bytes) => void taken.push(bytes.length)
    accepted[0].link?.resume()
    await until(() => taken.reduce((sum, n) => sum + n, 0) === total, 'all bytes')
    expect(end.drains).toBeGreaterThan(0)
    expect(end.link?.bufferedBytes).toBe(0)
  })

  it('reads some of what has come in a turn of the event loop, and the rest in those that follow', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    const end = dial(a, 'west', b.port)
    await until(() => accepted.length === 1 && end.identity !== null, 'open')
    const total = 8 * LIMITS.linkTurnBytes
    let taken = 0
    let takenBefore = 0
    let mostInATurn = 0
    const turnOver = (): void => {
      mostInATurn = Math.max(mostInATurn, taken - takenBefore)
      takenBefore = taken
      if (taken < total) setImmediate(turnOver)
    }
    accepted[0].onData = (bytes) => void (taken += bytes.length)
    accepted[0].link?.pause()
    for (let i = 0; i < 8; i++) end.link?.send(Buffer.alloc(total / 8))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(taken).toBe(0)
    accepted[0].link?.resume()
    turnOver()
    await until(() => taken === total, 'all bytes')
    // A read of Node's, 64 KiB, is decrypted whole, and so much may have been read already.
    expect(mostInATurn).toBeLessThanOrEqual(LIMITS.linkTurnBytes + 2 * 64 * 1024)
  })

  it('lives on when the credentials are replaced; new links show the new ones', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    const end = dial(a, 'west', b.port)
    await until(() => accepted.length === 1 && end.identity !== null, 'open')
    const other = await makeAuthority('second CA')
    b.reload(await issue(other, { name: 'west' }))
    expect((await refusal(dial(a, 'west', b.port))).code).toBe('MRD_CERTIFICATE')
    a.reload(await issue(other, { name: 'east' }))
    const second = dial(a, 'west', b.port)
    await until(() => accepted.length === 2 && second.identity !== null, 'second link')
    end.link?.send(Buffer.from('still here'))
    await until(() => accepted[0].received.length === 10, 'the first link works')
  })
})

describe('a dialler', () => {
  it('refuses a member that is not the one it dialled', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    const error = await refusal(dial(a, 'north', b.port))
    expect(error.code).toBe('MRD_PEER_IDENTITY')
    expect(error.message).toMatch(/names west of cluster test; expected north of cluster test/)
    await until(() => accepted.every((end) => end.closedWith !== undefined), 'the other side sees the end')
  })

  it('refuses a member of another cluster', async () => {
    const [a, b] = [await network(east), await network(await issue(authority, { name: 'west', clusterId: 'other' }))]
    listen(b)
    expect((await refusal(dial(a, 'west', b.port))).code).toBe('MRD_PEER_CLUSTER')
  })

  it('refuses a certificate of another authority', async () => {
    const [a, b] = [await network(east), await network(await issue(await makeAuthority('foreign CA'), { name: 'west' }))]
    listen(b)
    const error = await refusal(dial(a, 'west', b.port))
    expect(error.code).toBe('MRD_CERTIFICATE')
    expect(error.message).toMatch(/another authority/)
  })

  it('says when nobody listens, and when nobody answers', async () => {
    const a = await network(east)
    const silent = createServer((socket) => void socket.resume().on('error', () => undefined))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    expect((await refusal(dial(a, 'west', port))).message).toMatch(/no TLS handshake within 300 ms/)
    await new Promise((resolve) => silent.close(resolve))
    const error = await refusal(dial(a, 'west', port))
    expect(error.code).toBe('MRD_PEER_UNREACHABLE')
    expect(error.message).toMatch(/ECONNREFUSED/)
  })

  it('hears no more after it has closed, whatever the state of the link', async () => {
    const [a, b] = [await network(east), await network(west)]
    listen(b)
    const end = dial(a, 'west', b.port)
    end.link?.close()
    await until(() => end.closedWith !== undefined, 'closed')
    expect(end.closedWith).toBeNull()
    expect(end.identity).toBeNull()
  })
})

describe('a listener', () => {
  /** Connects with any certificate, as no honest member would. */
  function intrude(port: number, credentials: Partial<PeerCredentials>): Promise<void> {
    return new Promise((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...credentials })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
    })
  }

  it('turns away expired, foreign, nameless and missing certificates, and says why', async () => {
    const b = await network(west)
    const accepted = listen(b)
    await intrude(b.port, await issue(authority, { name: 'east', expired: true }))
    await intrude(b.port, await issue(await makeAuthority('foreign CA'), { name: 'east' }))
    await intrude(b.port, await issue(authority, { name: 'east', noNames: true }))
    await intrude(b.port, {})
    expect(accepted.length).toBe(0)
    expect(lines[0]).toMatch(/CERT_HAS_EXPIRED/)
    expect(lines[1]).toMatch(/UNABLE_TO|SELF_SIGNED/)
    expect(lines[2]).toMatch(/names no member/)
    expect(lines[3]).toMatch(/not accepted|handshake/)
  })

  it('tells the dialler to look at its certificate when it was turned away', async () => {
    const b = await network(west)
    listen(b)
    const stranger = await makeAuthority('foreign CA')
    const made = await issue(stranger, { name: 'east' })
    // It trusts the cluster's authority, but shows a certificate that the cluster does not trust.
    const a = await network({ ...made, ca: Buffer.concat([made.ca, east.ca]) })
    const error = await refusal(dial(a, 'west', b.port))
    expect(error.message).toMatch(/may not accept the certificate of this member/)
  })

  it('speaks TLS 1.3 only', async () => {
    const b = await network(west)
    listen(b)
    const outcome = await new Promise<string>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port: b.port, rejectUnauthorized: false, maxVersion: 'TLSv1.2', ...east })
      socket.on('error', (error) => resolve(error.message))
      socket.on('secureConnect', () => resolve('connected'))
    })
    expect(outcome).toMatch(/version/)
  })

  it('bounds connections that never finish the handshake, and closes them in time', async () => {
    const [a, b] = [await network(east), await network(west)]
    const accepted = listen(b)
    let closed = 0
    for (let i = 0; i < LIMITS.pendingInboundLinks + 20; i++) {
      connectTcp(b.port, '127.0.0.1')
        .resume()
        .on('close', () => closed++)
        .on('error', () => undefined)
    }
    await until(() => closed >= 20, 'those beyond the bound are closed')
    await until(() => closed === LIMITS.pendingInboundLinks + 20, 'all are closed')
    expect(lines.length).toBeLessThan(5)
    dial(a, 'west', b.port)
    await until(() => accepted.length === 1, 'an honest link is accepted again')
  })

  it('survives garbage instead of a handshake', async () => {
    const b = await network(west)
    listen(b)
    await new Promise<void>((resolve) => {
      const socket = connectTcp(b.port, '127.0.0.1', () => socket.write('PING\r\n'.repeat(100)))
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
    })
    await until(() => lines.length === 1, 'a log line')
    expect(lines[0]).toMatch(/failed in the TLS handshake/)
  })

  it('names the address that is taken', async () => {
    const a = await network(east)
    await expect(network(west, a.port)).rejects.toMatchObject({
      code: 'MRD_PORT_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${a.port}`),
    })
  })
})

describe('credentials', () => {
  it.each([
    ['an expired certificate', async () => issue(authority, { name: 'east', expired: true }), /expired on/],
    [
      'a certificate of another authority',
      async () => ({ ...east, ca: (await issue(await makeAuthority('x'), { name: 'y' })).ca }),
      /not issued by/,
    ],
    ['an unreadable key', async () => ({ ...east, key: Buffer.from('nonsense') }), /key is not readable/],
    ["another certificate's key", async () => ({ ...east, key: west.key }), /does not belong/],
    ['an unreadable certificate', async () => ({ ...east, cert: Buffer.from('nonsense') }), /certificate is not readable/],
    ['a certificate without names', async () => issue(authority, { name: 'east', noNames: true }), /names no member/],
  ])('are refused: %s', async (_, make, message) => {
    await expect(network(await make())).rejects.toMatchObject({
      code: 'MRD_CERTIFICATE',
      message: expect.stringMatching(message),
    })
  })

  it('that are bad do not replace good ones', async () => {
    const a = await network(east)
    expect(() => a.reload({ ...east, key: west.key })).toThrow(/MRD_CERTIFICATE/)
    expect(() => a.reload(west)).toThrow(/names west/)
    const b = await network(west)
    const accepted = listen(b)
    dial(a, 'west', b.port)
    await until(() => accepted.length === 1, 'the old ones still work')
  })

  it('name a member by exactly one URI, and quoted values do not fool the reader', () => {
    expect(identityOf('DNS:a.b.meridian.internal, URI:meridian://b/a')).toEqual({ name: 'a', clusterId: 'b' })
    expect(identityOf('URI:meridian://b/a, URI:meridian://b/c')).toBeNull()
    expect(identityOf('DNS:"x, URI:meridian://b/a, y"')).toBeNull()
    expect(identityOf('URI:meridian://b/a/c')).toBeNull()
    expect(identityOf(undefined)).toBeNull()
  })
})
