import { defineConfig } from '@playwright/test';
import { CHROMIUM } from './tests/serve.mjs';

export default defineConfig({
  testDir: 'tests/browser',
  globalSetup: './tests/browser/setup.ts',
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  // A test that fails and then passes is flaky; CI names it (CONTRIBUTING.md).
  retries: 1,
  timeout: 30_000,
  reporter: [['list']],
  use: { browserName: 'chromium', launchOptions: CHROMIUM, viewport: { width: 380, height: 640 }, reducedMotion: 'reduce' } as never,
});
