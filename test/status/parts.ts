import type { TestGateway } from '../support/gateway.ts'

/** Values by name and labels, as in `sluice_admit_duplicate_samples_total{kind="exact"}`. */
export type Values = Map<string, number>

export async function valuesOf({ admin }: Pick<TestGateway, 'admin'>): Promise<Values> {
  const values: Values = new Map()
  for (const line of (await admin('/metrics')).split('\n')) {
    const [, name, value] = /^([^#\s][^ ]*) (\S+)$/.exec(line) ?? []
    if (name !== undefined) values.set(name, Number(value))
  }
  return values
}

/** What differs between two scrapes, of Sluice's own metrics whose name or labels match. */
export function moved(before: Values, after: Values, match: RegExp): { [name: string]: number } {
  const all = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
  return Object.fromEntries(
    all
      .filter(([name, by]) => name.startsWith('sluice_') && match.test(name) && by !== 0)
      .map(([name, by]) => [name.replace('sluice_', ''), by]),
  )
}
