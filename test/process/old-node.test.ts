import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('a Node that is too old is told which one is needed', async () => {
  const older = "Object.defineProperty(process, 'versions', { value: { node: '22.11.0' } })"
  const args = ['--import', `data:text/javascript,${encodeURIComponent(older)}`, 'src/sluice.js']
  const failed = await promisify(execFile)(process.execPath, args).catch((error) => error)
  expect(failed).toMatchObject({
    code: 1,
    stderr:
      'sluice needs Node 24.12 or newer, and this is 22.11.0: use `npm start`, which brings its own\n',
  })
})
