/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Only the files that tests import are compiled; tsc checks the types beside it (npm run typecheck).
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/build'],
  // Looked up through the sandbox, Math costs more than what the portable kernels compute with it.
  sandboxInjectedGlobals: ['Math'],
  testTimeout: 30_000,
  // Jest leaves a processor free, which on two of them means one test at a time.
  maxWorkers: '100%',
};
