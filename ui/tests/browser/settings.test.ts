// Settings, backup, health check, diagnostics.

import { expect, test } from './driver';

test.describe('settings', () => {
  test('a focused element is not hidden by the heading', async ({ driver, page }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('quit').focus();
    await expect(driver.id('quit')).toBeInViewport();
    const heading = (await page.locator('header').last().boundingBox())!;
    for (const above of ['backup', 'autostart', 'settings-name']) {
      await driver.id(above).focus();
      const box = (await driver.id(above).boundingBox())!;
      expect(box.y, above).toBeGreaterThanOrEqual(heading.y + heading.height);
    }
  });

  test('hubs are added and removed', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('settings-hub').fill('other.example.org');
    await driver.id('hub-add').click();
    await expect(driver.id('fault')).toHaveAttribute('data-code', 'invalid');
    await driver.id('settings-hub').fill('other.example.org:4000');
    await driver.id('hub-add').click();
    const row = driver.row('hub-row', 'other.example.org:4000');
    await expect(row).toBeVisible();
    await row.getByTestId('hub-remove').click();
    await expect(row).toHaveCount(0);
    await driver.id('undo').click();
    await expect(row).toBeVisible();
  });

  test('light and dark can be chosen, whatever the desktop says', async ({ driver, page }) => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: 'light' });
    await driver.open('home');
    const light = await background();
    await driver.id('nav-settings').click();
    await driver.id('theme').selectOption('dark');
    await expect.poll(background).not.toBe(light);
    const dark = await background();
    expect(await driver.actions('set-theme')).toEqual([{ action: 'set-theme', theme: 'dark' }]);
    await driver.id('theme').selectOption('light');
    await expect.poll(background).toBe(light);
    await page.emulateMedia({ colorScheme: 'dark' });
    expect(await background()).toBe(light);
    await driver.id('theme').selectOption('system');
    await expect.poll(background).toBe(dark);
  });

  test('autostart and notifications are set in the shell', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('autostart').click();
    await expect(driver.id('autostart')).toHaveAttribute('aria-checked', 'false');
    await driver.id('notifications').click();
    await expect(driver.id('notifications')).toHaveAttribute('aria-checked', 'false');
  });

  test('name, retention, local network', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('settings-name').fill('Ada L.');
    await driver.id('settings-name-save').click();
    await driver.id('retention').selectOption('30');
    await driver.id('settings-this-computer').click();
    await expect(driver.id('settings-this-computer')).toHaveAttribute('aria-checked', 'false');
    expect(await driver.requests('rename')).toMatchObject([{ name: 'Ada L.' }]);
    expect(await driver.requests('set-retention')).toMatchObject([{ days: 30 }]);
  });

  test('a backup needs the passphrase twice', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('backup').click();
    await expect(driver.id('backup-path')).toHaveValue(/backup-\d{4}-\d\d-\d\d\.postern$/u);
    await driver.id('backup-passphrase').fill('correct horse');
    await driver.id('backup-again').fill('correct hose');
    await expect(driver.id('backup-save')).toBeDisabled();
    await driver.id('backup-again').fill('correct horse');
    await driver.id('backup-save').click();
    await expect(driver.id('backup-dialog')).toHaveCount(0);
    await expect(driver.id('toast')).toContainText('Backup saved');
  });

  test('the path of a backup comes from the file dialog', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('backup').click();
    const typed = await driver.id('backup-path').inputValue();
    // Cancelled: the path is unchanged.
    await driver.id('backup-choose').click();
    await expect(driver.id('backup-choose')).toBeEnabled();
    await expect(driver.id('backup-path')).toHaveValue(typed);
    await driver.mock((mock) => mock.chooses('/media/stick'), null);
    await driver.id('backup-choose').click();
    await expect(driver.id('backup-path')).toHaveValue(/^\/media\/stick\/backup-.*\.postern$/u);
    await driver.mock((mock) => mock.chooses({ code: 'invalid', message: 'Choose another.' }), null);
    await driver.id('backup-choose').click();
    await expect(driver.id('backup-dialog').getByTestId('fault')).toHaveText('Choose another.');
    // It can still be typed.
    await driver.id('backup-path').fill('/home/ada/mine.postern');
    await driver.id('backup-passphrase').fill('correct horse');
    await driver.id('backup-again').fill('correct horse');
    await driver.id('backup-save').click();
    await expect(driver.id('toast')).toContainText('Backup saved');
    expect(await driver.requests('backup')).toMatchObject([{ path: '/home/ada/mine.postern' }]);
  });

  test('health check, diagnostics, log, quit', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-settings').click();
    await driver.id('doctor').click();
    await expect(driver.id('finding').first()).toHaveAttribute('data-severity', 'warning');
    await driver.id('copy-diagnostics').click();
    await expect(driver.id('toast')).toContainText('Diagnostics copied');
    await driver.id('show-logs').click();
    await driver.id('quit').click();
    await expect.poll(() => driver.actions('quit')).toHaveLength(1);
    expect(await driver.actions('show-logs')).toHaveLength(1);
  });

  test('quitting waits for nothing', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-settings').click();
    await driver.clickAtOnce('copy-diagnostics', 'quit');
    await expect.poll(() => driver.actions('quit')).toHaveLength(1);
  });

  test('a change is not dropped while the one before is being saved', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('retention').evaluate((select: HTMLSelectElement) => {
      for (const days of ['7', '30']) {
        select.value = days;
        select.dispatchEvent(new Event('change', { bubbles: true }));
      }
    });
    await expect.poll(() => driver.requests('set-retention')).toMatchObject([{ days: 7 }, { days: 30 }]);
    await expect(driver.id('retention')).toHaveValue('30');
  });
});
