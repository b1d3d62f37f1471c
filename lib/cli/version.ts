import { readFileSync } from 'node:fs';
import path from 'node:path';

const manifest = readFileSync(path.join(__dirname, '..', '..', 'package.json'), 'utf8');

/** The package's own version. */
export const packageVersion = (JSON.parse(manifest) as { version: string }).version;
