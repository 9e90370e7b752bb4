import { readFileSync } from 'node:fs'

/** One line of an exposition: a series without the labels of its target. */
export type Line = {
  name: string
  labels: readonly (readonly [name: string, value: string])[]
  value: number
  isCounter: boolean
}

/** What a real node exporter shows at one scrape; labels without a value are none. */
export function readExposition(): Line[] {
  const text = readFileSync(new URL('./node-exporter.txt', import.meta.url), 'utf8')
  const types = new Map<string, string>()
  const lines: Line[] = []
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (type !== null) types.set(type[1]!, type[2]!)
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (sample === null) continue
    const [, name, labels = '', value] = sample
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)]
    lines.push({
      name: name!,
      labels: pairs
        .map(([, key, text]) => [key!, text!] as const)
        .filter(([, text]) => text !== ''),
      value: Number(value),
      isCounter: types.get(name!) === 'counter',
    })
  }
  return lines
}
