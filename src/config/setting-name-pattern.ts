/**
 * CONFIG GET's glob over setting names, ignoring case: `*`, `?`, `[a-z]`, `[^x]` and `\` as in Redis. Setting names are ASCII
 * and short. One position to return to is enough, so a hostile pattern costs at most pattern length times name length.
 */
export function matchesSettingName(pattern: string, name: string): boolean {
  let p = 0
  let n = 0
  let starAt = -1
  let resumeAt = 0
  while (n < name.length) {
    if (pattern[p] === '*') {
      starAt = p++
      resumeAt = n
      continue
    }
    const step = p < pattern.length ? matchOne(pattern, p, name[n]) : 0
    if (step > 0) {
      p += step
      n++
    } else if (starAt >= 0) {
      p = starAt + 1
      n = ++resumeAt
    } else {
      return false
    }
  }
  while (pattern[p] === '*') p++
  return p === pattern.length
}

/** Length of the pattern element at p when it matches the character, else 0. */
function matchOne(pattern: string, p: number, character: string): number {
  const wanted = character.toLowerCase()
  if (pattern[p] === '?') return 1
  if (pattern[p] === '\\' && p + 1 < pattern.length) return pattern[p + 1].toLowerCase() === wanted ? 2 : 0
  if (pattern[p] !== '[') return pattern[p].toLowerCase() === wanted ? 1 : 0
  let at = p + 1
  const negated = pattern[at] === '^'
  if (negated) at++
  let found = false
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++
    const from = pattern[at].toLowerCase()
    const isRange = pattern[at + 1] === '-' && at + 2 < pattern.length && pattern[at + 2] !== ']'
    const to = isRange ? pattern[at + 2].toLowerCase() : from
    if (wanted >= (from < to ? from : to) && wanted <= (from < to ? to : from)) found = true
    at += isRange ? 3 : 1
  }
  return found === negated ? 0 : Math.min(at + 1, pattern.length) - p
}
