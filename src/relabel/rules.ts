import { createHash } from 'node:crypto'
import { compileExpression } from './expression.ts'
import { LabelBuilder, type Labels } from './label-builder.ts'
import { lowerCase, upperCase } from './letter-case.ts'
import type { RelabelRule } from './rule.ts'

/** What the rules make of a set of labels, in no order; null when they drop it. */
export type Relabel = (labels: Labels) => [name: string, value: string][] | null

/** One rule at work: false when it drops the set. */
type Step = (labels: LabelBuilder) => boolean

/**
 * Compiles rules, which are applied one after the other.
 *
 * @throws Error for a regular expression that is none
 * @see https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
 */
export function compileRules(rules: readonly RelabelRule[]): Relabel {
  const steps = rules.map(stepOf)
  return (labels) => {
    const builder = new LabelBuilder(labels)
    return steps.every((step) => step(builder)) ? builder.entries() : null
  }
}

function stepOf(rule: RelabelRule): Step {
  const { action, targetLabel: target, regex } = rule
  const source = sourceOf(rule)
  const setsTo = (value: (source: string) => string) => (labels: LabelBuilder) => {
    labels.set(target, value(source(labels)))
    return true
  }
  switch (action) {
    case 'replace':
      return replaces(rule)
    case 'keep': {
      const { matches } = compileExpression(regex)
      return (labels) => matches(source(labels))
    }
    case 'drop': {
      const { matches } = compileExpression(regex)
      return (labels) => !matches(source(labels))
    }
    case 'keepequal':
      return (labels) => labels.get(target) === source(labels)
    case 'dropequal':
      return (labels) => labels.get(target) !== source(labels)
    case 'hashmod':
      return setsTo((value) => hashModulo(value, rule.modulus))
    case 'lowercase':
      return setsTo(lowerCase)
    case 'uppercase':
      return setsTo(upperCase)
    case 'labelmap':
      return maps(rule)
    case 'labeldrop': {
      const { matches } = compileExpression(regex)
      return deletes(matches)
    }
    case 'labelkeep': {
      const { matches } = compileExpression(regex)
      return deletes((name) => !matches(name))
    }
  }
}

function sourceOf({ sourceLabels, separator }: RelabelRule): (labels: LabelBuilder) => string {
  return (labels) => sourceLabels.map((name) => labels.get(name)).join(separator)
}

function replaces(rule: RelabelRule): Step {
  const source = sourceOf(rule)
  const expression = compileExpression(rule.regex)
  const target = expression.template(rule.targetLabel)
  const replacement = expression.template(rule.replacement)
  return (labels) => {
    const match = expression.match(source(labels))
    const name = match === null ? '' : target(match)
    if (match !== null && name !== '') labels.set(name, replacement(match))
    return true
  }
}

function maps(rule: RelabelRule): Step {
  const expression = compileExpression(rule.regex)
  const replacement = expression.template(rule.replacement)
  return (labels) => {
    for (const [name, value] of labels.entries()) {
      if (expression.matches(name)) labels.set(expression.replaceAll(name, replacement), value)
    }
    return true
  }
}

function deletes(isUnwanted: (name: string) => boolean): Step {
  return (labels) => {
    for (const [name] of labels.entries()) if (isUnwanted(name)) labels.delete(name)
    return true
  }
}

/** Of the MD5 of the text, the last eight bytes: as Prometheus has it from its first version on. */
function hashModulo(text: string, modulus: number): string {
  const hash = createHash('md5').update(text).digest().readBigUInt64BE(8)
  return String(hash % BigInt(modulus))
}
