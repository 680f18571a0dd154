/** An invariant does not hold. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure'
}
