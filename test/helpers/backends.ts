import { backendInfo, useBackend, type BackendName } from '../../lib/backend';

/** The backends of this machine; native is missing only where there is no addon. */
export const backends: readonly BackendName[] = ['portable', ...(hasNative() ? (['native'] as const) : [])];

function hasNative(): boolean {
  try {
    useBackend('native');
    return backendInfo().backend === 'native';
  } catch {
    return false;
  }
}

/** The same tests on every backend. */
export function onEachBackend(title: string, body: (name: BackendName) => void): void {
  describe.each(backends)(`${title} (%s)`, (name) => {
    beforeAll(() => useBackend(name));
    body(name);
  });
}
