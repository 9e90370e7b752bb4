import { isDeepStrictEqual } from 'node:util'
import type { Admission } from './admit/admission.ts'
import { SluiceError } from './base/errors.ts'
import type { Logger } from './base/log.ts'
import type { Config, DestinationConfig } from './config/config.ts'

export type ReloadParts = {
  config: Config
  /** Reads the configuration anew; throws CONFIG_INVALID. */
  loadConfig: () => Promise<Config>
  admission: Admission
  /** All of it or nothing; the destinations can. */
  far: { apply(configs: readonly DestinationConfig[]): Promise<void> }
  log: Logger
}

/** What takes a restart. */
const FIXED = ['listen', 'storage', 'otlp', 'dedup', 'limits'] as const satisfies (keyof Config)[]

/** What one destination takes must not be kept from it because another does not. */
export function widestWindowMs({ remoteWrite }: Config): number {
  return Math.max(...remoteWrite.map((one) => one.outOfOrderWindowMs))
}

/**
 * Takes over what may change while the gateway runs: where it forwards to. The returned function
 * reads the configuration anew, and changes all of that or nothing.
 */
export function createReload({
  config,
  loadConfig,
  admission,
  far,
  log,
}: ReloadParts): () => Promise<void> {
  let current = config
  let reloading: Promise<unknown> = Promise.resolve()

  async function apply(): Promise<void> {
    const next = await loadConfig()
    const changed = FIXED.filter((section) => !isDeepStrictEqual(current[section], next[section]))
    if (changed.length > 0) {
      const message = `${changed.join(', ')}: cannot be changed while sluice runs: restart it`
      throw new SluiceError('CONFIG_INVALID', message)
    }
    await far.apply(next.remoteWrite)
    admission.outOfOrderWindowMs = widestWindowMs(next)
    current = next
  }
  async function reload(): Promise<void> {
    try {
      await apply()
      log.info('the configuration was reloaded')
    } catch (error) {
      log.error('the configuration was not reloaded: the old one holds', { error })
      throw error
    }
  }

  return () => {
    // One after the other, so that the file that was read last is the one that holds.
    const reloaded = reloading.then(reload)
    reloading = reloaded.catch(() => undefined)
    return reloaded
  }
}
