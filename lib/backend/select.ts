import { BackendError, ValueError } from '../errors';
import type { Backend } from '../graph/backend';
import { NativeBackend } from './native';
import { loadAddon, type FailedAttempt, type LoadResult } from './native/loader';
import { PortableBackend } from './portable';

export type BackendName = Backend['name'];

export interface BackendInfo {
  readonly backend: BackendName;
  /** The instruction set of the kernels: sse2, avx2, avx512, neon, or javascript. */
  readonly isa: string;
  readonly threads: number;
  /** Why this backend runs, in one sentence. */
  readonly reason: string;
  /** Where a native addon was looked for in vain, and what was wrong there. */
  readonly tried: readonly FailedAttempt[];
}

interface Selection {
  readonly backend: Backend;
  readonly reason: string;
}

const REMEDY = 'run "npm run build" where a C++ compiler is installed, or set SADDLEPOINT_BACKEND=portable';

let loaded: LoadResult | null = null;
let native: NativeBackend | null = null;
let portable: PortableBackend | null = null;
let selection: Selection | null = null;

/**
 * The backend that `name` or else SADDLEPOINT_BACKEND names; without either, native if the addon loads and portable
 * otherwise. SADDLEPOINT_ISA and SADDLEPOINT_THREADS are applied to it. There is one of each per thread of JavaScript.
 *
 * Throws a ValueError for an unknown value of one of these variables, and a BackendError if the native backend is asked
 * for and no addon loads.
 *
 *     const backend = selectBackend('portable');
 *     backend.isa; // 'javascript'
 */
export function selectBackend(name?: BackendName): Backend {
  selection = select(name);
  return selection.backend;
}

/** What runs and, where the addon did not load, why. Selects a backend if that has not been done; throws as that does. */
export function backendInfo(): BackendInfo {
  selection ??= select(undefined);
  const { backend, reason } = selection;
  return { backend: backend.name, isa: backend.isa, threads: backend.threads, reason, tried: loaded?.tried ?? [] };
}

function select(name: BackendName | undefined): Selection {
  const variable = process.env.SADDLEPOINT_BACKEND ?? '';
  const asked = name ?? variable;
  const asker = name === undefined ? 'SADDLEPOINT_BACKEND' : 'the caller';
  if (asked !== '' && asked !== 'native' && asked !== 'portable')
    throw new ValueError(`SADDLEPOINT_BACKEND: unknown backend '${asked}'; possible are native, portable`);
  const threads = readThreads();
  if (asked === 'portable') return { backend: openPortable(), reason: `${asker} asks for the portable backend` };

  loaded ??= loadAddon();
  const { addon, path, tried } = loaded;
  if (addon !== null) {
    native ??= new NativeBackend(addon);
    const isa = process.env.SADDLEPOINT_ISA ?? '';
    if (isa !== '') native.setIsa(isa);
    if (threads !== null) native.threads = threads;
    const asking = asked === 'native' ? `${asker} asks for the native backend, and its` : 'the native';
    return { backend: native, reason: `${asking} addon was loaded from ${path}` };
  }
  if (asked === 'native') {
    const failures = tried.map((attempt) => `\n  ${attempt.path}: ${attempt.problem}`).join('');
    throw new BackendError(`${asker} asks for the native backend, but no addon loads; ${REMEDY}${failures}`);
  }
  const last = tried.find(({ problem }) => problem !== 'there is no such file') ?? tried.at(-1);
  const why = last === undefined ? '' : ` (${last.path}: ${last.problem})`;
  return { backend: openPortable(), reason: `no native addon loads${why}` };
}

function openPortable(): PortableBackend {
  portable ??= new PortableBackend();
  return portable;
}

/** Checked for the portable backend too, so that a mistake does not depend on the machine. */
function readThreads(): number | null {
  const text = process.env.SADDLEPOINT_THREADS ?? '';
  if (text === '') return null;
  const threads = Number(text);
  if (!Number.isInteger(threads) || threads < 1 || threads > 64)
    throw new ValueError(`SADDLEPOINT_THREADS: '${text}' is not an integer from 1 to 64`);
  return threads;
}
