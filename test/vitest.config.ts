import { defineConfig } from 'vitest/config'

/** Tests wait for what must happen, on whatever machine: this ends those that wait in vain. */
const TEST_TIMEOUT_MS = 30_000

/** What goes from a push to a receiver, or the other way round: with two intake threads as well. */
const END_TO_END = [
  'test/edge-cases/**/*.test.ts',
  'test/process/{crash,end-to-end,shutdown}.test.ts',
  'test/status/metrics.test.ts',
]

// biome-ignore lint/style/noDefaultExport: it is what Vitest looks for
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          root: '.',
          name: 'one thread',
          include: ['test/**/*.test.ts'],
          testTimeout: TEST_TIMEOUT_MS,
        },
      },
      {
        test: {
          root: '.',
          name: 'two threads',
          include: END_TO_END,
          testTimeout: TEST_TIMEOUT_MS,
          env: { INTAKE_THREADS: '2' },
        },
      },
    ],
  },
})
