import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parseConfig } from '../../src/config/config.ts'
import { peer } from '../support/peers.ts'

const run = promisify(execFile)

function textOf(rules: string): string {
  return `remote_write:\n  - url: http://x/\n    write_relabel_configs:\n${rules}`
}

function rulesOf(rules: string) {
  return parseConfig(textOf(rules), 'sluice.yaml').config.remoteWrite[0]!.relabelRules
}

test('what is not set is as in Prometheus', () => {
  const rest = { separator: ';', regex: '(.*)', modulus: 0, replacement: '$1' }
  expect(rulesOf('      - target_label: a\n      - { action: Keep, source_labels: [b] }')).toEqual([
    { ...rest, action: 'replace', sourceLabels: [], targetLabel: 'a' },
    { ...rest, action: 'keep', sourceLabels: ['b'], targetLabel: '' },
  ])
  expect(rulesOf('')).toEqual([])
})

test('text is what stands in the file, and empty where nothing stands', () => {
  const [rule] = rulesOf(`      - target_label: 0x10
        replacement: 1.0
        regex: ~
        separator:`)
  expect(rule).toMatchObject({ targetLabel: '0x10', replacement: '1.0', regex: '', separator: '' })
})

test('a problem names its rule, its line and what would do', () => {
  const text = textOf(`      - action: hashmod
        target_label: shard
      - action: labeldrop
        regex: "("
        target_label: a
      - action: lower
      - source_label: [a]
        target_label: b`)
  const wrong = (line: number, key: string) =>
    `sluice.yaml:${line}: remote_write[0].write_relabel_configs${key}`
  const problems = [
    `${wrong(4, '[0].modulus')}: is missing: hashmod needs one above 0`,
    `${wrong(7, '[1].regex')}: is no regular expression (RE2): missing closing ): \`^(?s:()$\``,
    `${wrong(8, '[1].target_label')}: labeldrop takes regex alone`,
    `${wrong(9, '[2].action')}: expected one of replace, keep, drop, keepequal, dropequal, ` +
      'hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase, got "lower"',
    `${wrong(10, '[3].source_label')}: unknown setting, did you mean "source_labels"?`,
  ]
  expect(() => parseConfig(text, 'sluice.yaml')).toThrow(problems.join('\n'))
})

/** One rule each, with what Prometheus 3.5 says of it in mind. */
const CASES = [
  ...['action: keep', 'action: KEEP, regex: a', 'action: foo', "action: ''", 'action: ~', 'foo: 1'],
  ...['target_label: x', '{}', 'target_label: ~', "target_label: ''", "target_label: 'ä b'"],
  ...["target_label: '$1 x'", 'target_label: [a]', 'target_label: 1, replacement: 0x10'],
  ...['target_label: x, replacement: ~', 'target_label: x, separator: ~, regex: ~'],
  ...['action: hashmod, target_label: a', 'action: hashmod, modulus: 3'],
  ...['action: hashmod, modulus: 3, target_label: a', 'action: keep, modulus: 3, target_label: b'],
  ...['action: hashmod, modulus: ~, target_label: a', 'action: keep, modulus: x'],
  ...['action: hashmod, modulus: -1, target_label: a', 'action: keep, modulus: -1'],
  ...['action: lowercase, target_label: a', 'action: lowercase', 'action: uppercase, regex: b'],
  ...['action: uppercase, target_label: a, replacement: b, regex: b'],
  ...["action: uppercase, target_label: a, replacement: '$1', regex: b"],
  ...["action: labelmap, replacement: ''", 'action: labelmap, replacement: a-$1, target_label: x'],
  ...['action: labelmap', 'action: labeldrop', 'action: labelkeep, regex: a'],
  ...['source_labels', 'target_label', 'separator', 'replacement', 'modulus'].map(
    (key) => `action: labeldrop, regex: a, ${key}: ${key === 'source_labels' ? '[]' : 3}`,
  ),
  ...['', ", separator: ';'", ', separator: a', ", regex: '(.*)'", ', modulus: 1'].map(
    (more) => `action: keepequal, source_labels: [a], target_label: b${more}`,
  ),
  ...['action: dropequal, source_labels: [a]', 'action: dropequal, target_label: a'],
  ...['action: dropequal, target_label: a, replacement: b', 'action: keep, source_labels: a'],
  ...["action: keep, source_labels: ['']", 'action: keep, source_labels: [a, ä b, 1, true]'],
  ...['(', 'a)|(b', '\\1', '(?=a)', '(?<a>b)', 'x**', 'a{1001}', '\\pX'].map(
    (regex) => `action: keep, regex: '${regex}'`,
  ),
]

test('promtool refuses the same rules', { timeout: 120_000 }, async () => {
  const promtool = await peer('promtool')
  const directory = await mkdtemp(join(tmpdir(), 'sluice-relabel-'))
  try {
    const verdicts = CASES.map(async (rule, i) => {
      const text = `remote_write: [{ url: 'http://x/', write_relabel_configs: [${inBraces(rule)}] }]`
      const path = join(directory, `${i}.yml`)
      await writeFile(path, text)
      const theirs = await run(promtool, ['check', 'config', path]).then(isTaken, isRefused)
      return { rule, theirs, ours: verdictOf(text) }
    })
    const results = await Promise.all(verdicts)
    expect(results.filter(({ ours, theirs }) => ours !== theirs)).toEqual([])
    expect(new Set(results.map(({ theirs }) => theirs)).size).toBe(2)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

const isTaken = () => 'taken'
const isRefused = () => 'refused'

function inBraces(rule: string): string {
  return rule.startsWith('{') ? rule : `{ ${rule} }`
}

function verdictOf(text: string): string {
  try {
    parseConfig(text, 'sluice.yaml')
    return 'taken'
  } catch {
    return 'refused'
  }
}
