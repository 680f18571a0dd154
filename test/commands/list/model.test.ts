import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

/** A list as a plain array, with the replies that Redis gives. */
class ModelList {
  items: string[] = []

  run(args: readonly string[]): unknown {
    const { items } = this
    const [name, ...rest] = args
    switch (name) {
      case 'LPUSH':
        items.unshift(...[...rest].reverse())
        return items.length
      case 'RPUSH':
        items.push(...rest)
        return items.length
      case 'LPOP':
        return items.shift() ?? null
      case 'RPOP':
        return items.pop() ?? null
      case 'LPOPN':
        return items.length === 0 ? null : items.splice(0, Number(rest[0]))
      case 'RPOPN':
        return items.length === 0 ? null : items.splice(Math.max(0, items.length - Number(rest[0]))).reverse()
      case 'LLEN':
        return items.length
      case 'LINDEX':
        return this.at(Number(rest[0])) ?? null
      case 'LSET': {
        if (items.length === 0) return 'ERR no such key'
        const index = this.index(Number(rest[0]))
        if (index < 0 || index >= items.length) return 'ERR index out of range'
        items[index] = rest[1]
        return 'OK'
      }
      case 'LINSERT': {
        if (items.length === 0) return 0
        const pivot = items.indexOf(rest[1])
        if (pivot < 0) return -1
        items.splice(rest[0] === 'AFTER' ? pivot + 1 : pivot, 0, rest[2])
        return items.length
      }
      case 'LREM': {
        const count = Number(rest[0])
        const places = items.flatMap((item, i) => (item === rest[1] ? [i] : []))
        const gone = new Set(count === 0 ? places : count > 0 ? places.slice(0, count) : places.slice(count))
        this.items = items.filter((_, i) => !gone.has(i))
        return gone.size
      }
      case 'LTRIM': {
        const start = Math.max(0, this.index(Number(rest[0])))
        this.items = items.slice(start, Math.max(start, this.index(Number(rest[1])) + 1))
        return 'OK'
      }
      case 'LPOS': {
        const at = items.indexOf(rest[0])
        return at < 0 ? null : at
      }
      case 'ROTATE': {
        const item = items.pop()
        if (item !== undefined) items.unshift(item)
        return item ?? null
      }
      case 'MOVEM': {
        if (items.length === 0) return null
        const [from, to, count, order] = rest
        const at = from === 'LEFT' ? Math.min(Number(count), items.length) : Math.max(0, items.length - Number(count))
        const moved = from === 'LEFT' ? items.splice(0, at) : items.splice(at)
        if (order === 'OBO' && from === to) moved.reverse()
        this.items = to === 'LEFT' ? [...moved, ...items] : [...items, ...moved]
        return moved
      }
      default:
        throw new Error(`no model for ${name}`)
    }
  }

  private index(index: number): number {
    return index < 0 ? index + this.items.length : index
  }

  private at(index: number): string | undefined {
    return this.items[this.index(index)]
  }
}

function send(h: EngineHarness, [name, ...rest]: readonly string[]): unknown {
  const reply =
    name === 'LPOPN' || name === 'RPOPN'
      ? h.run(name.slice(0, 4), 'k', ...rest)
      : name === 'ROTATE'
        ? h.run('LMOVE', 'k', 'k', 'RIGHT', 'LEFT')
        : name === 'MOVEM'
          ? h.run('LMOVEM', 'k', 'k', rest[0], rest[1], 'COUNT', rest[2], rest[3])
          : h.run(name, 'k', ...rest)
  return reply instanceof Error ? reply.message : reply
}

const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'dd', 'eee', '', '12345') },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => `value ${n} ${'x'.repeat(n * 5)}`) },
  { weight: 1, arbitrary: fc.constantFrom('B'.repeat(512), 'C'.repeat(513), 'D'.repeat(5000)) },
)
const index = fc.integer({ min: -60, max: 60 })
const push = fc
  .tuple(fc.constantFrom('LPUSH', 'RPUSH'), fc.array(value, { minLength: 1, maxLength: 30 }))
  .map(([n, v]) => [n, ...v])
const end = fc.constantFrom('LEFT', 'RIGHT')
const command: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 5, arbitrary: push },
  { weight: 4, arbitrary: fc.constantFrom(['LPOP'], ['RPOP'], ['ROTATE'], ['LLEN']) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('LPOPN', 'RPOPN'), fc.constantFrom('1', '3', '20')) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(end, end, fc.integer({ min: 1, max: 60 }).map(String), fc.constantFrom('OBO', 'BULK'))
      .map((move) => ['MOVEM', ...move]),
  },
  { weight: 2, arbitrary: index.map((i) => ['LINDEX', String(i)]) },
  { weight: 3, arbitrary: fc.tuple(index, value).map(([i, v]) => ['LSET', String(i), v]) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('LINSERT'), fc.constantFrom('BEFORE', 'AFTER'), value, value) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: -3, max: 3 }), value).map(([n, v]) => ['LREM', String(n), v]) },
  { weight: 1, arbitrary: fc.tuple(index, index).map(([a, b]) => ['LTRIM', String(a), String(b)]) },
  { weight: 1, arbitrary: value.map((v) => ['LPOS', v]) },
)

describe.each([
  ['in a database with one region', true],
  ['in a mesh', false],
])('list commands %s', (_, solo) => {
  it('do to a list what they do to an array', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 1, maxLength: 150, size: 'max' }), (commands) => {
        const h = new EngineHarness({ solo })
        const other = new EngineHarness({ self: 2, solo: false })
        const model = new ModelList()
        for (const args of commands) {
          expect([args, send(h, args)]).toEqual([args, model.run(args)])
          if (model.items.length === 0) expect(h.run('EXISTS', 'k')).toBe(0)
        }
        expect(h.run('LRANGE', 'k', '0', '-1')).toEqual(model.items)
        for (let i = 0; i < model.items.length; i += 7) expect(h.run('LINDEX', 'k', String(i))).toBe(model.items[i])
        other.receive(h)
        expect(other.run('LRANGE', 'k', '0', '-1')).toEqual(model.items)
        // Nothing of the list stays when the key is removed.
        h.run('DEL', 'k')
        expect(h.engine.keyspace.database(0).arena.usedBytes).toBe(0)
        other.receive(h)
        expect(other.engine.keyspace.database(0).arena.usedBytes).toBe(0)
      }),
      { numRuns: 60 },
    )
  })
})
