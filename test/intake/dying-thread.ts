import { setTimeout as delay } from 'node:timers/promises'
import { parentPort } from 'node:worker_threads'

/** An intake thread that says it is ready, and soon falls over. */
parentPort!.postMessage({ kind: 'listening' })
await delay(50)
throw new Error('a fault in a thread')
