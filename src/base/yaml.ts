import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml'

export type Path = readonly (string | number)[]

export type YamlText = {
  /** Plain objects, lists and scalars; undefined when the text is empty or damaged. */
  value: unknown
  /** What is wrong with the text as YAML, each with its line. */
  problems: { line: number; message: string }[]
  /** The line of the key or entry at `path`, or of the innermost thing around it that exists. */
  lineOf(path: Path): number
  /** The number, the text or the nothing at `path` as it is written: `1.0` and not `1`. */
  sourceOf(path: Path): string | undefined
}

/** Reads YAML and keeps the lines, so that a problem with a value can be shown where it is. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineAt = (offset: number) => Math.max(1, lines.linePos(offset).line)
  const problems = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    line: lineAt(pos[0]),
    message: message.split('\n')[0]!,
  }))
  const own = {
    problems,
    lineOf: (path: Path) => lineAt(placeOf(document, path).offset),
    sourceOf: (path: Path) => {
      const { node } = placeOf(document, path)
      return isScalar(node) ? node.source : undefined
    },
  }
  if (problems.length > 0) return { value: undefined, ...own }
  try {
    return { value: document.toJS() ?? undefined, ...own }
  } catch (error) {
    // Aliases of aliases that would unfold to more than memory holds.
    problems.push({ line: 1, message: (error as Error).message })
    return { value: undefined, ...own }
  }
}

/** What is at `path`, if it exists, and the offset of the innermost thing that does. */
function placeOf(document: Document, path: Path): { node: unknown; offset: number } {
  let node: unknown = document.contents
  let offset = rangeStart(node) ?? 0
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    let found: unknown
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(key) === String(step))
      offset = rangeStart(pair?.key) ?? offset
      found = pair?.value
    } else if (isSeq(node)) {
      found = node.items[Number(step)]
      offset = rangeStart(found) ?? offset
    }
    if (found === undefined || found === null) return { node: undefined, offset }
    node = found
  }
  return { node: isAlias(node) ? node.resolve(document) : node, offset }
}

function rangeStart(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0]
}
