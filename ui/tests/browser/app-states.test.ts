// States of the whole app: paused, offline, failed start, loading; keys and announcements.

import { expect, test } from './driver';

test.describe('states', () => {
  test('pause everything and resume', async ({ driver }) => {
    await driver.open('home');
    await driver.id('pause-all').click();
    await expect(driver.id('paused')).toBeVisible();
    await expect(driver.id('status')).toHaveAttribute('data-status', 'paused');
    await driver.id('resume').click();
    await expect(driver.id('paused')).toHaveCount(0);
  });

  test('offline shows which hub and since when', async ({ driver }) => {
    await driver.open('offline');
    await expect(driver.id('status')).toHaveText('Offline');
    await expect(driver.id('fault').first()).toContainText('for 8 min');
  });

  test('a locked keychain is reported and the start can be retried', async ({ driver, page }) => {
    await driver.open('keychain-locked');
    await expect(page.getByRole('heading')).toHaveText('Your keychain is locked');
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'fault');
    await driver.id('retry-start').click();
    await expect(driver.row('service', 'Notebook')).toBeVisible();
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
  });

  test('the log can be shown and the app be quit while the engine starts', async ({ driver }) => {
    await driver.open('keychain-locked');
    await driver.clickAtOnce('retry-start', 'show-logs', 'quit');
    await expect.poll(() => driver.actions('show-logs')).toHaveLength(1);
    await expect.poll(() => driver.actions('quit')).toHaveLength(1);
  });

  test('a stopped engine is reported, and shown again when it runs', async ({ driver, page }) => {
    await driver.open('home');
    await driver.mock((mock) => mock.engine({ code: 'stopped', message: 'Postern’s engine stopped unexpectedly. Try again.' }), null);
    await expect(driver.id('no-engine')).toContainText('engine stopped unexpectedly');
    await expect(driver.id('service')).toHaveCount(0);
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'fault');
    // Started again from the tray.
    await driver.mock((mock) => mock.engine(null), null);
    await expect(driver.row('service', 'Notebook')).toBeVisible();
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
  });

  test('without a snapshot only a skeleton is shown', async ({ driver, page }) => {
    await driver.open('loading');
    await expect(driver.id('loading')).toBeVisible();
    await expect(page.locator('body')).not.toHaveAttribute('data-ready');
  });

  test('Esc goes back, and closes the popover at home', async ({ driver, page }) => {
    await driver.open('macos');
    await driver.id('nav-settings').click();
    await page.keyboard.press('Escape');
    await expect(driver.id('share')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect.poll(() => driver.actions('hide')).toHaveLength(1);
  });

  test('Esc goes back, and leaves an ordinary window open', async ({ driver, page }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await page.keyboard.press('Escape');
    await expect(driver.id('share')).toBeVisible();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    // An action that follows shows that none came before.
    await driver.row('inlet', 'Bombe').getByTestId('inlet-copy').click();
    await expect.poll(() => driver.actions('copy')).toHaveLength(1);
    expect(await driver.actions('hide')).toEqual([]);
  });

  test('the header counts what is down', async ({ driver }) => {
    await driver.open('home');
    await expect(driver.id('status')).toHaveText('Sharing 2, using 2');
    await driver.mock(
      (mock) => mock.change((s) => (s.services[0]!.health = { state: 'down', fault: { code: 'service-down', message: 'Nothing answers.' }, since: 1 })),
      null,
    );
    await expect(driver.id('status')).toHaveText('1 service down');
    await expect(driver.id('app')).toHaveAttribute('data-status', 'attention');
    const fault = { code: 'owner-offline', message: 'Grace is offline.' } as const;
    await driver.mock((mock, why) => mock.change((s) => s.inlets.slice(0, 2).forEach((i) => (i.link = { state: 'down', fault: why, since: 1 }))), fault);
    await expect(driver.id('status')).toHaveText('1 service and 2 portals down');
  });

  test('an expanded row is still open after a look at another view', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.id('nav-contacts').click();
    await driver.id('nav-home').click();
    await expect(driver.row('service', 'Notebook').getByTestId('service-invite')).toBeVisible();
  });

  test('the button that pauses everything resumes it', async ({ driver, page }) => {
    await driver.open('home');
    await page.getByRole('button', { name: 'Pause everything' }).click();
    await page.getByRole('button', { name: 'Resume everything' }).click();
    await expect(driver.id('paused')).toHaveCount(0);
  });

  test('? lists the shortcuts, but is typed in a field', async ({ driver, page }) => {
    await driver.open('five-hundred');
    await driver.id('search').focus();
    await page.keyboard.press('?');
    await expect(driver.id('search')).toHaveValue('?');
    await expect(driver.id('shortcuts')).toHaveCount(0);
    await driver.id('nav-contacts').focus();
    await page.keyboard.press('?');
    await expect(driver.id('shortcuts')).toContainText('Share a service');
    await page.keyboard.press('Escape');
    await expect(driver.id('shortcuts')).toHaveCount(0);
    await driver.id('nav-settings').click();
    await driver.id('show-shortcuts').click();
    await driver.id('shortcuts-close').click();
    await expect(driver.id('shortcuts')).toHaveCount(0);
  });

  test('the passphrase of a key file is asked for', async ({ driver, page }) => {
    await driver.open('key-file');
    await expect(page.getByRole('heading')).toHaveText('Enter your passphrase');
    await expect(driver.id('unlock-passphrase')).toBeFocused();
    await expect(driver.id('retry-start')).toHaveCount(0);
    await driver.fail('use-key-file' as never, 'wrong-passphrase', 'The passphrase is wrong. Try again.');
    await page.keyboard.type('sailfish');
    await page.keyboard.press('Enter');
    await expect(driver.id('fault')).toContainText('The passphrase is wrong');
    await expect(driver.id('unlock-passphrase')).toHaveValue('');
    await driver.id('unlock-passphrase').fill('swordfish');
    await driver.id('unlock').click();
    await expect(driver.row('service', 'Notebook')).toBeVisible();
    expect(await driver.actions('use-key-file')).toMatchObject([{ passphrase: 'sailfish' }, { passphrase: 'swordfish' }]);
  });

  test('Esc closes a menu and a dialog first', async ({ driver, page }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.row('person', 'Grace Hopper').getByTestId('person-menu').click();
    await expect(driver.id('grant-pause')).toBeFocused();
    await page.keyboard.press('ArrowDown');
    await expect(driver.id('grant-terms')).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(driver.id('terms-dialog')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(driver.id('terms-dialog')).toHaveCount(0);
    await driver.row('person', 'Grace Hopper').getByTestId('person-menu').click();
    await page.keyboard.press('Escape');
    await expect(driver.id('grant-pause')).toHaveCount(0);
    expect(await driver.actions('hide')).toEqual([]);
  });

  test('a notice is announced', async ({ driver, page }) => {
    await driver.open('home');
    await page.evaluate(() =>
      (window as never as { mock: { notice(n: object): void } }).mock.notice({ notice: 'joined', service: 'notebook', from: 'Edsger', name: 'Notebook' }),
    );
    await expect(driver.id('spoken')).toHaveText('Edsger joined Notebook');
    await expect(driver.id('toast')).toContainText('Edsger joined Notebook');
  });

  test('the popover can be pinned', async ({ driver }) => {
    await driver.open('macos');
    await driver.id('pin').click();
    await expect(driver.id('pin')).toHaveAttribute('aria-pressed', 'true');
    expect(await driver.actions('pin')).toEqual([{ action: 'pin', on: true }]);
    await driver.open('home');
    await expect(driver.id('pin')).toHaveCount(0);
  });
});
