import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, MeridianError } from '../../src/base/errors.js'

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
const sections = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((section): [string, string] => [section.slice(0, section.indexOf('\n')), section]),
)

describe('docs/errors.md', () => {
  it('lists exactly the codes of the catalogue, in its order', () => {
    expect([...sections.keys()]).toEqual(Object.keys(ERROR_CODES))
  })

  it.each([...sections])('gives cause and remedy of %s', (_code, section) => {
    expect(section).toMatch(/\n\*\*Cause\.\*\* \S/)
    expect(section).toMatch(/\n\*\*Remedy\.\*\* \S/)
  })
})

describe('an error for the operator', () => {
  it('reads: what, code, remedy', () => {
    expect(new MeridianError('MRD_DISK_FULL', 'No room in /data', 'Make some.').message).toBe(
      'No room in /data (MRD_DISK_FULL). Make some.',
    )
  })
})
