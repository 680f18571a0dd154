import type { Production, Words } from './words.js'

/** Keys that only these commands and the generic ones touch: what bytes a HyperLogLog consists of is the server's own affair. */
const key = (w: Words) => w.random.pick(['h0', 'h1', 'h2', 'h3'])

const elements = (w: Words) => (w.random.chance(0.2) ? w.manyElements('e') : w.elements(0, 5))

export const HLL_PRODUCTIONS: readonly Production[] = [
  (w) => ['PFADD', key(w), ...elements(w)],
  (w) => ['PFADD', key(w), ...elements(w)],
  (w) => ['PFADD', w.random.chance(0.1) ? w.key() : key(w), ...elements(w)],
  (w) => ['PFCOUNT', key(w)],
  (w) => ['PFCOUNT', ...w.random.times(1, 3, () => key(w))],
  (w) => ['PFMERGE', key(w), ...w.random.times(0, 3, () => key(w))],
  (w) => ['PFCOUNT', w.random.chance(0.1) ? w.key() : key(w)],
  (w) => ['DEL', key(w)],
  (w) => ['RENAME', key(w), key(w)],
  (w) => ['COPY', key(w), key(w), ...w.option(0.5, 'REPLACE')],
  (w) => ['EXISTS', key(w)],
  (w) => ['TYPE', key(w)],
  (w) => ['EXPIRE', key(w), '1000'],
  (w) => ['TTL', key(w)],
]
