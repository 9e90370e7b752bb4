import type { Protocol } from './answer.ts'
import type { Post } from './post.ts'

/** Requests with nothing in them, compressed: 2.0 has the empty symbol at least. */
const BODIES = { rw1: Uint8Array.of(0), rw2: Uint8Array.of(2, 4, 0x22, 0) }

/**
 * Whether the receiver takes an empty request. One with the wrong path, tenant or credentials does
 * not, and nothing is stored. Rejects with the reason of `signal`.
 */
export async function takesEmptyRequest(
  post: Post,
  protocol: Protocol,
  signal: AbortSignal,
): Promise<boolean> {
  const answer = await post.post({ body: BODIES[protocol], protocol, attempt: 0, signal })
  signal.throwIfAborted()
  return answer.kind === 'response' && answer.status >= 200 && answer.status < 300
}
