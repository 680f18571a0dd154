import type { Compound, Production, Words } from './words.js'

const id = (w: Words) => {
  if (w.random.chance(0.05))
    return w.random.pick([
      '0-0',
      'abc',
      '1-',
      '-1',
      '',
      '18446744073709551615-18446744073709551615',
      '18446744073709551616-1',
      '5-abc',
    ])
  const ms = w.random.between(1, 30)
  return w.random.chance(0.5) ? `${ms}-${w.random.below(4)}` : String(ms)
}

/** Grows, so that most are accepted. Sequence numbers may be left to the server, times not. */
const newId = (w: Words) => {
  if (w.random.chance(0.15)) return id(w)
  const kind = w.random.below(3)
  const ms = kind === 0 ? w.random.between(1, 20) : kind === 1 ? w.random.between(15, 40) : w.random.between(30, 4000)
  return w.random.chance(0.4) ? `${ms}-*` : `${ms}-${w.random.below(5)}`
}

const bound = (w: Words) => {
  if (w.random.chance(0.4)) return w.random.pick(['-', '+'])
  return (w.random.chance(0.2) ? '(' : '') + id(w)
}

const fields = (w: Words) => w.random.times(1, w.random.chance(0.8) ? 2 : 5, () => [w.element(), w.value()]).flat()

const trim = (w: Words) => [
  w.word(w.random.pick(['MAXLEN', 'MAXLEN', 'MINID'])),
  ...w.maybe(0.3, () => [w.random.pick(['=', '='])]),
  w.random.chance(0.1) ? w.random.pick(['-1', 'abc', '']) : w.random.chance(0.5) ? String(w.random.below(8)) : id(w),
]

const count = (w: Words) => w.maybe(0.4, () => [w.word('COUNT'), w.count()])

export const STREAM_PRODUCTIONS: readonly Production[] = [
  (w) => ['XADD', w.near(), newId(w), ...fields(w)],
  (w) => ['XADD', w.near(), newId(w), ...fields(w)],
  (w) => ['XADD', w.near(), newId(w), 'f', w.value()],
  (w) => ['XADD', w.near(), ...w.option(0.3, 'NOMKSTREAM'), ...w.maybe(0.5, () => trim(w)), newId(w), ...fields(w)],
  (w) => ['XADD', w.near(), newId(w), ...fields(w), ...w.maybe(0.2, () => [w.element()])],
  (w) => ['XLEN', w.near()],
  (w) => ['XRANGE', w.near(), bound(w), bound(w), ...count(w)],
  (w) => ['XRANGE', w.near(), '-', '+'],
  (w) => ['XREVRANGE', w.near(), bound(w), bound(w), ...count(w)],
  (w) => ['XREAD', ...count(w), w.word('STREAMS'), w.near(), w.random.chance(0.2) ? '$' : id(w)],
  (w) => ['XREAD', w.word('STREAMS'), w.near(), w.near(), '0', id(w), ...w.maybe(0.05, () => [id(w)])],
  (w) => ['XDEL', w.near(), ...w.random.times(1, 4, () => id(w))],
  (w) => ['XTRIM', w.near(), ...trim(w)],
  (w) => ['XTRIM', w.near(), w.word('MAXLEN'), '~', '1', ...w.maybe(0.5, () => [w.word('LIMIT'), w.count()])],
  (w) => [
    'XSETID',
    w.near(),
    // Lower ones pass in 7.0 where later versions refuse them for a deleted ID.
    w.random.pick(['5000-1', '5000-1', '6000-0', 'abc', '']),
    ...w.maybe(0.3, () => [w.word('ENTRIESADDED'), w.count(), w.word('MAXDELETEDID'), id(w)]),
  ],
  (w) => ['XINFO', w.word('STREAM'), w.near()],
]

const group = (w: Words) => w.random.pick(['g1', 'g1', 'g1', 'g1', 'g2', ''])
const consumer = (w: Words) => w.random.pick(['alice', 'alice', 'bob', 'c\x00d'])
/** Of an entry that is likely to be there. */
const known = (w: Words) => (w.random.chance(0.3) ? id(w) : `${w.random.between(1, 40)}-${w.random.below(2)}`)
/** Nothing is idle for an hour, everything is for no time at all. */
const idle = (w: Words) => (w.random.chance(0.05) ? w.random.pick(['abc', '-1', '']) : w.random.chance(0.8) ? '0' : '3600000')

