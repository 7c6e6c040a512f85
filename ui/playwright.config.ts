import { defineConfig } from '@playwright/test';
import { CHROMIUM } from './tests/serve.mjs';

export default defineConfig({
  testDir: 'tests/browser',
  globalSetup: './tests/browser/setup.ts',
  fullyParallel: true,
  workers: 2,
  forbidOnly: true,
  retries: 0,
  timeout: 30_000,
  reporter: [['list']],
  use: { browserName: 'chromium', launchOptions: CHROMIUM, viewport: { width: 380, height: 640 }, reducedMotion: 'reduce' } as never,
});
