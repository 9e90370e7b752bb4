import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Of its two halves together. By the time it is looked at first, starting has made it 32 MB. */
const BYTES_MAX = 16 * 1024 * 1024
const LOOK_EVERY_MS = 100

/**
 * Keeps the engine from letting the young generation grow to 64 MB, as it does under load: then
 * a push costs no less, and the process takes 50 MB more (`bench rw2`, 100 k series: 229 MB
 * with, 177 MB without).
 *
 * The flag for its size has no effect on an engine that runs; that for its growth has. Threads
 * that start later must not call this before they have grown.
 */
export function boundYoungGeneration(): void {
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    if (young === undefined || young.space_size < BYTES_MAX) return
    setFlagsFromString('--semi-space-growth-factor=1')
    clearInterval(timer)
  }, LOOK_EVERY_MS)
  timer.unref()
}
