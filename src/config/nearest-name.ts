/** The known name that an unknown one was most likely meant to be, or undefined when none is close. */
export function nearestName(unknown: string, known: readonly string[]): string | undefined {
  const wanted = normalise(unknown)
  let best: string | undefined
  let bestDistance = Infinity
  for (const name of known) {
    const distance = editDistance(wanted, normalise(name))
    if (distance < bestDistance) {
      best = name
      bestDistance = distance
    }
  }
  const tolerated = Math.max(1, Math.floor(wanted.length / 3))
  return bestDistance <= tolerated ? best : undefined
}

/** `tlsPort`, `tls_port` and `tls-port` are one name to a human. */
function normalise(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .replaceAll('_', '-')
    .toLowerCase()
}

/** Levenshtein distance where swapped neighbours count as one slip; the names are short, three rows of the table are enough. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(Math.min(substitution, row[j] + 1, next[j - 1] + 1, swapped ? before[j - 2] + 1 : Infinity))
    }
    before = row
    row = next
  }
  return row[b.length]
}
