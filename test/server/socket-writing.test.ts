import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { readAccepted } from '../../src/server/socket-reading.js'
import { socketWriter } from '../../src/server/socket-writing.js'
import { handleOf, streamBinding } from '../../src/server/stream-binding.js'

const opened: { destroy(): unknown }[] = []

afterEach(() => {
  for (const each of opened.splice(0)) each.destroy()
})

/** An accepted socket as clients have them, and the client's end, which is not read yet. */
async function pair(received: (bytes: Buffer) => void = () => undefined): Promise<{ socket: Socket; client: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  opened.push({ destroy: () => server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').pause()
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const socket = readAccepted(accepted, (bytes, length) => received(Buffer.from(bytes.subarray(0, length))))
  opened.push(client, socket)
  return { socket, client }
}

/** Collects all garbage at once. */
function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
}

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8)) & 0xff
  return bytes
}

describe('the native part of sockets', () => {
  it('is as this program knows it in the Node that runs this: else all goes the slower way, without a word', async () => {
    expect(streamBinding).not.toBeNull()
    expect(handleOf((await pair()).socket)).not.toBeNull()
  })

  it('gives what the client sends, then the end of it, and goes on after a pause', async () => {
    const parts: Buffer[] = []
    const { socket, client } = await pair((bytes) => parts.push(bytes))
    const sent = pattern(300_000)
    client.write(sent.subarray(0, 1000))
    while (Buffer.concat(parts).length < 1000) await new Promise((resolve) => setTimeout(resolve, 1))
    socket.pause()
    client.end(sent.subarray(1000))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(Buffer.concat(parts).length).toBe(1000)
    socket.resume()
    await once(socket, 'end')
    expect(Buffer.concat(parts).equals(sent)).toBe(true)
  })
})

describe.each([
  ['the handle', false],
  ['the stream', true],
])('a socket writer that goes by %s', (_, encrypted) => {
  it('has nothing left of what the operating system takes at once', async () => {
    const { socket, client } = await pair()
    const writer = socketWriter(socket, encrypted, () => expect.fail('nothing was left'))
    for (let i = 0; i < 3; i++) expect(writer.write(Buffer.from('+OK\r\n'))).toBe(true)
    expect(writer.waitingBytes).toBe(0)
    client.resume()
    let text = ''
    client.on('data', (bytes) => (text += bytes.toString()))
    while (text.length < 15) await once(client, 'data')
    expect(text).toBe('+OK\r\n+OK\r\n+OK\r\n')
  })

  it('says when the rest has gone that a client took its time to read, and writes on then', async () => {
    const { socket, client } = await pair()
    const sent = pattern(16_000_000)
    const done = new Promise<void>((resolve) => {
      const writer = socketWriter(socket, encrypted, () => {
        expect(writer.waitingBytes).toBe(0)
        expect(writer.write(Buffer.from('end'))).toBe(true)
        socket.end()
        resolve()
      })
      expect(writer.write(sent)).toBe(false)
      expect(writer.waitingBytes).toBeGreaterThan(0)
    })
    const parts: Buffer[] = []
    client.on('data', (bytes: Buffer) => parts.push(bytes))
    client.resume()
    await done
    await once(client, 'end')
    expect(Buffer.concat(parts).equals(Buffer.concat([sent, Buffer.from('end')]))).toBe(true)
  })

  it('closes the socket when the client is gone, and says that nothing waits any more', async () => {
    const { socket, client } = await pair()
    socket.on('error', () => undefined)
    const closed = new Promise((resolve) => socket.on('close', resolve))
    let writer = socketWriter(socket, encrypted, () => undefined)
    await new Promise<void>((resolve) => {
      writer = socketWriter(socket, encrypted, resolve)
      expect(writer.write(pattern(16_000_000))).toBe(false)
      client.resetAndDestroy()
    })
    await closed
    expect(writer.write(Buffer.from('more'))).toBe(true)
    expect(socket.destroyed).toBe(true)
  })

  it('keeps the bytes that wait from the garbage collector, so that nothing else is sent in their place', async () => {
    const { socket, client } = await pair()
    const expected = pattern(16_000_000)
    const done = new Promise<void>((resolve) => {
      expect(socketWriter(socket, encrypted, resolve).write(pattern(16_000_000))).toBe(false)
    })
    await new Promise((resolve) => setTimeout(resolve, 1))
    collect()
    const others = Array.from({ length: 8 }, () => Buffer.alloc(16_000_000, 1))
    const parts: Buffer[] = []
    client.on('data', (bytes: Buffer) => parts.push(bytes))
    client.resume()
    await done
    socket.end()
    await once(client, 'end')
    expect(Buffer.concat(parts).equals(expected)).toBe(true)
    expect(others).toHaveLength(8)
  })

  it('is harmless when the socket was closed while a write waited', async () => {
    const { socket } = await pair()
    await new Promise<void>((resolve) => {
      expect(socketWriter(socket, encrypted, resolve).write(pattern(16_000_000))).toBe(false)
      socket.destroy()
    })
  })
})
