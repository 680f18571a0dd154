import { MeridianError } from '../../base/errors.js'
import { matchesGlob } from '../../base/glob.js'

/** Which keys come over, and into which database. */
export class KeySelection {
  private readonly pattern: Uint8Array | null

  private constructor(
    /** Databases of the source that come over; null: all. */
    private readonly only: ReadonlySet<number> | null,
    private readonly moved: ReadonlyMap<number, number>,
    pattern: string | undefined,
  ) {
    this.pattern = pattern === undefined ? null : Buffer.from(pattern)
  }

  /** `databases`: "0" "3"; `maps`: "0:5". @throws MeridianError MRD_ARGUMENT */
  static of(databases: readonly string[], maps: readonly string[], pattern: string | undefined): KeySelection {
    const only = databases.length === 0 ? null : new Set(databases.map(databaseNumber))
    const moved = new Map<number, number>()
    for (const map of maps) {
      const [from, to, ...more] = map.split(':')
      if (to === undefined || more.length > 0) throw wrong(`--map-db ${map}`, 'Write FROM:TO, such as 0:5.')
      moved.set(databaseNumber(from), databaseNumber(to))
    }
    const selection = new KeySelection(only, moved, pattern)
    for (const [from, to] of moved) {
      const others = [...moved].filter(([other, at]) => other !== from && at === to)
      const unmoved = !moved.has(to) && selection.target(to) === to
      if (from !== to && (others.length > 0 || unmoved)) {
        throw wrong(`--map-db ${from}:${to} puts two databases into one`, 'Map the other one too, or choose databases with --db.')
      }
    }
    return selection
  }

  /** Everything comes over and stays where it is. */
  get isAll(): boolean {
    return this.only === null && this.moved.size === 0 && this.pattern === null
  }

  /** True when keys are chosen by their names. */
  get hasPattern(): boolean {
    return this.pattern !== null
  }

  /** Where the keys of a database go; null when they do not come over. */
  target(database: number): number | null {
    if (this.only !== null && !this.only.has(database)) return null
    return this.moved.get(database) ?? database
  }

  takes(key: Uint8Array): boolean {
    return this.pattern === null || matchesGlob(this.pattern, 0, this.pattern.length, key, 0, key.length)
  }
}

function databaseNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw wrong(`"${text}" is no database`, 'Databases are numbers, such as 0.')
  return Number(text)
}

function wrong(what: string, remedy: string): MeridianError {
  return new MeridianError('MRD_ARGUMENT', what, remedy)
}
