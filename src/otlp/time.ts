/**
 * Unix nanoseconds, as two unsigned words, in whole milliseconds. In whole numbers: as a double
 * the nanoseconds of a millisecond that just began would fall into the one before.
 */
export function msOf(low: number, high: number): number {
  // 2^32 ns are 4294 ms and 967296 ns.
  return high * 4294 + Math.floor((high * 967_296 + low) / 1_000_000)
}
