/** Middle value; mean of the two in the middle when there is an even number. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** Linear between neighbours. NaN of nothing. */
export function quantile(values: readonly number[], fraction: number): number {
  if (values.length === 0) return NaN
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * fraction
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below)
}
