import { type Matcher, RE2JS } from 're2js'

/** The text of a template for one match. */
export type Template = (match: Matcher) => string

/**
 * A regular expression as Prometheus has it: RE2, which takes linear time whatever the pattern,
 * matching the whole text, with a dot that matches line ends. Go alone lets two groups have one
 * name.
 */
export type Expression = {
  matches(text: string): boolean
  /** The match with its groups, or null. */
  match(text: string): Matcher | null
  /** `template` in place of each match. */
  replaceAll(text: string, template: Template): string
  /** Reads `$1`, `${1}`, `$name` and `${name}`; `$$` is a dollar. */
  template(text: string): Template
}

/** @throws Error that says what is wrong with `source` */
export function compileExpression(source: string): Expression {
  // Put together as Prometheus does it, so that odd sources mean the same.
  const compiled = RE2JS.compile(`^(?s:${source})$`)
  return {
    matches: (text) => compiled.test(text),
    match: (text) => {
      const matcher = compiled.matcher(text)
      return matcher.find() ? matcher : null
    },
    replaceAll: (text, template) => {
      const matcher = compiled.matcher(text)
      let replaced = ''
      let at = 0
      while (matcher.find()) {
        replaced += text.slice(at, matcher.start()) + template(matcher)
        at = matcher.end()
      }
      return replaced + text.slice(at)
    },
    template: (text) => compileTemplate(text, compiled),
  }
}

/** A dollar, and behind it another one, a name, or a name in braces. */
const REFERENCE = /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu

/** By the rules of Go: a group that is not there is empty, a dollar that leads nowhere stays. */
function compileTemplate(text: string, compiled: RE2JS): Template {
  const parts: (string | number)[] = []
  let at = 0
  for (const { 0: whole, 1: dollar, 2: bare, 3: braced, index } of text.matchAll(REFERENCE)) {
    parts.push(text.slice(at, index))
    const name = bare ?? braced
    if (name === undefined) parts.push(dollar!)
    else parts.push(groupOf(name, compiled))
    at = index + whole.length
  }
  parts.push(text.slice(at))
  return (match) =>
    parts.map((part) => (typeof part === 'string' ? part : (match.group(part) ?? ''))).join('')
}

/** The number of a group, or no text for one that is not there. */
function groupOf(name: string, compiled: RE2JS): number | string {
  // A number with zeros in front is a name.
  if (!/^(?:0|[1-9]\d{0,8})$/.test(name)) return compiled.namedGroups()[name] ?? ''
  return Number(name) <= compiled.groupCount() ? Number(name) : ''
}
