/** The part of autocannon that the benchmark uses; it brings no types of its own. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events'

  type Options = {
    url: string
    method: 'POST'
    headers: Record<string, string>
    connections: number
    /** Requests in all. */
    amount: number
    /** Requests per second of each connection. */
    connectionRate?: number
    /** Seconds. */
    timeout: number
    /** Milliseconds between two looks at whether all is done. */
    sampleInt: number
    requests: {
      /** Changes the request that is about to be sent. */
      setupRequest: (request: { body: Buffer }) => object
      onResponse: (status: number, body: string) => void
    }[]
  }
  type Result = { errors: number; timeouts: number }

  function autocannon(
    options: Options,
    done: (error: Error | null, result: Result) => void,
  ): EventEmitter
  export = autocannon
}
