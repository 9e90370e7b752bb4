import { expect, test } from 'vitest'
import { RELABEL_DEFAULTS, type RelabelRule } from '../../src/relabel/rule.ts'
import { compileRules } from '../../src/relabel/rules.ts'

type Labels = { [name: string]: string }

/** What the rules leave of `labels`; null when they are dropped. */
function relabelled(labels: Labels, ...rules: Partial<RelabelRule>[]): Labels | null {
  const complete = rules.map((rule) => ({ ...RELABEL_DEFAULTS, ...rule }))
  const left = compileRules(complete)(new Map(Object.entries(labels)))
  return left === null ? null : Object.fromEntries(left)
}

const labels = { __name__: 'up', host: 'db-1:9100', job: 'node' }

test('replace writes the groups of a match; without a match it changes nothing', () => {
  const regex = '([^-]+)-(?P<number>\\d+):.*'
  const rule = { sourceLabels: ['host'], regex, targetLabel: 'zone' }
  const zone = (replacement: string) => relabelled(labels, { ...rule, replacement })!['zone']
  expect(zone('$1')).toBe('db')
  expect(zone(`\${number}th_$1`)).toBe('1th_db')
  expect(zone('$number/$2/$0')).toBe('1/1/db-1:9100')
  // The longest name counts, and there is none like this.
  expect(zone('<$1st>')).toBe('<>')
  expect(zone(`$$1$ \${ $01 $9`)).toBe(`$1$ \${  `)
  expect(relabelled(labels, { ...rule, regex: 'db' })).toEqual(labels)
})

test('replace joins its sources, a missing one being empty', () => {
  const rule = { sourceLabels: ['job', 'none', 'host'], targetLabel: 'all' }
  expect(relabelled(labels, rule)!['all']).toBe('node;;db-1:9100')
  expect(relabelled(labels, { ...rule, separator: '' })!['all']).toBe('nodedb-1:9100')
})

test('replace finds the name of its target by the groups as well', () => {
  const rule = { sourceLabels: ['job'], regex: '(.)(.*)', targetLabel: '$1_$2', replacement: 'x' }
  // "$1_" is the name of a group.
  expect(relabelled(labels, rule)).toEqual({ ...labels, ode: 'x' })
  expect(relabelled(labels, { ...rule, targetLabel: '$3' })).toEqual(labels)
})

test('a label that becomes empty is gone', () => {
  const { job: _, ...rest } = labels
  expect(relabelled(labels, { targetLabel: 'job', replacement: '' })).toEqual(rest)
  expect(relabelled(labels, { action: 'lowercase', targetLabel: 'job' })).toEqual(rest)
})

test('keep and drop are each the opposite of the other, and match the whole', () => {
  for (const [regex, matches] of [
    ['node', true],
    ['nod', false],
    ['ode', false],
    ['no.e', true],
    ['x|node', true],
    ['(?i)NODE', true],
  ] as const) {
    const rule = { sourceLabels: ['job'], regex }
    expect(relabelled(labels, { ...rule, action: 'keep' })).toEqual(matches ? labels : null)
    expect(relabelled(labels, { ...rule, action: 'drop' })).toEqual(matches ? null : labels)
  }
})

test('keepequal and dropequal compare two labels', () => {
  const rule = { sourceLabels: ['job'], targetLabel: 'host' }
  const same = { ...labels, host: 'node' }
  expect(relabelled(same, { ...rule, action: 'keepequal' })).toEqual(same)
  expect(relabelled(labels, { ...rule, action: 'keepequal' })).toBeNull()
  expect(relabelled(same, { ...rule, action: 'dropequal' })).toBeNull()
  expect(relabelled(labels, { ...rule, action: 'dropequal' })).toEqual(labels)
})

test('hashmod is the last half of the MD5, modulo', () => {
  // echo -n node | md5sum: 36c4536996ca5615 dcf9911f068786dc
  const rule = { action: 'hashmod', sourceLabels: ['job'], targetLabel: 'shard' } as const
  const shard = (modulus: number) => relabelled(labels, { ...rule, modulus })!['shard']
  expect(shard(1)).toBe('0')
  expect(shard(10)).toBe(String(0xdcf9911f068786dcn % 10n))
  expect(shard(Number.MAX_SAFE_INTEGER)).toBe(String(0xdcf9911f068786dcn % (2n ** 53n - 1n)))
})

test('labelmap copies under a new name, and the last one of a name stays', () => {
  const rule = { action: 'labelmap', regex: '(h|j)o.*' } as const
  expect(relabelled(labels, rule)).toEqual({ ...labels, h: 'db-1:9100', j: 'node' })
  expect(relabelled(labels, { ...rule, replacement: 'x' })).toEqual({ ...labels, x: 'node' })
})

test('labeldrop and labelkeep look at names', () => {
  const regex = 'host|job'
  expect(relabelled(labels, { action: 'labeldrop', regex })).toEqual({ __name__: 'up' })
  expect(relabelled(labels, { action: 'labelkeep', regex })).toEqual({
    host: 'db-1:9100',
    job: 'node',
  })
})

test('letters change their case one by one', () => {
  const changed = (action: 'lowercase' | 'uppercase', value: string) =>
    relabelled({ a: value }, { action, sourceLabels: ['a'], targetLabel: 'a' })!['a']
  expect(changed('uppercase', 'Straße ŉ ᾀᾳ ö')).toBe('STRAßE ŉ ᾈᾼ Ö')
  expect(changed('lowercase', 'ΟΔΟΣ İ Ö')).toBe('οδοσ i ö')
})

test('rules work on what those before them have left', () => {
  const copied = { sourceLabels: ['job'], targetLabel: 'tmp' }
  const dropped = { action: 'labeldrop', regex: 'job' } as const
  const kept = { action: 'keep', sourceLabels: ['tmp', 'job'], regex: 'node;' } as const
  expect(relabelled(labels, copied, dropped, kept)).toEqual({
    __name__: 'up',
    host: 'db-1:9100',
    tmp: 'node',
  })
  expect(relabelled(labels, kept, copied, dropped)).toBeNull()
})

test('no pattern takes longer than the text is long', () => {
  const rule = { action: 'drop', sourceLabels: ['a'], regex: '(a|aa)*(a*)*b' } as const
  const one = { a: 'a'.repeat(20_000) }
  expect(relabelled(one, rule)).toEqual(one)
})
