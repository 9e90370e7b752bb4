import type { NaiveOptions } from './naive-otlp.ts'
import type { Message } from './otlp.ts'

/** Names and values as text, as plainly as the series in `naive-otlp.ts`. */

export type Any = { [key: string]: unknown } | undefined
export type Pairs = { key: string; value?: Message }[]

export function inBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other))
}

export function labelOf(key: string, { strategy = 'UnderscoreEscaping' }: NaiveOptions): string {
  if (!strategy.startsWith('UnderscoreEscaping')) return key
  const name = Array.from(key, (rune) => (/^[a-zA-Z0-9]$/.test(rune) ? rune : '_')).join('')
  if (/^[0-9]/.test(name)) return `key_${name}`
  return name.startsWith('_') && !name.startsWith('__') ? `key${name}` : name
}

const WORDS: { [unit: string]: string } = {
  ...{ s: 'seconds', ms: 'milliseconds', By: 'bytes', KBy: 'kilobytes', m: 'meters' },
  ...{ '%': 'percent', Cel: 'celsius', '1': '' },
}
const PER: { [unit: string]: string } = { s: 'second', m: 'minute', h: 'hour', w: 'week' }

export function nameOf(name: string, unit: string, kind: string, options: NaiveOptions): string {
  const { strategy = 'UnderscoreEscapingWithSuffixes' } = options
  if (strategy === 'NoTranslation') return name
  const [first = '', ...rest] = unit.split('/')
  const word = (text: string, words: { [unit: string]: string }) =>
    /[{}]/.test(text) ? '' : (words[text.trim()] ?? text.trim())
  const main = word(first, WORDS)
  const second = word(rest.join('/'), PER)
  const per = second === '' ? '' : `per_${second}`
  const isRatio = kind === 'gauge' && unit === '1'
  const last = kind === 'counter' ? 'total' : isRatio ? 'ratio' : ''
  if (strategy === 'NoUTF8EscapingWithSuffixes') {
    return [name, main, per, last].filter((part, i) => i === 0 || part !== '').join('_')
  }
  const tokens = name.split(/[^a-zA-Z0-9:]+/).filter(Boolean)
  const clean = (text: string) =>
    text
      .replace(/[^a-zA-Z0-9:]/gu, '_')
      .replace(/__+/g, '_')
      .replace(/^_/, '')
  let one = tokens.includes(clean(main)) ? '' : clean(main)
  let two = clean(per) === 'per_' ? '' : clean(per).replace(/_$/, '')
  if (tokens.includes(two)) two = ''
  if (two !== '') one = one.replace(/_$/, '')
  const parts = [...tokens, one, two].filter(Boolean).filter((part) => last === '' || part !== last)
  if (last !== '') parts.push(last)
  const joined = parts.join('_')
  return /^[0-9]/.test(joined) ? `_${joined}` : joined
}

export function textOf(value: Any): string {
  const raw = rawOf(value)
  if (raw === null) return ''
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64')
  if (typeof raw === 'string') return raw
  return typeof raw === 'object' ? (json(raw) ?? '') : scalar(raw)
}

type Raw = string | number | bigint | boolean | Uint8Array | null | Raw[] | Map<string, Raw>

function rawOf(value: Any): Raw {
  if (value === undefined) return null
  if (value['stringValue'] !== undefined) return String(value['stringValue'])
  if (value['boolValue'] !== undefined) return Boolean(value['boolValue'])
  if (value['intValue'] !== undefined) return BigInt(String(value['intValue']))
  if (value['doubleValue'] !== undefined) return Number(value['doubleValue'])
  if (value['bytesValue'] !== undefined) {
    return Uint8Array.from(value['bytesValue'] as Uint8Array)
  }
  const list = value['arrayValue'] as { values: Message[] } | undefined
  if (list !== undefined) return list.values.map(rawOf)
  const map = value['kvlistValue'] as { values: Pairs } | undefined
  if (map === undefined) return null
  return new Map(map.values.map(({ key, value: inner }) => [key, rawOf(inner)]))
}

function scalar(raw: Raw): string {
  return Object.is(raw, -0) ? '-0' : String(raw)
}

function json(raw: Raw): string | null {
  if (typeof raw === 'string') return safe(raw)
  if (raw instanceof Uint8Array) {
    return raw.length === 0 ? 'null' : `"${Buffer.from(raw).toString('base64')}"`
  }
  if (typeof raw === 'number' && !Number.isFinite(raw)) return null
  if (raw === null || typeof raw !== 'object') return scalar(raw)
  const isList = Array.isArray(raw)
  const parts = isList
    ? raw.map(json)
    : [...raw]
        .sort(([a], [b]) => inBytes(a, b))
        .map(([key, inner]) => {
          const text = json(inner)
          return text === null ? null : `${safe(key)}:${text}`
        })
  if (parts.includes(null)) return null
  return isList ? `[${parts.join(',')}]` : `{${parts.join(',')}}`
}

/** What a page of HTML could take for its own. */
const UNSAFE: { [character: string]: string } = {
  ...{ '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' },
  ...{ '\u2028': '\\u2028', '\u2029': '\\u2029' },
}

function safe(text: string): string {
  return Array.from(JSON.stringify(text), (one) => UNSAFE[one] ?? one).join('')
}

export function plain(value: number): string {
  const sign = value < 0 ? '-' : ''
  const size = Math.abs(value)
  if (size >= 1e21) return `${sign}${BigInt(size)}`.replace(/^(-?)(\d+)$/, shortDigits(size, sign))
  if (size !== 0 && size < 1e-6) {
    const [digits = '', exponent = ''] = size.toString().split('e-')
    return `${sign}0.${'0'.repeat(Number(exponent) - 1)}${digits.replace('.', '')}`
  }
  return String(value)
}

/** The shortest digits, and zeros up to the point. */
function shortDigits(size: number, sign: string): string {
  const [digits = '', exponent = ''] = size.toString().split('e+')
  return `${sign}${digits.replace('.', '').padEnd(Number(exponent) + 1, '0')}`
}
