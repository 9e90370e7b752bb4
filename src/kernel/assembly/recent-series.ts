import { PLAIN_BYTES_MAX, RECENT, RECENT_MAX, RECENT_ROOM } from '../layout'

/**
 * The series that were written last, in turns, so that much of the next one is there already:
 *
 * ```text
 *   0             576    578           580     584    588         592
 *   │ bytes       │ size │ sample size │ place │ refs │ ref count │ ends of refs │
 * ```
 */
const SIZE: usize = PLAIN_BYTES_MAX + 64
const SAMPLE_SIZE: usize = SIZE + 2
const PLACE: usize = SIZE + 4
const REFS: usize = SIZE + 8
const REF_COUNT: usize = SIZE + 12
const REF_ENDS: usize = SIZE + 16
/** Of no more references where each ends fits into a byte. */
export const RECENT_REFS_MAX: u32 = 64
/** A series whose length takes one byte, with it and the tag. */
const SHORT_MAX: usize = 129
/** So many are looked at: those further back are less alike. */
const LOOK_BACK: usize = 4

/** Where the next series is written. */
let next: usize = RECENT
/** How many there are before it, as far as they are looked at. */
let count: usize = 0
/** Bytes of all series before. */
let place: u32 = 0

export function forgetSeries(): void {
  count = 0
  place = 0
}

/** Where the next series is to be written. */
export function nextSeries(): usize {
  return next
}

/** The next series has `refCount` references, those at `refs`. */
export function setRefs(refs: usize, refCount: u32): void {
  store<u32>(next + REFS, <u32>refs)
  store<u32>(next + REF_COUNT, refCount)
}

/** The next series is of `size` bytes, `sampleSize` of them from its sample on. */
export function setSizes(size: usize, sampleSize: usize): void {
  store<u16>(next + SIZE, <u32>size)
  store<u16>(next + SAMPLE_SIZE, <u32>sampleSize)
  // Behind a length of two bytes the references are not where they were written.
  if (size > SHORT_MAX) store<u32>(next + REF_COUNT, 0)
}

/** The next series is complete, and one of those before. */
export function rememberNext(): void {
  store<u32>(next + PLACE, place)
  place += <u32>sizeOf(next)
  count = min(count + 1, LOOK_BACK)
  next = before(RECENT_MAX - 1)
}

/** The last series with parts as long as those of the next, or else the last; 0: there is none. */
export function alike(): usize {
  const sizes = load<u32>(next + SIZE)
  for (let back: usize = 1; back <= count; back++) {
    const series = before(back)
    if (load<u32>(series + SIZE) === sizes) return series
  }
  return count === 0 ? 0 : before(1)
}

/** The last series with so many references; 0: there is none. */
export function withRefs(refCount: u32): usize {
  for (let back: usize = 1; back <= count; back++) {
    const series = before(back)
    if (load<u32>(series + REF_COUNT) === refCount) return series
  }
  return 0
}

function before(back: usize): usize {
  return RECENT + ((next - RECENT - back * RECENT_ROOM) & (RECENT_ROOM * RECENT_MAX - 1))
}

/** From the beginning of the series to that of the next one. */
export function distanceOf(series: usize): usize {
  return <usize>(place - load<u32>(series + PLACE))
}

export function sizeOf(series: usize): usize {
  return <usize>load<u16>(series + SIZE)
}

export function sampleSizeOf(series: usize): usize {
  return <usize>load<u16>(series + SAMPLE_SIZE)
}

export function refsOf(series: usize): usize {
  return <usize>load<u32>(series + REFS)
}

/** A byte for each reference: where it ends, counted from where the references begin. */
export function refEndsOf(series: usize): usize {
  return series + REF_ENDS
}
