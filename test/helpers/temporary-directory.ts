import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A new folder, removed after the tests of the file or describe block that asked for it. */
export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'saddlepoint-test-'));
  afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}
