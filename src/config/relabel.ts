import { z } from 'zod'
import { type Sections, setting } from '../base/settings.ts'
import { compileExpression } from '../relabel/expression.ts'
import { RELABEL_ACTIONS, RELABEL_DEFAULTS, type RelabelRule } from '../relabel/rule.ts'

const text = setting('text', (value) => value)

const KEYS = {
  action: setting(`one of ${RELABEL_ACTIONS.join(', ')}`, (value) => {
    return RELABEL_ACTIONS.find((action) => action === value.toLowerCase()) ?? null
  }).prefault(RELABEL_DEFAULTS.action),
  source_labels: z.array(setting('the name of a label', (value) => value || null)).optional(),
  separator: text.prefault(RELABEL_DEFAULTS.separator),
  regex: text.optional(),
  modulus: setting('a whole number up to 2^53 - 1', (value) => {
    const modulus = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN
    return Number.isSafeInteger(modulus) ? modulus : null
  }).prefault(String(RELABEL_DEFAULTS.modulus)),
  target_label: text.prefault(RELABEL_DEFAULTS.targetLabel),
  replacement: text.prefault(RELABEL_DEFAULTS.replacement),
}

type Settings = z.infer<z.ZodObject<typeof KEYS>>

/** One entry of `write_relabel_configs`. */
export const RELABEL = z.strictObject(KEYS).superRefine((rule, context) => {
  for (const [key, message] of problemsOf(rule)) {
    context.addIssue({ code: 'custom', message, path: [key] })
  }
})

export const RELABEL_SECTIONS: Sections = {
  'remote_write[].write_relabel_configs[]': {
    known: Object.keys(KEYS),
    texts: ['action', 'separator', 'regex', 'target_label', 'replacement'],
  },
}

export function ruleOf({ source_labels, target_label, regex, ...rule }: Settings): RelabelRule {
  return {
    ...rule,
    sourceLabels: source_labels ?? RELABEL_DEFAULTS.sourceLabels,
    regex: regex ?? RELABEL_DEFAULTS.regex,
    targetLabel: target_label,
  }
}

type Key = keyof typeof KEYS

const NEED_TARGET = ['replace', 'hashmod', 'lowercase', 'uppercase', 'keepequal', 'dropequal']
const KNOW_NO_REPLACEMENT = ['lowercase', 'uppercase']
/** What an action takes, where anything else is a mistake. */
const TAKE_ONLY: { readonly [action: string]: readonly Key[] } = {
  keepequal: ['source_labels', 'target_label'],
  dropequal: ['source_labels', 'target_label'],
  labeldrop: ['regex'],
  labelkeep: ['regex'],
}

/** What Prometheus would refuse of a rule. */
function* problemsOf(rule: Settings): Generator<[Key, string]> {
  const { action } = rule
  const only = TAKE_ONLY[action] ?? Object.keys(KEYS)
  for (const key of changedKeys(rule)) {
    if (only.includes(key)) continue
    yield [key, `${action} takes ${only.join(' and ')} alone`]
  }
  if (KNOW_NO_REPLACEMENT.includes(action) && rule.replacement !== RELABEL_DEFAULTS.replacement) {
    yield ['replacement', `${action} takes none`]
  }
  if (NEED_TARGET.includes(action) && rule.target_label === '') {
    yield ['target_label', `is missing: ${action} needs it`]
  }
  if (action === 'hashmod' && rule.modulus === 0) {
    yield ['modulus', 'is missing: hashmod needs one above 0']
  }
  if (action === 'labelmap' && rule.replacement === '') {
    yield ['replacement', 'is empty: labelmap needs the name of a label']
  }
  const problem = expressionProblem(rule.regex ?? RELABEL_DEFAULTS.regex)
  if (problem !== null) yield ['regex', problem]
}

/** A regular expression, or a list, counts as soon as it is there. */
function changedKeys(rule: Settings): Key[] {
  const keys: Key[] = []
  if (rule.source_labels !== undefined) keys.push('source_labels')
  if (rule.separator !== RELABEL_DEFAULTS.separator) keys.push('separator')
  if (rule.regex !== undefined) keys.push('regex')
  if (rule.modulus !== RELABEL_DEFAULTS.modulus) keys.push('modulus')
  if (rule.target_label !== RELABEL_DEFAULTS.targetLabel) keys.push('target_label')
  if (rule.replacement !== RELABEL_DEFAULTS.replacement) keys.push('replacement')
  return keys
}

function expressionProblem(source: string): string | null {
  try {
    compileExpression(source)
    return null
  } catch (error) {
    return (error as Error).message.replace(
      'error parsing regexp',
      'is no regular expression (RE2)',
    )
  }
}
