import { counted, plural } from '../progress-line.js'
import { TypeCounts } from '../type-counts.js'

/** What became of the keys of a source. */
export class ImportCounts {
  readonly loaded = new TypeCounts()
  /** Into which database of the target how many went, and how many of them expire. */
  readonly databases = new Map<number, { keys: number; expiring: number }>()
  /** Were in the target already, and stayed as they are there. */
  existing = 0
  /** Had expired, or had no elements. */
  expired = 0
  empty = 0
  /** Not chosen by --db or --match. */
  unselected = 0
  /** Left out because Meridian cannot hold them: what, and how many. */
  readonly unsupported = new Map<string, number>()
  readonly functions: string[] = []

  addLoaded(database: number, rdbType: number, expires: boolean): void {
    this.loaded.add(rdbType)
    const counts = this.databases.get(database) ?? { keys: 0, expiring: 0 }
    counts.keys++
    if (expires) counts.expiring++
    this.databases.set(database, counts)
  }

  addUnsupported(what: string): void {
    this.unsupported.set(what, (this.unsupported.get(what) ?? 0) + 1)
  }

  /** For people, one fact a line. */
  lines(): string[] {
    const { loaded, existing, expired, empty, unselected } = this
    const lines = [`  ${plural(loaded.total, 'key')}${loaded.total > 0 ? `: ${loaded.toString()}` : ''}`]
    const leftOut = [
      existing > 0 ? `${counted(existing)} that were in the target already` : '',
      expired > 0 ? `${counted(expired)} that had expired` : '',
      empty > 0 ? `${counted(empty)} without elements` : '',
      unselected > 0 ? `${counted(unselected)} not selected` : '',
      ...[...this.unsupported].map(([what, count]) => `${counted(count)} of ${what}`),
    ].filter(Boolean)
    if (leftOut.length > 0) lines.push(`  left out: ${leftOut.join(', ')}`)
    if (this.functions.length > 0) {
      lines.push(
        `  not imported: ${plural(this.functions.length, 'function library', 'function libraries')} (${this.functions.join(', ')})`,
      )
    }
    return lines
  }
}
