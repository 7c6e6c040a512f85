// My services, people with access, and removals with undo.

import { expect, test } from './driver';

test.describe('my services', () => {
  test('switch off and on', async ({ driver }) => {
    await driver.open('home');
    const row = driver.row('service', 'Notebook');
    await row.getByTestId('service-toggle').click();
    await expect(row).toHaveAttribute('data-on', 'false');
    await expect(row).toContainText('Off');
    await row.getByTestId('service-toggle').click();
    await expect(row).toHaveAttribute('data-on', 'true');
  });

  test('a failed switch shows the fault and keeps its state', async ({ driver }) => {
    await driver.open('home');
    await driver.fail('set-service', 'storage', 'The disk is full. Make room, then try again.');
    const row = driver.row('service', 'Notebook');
    await row.getByTestId('service-toggle').click();
    await expect(row.getByRole('alert')).toHaveText('The disk is full. Make room, then try again.');
    await expect(row.getByTestId('service-toggle')).toHaveAttribute('aria-checked', 'true');
  });

  test('people show their state and can be paused and resumed', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    const grace = driver.row('person', 'Grace Hopper');
    await expect(driver.row('person', 'Alan Turing')).toContainText('ends in 3 days');
    await grace.getByTestId('person-menu').click();
    await driver.id('grant-pause').click();
    await expect(grace).toHaveAttribute('data-state', 'paused');
    await grace.getByTestId('person-menu').click();
    await driver.id('grant-resume').click();
    await expect(grace).toHaveAttribute('data-state', 'active');
  });

  test('access can be limited in time', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.row('person', 'Grace Hopper').getByTestId('person-menu').click();
    await driver.id('grant-terms').click();
    await driver.id('terms-span').selectOption('quit');
    await driver.id('terms-save').click();
    await expect(driver.id('terms-dialog')).toHaveCount(0);
    await expect(driver.row('person', 'Grace Hopper')).toContainText('until you quit');
  });

  test('a link is copied, and revoking it can be undone', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    const sent = driver.row('sent', 'Edsger');
    await sent.getByTestId('sent-menu').click();
    await driver.id('sent-copy').click();
    await expect(driver.id('toast')).toContainText('Link copied');
    await sent.getByTestId('sent-menu').click();
    await driver.id('sent-revoke').click();
    await expect(driver.row('sent', 'Edsger')).toHaveCount(0);
    await driver.id('undo').click();
    await expect(driver.row('sent', 'Edsger')).toBeVisible();
    expect(await driver.requests('revoke-invitation')).toEqual([]);
  });

  test('editing changes the service', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'Notebook');
    await row.getByTestId('service-menu').click();
    await driver.id('service-edit').click();
    await driver.id('edit-name').fill('Lab');
    await driver.id('edit-save').click();
    await expect(driver.row('service', 'Lab')).toBeVisible();
  });

  test('live traffic is shown', async ({ driver }) => {
    await driver.open('busy');
    const row = driver.row('service', 'Notebook');
    await expect(row).toHaveAttribute('data-state', 'live');
    await expect(row).toContainText(/↓ [\d.]+ [kM]B\/s/u);
  });
});

test.describe('undo', () => {
  test.beforeEach(async ({ page }) => {
    await page.clock.install();
  });

  async function revoke(driver: import('./driver').Driver): Promise<void> {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.row('person', 'Grace Hopper').getByTestId('person-menu').click();
    await driver.id('grant-revoke').click();
    await expect(driver.id('undo')).toBeVisible();
  }

  test('revoking pauses at once, and revokes after the undo period', async ({ driver, page }) => {
    await revoke(driver);
    expect(await driver.requests('pause-grant')).toMatchObject([{ on: true }]);
    expect(await driver.requests('revoke-grant')).toEqual([]);
    await expect(driver.row('person', 'Grace Hopper')).toHaveCount(0);
    await expect(page.getByRole('heading', { name: 'Home' })).toBeFocused();
    await page.clock.runFor(8500);
    await expect(driver.id('undo')).toHaveCount(0);
    expect(await driver.requests('revoke-grant')).toHaveLength(1);
  });

  test('undo restores the access', async ({ driver, page }) => {
    await revoke(driver);
    await driver.id('undo').click();
    await expect(driver.row('person', 'Grace Hopper')).toHaveAttribute('data-state', 'active');
    await page.clock.runFor(20_000);
    expect(await driver.requests('revoke-grant')).toEqual([]);
  });

  test('Ctrl+Z undoes the latest action', async ({ driver, page }) => {
    await revoke(driver);
    await page.keyboard.press('Control+z');
    await expect(driver.row('person', 'Grace Hopper')).toBeVisible();
  });

  test('pointing at a toast keeps it open', async ({ driver, page }) => {
    await revoke(driver);
    await driver.id('toast').hover();
    await page.clock.runFor(30_000);
    await expect(driver.id('undo')).toBeVisible();
    await page.mouse.move(10, 10);
    await page.clock.runFor(9000);
    await expect(driver.id('undo')).toHaveCount(0);
  });

  test('closing a service switches it off at once, and closes it after the undo period', async ({ driver, page }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'Orders database');
    await row.getByTestId('service-menu').click();
    await driver.id('service-close').click();
    await expect(driver.row('service', 'Orders database')).toBeHidden();
    expect(await driver.requests('set-service')).toMatchObject([{ on: false }]);
    await page.clock.runFor(8500);
    expect(await driver.requests('close-service')).toHaveLength(1);
  });

  test('when the first request fails nothing is removed', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.fail('pause-grant', 'storage', 'The disk is full.');
    const grace = driver.row('person', 'Grace Hopper');
    await grace.getByTestId('person-menu').click();
    await driver.id('grant-revoke').click();
    await expect(grace.getByRole('alert')).toHaveText('The disk is full.');
    await expect(driver.id('undo')).toHaveCount(0);
  });

  test('when the last request fails the fault is shown and the row is restored', async ({ driver, page }) => {
    await revoke(driver);
    await driver.fail('revoke-grant', 'storage', 'The disk is full.');
    await page.clock.runFor(8500);
    await expect(driver.id('toast')).toContainText('The disk is full.');
    await expect(driver.row('person', 'Grace Hopper')).toHaveAttribute('data-state', 'paused');
  });

  test('hiding the window commits pending removals', async ({ driver, page }) => {
    await revoke(driver);
    await page.evaluate(() => window.dispatchEvent(new Event('pagehide')));
    await expect.poll(() => driver.requests('revoke-grant')).toHaveLength(1);
  });
});
