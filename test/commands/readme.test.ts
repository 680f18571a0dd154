import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { CommandSpec } from '../../src/commands/command-spec.js'
import { ALL_COMMANDS } from '../../src/commands/registry.js'

/** The table of commands between the marks in README.md, as it must read. Fix a failure by pasting what the test expected. */
function commandTable(specs: readonly CommandSpec[]): string {
  const rows = new Map<string, string[]>()
  for (const spec of [...specs].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const subcommands = (spec.subcommands ?? []).map(({ name }) => name.toUpperCase()).filter((name) => name !== 'HELP')
    const shown = subcommands.length === 0 ? '' : ` (${subcommands.join(', ')})`
    const row = rows.get(spec.group) ?? []
    row.push(`${spec.name.toUpperCase()}${shown}`)
    rows.set(spec.group, row)
  }
  const lines = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([group, names]) => `| ${group} | ${names.join(' · ')} |`)
  return ['| group | commands |', '|---|---|', ...lines].join('\n')
}

describe('README', () => {
  it('lists exactly the commands that the server has', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const [, listed] = /<!-- commands:begin[^>]*-->\n([\s\S]*?)<!-- commands:end -->/.exec(readme) ?? []
    expect(listed?.trim()).toBe(commandTable(ALL_COMMANDS))
  })
})
