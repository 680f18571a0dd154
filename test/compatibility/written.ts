import type { SimulatedMesh } from '../support/simulated-mesh.js'

/** What is asked of the data: the same in every member, in whatever order the elements of a hash or set lie. */
export const QUESTIONS: readonly string[][] = [
  ['DBSIZE'],
  ['GET', 'string'],
  ['GET', 'counter'],
  ['GET', 'decimal'],
  ['GET', 'edited'],
  ['BITCOUNT', 'bits'],
  ['GET', 'concurrent'],
  ['GET', 'both-counted'],
  ['EXPIRETIME', 'expires'],
  ['HMGET', 'hash', 'a', 'b', 'due', 'count'],
  ['HEXPIRETIME', 'hash', 'FIELDS', '1', 'due'],
  ['HLEN', 'large-hash'],
  ['HGET', 'large-hash', 'field 250'],
  ['SMISMEMBER', 'set', 'one', 'two', '3', 'four'],
  ['SCARD', 'large-set'],
  ['ZRANGE', 'zset', '0', '-1', 'WITHSCORES'],
  ['ZSCORE', 'large-zset', 'member 299'],
  ['ZRANK', 'large-zset', 'member 299'],
  ['LRANGE', 'list', '0', '-1'],
  ['LLEN', 'large-list'],
  ['LINDEX', 'large-list', '150'],
  ['XLEN', 'stream'],
  ['PFCOUNT', 'hll'],
  ['GEOPOS', 'places', 'Paris'],
  ['EXISTS', 'removed', 'flushed'],
  ['TYPE', 'retyped'],
  ['GET', 'from-two'],
]

/** Data of every type, written by two members and in part at the same time, with a snapshot in the middle, in a cluster whose members have changed. */
export function writeEverything(mesh: SimulatedMesh): void {
  const [a, b] = mesh.nodes
  const numbered = (what: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${what} ${n}`)
  a.run('SET', 'string', 'text\u0000with é')
  a.run('INCRBY', 'counter', '41')
  b.run('INCR', 'both-counted')
  a.run('INCRBYFLOAT', 'decimal', '0.1')
  a.run('SET', 'edited', 'begin')
  a.run('SETBIT', 'bits', '100', '1')
  a.run('SET', 'expires', 'x', 'EXAT', '4102444800')
  a.run('HSET', 'hash', 'a', '1', 'b', '2', 'due', 'x')
  a.run('HEXPIREAT', 'hash', '4102444800', 'FIELDS', '1', 'due')
  a.run('HSET', 'large-hash', ...numbered('field', 300).flatMap((field) => [field, `value of ${field}`]))
  a.run('SADD', 'set', 'one', 'two', '3')
  a.run('SADD', 'large-set', ...numbered('member', 300))
  a.run('ZADD', 'zset', '1', 'one', '2.5', 'two', '-inf', 'least')
  a.run('ZADD', 'large-zset', ...numbered('member', 300).flatMap((member, n) => [String(n), member]))
  a.run('RPUSH', 'list', 'a', 'b', 'c')
  a.run('RPUSH', 'large-list', ...numbered('element', 300))
  for (let n = 0; n < 5; n++) a.run('XADD', 'stream', '*', 'n', String(n))
  a.run('XGROUP', 'CREATE', 'stream', 'group', '0')
  a.run('XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', '3', 'STREAMS', 'stream', '>')
  a.run('PFADD', 'hll', ...numbered('visitor', 200))
  a.run('GEOADD', 'places', '2.35', '48.85', 'Paris', '13.4', '52.5', 'Berlin')
  a.run('SET', 'removed', 'x')
  a.run('SADD', 'retyped', 'x')
  mesh.advance(300)
  mesh.cut(b, true)
  for (const [node, name] of [
    [a, 'a'],
    [b, 'b'],
  ] as const) {
    node.run('SET', 'concurrent', `of ${name}`)
    node.run('INCRBY', 'both-counted', name === 'a' ? '10' : '100')
    node.run('APPEND', 'edited', ` and ${name}`)
    node.run('HSET', 'hash', 'b', `of ${name}`)
    node.run('HINCRBY', 'hash', 'count', '5')
    node.run('ZINCRBY', 'zset', '1', 'two')
    node.run('LINSERT', 'list', 'AFTER', 'a', `of ${name}`)
  }
  b.run('SREM', 'set', 'two')
  a.run('SADD', 'set', 'two')
  b.run('DEL', 'removed', 'retyped')
  b.run('SET', 'retyped', 'text now')
  mesh.advance(100)
  mesh.cut(b, false)
  mesh.untilEqual(a, b)
  a.run('CRDT.TOPOLOGY', 'SET', 'm2', 'ZONE', 'elsewhere')
  mesh.advance(500)
  a.member.snapshots.saveNow('save')
  a.run('XACK', 'stream', 'group', a.run('XRANGE', 'stream', '-', '+', 'COUNT', '1').split(',')[0])
  a.run('SET', 'flushed', 'x')
  a.run('DEL', 'flushed')
  a.run('RENAME', 'list', 'list')
  b.run('SET', 'from-two', 'behind the snapshot')
  mesh.untilEqual(a, b)
  a.run('SELECT', '3')
  a.run('SET', 'elsewhere', 'x')
  a.run('SELECT', '0')
  mesh.advance(1500)
}
