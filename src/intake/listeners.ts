import type { Address } from '../base/units.ts'

/** What senders connect to, by name; null: not at all. */
export type Listeners<T = Address> = {
  readonly write: T
  readonly otlpHttp: T | null
  readonly otlpGrpc: T | null
}

/** Calls `each` for those that there are, one after the other. */
export async function mapListeners<T, U>(
  { write, otlpHttp, otlpGrpc }: Listeners<T>,
  each: (one: T) => Promise<U>,
): Promise<Listeners<U>> {
  return {
    write: await each(write),
    otlpHttp: otlpHttp === null ? null : await each(otlpHttp),
    otlpGrpc: otlpGrpc === null ? null : await each(otlpGrpc),
  }
}
