/** An invariant does not hold. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure'

  constructor(message: string) {
    // Payloads of DUMP, and keys and values that are drawn from all bytes, must not reach the terminal as they are.
    super(message.replace(/[^\x20-\x7e\n]/g, (each) => `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`))
  }
}
