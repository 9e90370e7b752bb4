import { expect, test } from 'vitest'
import { Outgoing } from '../../src/destinations/outgoing.ts'
import type { Block } from '../../src/model/block.ts'
import { RELABEL_DEFAULTS } from '../../src/relabel/rule.ts'
import { blockOf, delivered, manySeries } from '../forward/parts.ts'
import { KEY } from '../support/decoding.ts'

const DROP = {
  ...RELABEL_DEFAULTS,
  action: 'drop',
  sourceLabels: ['instance'],
  regex: '1',
} as const
const GARBAGE = { ...blockOf(manySeries(3)), message: Uint8Array.of(9, 9, 9) }
const signal = new AbortController().signal

function outgoingOf(rules: (typeof DROP)[], deliver: (block: Block) => Promise<void>) {
  const unreadable: Block[] = []
  const destination = {
    deliver: async (block: Block) => {
      await deliver(block)
      return delivered(block.counts.samples)
    },
  }
  const onUnreadable = (block: Block) => void unreadable.push(block)
  return { outgoing: new Outgoing({ rules, key: KEY, destination, onUnreadable }), unreadable }
}

test('without rules a block goes as it is, unopened', async () => {
  const sent: Block[] = []
  const { outgoing, unreadable } = outgoingOf([], async (block) => void sent.push(block))
  await outgoing.deliver(GARBAGE, signal, false)
  expect(sent).toEqual([GARBAGE])
  expect(sent[0]).toBe(GARBAGE)
  expect(unreadable).toEqual([])
})

test('with rules, what cannot be read does not go out, and is told', async () => {
  const sent: Block[] = []
  const { outgoing, unreadable } = outgoingOf([DROP], async (block) => void sent.push(block))
  expect(await outgoing.deliver(GARBAGE, signal, false)).toEqual(delivered(0))
  expect([sent, unreadable]).toEqual([[], [GARBAGE]])
  expect(outgoing.dropped.sum).toBe(0)
})

test('what is dropped counts when the rest is there, and not for a delivery that was broken off', async () => {
  let fails = true
  const { outgoing } = outgoingOf([DROP], async () => {
    if (fails) throw new Error('stopping')
  })
  const block = blockOf(manySeries(3))
  await expect(outgoing.deliver(block, signal, false)).rejects.toThrow('stopping')
  expect(outgoing.dropped.sum).toBe(0)
  fails = false
  expect(await outgoing.deliver(block, signal, false)).toEqual(delivered(2))
  expect(outgoing.dropped.sum).toBe(1)
})
