import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAddon } from '../../../lib/backend/native/loader';
import { temporaryDirectory } from '../../helpers/temporary-directory';

const found = loadAddon();
const directory = temporaryDirectory();
const before = process.env.SADDLEPOINT_NATIVE_PATH;

function loadFrom(path: string) {
  process.env.SADDLEPOINT_NATIVE_PATH = path;
  return loadAddon();
}

describe('loadAddon', () => {
  afterEach(() => {
    if (before === undefined) delete process.env.SADDLEPOINT_NATIVE_PATH;
    else process.env.SADDLEPOINT_NATIVE_PATH = before;
  });

  it('says for each place why nothing was loaded from there', () => {
    const path = join(directory, 'nowhere.node');
    expect(loadFrom(path)).toEqual({ addon: null, path: '', tried: [{ path, problem: 'there is no such file' }] });
  });

  it('looks in the local builds and then in the prebuilt folder without a path', () => {
    delete process.env.SADDLEPOINT_NATIVE_PATH;
    const { path, tried } = loadAddon();
    const places = [...tried.map((attempt) => attempt.path), ...(path === '' ? [] : [path])];
    const expected = [
      /build.Release.saddlepoint\.node$/,
      /build-cmake.Release.saddlepoint\.node$/,
      /prebuilds.saddlepoint-\w+-\w+(-musl)?.node-napi-v9\.node$/,
    ];
    expect(places.length).toBe(path === '' ? 3 : tried.length + 1);
    places.forEach((place, i) => expect(place).toMatch(expected[i]!));
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['text', Buffer.from('not an addon, but long enough to be taken for one by somebody who only looks at lengths')],
    ['an ELF header and nothing else', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46]), Buffer.alloc(100, 1)])],
  ])('refuses a file that is %s', (name, content) => {
    const path = join(directory, `${name.split(' ').join('-')}.node`);
    writeFileSync(path, content);
    const { addon, tried } = loadFrom(path);
    expect(addon).toBeNull();
    expect(tried).toHaveLength(1);
    expect(tried[0]!.path).toBe(path);
    expect(tried[0]!.problem).not.toBe('');
  });

  const withAddon = found.addon === null || process.platform !== 'linux' ? it.skip : it;

  withAddon('refuses an addon that is cut off anywhere', () => {
    const whole = readFileSync(found.path);
    for (const share of [0.001, 0.1, 0.5, 0.9, 0.999]) {
      const path = join(directory, `cut-${share}.node`);
      writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
      const { addon, tried } = loadFrom(path);
      expect(addon).toBeNull();
      expect(tried[0]!.problem).toMatch(/cut off/);
    }
  });

  withAddon('takes a good addon from anywhere', () => {
    const path = join(directory, 'good.node');
    copyFileSync(found.path, path);
    const { addon, path: from, tried } = loadFrom(path);
    expect(addon).not.toBeNull();
    expect(from).toBe(path);
    expect(tried).toEqual([]);
  });

  withAddon('names both sides where versions differ', () => {
    // The version is a string in the binary; another of the same length leaves everything else as it is.
    const { version } = found.addon!;
    const other = version.replace(/\d/g, '7');
    const bytes = readFileSync(found.path);
    let at = -1;
    while ((at = bytes.indexOf(`${version}\0`, at + 1, 'latin1')) >= 0) bytes.write(other, at, 'latin1');
    const path = join(directory, 'other.node');
    writeFileSync(path, bytes);
    const { addon, tried } = loadFrom(path);
    expect(addon).toBeNull();
    expect(tried[0]!.problem).toContain(`the addon has ${other}, the package ${version}`);
  });
});