export const GROUP_PRODUCTIONS: readonly Production[] = [
  (w) => ['XGROUP', w.word('CREATE'), w.near(), group(w), w.random.pick(['0', '$', '5', id(w)]), ...w.option(0.6, 'MKSTREAM')],
  (w) => [
    'XGROUP',
    w.word('CREATE'),
    w.near(),
    group(w),
    '0',
    ...w.option(0.6, 'MKSTREAM'),
    ...w.maybe(0.2, () => [w.word('ENTRIESREAD'), w.count()]),
  ],
  (w) => [
    'XGROUP',
    w.word('SETID'),
    w.near(),
    group(w),
    w.random.pick(['0', '$', id(w)]),
    ...w.maybe(0.2, () => ['ENTRIESREAD', w.count()]),
  ],
  (w) => ['XGROUP', w.word('DESTROY'), w.near(), group(w)],
  (w) => ['XGROUP', w.word('CREATECONSUMER'), w.near(), group(w), consumer(w)],
  (w) => ['XGROUP', w.word('DELCONSUMER'), w.near(), group(w), consumer(w)],
  (w) => [
    'XREADGROUP',
    w.word('GROUP'),
    group(w),
    consumer(w),
    ...count(w),
    ...w.option(0.2, 'NOACK'),
    w.word('STREAMS'),
    w.near(),
    '>',
  ],
  (w) => [
    'XREADGROUP',
    w.word('GROUP'),
    group(w),
    consumer(w),
    ...count(w),
    ...w.option(0.2, 'NOACK'),
    w.word('STREAMS'),
    w.near(),
    '>',
  ],
  (w) => [
    'XREADGROUP',
    w.word('GROUP'),
    group(w),
    consumer(w),
    ...count(w),
    w.word('STREAMS'),
    w.near(),
    w.random.pick(['0', id(w), '$']),
  ],
  (w) => ['XREADGROUP', w.word('GROUP'), group(w), consumer(w), w.word('STREAMS'), w.near(), w.near(), '>', '>'],
  (w) => ['XACK', w.near(), group(w), ...w.random.times(1, 6, () => known(w))],
  (w) => ['XPENDING', w.near(), group(w)],
  (w) => [
    'XPENDING',
    w.near(),
    group(w),
    ...w.maybe(0.3, () => [w.word('IDLE'), idle(w)]),
    bound(w),
    bound(w),
    w.random.chance(0.9) ? '10' : w.count(),
    ...w.maybe(0.3, () => [consumer(w)]),
  ],
  (w) => [
    'XCLAIM',
    w.near(),
    group(w),
    consumer(w),
    idle(w),
    ...w.random.times(1, 3, () => known(w)),
    ...w.maybe(0.2, () => [w.word('RETRYCOUNT'), w.count()]),
    ...w.option(0.2, 'FORCE'),
    ...w.option(0.2, 'JUSTID'),
    ...w.maybe(0.15, () => [w.word('LASTID'), id(w)]),
  ],
  (w) => [
    'XAUTOCLAIM',
    w.near(),
    group(w),
    consumer(w),
    idle(w),
    w.random.chance(0.7) ? '0' : bound(w),
    ...count(w),
    ...w.option(0.2, 'JUSTID'),
  ],
  (w) => ['XINFO', w.word('GROUPS'), w.near()],
  (w) => ['XINFO', w.word('CONSUMERS'), w.near(), group(w)],
  (w) => ['XINFO', w.word('STREAM'), w.near(), w.word('FULL'), ...w.maybe(0.3, () => [w.word('COUNT'), w.count()])],
  (w) => ['XINFO', w.word('NOPE'), w.near()],
]

export const STREAM_COMPOUNDS: readonly Compound[] = [
  (w) => {
    const key = w.near()
    const create = ['XGROUP', 'CREATE', key, group(w), w.random.pick(['0', '$'])]
    return [['XADD', key, newId(w), ...fields(w)], create, ['XADD', key, newId(w), ...fields(w)]]
  },
  (w) => [['MULTI'], ['XREAD', 'BLOCK', '0', 'STREAMS', w.near(), w.random.pick(['$', '0', id(w)])], ['EXEC']],
  (w) => {
    const [key, name, reader] = [w.near(), group(w), consumer(w)]
    const read = ['XREADGROUP', 'GROUP', name, reader, 'BLOCK', '0', 'STREAMS', key, '>']
    return [['XGROUP', 'CREATECONSUMER', key, name, reader], ['MULTI'], read, ['EXEC']]
  },
]
