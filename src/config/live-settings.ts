import { assert } from '../base/assert.js'
import { matchesGlob } from '../base/glob.js'
import type { MemberConfig } from './member-config.js'
import { rewriteFile } from './rewrite.js'
import { initialLiveValues, SETTINGS, type LiveValues, type Setting, type SettingChange } from './setting-table.js'

/**
 * The settings as they are now: CONFIG GET, SET and REWRITE. Whoever consumes a setting reads `values` when it needs it, or
 * listens when a change must be carried somewhere (log level). Errors are Redis' words with their `ERR` code.
 */
export class LiveSettings {
  private current: LiveValues
  private readonly byName = new Map<string, Setting>()
  private readonly listeners: ((values: LiveValues) => void)[] = []

  constructor(private readonly config: MemberConfig) {
    this.current = initialLiveValues(config)
    for (const setting of SETTINGS) {
      assert(!this.byName.has(setting.name), `two settings are named ${setting.name}`)
      this.byName.set(setting.name, setting)
    }
  }

  /** The present values. A new object after each change: do not keep it. */
  get values(): LiveValues {
    return this.current
  }

  /** Called after each successful set. */
  onChange(listener: (values: LiveValues) => void): void {
    this.listeners.push(listener)
  }

  /** Name and value of each setting whose name matches the glob. */
  get(pattern: string): [name: string, value: string][] {
    return SETTINGS.filter((setting) => matchesName(pattern, setting.name)).map((setting) => [
      setting.name,
      setting.get(this.current, this.config),
    ])
  }

  /** Changes all or none. @returns null, or the error reply. */
  set(pairs: readonly (readonly [name: string, value: string])[]): string | null {
    const changes: Partial<LiveValues>[] = []
    const named = new Set<Setting | SettingChange>()
    for (const [given] of pairs) {
      const setting = this.byName.get(given.toLowerCase())
      if (!setting) return `ERR Unknown option or number of arguments for CONFIG SET - '${given}'`
      if (!setting.change && setting.isConstant !== true) return failed(given, "can't set immutable config")
      // Two names of one setting have the same change.
      const what = setting.change ?? setting
      if (named.has(what)) return failed(given, 'duplicate parameter')
      named.add(what)
    }
    for (const [given, text] of pairs) {
      const setting = this.byName.get(given.toLowerCase())
      assert(setting !== undefined, 'the first pass let an unknown setting pass')
      const { change } = setting
      if (change === undefined) {
        const only = setting.get(this.current, this.config)
        if (text === only) continue
        return failed(given, `this version of Meridian has no other value than '${only}'`)
      }
      const values = change.parse(text)
      if (typeof values === 'string') return failed(given, values)
      changes.push(values)
    }
    this.current = changes.reduce<LiveValues>((values, change) => ({ ...values, ...change }), this.current)
    for (const listener of this.listeners) listener(this.current)
    return null
  }

  /**
   * Writes the settings that differ from the configuration file back to it; comments and everything else stay.
   * @returns null, or the error reply.
   */
  rewrite(): string | null {
    if (this.config.file === null) return 'ERR The server is running without a config file'
    const changes = SETTINGS.map((setting) => setting.change).filter((change): change is SettingChange => change !== undefined)
    try {
      rewriteFile(this.config.file, changes, this.current)
      return null
    } catch (error) {
      // An error reply is one line.
      return `ERR Rewriting config file: ${(error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ')}`
    }
  }
}

function failed(name: string, why: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`
}

/** Case does not matter in the names of settings. */
function matchesName(pattern: string, name: string): boolean {
  const globBytes = Buffer.from(pattern)
  const nameBytes = Buffer.from(name)
  return matchesGlob(globBytes, 0, globBytes.length, nameBytes, 0, nameBytes.length, true)
}
