import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startReceiver } from '../support/receiver.ts'
import { SLUICE_YAML, startSluice } from '../support/sluice.ts'

test('F35: SIGHUP reads the file anew, and one that is broken changes nothing', {
  timeout: 60_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-reload-'))
  const receiver = await startReceiver()
  const sluice = await startSluice(directory, receiver.url)
  const reloadWith = async (text: string) => {
    await writeFile(join(directory, 'sluice.yaml'), `${SLUICE_YAML}${text}`)
    sluice.child.process.kill('SIGHUP')
  }
  const names = async () => {
    const status = await (await fetch(`${sluice.admin}/api/v1/status`)).text()
    return JSON.parse(status).destinations.map(({ name }: { name: string }) => name)
  }
  try {
    const both = `remote_write: [{ name: central }, { name: second, url: "${receiver.url}" }]`
    await reloadWith(both)
    await expect.poll(names).toEqual(['central', 'second'])
    await reloadWith('remote_write: [{ nmae: central }]')
    await expect.poll(() => sluice.child.output()).toContain('was not reloaded')
    expect(sluice.child.output()).toContain('did you mean \\"name\\"?')
    expect(await names()).toEqual(['central', 'second'])
    await reloadWith('')
    await expect.poll(names).toEqual(['central'])
  } finally {
    await sluice.child.kill()
    await receiver.close()
    await rm(directory, { recursive: true })
  }
})
