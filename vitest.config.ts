// Two projects: `unit` is pure and takes seconds; `it` talks to real servers (Kafka, Redis, PostgreSQL and others).
import { defineConfig } from 'vitest/config';

const skip = ['**/node_modules/**', '**/.tocsin/**'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...skip, '**/*.it.test.ts'],
          // A bound for hanging tests, not a measure: the machine may be busy.
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'it',
          include: ['**/*.it.test.ts'],
          exclude: skip,
          globalSetup: ['infra/testing/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Two files at a time: most of their time is waiting for sessions, restarts and time-outs.
          maxWorkers: 2,
        },
      },
    ],
  },
});
