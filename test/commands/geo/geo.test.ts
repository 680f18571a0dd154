import { describe, expect, it } from 'vitest'
import { EngineHarness } from '../../support/engine-harness.js'

function harness(): { h: EngineHarness; run: (line: string) => unknown } {
  const h = new EngineHarness()
  return {
    h,
    run: (line) => {
      const reply = h.run(...line.split(' '))
      return reply instanceof Error ? reply.message : reply
    },
  }
}

const SICILY = 'GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania'

describe('places', () => {
  it('are members whose scores are Redis’ geohashes', () => {
    const { run } = harness()
    expect(run(SICILY)).toBe(2)
    expect(run('ZSCORE Sicily Palermo')).toBe('3479099956230698')
    expect(run('ZSCORE Sicily Catania')).toBe('3479447370796909')
    expect(run('GEOHASH Sicily Palermo Catania Nowhere')).toEqual(['sqc8b49rny0', 'sqdtr74hyu0', null])
    expect(run('GEOPOS Sicily Palermo Nowhere')).toEqual([['13.36138933897018433', '38.11555639549629859'], null])
    expect(run('GEODIST Sicily Palermo Catania')).toBe('166274.1516')
    expect(run('GEODIST Sicily Palermo Catania mi')).toBe('103.3182')
    expect(run('GEODIST Sicily Palermo Nowhere')).toBe(null)
  })

  it('are added under conditions', () => {
    const { run } = harness()
    run(SICILY)
    expect(run('GEOADD Sicily NX 0 0 Palermo 14 38 Enna')).toBe(1)
    expect(run('GEOADD Sicily XX CH 13 38 Palermo 1 1 Nobody')).toBe(1)
    expect(run('GEOADD Sicily NX XX 13 38 Palermo')).toBe('ERR syntax error')
    expect(run('GEOADD Sicily 13 38')).toMatch(/wrong number/)
    expect(run('GEOADD Sicily 200 100 Far')).toBe('ERR invalid longitude,latitude pair 200.000000,100.000000')
    expect(run('GEOADD Sicily a 1 b')).toBe('ERR value is not a valid float')
  })
})

describe('a search for places', () => {
  it('finds what is within a circle or a box', () => {
    const { run } = harness()
    run(SICILY)
    run('GEOADD Sicily 12.758489 38.788135 edge1 17.241510 38.788135 edge2')
    expect(run('GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 200 km ASC')).toEqual(['Catania', 'Palermo'])
    expect(run('GEOSEARCH Sicily FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST')).toEqual([
      ['Catania', '56.4413'],
      ['Palermo', '190.4424'],
      ['edge2', '279.7403'],
      ['edge1', '279.7405'],
    ])
    expect(run('GEOSEARCH Sicily FROMMEMBER Palermo BYRADIUS 200 km DESC COUNT 1 WITHCOORD WITHHASH')).toEqual([
      ['Catania', 3479447370796909, ['15.08726745843887329', '37.50266842333162032']],
    ])
    expect(run('GEORADIUS Sicily 15 37 200 km WITHDIST')).toEqual(
      expect.arrayContaining([
        ['Palermo', '190.4424'],
        ['Catania', '56.4413'],
      ]),
    )
    expect(run('GEORADIUSBYMEMBER_RO Sicily Palermo 1 km')).toEqual(['Palermo'])
    expect((run('GEOSEARCH Sicily FROMLONLAT 15 37 BYRADIUS 500 km COUNT 3 ANY') as string[]).length).toBe(3)
  })

  it('finds every place that a look at each of them finds', () => {
    const { h, run } = harness()
    let state = 5
    const next = (span: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return ((state / 2 ** 32) * 2 - 1) * span
    }
    for (let i = 0; i < 600; i++) h.run('GEOADD', 'g', String(next(180)), String(next(85)), `p${i}`)
    run('GEOADD g 180 0 limit1 -180 10 limit2 0 85.05112878 limit3')
    for (let i = 0; i < 40; i++) {
      const center = [String(next(180)), String(next(85))]
      const radius = [1, 100, 1500, 9000, 25_000][i % 5]
      h.run('GEOADD', 'g', ...center, 'center')
      const expected = (run('ZRANGE g 0 -1') as string[])
        .filter((name) => Number(run(`GEODIST g center ${name} km`)) <= radius)
        .sort()
      const found = h.run('GEOSEARCH', 'g', 'FROMMEMBER', 'center', 'BYRADIUS', String(radius), 'km') as string[]
      expect([...found].sort()).toEqual(expected)
    }
  })

  it('is stored with positions or distances', () => {
    const { run } = harness()
    run(SICILY)
    expect(run('GEOSEARCHSTORE near Sicily FROMLONLAT 15 37 BYRADIUS 100 km')).toBe(1)
    expect(run('ZRANGE near 0 -1 WITHSCORES')).toEqual(['Catania', '3479447370796909'])
    expect(run('GEORADIUS Sicily 15 37 200 km STOREDIST near')).toBe(2)
    expect(Math.round(Number(run('ZSCORE near Palermo')))).toBe(190)
    expect(run('GEOSEARCHSTORE near none FROMLONLAT 15 37 BYRADIUS 100 km')).toBe(0)
    expect(run('EXISTS near')).toBe(0)
  })

  it('has Redis’ errors', () => {
    const { run } = harness()
    run(SICILY)
    expect(run('GEOSEARCH Sicily FROMLONLAT 15 37 ASC WITHDIST WITHHASH')).toBe(
      'ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH',
    )
    expect(run('GEOSEARCH Sicily BYRADIUS 1 km ASC WITHDIST')).toBe(
      'ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH',
    )
    expect(run('GEOSEARCH Sicily FROMMEMBER Nobody BYRADIUS 1 km')).toBe('ERR could not decode requested zset member')
    expect(run('GEORADIUS Sicily 15 37 -1 km')).toBe('ERR radius cannot be negative')
    expect(run('GEORADIUS Sicily 15 37 1 parsec')).toBe('ERR unsupported unit provided. please use M, KM, FT, MI')
    expect(run('GEORADIUS Sicily 15 37 1 km ANY')).toBe('ERR the ANY argument requires COUNT argument')
    expect(run('GEORADIUS Sicily 15 37 1 km COUNT 0')).toBe('ERR COUNT must be > 0')
    expect(run('GEORADIUS Sicily 15 37 1 km STORE x WITHDIST')).toBe(
      'ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options',
    )
    expect(run('GEORADIUS_RO Sicily 15 37 1 km STORE x')).toBe('ERR syntax error')
  })
})
