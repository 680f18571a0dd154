import { ReplyWriter } from '../../../src/resp/reply-writer.js'
import { Request } from '../../../src/resp/request.js'
import { EngineHarness } from '../../support/engine-harness.js'

export class KeysHarness extends EngineHarness {
  /** Runs many commands in one turn and drops their replies. */
  fill(count: number, command: (i: number) => readonly string[]): void {
    const reply = new ReplyWriter()
    for (let i = 0; i < count; i++) {
      this.engine.execute(this.session, Request.of(command(i)), reply)
      reply.reset()
    }
    this.engine.endTurn()
  }

  /** Every key of a database, by repeated SCAN, each with how often it came. */
  scanAll(...options: string[]): Map<string, number> {
    const seen = new Map<string, number>()
    let cursor = '0'
    do {
      const [next, keys] = this.run('SCAN', cursor, ...options) as [string, string[]]
      for (const key of keys) seen.set(key, (seen.get(key) ?? 0) + 1)
      cursor = next
    } while (cursor !== '0')
    return seen
  }
}
