export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const
export type RelabelAction = (typeof RELABEL_ACTIONS)[number]

/** One entry of `write_relabel_configs`, complete, as Prometheus understands it. */
export type RelabelRule = {
  readonly action: RelabelAction
  readonly sourceLabels: readonly string[]
  readonly separator: string
  /** In the syntax of RE2; it has to match the whole text. */
  readonly regex: string
  readonly modulus: number
  readonly targetLabel: string
  readonly replacement: string
}

export const RELABEL_DEFAULTS = {
  action: 'replace',
  sourceLabels: [],
  separator: ';',
  regex: '(.*)',
  modulus: 0,
  targetLabel: '',
  replacement: '$1',
} as const satisfies RelabelRule
