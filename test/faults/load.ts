import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { RW2_TYPE } from '../support/gateway.ts'
import { rw2Of } from '../support/remote-write.ts'
import type { Sink } from './sink.ts'

const FIRST_MS = Date.now() - 60 * 60_000

export type Answered = { status: number; retryAfter: number | null; text: string }

/** A sender of large pushes, which repeats a push until it is acknowledged. */
export class Load {
  readonly #name: string
  readonly #paddingBytes: number
  /** Pushes 0 to this, exclusively, were answered 204. */
  acknowledged = 0
  /** What the others were answered; 0 stands for no answer at all. */
  readonly refusals: Answered[] = []
  isStopping = false

  /** @param paddingBytes that no compression makes smaller, in each push */
  constructor(name: string, paddingBytes: number) {
    this.#name = name
    this.#paddingBytes = paddingBytes
  }

  async run(url: string): Promise<void> {
    while (!this.isStopping) if ((await this.push(url)).status !== 204) await delay(20)
  }

  async push(url: string, signal?: AbortSignal): Promise<Answered> {
    const answered = await this.#post(url, this.#body(), signal)
    if (answered.status === 204) this.acknowledged += 1
    else this.refusals.push(answered)
    return answered
  }

  /** Everything acknowledged is there, and came in order; what came once more does not count. */
  async expectAll({ arrived }: Sink, timeoutMs = 20_000): Promise<void> {
    const firsts = () => [...new Set(arrived.get(this.#name))]
    const wanted = Array.from({ length: this.acknowledged }, (_, n) => n)
    await expect
      .poll(() => firsts().length, { timeout: timeoutMs, interval: 100 })
      .toBeGreaterThanOrEqual(wanted.length)
    // One more may be there that was never acknowledged.
    expect(firsts().slice(0, wanted.length)).toEqual(wanted)
  }

  #body(): Uint8Array {
    const sender = this.#name
    const sample = { value: this.acknowledged, timestamp: FIRST_MS + this.acknowledged }
    const padding = randomBytes((this.#paddingBytes * 3) >> 2).toString('base64')
    return snappy.compress(
      rw2Of([
        { labels: { __name__: 'sent', sender }, samples: [sample] },
        { labels: { __name__: 'padding', padding, sender }, samples: [sample] },
      ]),
    )
  }

  async #post(url: string, body: Uint8Array, signal?: AbortSignal): Promise<Answered> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'snappy' },
        body: body.slice(),
        ...(signal === undefined ? {} : { signal }),
      })
      const retryAfter = response.headers.get('Retry-After')
      return {
        status: response.status,
        retryAfter: retryAfter === null ? null : Number(retryAfter),
        text: await response.text(),
      }
    } catch (error) {
      return { status: 0, retryAfter: null, text: String(error) }
    }
  }
}
