import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EngineHarness } from '../support/engine-harness.js'
import { TestClients, type TestClient } from '../support/test-clients.js'

const KEYS = ['a', 'b', 'c']
const CLIENTS = 5

type Step =
  | { readonly kind: 'push'; readonly pushes: readonly { readonly key: string; readonly count: number }[] }
  | { readonly kind: 'wait'; readonly client: number; readonly keys: readonly string[] }
  | { readonly kind: 'move'; readonly client: number; readonly from: string; readonly to: string }
  | { readonly kind: 'leave'; readonly client: number }
  | { readonly kind: 'remove'; readonly key: string }

const key = fc.constantFrom(...KEYS)
const client = fc.nat(CLIENTS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('push' as const),
    pushes: fc.array(fc.record({ key, count: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant('wait' as const), client, keys: fc.array(key, { minLength: 1, maxLength: 3 }) }),
  fc.record({ kind: fc.constant('move' as const), client, from: key, to: key }),
  fc.record({ kind: fc.constant('leave' as const), client }),
  fc.record({ kind: fc.constant('remove' as const), key }),
)

/** What is expected, in the plainest form: a list of those who wait, looked through from the start. */
class Model {
  readonly lists = new Map<string, string[]>(KEYS.map((name) => [name, []]))
  readonly got = Array.from({ length: CLIENTS }, () => '')
  private waiting: { readonly client: number; readonly keys: readonly string[]; readonly to: string | null }[] = []

  isWaiting(client: number): boolean {
    return this.waiting.some((waiter) => waiter.client === client)
  }

  wait(client: number, keys: readonly string[], to: string | null): void {
    const waiter = { client, keys, to }
    if (this.serve(waiter)) this.settle(to === null ? [] : [to])
    else this.waiting.push(waiter)
  }

  leave(client: number): void {
    this.waiting = this.waiting.filter((waiter) => waiter.client !== client)
  }

  /** Keys have changed, in this order. */
  settle(changed: readonly string[]): void {
    let ready = [...new Set(changed)]
    while (ready.length > 0) {
      const next = new Set<string>()
      for (const name of ready) {
        for (const waiter of this.waiting.filter(({ keys }) => keys.includes(name))) {
          if (this.list(name).length === 0) break
          if (!this.serve(waiter)) continue
          this.leave(waiter.client)
          // The key that it took from has changed, then the one that it pushed to.
          next.add(this.taken)
          if (waiter.to !== null) next.add(waiter.to)
        }
      }
      ready = [...next]
    }
  }

  list(name: string): string[] {
    const list = this.lists.get(name)
    if (list === undefined) throw new Error(name)
    return list
  }

  private taken = ''

  private serve({
    client,
    keys,
    to,
  }: {
    readonly client: number
    readonly keys: readonly string[]
    readonly to: string | null
  }): boolean {
    const name = keys.find((candidate) => this.list(candidate).length > 0)
    const element = name === undefined ? undefined : this.list(name).shift()
    if (name === undefined || element === undefined) return false
    this.taken = name
    if (to !== null) this.list(to).push(element)
    const shown = `$${element.length}\r\n${element}\r\n`
    this.got[client] += to === null ? `*2\r\n$1\r\n${name}\r\n${shown}` : shown
    return true
  }
}

it('whoever waits gets what is pushed in the order of waiting, whatever happens between', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const registry = new TestClients()
      const h = new EngineHarness({ services: { clients: registry } })
      const clients: TestClient[] = Array.from({ length: CLIENTS }, () => registry.connect())
      const model = new Model()
      let made = 0
      const send = (n: number, ...args: string[]): void => {
        // A reply at once counts like one that comes later.
        clients[n].delivered += h.raw(args, clients[n])
      }
      for (const it of steps) {
        if (it.kind === 'push') {
          h.run('MULTI')
          for (const { key: name, count } of it.pushes) {
            const elements = Array.from({ length: count }, () => `e${made++}`)
            h.run('RPUSH', name, ...elements)
            model.list(name).push(...elements)
          }
          h.run('EXEC')
          model.settle(it.pushes.map((push) => push.key))
        } else if (it.kind === 'remove') {
          h.run('DEL', it.key)
          model.list(it.key).length = 0
        } else if (it.kind === 'leave') {
          clients[it.client].blocked?.cancel()
          model.leave(it.client)
        } else if (!model.isWaiting(it.client)) {
          if (it.kind === 'wait') {
            send(it.client, 'BLPOP', ...it.keys, '0')
            model.wait(it.client, it.keys, null)
          } else {
            send(it.client, 'BLMOVE', it.from, it.to, 'LEFT', 'RIGHT', '0')
            model.wait(it.client, [it.from], it.to)
          }
        }
        expect(clients.map((one) => one.delivered)).toEqual(model.got)
        expect(clients.map((one) => one.blocked !== null)).toEqual(clients.map((_one, n) => model.isWaiting(n)))
      }
      for (const name of KEYS) expect(h.run('LRANGE', name, '0', '-1')).toEqual(model.list(name))
      const waiting = clients.filter((one) => one.blocked !== null)
      expect(h.engine.blocking.clientCount).toBe(waiting.length)
      for (const one of waiting) one.blocked?.cancel()
      expect(h.engine.blocking.keyCount).toBe(0)
      expect(h.engine.keyspace.observer).toBe(null)
    }),
    { numRuns: 300 },
  )
})
