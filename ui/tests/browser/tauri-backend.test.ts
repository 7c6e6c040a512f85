// The Tauri backend against a fake Tauri: the names and arguments of commands and events.

import { expect, test } from '@playwright/test';

test('the page listens to events before it fetches the state, and sends requests and actions', async ({ page }) => {
  await page.addInitScript(() => {
    const calls: { command: string; args: unknown }[] = [];
    const handlers = new Map<number, (event: unknown) => void>();
    const listening = new Map<string, number>();
    const snapshot = {
      me: null,
      status: 'idle',
      paused: false,
      this_computer: { on: false, addresses: [], fault: null },
      hubs: [],
      services: [],
      inlets: [],
      invitations: [],
      knocks: [],
      contacts: [],
      settings: { keychain: 'os', data_dir: '/x', retention_days: 90, version: '0' },
      troubles: [],
    };
    let next = 1;
    Object.assign(window, {
      calls,
      emit: (event: string, payload: unknown) => handlers.get(listening.get(event)!)!({ event, id: 1, payload }),
      __TAURI_INTERNALS__: {
        transformCallback(callback: (event: unknown) => void) {
          handlers.set(next, callback);
          return next++;
        },
        async invoke(command: string, args: Record<string, unknown>) {
          calls.push({ command, args });
          switch (command) {
            case 'plugin:event|listen':
              listening.set(args['event'] as string, args['handler'] as number);
              return 1;
            case 'snapshot':
              return { snapshot, traffic: { at: 0, grants: [], inlets: [] } };
            case 'shell_state':
            case 'shell':
              return { autostart: false, notifications: true, platform: 'linux', version: '0', log_file: '/x', user_name: '', key_file: false, theme: 'system', fault: null };
            default:
              throw { code: 'invalid', message: 'No hub answers there.' };
          }
        },
      },
    });
  });
  // Inside the app the mock is never used, whatever the URL says.
  await page.goto(`${process.env['PAGE_URL']}?mock=home`);
  await page.locator('body[data-ready="true"]').waitFor({ state: 'attached' });
  await expect(page.getByTestId('first-run')).toBeVisible();

  type Call = { command: string; args: Record<string, unknown> };
  const calls = () => page.evaluate(() => (window as never as { calls: Call[] }).calls);
  const started = await calls();
  const names = started.map((call) => call.command);
  expect(started.filter((c) => c.command === 'plugin:event|listen').map((c) => c.args['event']).sort()).toEqual(['navigate', 'notice', 'shell', 'snapshot', 'traffic']);
  expect(names.lastIndexOf('plugin:event|listen')).toBeLessThan(names.indexOf('snapshot'));
  expect(names).toContain('shell_state');

  await page.getByTestId('name').fill('Ada');
  await page.getByTestId('finish').click();
  await expect(page.getByTestId('fault')).toHaveText('No hub answers there.');
  expect((await calls()).at(-1)).toEqual({
    command: 'request',
    args: { request: { request: 'set-up', name: 'Ada', hubs: [], this_computer: true } },
  });

  await page.evaluate(() => {
    const { emit, calls } = window as never as { emit(e: string, p: unknown): void; calls: unknown[] };
    void calls;
    emit('snapshot', {
      me: { identifier: 'I1', name: 'Ada' },
      status: 'idle',
      paused: false,
      this_computer: { on: false, addresses: [], fault: null },
      hubs: [],
      services: [],
      inlets: [],
      invitations: [],
      knocks: [],
      contacts: [],
      settings: { keychain: 'os', data_dir: '/x', retention_days: 90, version: '0' },
      troubles: [],
    });
    emit('navigate', { view: 'settings' });
  });
  await page.getByTestId('autostart').click();
  await expect.poll(async () => (await calls()).at(-1)).toEqual({ command: 'shell', args: { action: { action: 'set-autostart', on: true } } });
});
