import type { Production, Words } from './words.js'

const condition = (w: Words) =>
  w.random.times(0, w.random.chance(0.3) ? 3 : 1, () => w.word(w.random.pick(['NX', 'XX', 'GT', 'LT'])))

export const EXPIRY_PRODUCTIONS: readonly Production[] = [
  (w) => ['EXPIRE', w.key(), w.ahead(1000), ...condition(w)],
  (w) => ['PEXPIRE', w.key(), w.ahead(1), ...condition(w)],
  (w) => ['EXPIREAT', w.key(), w.aheadAt(1000), ...condition(w)],
  (w) => ['PEXPIREAT', w.key(), w.aheadAt(1), ...condition(w)],
  (w) => ['TTL', w.key()],
  (w) => ['PTTL', w.key()],
  (w) => ['EXPIRETIME', w.key()],
  (w) => ['PEXPIRETIME', w.key()],
  (w) => ['PERSIST', w.key()],
]

/** Redis 7.0 answers an unknown TYPE with nothing found, later ones with an error: only known names are asked for. */
export const KEY_PRODUCTIONS: readonly Production[] = [
  (w) => ['DEL', ...w.keys(1, 3)],
  (w) => ['UNLINK', ...w.keys(1, 3)],
  (w) => ['EXISTS', ...w.keys(1, 4)],
  (w) => ['TOUCH', ...w.keys(1, 4)],
  (w) => ['TYPE', w.key()],
  (w) => ['RENAME', w.key(), w.key()],
  (w) => ['RENAMENX', w.key(), w.key()],
  (w) => ['COPY', w.key(), w.key(), ...w.maybe(0.4, () => [w.word('DB'), w.database()]), ...w.option(0.4, 'REPLACE')],
  (w) => ['MOVE', w.key(), w.database()],
  (w) => ['SELECT', w.database()],
  () => ['SELECT', '0'],
  (w) => ['SWAPDB', w.database(), w.database()],
  () => ['DBSIZE'],
  (w) => ['FLUSHDB', ...w.option(0.3, 'SYNC', 'ASYNC')],
  (w) => ['FLUSHALL', ...w.option(0.3, 'SYNC', 'ASYNC', 'NOW')],
  (w) => ['KEYS', w.pattern()],
  () => ['RANDOMKEY'],
  (w) => [
    'SCAN',
    w.random.chance(0.05) ? w.random.pick(['abc', '1.5', '1x']) : '0',
    ...w.maybe(0.4, () => [w.word('MATCH'), w.pattern()]),
    ...w.maybe(0.8, () => [w.word('COUNT'), w.random.chance(0.1) ? w.random.pick(['0', '-1', 'abc', '2']) : '100000']),
    ...w.maybe(0.3, () => [w.word('TYPE'), w.word(w.random.pick(['STRING', 'HASH', 'LIST', 'SET', 'ZSET', 'STREAM']))]),
  ],
  (w) => ['OBJECT', w.word(w.random.pick(['ENCODING', 'REFCOUNT', 'IDLETIME', 'FREQ'])), w.key()],
  (w) => ['OBJECT', w.word(w.random.pick(['HELP', 'NOPE'])), ...w.maybe(0.3, () => [w.key()])],
]
