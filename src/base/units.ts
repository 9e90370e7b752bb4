const SIZE_UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
}

/** `20GiB` in bytes; `GB` is a thousand million and `GiB` is 2^30. Null when it is not a size. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text)
  const unit = match === null ? undefined : SIZE_UNITS[match[2]!]
  if (unit === undefined) return null
  const bytes = Math.floor(Number(match![1]) * unit)
  return Number.isSafeInteger(bytes) ? bytes : null
}

const SECOND_MS = 1000
const DAY_MS = 24 * 3600 * SECOND_MS
/** Largest first, as they must be written: `1h30m`, never `30m1h`. */
const DURATION_UNITS_MS = [
  365 * DAY_MS,
  7 * DAY_MS,
  DAY_MS,
  3600 * SECOND_MS,
  60 * SECOND_MS,
  SECOND_MS,
  1,
]
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/** A duration as Prometheus writes it, in milliseconds: `30s`, `1h30m`, `0`. Null if it is none. */
export function parseDurationMs(text: string): number | null {
  if (text === '0') return 0
  const match = text === '' ? null : DURATION.exec(text)
  if (match === null) return null
  const milliseconds = DURATION_UNITS_MS.reduce(
    (sum, unitMs, i) => sum + Number(match[i + 1] ?? 0) * unitMs,
    0,
  )
  return Number.isSafeInteger(milliseconds) ? milliseconds : null
}

/** Where a server listens. An empty host means every interface. */
export type Address = { host: string; port: number }

/** `host:port`, `:port` or `[v6]:port`. Port 0 lets the system choose. Null if it is neither. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]*)):(\d{1,5})$/.exec(text)
  if (match === null) return null
  const port = Number(match[3])
  return port <= 65_535 ? { host: match[1] ?? match[2]!, port } : null
}

/** The opposite of `parseAddress`. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
