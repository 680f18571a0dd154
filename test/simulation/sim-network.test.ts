import { describe, expect, test } from 'vitest'
import type { Link } from '../../src/ports/network.js'
import { SeededRandom } from './random.js'
import { Scheduler } from './scheduler.js'
import { Life } from './sim-clock.js'
import { SimNetwork } from './sim-network.js'

interface Rig {
  scheduler: Scheduler
  network: SimNetwork
  near: Link
  received: () => string
  events: string[]
  far: () => Link
  lives: Life[]
}

/** a dials b. */
function rig(seed = 1): Rig {
  const scheduler = new Scheduler()
  const network = new SimNetwork(scheduler, new SeededRandom(seed), 'c')
  const lives = [new Life(), new Life()]
  const a = network.port('a', lives[0])
  const b = network.port('b', lives[1])
  const events: string[] = []
  let received = ''
  let far: Link | null = null
  b.listen((link, identity) => {
    far = link
    events.push(`b accepts ${identity.name}`)
    return {
      onData: (bytes) => (received += Buffer.from(bytes).toString('latin1')),
      onDrain: () => events.push('b drains'),
      onClose: (error) => events.push(`b closed ${error === null ? 'clean' : 'broken'}`),
    }
  })
  const near = a.dial(
    { name: 'b', host: 'b', port: 1 },
    {
      onOpen: (identity) => events.push(`a open to ${identity.name}`),
      onData: () => {},
      onDrain: () => events.push('a drains'),
      onClose: (error) => events.push(`a closed ${error === null ? 'clean' : 'broken'}`),
    },
  )
  return { scheduler, network, near, received: () => received, events, far: () => far!, lives }
}

const some = (length: number): Uint8Array => new Uint8Array(length).fill(97)

describe('simulated network', () => {
  test('delivers every byte in order, in chunks of any size', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { scheduler, near, received } = rig(seed)
      scheduler.runUntil(500)
      let sent = ''
      for (let i = 0; i < 50; i++) {
        const text = `${i};`.repeat((i % 5) + 1)
        sent += text
        near.send(new Uint8Array(Buffer.from(text)))
        scheduler.runUntil(scheduler.now + (i % 3))
      }
      scheduler.runUntil(5000)
      expect(received()).toBe(sent)
    }
  })

  test('a cut holds bytes back and they come when it heals; nothing can be dialled meanwhile', () => {
    const { scheduler, network, near, received } = rig()
    scheduler.runUntil(500)
    network.setCut('a', 'b', true)
    near.send(some(3))
    scheduler.runUntil(5000)
    expect(received()).toBe('')
    let closed = false
    network
      .port('a', new Life())
      .dial({ name: 'b', host: 'b', port: 1 }, { onData: () => {}, onDrain: () => {}, onClose: () => (closed = true) })
    scheduler.runUntil(10_000)
    expect(closed).toBe(true)
    network.setCut('a', 'b', false)
    scheduler.runUntil(15_000)
    expect(received()).toBe('aaa')
  })

  test('a break loses what was under way and both sides hear of it', () => {
    const { scheduler, network, near, received, events } = rig()
    scheduler.runUntil(500)
    near.send(some(3))
    expect(network.breakLinks('a', 'b')).toBe(1)
    scheduler.runUntil(5000)
    expect(received()).toBe('')
    expect(events.slice(-2).sort()).toEqual(['a closed broken', 'b closed broken'])
  })

  test('a clean close delivers first what was sent', () => {
    const { scheduler, near, received, events } = rig()
    scheduler.runUntil(500)
    near.send(some(3))
    near.close()
    scheduler.runUntil(5000)
    expect(received()).toBe('aaa')
    expect(events).toContain('a closed clean')
    expect(events).toContain('b closed clean')
  })

  test('a receiver that pauses makes the sender queue, and resuming drains it', () => {
    const { scheduler, near, received, events, far } = rig()
    scheduler.runUntil(500)
    far().pause()
    for (let i = 0; i < 10; i++) near.send(some(20_000))
    scheduler.runUntil(5000)
    expect(near.bufferedBytes).toBeGreaterThan(100_000)
    expect(received()).toBe('')
    far().resume()
    scheduler.runUntil(10_000)
    expect(near.bufferedBytes).toBe(0)
    expect(received().length).toBe(200_000)
    expect(events).toContain('a drains')
  })

  test('the other side of a dead process hears of it, and the dead one of nothing', () => {
    const { scheduler, network, events, lives } = rig()
    scheduler.runUntil(500)
    lives[1].alive = false
    network.processDied('b')
    scheduler.runUntil(5000)
    expect(events).toContain('a closed broken')
    expect(events.some((event) => event.startsWith('b closed'))).toBe(false)
  })

  test('dials can fail in one direction only', () => {
    const { scheduler, network } = rig()
    network.route('a', 'b').dialsFail = true
    const seen: string[] = []
    const handlers = (name: string) => ({
      onOpen: () => void seen.push(`${name} open`),
      onData: () => {},
      onDrain: () => {},
      onClose: () => void seen.push(`${name} closed`),
    })
    const a = network.port('a', new Life())
    a.listen(() => handlers('accepted'))
    a.dial({ name: 'b', host: 'b', port: 1 }, handlers('a'))
    network.port('b', new Life()).dial({ name: 'a', host: 'a', port: 1 }, handlers('b'))
    scheduler.runUntil(5000)
    expect(seen.sort()).toEqual(['a closed', 'b open'])
  })
})
