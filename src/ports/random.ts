/** Randomness as the core sees it. Never used while applying an op: the origin writes its choices into the op. */
export interface Random {
  /** Uniform in 0 .. 2^32-1. */
  uint32(): number
}
