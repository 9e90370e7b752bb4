import type { TargetName } from './target.ts'

/** One line of the table: what one target did in one row. */
export type Measurement = {
  row: string
  target: TargetName
  protocol: 'rw1' | 'rw2' | 'otlp'
  series: number
  cpuMicrosPerSample?: number
  samplesPerSecond?: number
  ackMs?: { p50: number; p99: number }
  residentBytes?: number
  bytesOutPerSample?: number
  /** Own cost divided by the peer's: below 1 is cheaper. */
  ratio?: Partial<Record<TargetName, number>>
  /** Of the target's core, used by anyone else. */
  othersShare?: number
  /** What the columns cannot say. */
  note?: string
  /** Further numbers, for the file. */
  more?: Record<string, number | number[]>
  /** Other rows where the peers were measured, if not in this one. */
  peersIn?: string[]
}

const COLUMNS: [title: string, width: number, text: (line: Measurement) => string][] = [
  ['row', -12, ({ row }) => row],
  ['target', -11, ({ target }) => target],
  ['in', -4, ({ protocol }) => protocol],
  ['series', 8, ({ series }) => thousands(series)],
  ['CPU µs', 7, (line) => fixed(line.cpuMicrosPerSample, 3)],
  ['vmagent', 8, ({ ratio }) => ratioText(ratio?.vmagent)],
  ['Prom.', 8, ({ ratio }) => ratioText(ratio?.prometheus)],
  ['samples/s', 10, (line) => fixed(line.samplesPerSecond, 0)],
  ['p50 ms', 7, ({ ackMs }) => fixed(ackMs?.p50, 1)],
  ['p99 ms', 7, ({ ackMs }) => fixed(ackMs?.p99, 1)],
  ['RSS MB', 7, ({ residentBytes: bytes }) => fixed(bytes && bytes / 1e6, 0)],
  ['B out', 6, (line) => fixed(line.bytesOutPerSample, 1)],
  ['', -1, (line) => [line.note, disturbance(line)].filter(Boolean).join('; ')],
]

/** Above this, costs are not to be trusted: caches are shared too. */
const OTHERS_SHARE_MAX = 0.05

export function tableHead(): string {
  const titles = COLUMNS.map(([title, width]) => padded(title, width)).join('  ')
  return `${titles.trimEnd()}\n${'─'.repeat(titles.length)}`
}

export function tableLine(line: Measurement): string {
  return COLUMNS.map(([, width, text]) => padded(text(line), width))
    .join('  ')
    .trimEnd()
}

/** Fills in what each line costs in proportion to the peers' lines of the same row. */
export function withRatios(line: Measurement, earlier: readonly Measurement[]): Measurement {
  if (line.target !== 'sluice' || line.cpuMicrosPerSample === undefined) return line
  const ratio: Measurement['ratio'] = {}
  for (const peer of ['vmagent', 'prometheus'] as const) {
    const found = [line.row, ...(line.peersIn ?? [])]
      .map((wanted) => earlier.find(({ row, target }) => target === peer && row === wanted))
      .find((each) => each !== undefined)
    if (found?.cpuMicrosPerSample === undefined) continue
    ratio[peer] = line.cpuMicrosPerSample / found.cpuMicrosPerSample
  }
  return { ...line, ratio }
}

function disturbance({ othersShare = 0 }: Measurement): string {
  if (othersShare < OTHERS_SHARE_MAX) return ''
  return `disturbed: others used ${Math.round(100 * othersShare)} % of the core`
}

function thousands(series: number): string {
  return series >= 1e6 ? `${series / 1e6} M` : `${series / 1e3} k`
}

function ratioText(ratio: number | undefined): string {
  return ratio === undefined ? '' : `${ratio.toFixed(2)} ×`
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined ? '' : value.toFixed(digits)
}

function padded(text: string, width: number): string {
  return width < 0 ? text.padEnd(-width) : text.padStart(width)
}
