import type { Registry } from 'prom-client'
import { gauges, type Point } from './registry.ts'
import type { MetricSources } from './sources.ts'

/** What takes memory, and how much of it each may take. */
export function registerMemory(registry: Registry, { memory }: MetricSources): void {
  const labels = ['pool']
  gauges(registry, 'sluice_memory_bytes', 'Memory taken, by what takes it.', {
    labels,
    read: () => Array.from(memory(), ({ pool, bytes }): Point => [{ pool }, bytes]),
  })
  gauges(
    registry,
    'sluice_memory_limit_bytes',
    'Memory that it may take, where bytes are limited.',
    {
      labels,
      read: () =>
        Array.from(memory()).flatMap(({ pool, limitBytes }): Point[] =>
          limitBytes === null ? [] : [[{ pool }, limitBytes]],
        ),
    },
  )
}
