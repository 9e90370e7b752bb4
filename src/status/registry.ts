import { Counter, Gauge, type Registry } from 'prom-client'

/** One value of a metric with its labels. */
export type Point = readonly [labels: Record<string, string>, value: number]

/** Values that are read on scrape, and cost nothing before. */
type Reading = { labels: string[]; read: () => readonly Point[] }

export function counters(
  registry: Registry,
  name: string,
  help: string,
  { labels, read }: Reading,
): void {
  new Counter({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const [values, value] of read()) this.inc(values, value)
    },
  })
}

export function gauges(
  registry: Registry,
  name: string,
  help: string,
  { labels, read }: Reading,
): void {
  new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    collect() {
      this.reset()
      for (const [values, value] of read()) this.set(values, value)
    },
  })
}

export function counter(registry: Registry, name: string, help: string, read: () => number): void {
  counters(registry, name, help, { labels: [], read: () => [[{}, read()]] })
}

export function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  gauges(registry, name, help, { labels: [], read: () => [[{}, read()]] })
}
