import { NativeBackend } from '../../../lib/backend/native';
import { loadAddon } from '../../../lib/backend/native/loader';
import { PortableBackend } from '../../../lib/backend/portable';
import type { Backend } from '../../../lib/graph/backend';
import { setAddressOf } from '../../../lib/tensor/storage';

const { addon, tried } = loadAddon();

/** The native backend, or null where the addon is not built; a checked build must have it. */
export const native: Backend | null = addon === null ? null : new NativeBackend(addon);
if (native === null && process.env.CI === 'true')
  throw new Error(
    `the native addon does not load: ${tried.map(({ path, problem }) => `${path}: ${problem}`).join('; ')}`,
  );
if (native !== null) setAddressOf((buffer) => native.addressOf(buffer));

export const portable: Backend = new PortableBackend();

export const backends: [name: string, backend: Backend][] = [['portable', portable]];
if (native !== null) backends.push(['native', native]);
