import { z } from 'zod'
import { SluiceError } from './errors.ts'
import { nearest } from './nearest.ts'
import { withoutCredentials } from './secrets.ts'
import { type Path, readYaml } from './yaml.ts'

/** What may stand in a section, beside the keys that its schema knows. */
export type Section = {
  known: readonly string[]
  /** Keys that mean something that this version cannot do: never passed over in silence. */
  notYet?: readonly string[]
  /** Keys that are allowed and mean nothing here. */
  ignored?: readonly string[]
  /** Keys whose value is text as it is written, even `1.0`; where nothing is, it is empty. */
  texts?: readonly string[]
}

/** By path, with `[]` for the entries of a list: `''`, `listen`, `remote_write[]`. */
export type Sections = Readonly<Record<string, Section>>

export type SettingsSource = {
  text: string
  fileName: string
  /** Values from the command line; they win over the text. */
  flags: readonly { flag: string; path: Path; value: string }[]
}

export type Settings<T> = { value: T; warnings: string[] }

/**
 * Reads YAML into what `schema` makes of it.
 *
 * @throws SluiceError CONFIG_INVALID with every problem, one per line, each with its place
 */
export function readSettings<T>(
  source: SettingsSource,
  schema: z.ZodType<T>,
  sections: Sections,
): Settings<T> {
  const { text, fileName } = source
  const yaml = readYaml(text)
  const problems: { line: number; text: string }[] = []
  for (const { line, message } of yaml.problems) {
    problems.push({ line, text: `${fileName}:${line}: ${message}` })
  }
  if (problems.length > 0) throw invalid(problems)

  const place = (path: Path): { line: number; text: string } => {
    const given = source.flags.find((flag) => pathText(flag.path) === pathText(path))
    if (given !== undefined) return { line: 0, text: given.flag }
    const line = yaml.lineOf(path)
    const name = pathText(path)
    return { line, text: name === '' ? `${fileName}:${line}` : `${fileName}:${line}: ${name}` }
  }
  const report = (path: Path, message: string) => {
    const { line, text: where } = place(path)
    problems.push({ line, text: `${where}: ${message}` })
  }

  const texts = withTexts(yaml.value, sections, yaml.sourceOf)
  const raw = withFlags(withoutNulls(texts) ?? {}, source.flags)
  const ignored = takeOut(raw, sections, report)
  const warnings = ignored.map((path) => `${place(path).text}: ignored, it has no meaning here`)
  const parsed = schema.safeParse(raw)
  for (const issue of parsed.error?.issues ?? []) describe(issue, raw, sections, report)
  if (problems.length > 0 || !parsed.success) throw invalid(problems)
  return { value: parsed.data, warnings }
}

/**
 * A single value: what `parse` makes of its text, or the problem "expected …" when that is
 * null. Numbers and booleans count as the text that stands in the file.
 *
 * @param isSecret whether the problem must not quote what stands there
 */
export function setting<T extends string | number | object>(
  expected: string,
  parse: (text: string) => T | null,
  isSecret = false,
) {
  return z.unknown().transform((value, context): T => {
    const parsed = ['string', 'number', 'boolean'].includes(typeof value)
      ? parse(String(value))
      : null
    if (parsed !== null) return parsed
    const message =
      value === undefined
        ? `is missing: expected ${expected}`
        : `expected ${expected}${isSecret ? '' : `, got ${shown(value)}`}`
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}

/** `remote_write[0].url` */
function pathText(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

function sectionName(path: Path): string {
  return pathText(path).replace(/\[\d+\]/g, '[]')
}

/** Puts the text of the file in place of what YAML makes of it, where a section asks for that. */
function withTexts(
  value: unknown,
  sections: Sections,
  sourceOf: (path: Path) => string | undefined,
  path: Path = [],
): unknown {
  const inner = (entry: unknown, step: string | number) =>
    withTexts(entry, sections, sourceOf, [...path, step])
  if (Array.isArray(value)) return value.map(inner)
  if (!isSection(value)) return value
  const texts = sections[sectionName(path)]?.texts ?? []
  const entries = Object.entries(value).map(([key, entry]): [string, unknown] => {
    const isText = texts.includes(key) && (typeof entry !== 'object' || entry === null)
    if (!isText || typeof entry === 'string') return [key, inner(entry, key)]
    return [key, entry === null ? '' : (sourceOf([...path, key]) ?? String(entry))]
  })
  return Object.fromEntries(entries)
}

/** A key without a value is as good as none, as in Prometheus. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isSection(value)) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== null)
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutNulls(inner)]))
}

function withFlags(root: unknown, flags: SettingsSource['flags']): unknown {
  for (const { path, value } of flags) {
    let at = root
    for (const [i, step] of path.entries()) {
      if (typeof at !== 'object' || at === null) break
      const container = at as Record<string | number, unknown>
      if (i === path.length - 1) container[step] = value
      else container[step] ??= typeof path[i + 1] === 'number' ? [] : {}
      at = container[step]
    }
  }
  return root
}

/** Takes out what the schema need not know: *not yet*, and keys without meaning: the result. */
function takeOut(
  root: unknown,
  sections: Sections,
  report: (path: Path, message: string) => void,
): Path[] {
  const ignored: Path[] = []
  const visit = (value: unknown, path: Path): void => {
    if (Array.isArray(value)) for (const [i, entry] of value.entries()) visit(entry, [...path, i])
    if (!isSection(value)) return
    const section = sections[sectionName(path)]
    for (const key of Object.keys(value)) {
      const here = [...path, key]
      if (section?.notYet?.includes(key)) report(here, 'not available in this version')
      else if (section?.ignored?.includes(key)) ignored.push(here)
      else {
        visit(value[key], here)
        continue
      }
      delete value[key]
    }
  }
  visit(root, [])
  return ignored
}

function describe(
  issue: z.core.$ZodIssue,
  root: unknown,
  sections: Sections,
  report: (path: Path, message: string) => void,
): void {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code === 'unrecognized_keys') {
    const known = sections[sectionName(path)]?.known ?? []
    for (const key of issue.keys) {
      const meant = nearest(key, known)
      const hint = meant === null ? `known are ${known.join(', ')}` : `did you mean "${meant}"?`
      report([...path, key], `unknown setting, ${hint}`)
    }
  } else if (issue.code === 'invalid_type') {
    const expected = issue.expected === 'array' ? 'a list' : 'a section of settings'
    const value = path.reduce<unknown>((at, step) => (at as never)?.[step], root)
    // What stands in the place of a section may be the secret that belongs into it.
    report(path, `expected ${expected}, got ${isSection(value) ? 'a section' : kindOf(value)}`)
  } else {
    report(path, issue.message)
  }
}

function invalid(problems: { line: number; text: string }[]): SluiceError {
  const lines = problems.toSorted((a, b) => a.line - b.line).map(({ text }) => text)
  return new SluiceError('CONFIG_INVALID', lines.join('\n'))
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'string' ? 'text' : `a ${typeof value}`
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (isSection(value)) return 'a section'
  return withoutCredentials(JSON.stringify(value) ?? 'nothing')
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
