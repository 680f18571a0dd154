import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { MeridianError } from '../base/errors.js'
import { checkTogether, toMemberConfig, type ConfigProblem } from './assemble.js'
import type { MemberConfig } from './member-config.js'
import { nearestName } from './nearest-name.js'
import { describe, fileSchema, knownKeys } from './schema.js'
import { YamlSource } from './yaml-source.js'

/** A value that a command-line flag puts in place of what the file says. */
export interface ConfigOverride {
  /** Where it goes, such as ['clients', 'port']. */
  readonly path: readonly string[]
  readonly value: unknown
  /** The flag as the operator wrote it, for messages: `--port`. */
  readonly flag: string
}

const PATH_KEYS = new Set(['dir', 'tls-cert-file', 'tls-key-file', 'tls-ca-cert-file'])

/**
 * Reads, overrides and validates one member's configuration. Relative paths in the file count from the file's folder, those in
 * flags from the current one.
 * @throws MeridianError MRD_CONFIG (MRD_ARGUMENT when only flags are wrong) that lists every problem with file:line:column.
 */
export function loadConfig(path: string | null, overrides: readonly ConfigOverride[] = []): MemberConfig {
  const source = path === null ? null : YamlSource.read(path)
  return validate(source, path, overrides)
}

/** As loadConfig, for a text that is not (yet) in that file. */
export function parseConfig(path: string, text: string): MemberConfig {
  return validate(YamlSource.parse(path, text), path, [])
}

function validate(source: YamlSource | null, path: string | null, overrides: readonly ConfigOverride[]): MemberConfig {
  const values = source?.values() ?? {}
  for (const override of overrides) applyOverride(values, override)
  const locate = new ProblemLocator(source, overrides)
  const result = fileSchema.safeParse(values, { reportInput: true })
  if (!result.success) throw locate.error(result.error.issues.flatMap(toProblems))
  const problems = checkTogether(result.data)
  if (problems.length > 0) throw locate.error(problems)
  const file = path === null ? null : resolve(path)
  return toMemberConfig(result.data, file, file === null ? process.cwd() : dirname(file))
}

function applyOverride(values: Record<string, unknown>, override: ConfigOverride): void {
  let section = values
  for (const key of override.path.slice(0, -1)) {
    const inner = section[key]
    if (inner === undefined || inner === null) section[key] = {}
    else if (typeof inner !== 'object') return // the section itself is wrong, and will be reported
    section = section[key] as Record<string, unknown>
  }
  const key = override.path[override.path.length - 1]
  const { value } = override
  section[key] = PATH_KEYS.has(key) && typeof value === 'string' && value !== '' ? resolve(value) : value
}

function toProblems(issue: z.core.$ZodIssue): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path)
    return issue.keys.map((key) => {
      const near = nearestName(key, known)
      const hint = near ? `did you mean ${near}?` : `allowed: ${known.join(', ')}`
      return { path: [...issue.path, key], message: `is not a known key; ${hint}` }
    })
  }
  const found = issue.input === undefined ? 'is missing' : `found ${describe(issue.input)}`
  if (issue.code === 'invalid_type') {
    const allowed = issue.expected === 'array' ? 'a list' : `a section with ${knownKeys(issue.path).join(', ')}`
    return [{ path: issue.path, message: `${found}; allowed: ${allowed}` }]
  }
  if (issue.code === 'too_small') return [{ path: issue.path, message: `too few entries; allowed: at least ${issue.minimum}` }]
  if (issue.code === 'too_big') return [{ path: issue.path, message: `too many entries; allowed: at most ${issue.maximum}` }]
  return [{ path: issue.path, message: issue.message }]
}

/** Says for each problem which line of the file, or which flag, it comes from. */
class ProblemLocator {
  constructor(
    private readonly source: YamlSource | null,
    private readonly overrides: readonly ConfigOverride[],
  ) {}

  error(problems: readonly ConfigProblem[]): MeridianError {
    const onlyFlags = problems.every((problem) => this.flagOf(problem) !== undefined)
    const lines = problems.map((problem) => this.describe(problem))
    const what = lines.length === 1 ? lines[0] : `${lines.length} problems in the configuration:\n  ${lines.join('\n  ')}\n`
    if (onlyFlags || !this.source) {
      return new MeridianError('MRD_ARGUMENT', what, 'Correct the flags; `meridian server --help` explains them.')
    }
    return new MeridianError('MRD_CONFIG', what, 'Correct the file; the samples in config/ explain every key.')
  }

  private describe(problem: ConfigProblem): string {
    const flag = this.flagOf(problem)
    const key = formatPath(problem.path)
    if (flag !== undefined) return `${flag} (${key}): ${problem.message}`
    return this.source ? `${this.source.positionOf(problem.path)}: ${key}: ${problem.message}` : `${key}: ${problem.message}`
  }

  private flagOf(problem: ConfigProblem): string | undefined {
    const last = this.overrides.findLast((override) => override.path.every((step, i) => problem.path[i] === step))
    return last?.flag
  }
}

/** `peers.members[2].port` */
function formatPath(path: readonly PropertyKey[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : `${text === '' ? '' : '.'}${String(step)}`
  return text
}
