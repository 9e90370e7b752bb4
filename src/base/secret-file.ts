import { readFile } from 'node:fs/promises'
import type { Clock } from './clock.ts'

/** A secret as it is configured: itself, or the file that holds it. */
export type SecretSource = { readonly text: string } | { readonly file: string }

/** How old what was read may be: whoever rotates a secret waits so long. */
const AGE_MS_MAX = 5_000

/**
 * A secret that may be exchanged while it is in use.
 *
 * A class, because it remembers what it read, and when.
 */
export class Secret {
  readonly #source: SecretSource
  readonly #clock: Clock
  #text: string | undefined
  #readMs = Number.NEGATIVE_INFINITY

  constructor(source: SecretSource, clock: Clock) {
    this.#source = source
    this.#clock = clock
  }

  /**
   * Its text, without the line end that editors leave. While its file cannot be read, what was
   * read last.
   *
   * @throws when there is nothing that was read before; the message names the file
   */
  async text(): Promise<string> {
    if ('text' in this.#source) return this.#source.text
    const nowMs = this.#clock.monotonicMs()
    if (this.#text !== undefined && nowMs - this.#readMs < AGE_MS_MAX) return this.#text
    try {
      this.#text = (await readFile(this.#source.file, 'utf8')).replace(/\s+$/, '')
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (this.#text === undefined) {
        throw new Error(`${this.#source.file} cannot be read (${code})`, { cause })
      }
    }
    this.#readMs = nowMs
    return this.#text!
  }
}
