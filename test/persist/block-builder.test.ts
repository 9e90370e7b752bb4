import { expect, test } from 'vitest'
import { createRemoteWrite2Decoder } from '../../src/decode/remote-write-2.ts'
import { PUSH_BYTES_MAX } from '../../src/kernel/layout.ts'
import { createBatch } from '../../src/model/batch.ts'
import { createJudgement } from '../../src/model/judgement.ts'
import { BlockBuilder } from '../../src/persist/block-builder.ts'
import { snappy } from '../../src/wire/snappy.ts'
import { KEY, withSample } from '../support/decoding.ts'
import { rw2Of } from '../support/remote-write.ts'
import { wholeOf } from '../support/rows.ts'

test('a description is left out where a block would outgrow what a receiver takes', () => {
  // Senders describe families in pushes of their own, and all of them may meet in one block.
  const half = PUSH_BYTES_MAX / 2
  const helps = [Buffer.alloc(half, 'x'), Buffer.alloc(half, 'y'), Buffer.from('short')]
  const unit = Buffer.alloc(0)
  const builder = new BlockBuilder(KEY, (family) => ({ type: 1, help: helps[family - 1]!, unit }))
  const batch = createBatch()
  const series = helps.map((_, i) => withSample({ __name__: 'up', instance: `${i}` }))
  expect(createRemoteWrite2Decoder(KEY)(rw2Of(series), batch)).toBeNull()
  helps.forEach((_, i) => {
    batch.sampleKeep[i] = 1
    batch.seriesFamily[i] = i + 1
  })
  builder.begin(1, 'default', 0)
  builder.add(batch, wholeOf(batch), createJudgement())
  const { message, rawBytes } = builder.seal(0, 0)
  const text = Buffer.from(snappy.decompress(message)!)
  expect(rawBytes).toBeLessThan(PUSH_BYTES_MAX)
  expect(['xxx', 'yyy', 'short'].map((part) => text.includes(part))).toEqual([true, false, true])
})
