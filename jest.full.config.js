// The exhaustive tiers too.
process.env.SADDLEPOINT_TEST_FULL = '1';

/** @type {import('jest').Config} */
module.exports = { ...require('./jest.config.js'), testTimeout: 600_000 };
