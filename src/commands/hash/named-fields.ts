import { latin1 } from '../../base/bytes.js'
import type { Call } from '../call.js'

/** The fields that a command has named so far: some commands treat a field that is named again as already dealt with. */
export class NamedFields {
  private readonly names = new Set<string>()

  constructor(private readonly call: Call) {}

  has(i: number): boolean {
    return this.names.size > 0 && this.names.has(this.text(i))
  }

  /** Notes the field in argument i; false when it has been noted before. */
  add(i: number): boolean {
    const { size } = this.names
    return this.names.add(this.text(i)).size > size
  }

  private text(i: number): string {
    const { buf, off, len } = this.call.request
    return latin1(buf, off[i], len[i])
  }
}
