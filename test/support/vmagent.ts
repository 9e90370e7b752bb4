import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, startChild } from './child.ts'
import { peer } from './peers.ts'

/** A real vmagent that takes OTLP and names things as Prometheus does, on loopback. */
export type Vmagent = {
  /** For `POST` of metrics by OTLP in protobuf. */
  otlpUrl: string
  stop(): Promise<void>
}

/** @param url where it sends by Remote Write 1.0 */
export async function startVmagent(url: string): Promise<Vmagent> {
  const port = await freePort()
  const directory = await mkdtemp(join(tmpdir(), 'sluice-vmagent-'))
  const child = startChild(await peer('vmagent'), [
    ...[`-remoteWrite.url=${url}`, '-remoteWrite.forcePromProto'],
    ...[`-remoteWrite.tmpDataPath=${directory}`, '-remoteWrite.flushInterval=200ms'],
    ...[`-httpListenAddr=127.0.0.1:${port}`, '-opentelemetry.usePrometheusNaming'],
    '-opentelemetry.promoteAllResourceAttributes=false',
    '-opentelemetry.promoteScopeMetadata=false',
  ])
  const stop = async (): Promise<void> => {
    await child.stop()
    await rm(directory, { recursive: true, force: true })
  }
  const base = `http://127.0.0.1:${port}`
  try {
    await child.ready(`${base}/health`)
  } catch (error) {
    await stop()
    throw error
  }
  return { otlpUrl: `${base}/opentelemetry/v1/metrics`, stop }
}
