import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { snappy } from '../../src/wire/snappy.ts'
import { RW2_TYPE } from '../support/gateway.ts'
import type { Receiver } from '../support/receiver.ts'
import { rw2Of } from '../support/remote-write.ts'
import type { SluiceProcess } from '../support/sluice.ts'

const SERIES = 5
const FIRST_MS = Date.now() - 60 * 60_000

/** A sender as Prometheus is one: a push is repeated until it is answered with success. */
export class Sender {
  readonly #number: number
  /** Pushes that were acknowledged; push n has the samples of time FIRST_MS + n. */
  acknowledged = 0
  /** Pushes that had to be repeated, so that they may have been taken twice. */
  readonly repeated = new Set<number>()
  isStopping = false

  constructor(number: number) {
    this.#number = number
  }

  async run(sluice: SluiceProcess): Promise<void> {
    while (!this.isStopping) {
      if (!(await this.push(sluice))) await delay(5)
    }
  }

  /** Whether the next push was acknowledged. */
  async push({ url }: SluiceProcess): Promise<boolean> {
    const samples = [{ value: this.acknowledged, timestamp: FIRST_MS + this.acknowledged }]
    const series = this.#labels().map((labels) => ({ labels, samples }))
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': RW2_TYPE, 'Content-Encoding': 'snappy' },
      body: snappy.compress(rw2Of(series)).slice(),
    }).catch(() => null)
    if (answer !== null) await answer.arrayBuffer().catch(() => null)
    if (answer?.status !== 204) {
      this.repeated.add(this.acknowledged)
      return false
    }
    this.acknowledged += 1
    return true
  }

  /**
   * Everything that was acknowledged is at the receiver, in order. The receiver refuses
   * whatever is older than what it has, so a sample that was overtaken would be missing. The
   * last push may be there without its acknowledgement.
   */
  async expectAll(receiver: Receiver): Promise<void> {
    for (const labels of this.#labels()) {
      const arrived = () =>
        receiver.samplesOf(labels).map(({ timestampMs }) => timestampMs - FIRST_MS)
      await expect
        .poll(() => arrived().length, { timeout: 20_000 })
        .toBeGreaterThanOrEqual(this.acknowledged)
      expect(arrived().slice(0, this.acknowledged)).toEqual(this.#pushes())
    }
  }

  /** Whether a sample at the receiver is one of a push that had to be repeated. */
  hasRepeated(labels: readonly [string, string][], timestampMs: number): boolean {
    const isOwn = isOf(labels, { __name__: 'sent', sender: String(this.#number) })
    return isOwn && this.repeated.has(timestampMs - FIRST_MS)
  }

  /** The receiver was sent every push once, in order, and none of them again. */
  expectOnce({ requests }: Receiver): void {
    for (const labels of this.#labels()) {
      const sent = requests
        .flatMap(({ series }) => series)
        .filter((series) => isOf(series.labels, labels))
        .flatMap(({ samples }) => samples.map(({ timestampMs }) => timestampMs - FIRST_MS))
      expect(sent).toEqual(this.#pushes())
    }
  }

  #labels(): { [name: string]: string }[] {
    return Array.from({ length: SERIES }, (_, series) => ({
      __name__: 'sent',
      sender: String(this.#number),
      series: String(series),
    }))
  }

  #pushes(): number[] {
    return Array.from({ length: this.acknowledged }, (_, n) => n)
  }
}

function isOf(pairs: readonly [string, string][], labels: { [name: string]: string }): boolean {
  return Object.entries(labels).every(([name, value]) =>
    pairs.some((pair) => pair[0] === name && pair[1] === value),
  )
}
