import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The content security policy of the app (tauri.conf.json), so that the tests run under it too.
const policy = [
  "default-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "style-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export default defineConfig({
  plugins: [svelte()],
  base: './',
  build: {
    target: ['es2022', 'safari16.4', 'chrome111'],
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  preview: { headers: { 'Content-Security-Policy': policy } },
  test: { include: ['tests/unit/**/*.test.ts'], environment: 'node' },
});
