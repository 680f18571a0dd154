import type { Production, Words } from './words.js'

const PLACES = [
  ['13.361389', '38.115556'],
  ['15.087269', '37.502669'],
  ['2.3522', '48.8566'],
  ['-73.9857', '40.7484'],
  ['179.99', '-16.5'],
  ['-179.99', '-16.6'],
  ['0', '0'],
  // Not on the very limits of 180 and 85.05112878 degrees: redis-server does not always find what is there.
  ['179.9999', '85.0511'],
  ['-180', '-85.05112878'],
]

const place = (w: Words): readonly string[] => {
  if (w.random.chance(0.06))
    return w.random.pick([
      ['181', '0'],
      ['0', '86'],
      ['abc', '1'],
      ['1', ''],
      ['nan', '0'],
    ])
  if (w.random.chance(0.5)) return w.random.pick(PLACES)
  return [String(w.random.between(-1790, 1790) / 10), String(w.random.between(-850, 850) / 10)]
}

const unit = (w: Words) => w.word(w.random.chance(0.04) ? 'yd' : w.random.pick(['M', 'KM', 'FT', 'MI']))

const radius = (w: Words) =>
  w.random.chance(0.05) ? w.random.pick(['-1', 'abc', '0', '']) : w.random.pick(['1', '200', '3000.5', '20000'])

const shown = (w: Words) => [...w.option(0.3, 'WITHDIST'), ...w.option(0.2, 'WITHHASH'), ...w.option(0.3, 'WITHCOORD')]

/** Without a direction the order is that of the search's cells, and COUNT would choose by it: so there always is one. */
const chosen = (w: Words) => [
  w.word(w.random.pick(['ASC', 'DESC'])),
  ...w.maybe(0.3, () => [w.word('COUNT'), w.random.chance(0.1) ? w.count() : String(w.random.between(1, 5))]),
]

const center = (w: Words) => (w.random.chance(0.5) ? [w.word('FROMMEMBER'), w.element()] : [w.word('FROMLONLAT'), ...place(w)])

const shape = (w: Words) =>
  w.random.chance(0.5) ? [w.word('BYRADIUS'), radius(w), unit(w)] : [w.word('BYBOX'), radius(w), radius(w), unit(w)]

export const GEO_PRODUCTIONS: readonly Production[] = [
  (w) => ['GEOADD', w.near(), ...w.random.times(1, 5, () => [...place(w), w.element()]).flat()],
  (w) => ['GEOADD', w.near(), ...w.random.times(1, 5, () => [...place(w), w.element()]).flat()],
  (w) => [
    'GEOADD',
    w.near(),
    ...w.option(0.5, 'NX', 'XX'),
    ...w.option(0.5, 'CH'),
    ...w.option(0.05, 'GT'),
    ...place(w),
    w.element(),
  ],
  (w) => ['GEOPOS', w.near(), ...w.elements(0, 4)],
  (w) => ['GEOHASH', w.near(), ...w.elements(0, 4)],
  (w) => ['GEODIST', w.near(), w.element(), w.element(), ...w.maybe(0.6, () => [unit(w)])],
  (w) => ['GEOSEARCH', w.near(), ...center(w), ...shape(w), ...chosen(w), ...shown(w)],
  (w) => ['GEOSEARCH', w.near(), ...shape(w), ...shown(w), ...chosen(w), ...center(w)],
  (w) => ['GEOSEARCH', w.near(), ...center(w), ...shape(w), ...w.option(0.2, 'ANY', 'BYBOX', 'STOREDIST', 'WITHDIST')],
  (w) => ['GEOSEARCHSTORE', w.near(), w.near(), ...center(w), ...shape(w), ...chosen(w), ...w.option(0.3, 'STOREDIST')],
  (w) => ['GEORADIUS', w.near(), ...place(w), radius(w), unit(w), ...shown(w), ...chosen(w)],
  (w) => [
    'GEORADIUS',
    w.near(),
    ...place(w),
    radius(w),
    unit(w),
    ...chosen(w),
    ...w.maybe(0.5, () => [w.word('STORE'), w.near()]),
  ],
  (w) => ['GEORADIUS_RO', w.near(), ...place(w), radius(w), unit(w), ...shown(w), ...chosen(w)],
  (w) => ['GEORADIUSBYMEMBER', w.near(), w.element(), radius(w), unit(w), ...chosen(w), ...shown(w)],
  (w) => ['GEORADIUSBYMEMBER', w.near(), w.element(), radius(w), unit(w), ...chosen(w), w.word('STOREDIST'), w.near()],
  (w) => ['GEORADIUSBYMEMBER_RO', w.near(), w.element(), radius(w), unit(w), ...chosen(w)],
]
