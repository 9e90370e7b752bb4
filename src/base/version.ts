import packageJson from '../../package.json' with { type: 'json' }

/** As in package.json: what `sluice version`, metrics and the User-Agent say. */
export const VERSION: string = packageJson.version
