import { readFileSync, statSync } from 'node:fs'
import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument, type Document } from 'yaml'
import { MeridianError } from '../base/errors.js'
import { LIMITS } from '../base/limits.js'

/** A configuration file as text, with the position of everything in it. */
export class YamlSource {
  private constructor(
    readonly file: string,
    readonly document: Document.Parsed,
    private readonly lines: LineCounter,
  ) {}

  /** @throws MeridianError MRD_CONFIG when the file cannot be read or is not YAML. */
  static read(file: string): YamlSource {
    return YamlSource.parse(file, readText(file))
  }

  static parse(file: string, text: string): YamlSource {
    const lines = new LineCounter()
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
    const source = new YamlSource(file, document, lines)
    const problem = [...document.errors, ...document.warnings].at(0)
    if (problem) {
      const what = `${source.at(problem.pos[0])}: not valid YAML: ${problem.message}`
      throw new MeridianError('MRD_CONFIG', what, 'Correct the file; indentation is by spaces and every key ends with a colon.')
    }
    if (document.contents !== null && !isMap(document.contents)) {
      throw new MeridianError(
        'MRD_CONFIG',
        `${source.at(0)}: the file is not a mapping of sections`,
        'Begin with a section such as "clients:".',
      )
    }
    return source
  }

  /** The content as plain values; an empty file is an empty mapping. */
  values(): Record<string, unknown> {
    return (this.document.toJS() as Record<string, unknown> | null) ?? {}
  }

  /** `file:line:column` of what is at a path, or of the nearest section around it when it is not there. */
  positionOf(path: readonly PropertyKey[]): string {
    for (let length = path.length; length > 0; length--) {
      const offset = this.offsetOf(path.slice(0, length))
      if (offset !== undefined) return this.at(offset)
    }
    return this.at(0)
  }

  private offsetOf(path: readonly PropertyKey[]): number | undefined {
    const last = path.at(-1)
    const parent: unknown = path.length === 1 ? this.document.contents : this.document.getIn(path.slice(0, -1), true)
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(last))
      return pair && isScalar(pair.key) ? pair.key.range?.[0] : undefined
    }
    const node: unknown = this.document.getIn(path, true)
    return isNode(node) ? node.range?.[0] : undefined
  }

  private at(offset: number): string {
    const { line, col } = this.lines.linePos(offset)
    return `${this.file}:${Math.max(line, 1)}:${Math.max(col, 1)}`
  }
}

function readText(file: string): string {
  try {
    const bytes = statSync(file).size
    if (bytes > LIMITS.maxConfigFileBytes) {
      throw new MeridianError(
        'MRD_CONFIG',
        `${file}: ${bytes} bytes are too many for a configuration file`,
        'Name the right file.',
      )
    }
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof MeridianError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new MeridianError('MRD_CONFIG', `${file}: cannot be read: ${reason}`, 'Check the path and its permissions.', {
      cause: error,
    })
  }
}
