import type { Clock } from '../base/clock.ts'
import { SluiceError } from '../base/errors.ts'
import { refusal } from '../receive/answer.ts'
import type { Routes } from '../receive/server.ts'
import { handlerOf, okAnswer } from './answers.ts'

/** `POST /-/reload`, as in Prometheus: 400 with every problem when the new configuration has one. */
export function createReloadRoutes(reload: () => Promise<void>, clock: Clock): Routes {
  const answer = async () => {
    try {
      await reload()
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      return refusal(400, `not reloaded, the old configuration holds\n${error.message}`)
    }
    return okAnswer('text/plain; charset=utf-8', 'reloaded\n')
  }
  return { '/-/reload': handlerOf('POST', answer, clock) }
}
