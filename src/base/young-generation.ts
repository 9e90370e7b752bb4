import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Of its two halves together. */
const BYTES_MAX = 16 * 1024 * 1024

/**
 * Keeps the engine from letting the young generation grow to 64 MB, as it does under load: then
 * a push costs no less, and the process takes 50 MB more (`bench rw2`, 100 k series: 229 MB
 * with, 177 MB without). It doubles, so it is looked at after each collection.
 *
 * The flag for its size has no effect on an engine that runs; that for its growth has. Threads
 * that start later must not call this before they have grown.
 */
export function boundYoungGeneration(): void {
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    if (young === undefined || young.space_size < BYTES_MAX) return
    setFlagsFromString('--semi-space-growth-factor=1')
    observer.disconnect()
  })
  observer.observe({ entryTypes: ['gc'] })
}
