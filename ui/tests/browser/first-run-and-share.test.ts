// First run, and sharing a service: from the listening port to the invitation link.

import { expect, test } from './driver';

test.describe('first run', () => {
  test('asks for a name and for reachability, in two steps', async ({ driver }) => {
    await driver.open('first-run');
    await driver.id('name').fill('Ada');
    await driver.id('next').click();
    await driver.id('hub').fill('hub.example.org:4000');
    await driver.id('finish').click();
    await expect(driver.id('share-first')).toBeVisible();
    expect(await driver.requests('set-up')).toEqual([
      { request: 'set-up', name: 'Ada', hubs: ['hub.example.org:4000'], this_computer: true },
    ]);
  });

  test('shows a fault beside its cause', async ({ driver }) => {
    await driver.open('first-run');
    await driver.id('name').fill('Ada');
    await driver.id('next').click();
    await driver.id('hub').fill('nonsense');
    await driver.id('finish').click();
    await expect(driver.id('fault')).toHaveAttribute('data-code', 'invalid');
    await expect(driver.id('hub')).toHaveAttribute('aria-invalid', 'true');
  });

  test('works with the keyboard alone', async ({ driver, page }) => {
    await driver.open('first-run');
    await page.keyboard.type('Ada');
    await page.keyboard.press('Enter');
    await driver.tabTo('this-computer');
    await page.keyboard.press('Space');
    await expect(driver.id('this-computer')).toHaveAttribute('aria-checked', 'false');
    await page.keyboard.press('Tab');
    await page.keyboard.type('hub.example.org:4000');
    await page.keyboard.press('Enter');
    await expect(driver.id('share-first')).toBeVisible();
    expect((await driver.requests('set-up'))[0]?.this_computer).toBe(false);
  });
});

test.describe('share', () => {
  test('a running program becomes a link', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator('[data-testid="share-port"][data-port="3000"]').click();
    await expect(driver.id('share-name')).toHaveValue('Dev server');
    await expect(driver.id('kind-http')).toBeChecked();
    await driver.id('share-submit').click();
    await driver.id('invite-note').fill('Edsger');
    await driver.id('terms-span').selectOption('day');
    await driver.id('invite-ask').click();
    const before = Date.now();
    await driver.id('invite-submit').click();
    await expect(driver.id('link')).toHaveValue(/^postern:\/\/join\//u);
    await expect(driver.id('qr')).toBeVisible();
    await driver.id('copy-link').click();
    const link = await driver.id('link').inputValue();
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: link }]);
    const [invite] = await driver.requests('invite');
    expect(invite).toMatchObject({ ask_first: true, to: { to: 'link', note: 'Edsger' } });
    expect(Math.abs(invite!.terms.until! - before - 86_400_000)).toBeLessThan(10_000);
    await driver.id('share-done').click();
    await expect(driver.row('service', 'Dev server')).toBeVisible();
  });

  test('a service that trusts this computer is named before it is shared', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator('[data-testid="share-port"][data-port="3000"]').click();
    await expect(driver.id('share-name')).toBeVisible();
    await expect(driver.id('caution')).toHaveCount(0);
    await driver.page.getByRole('button', { name: 'Change' }).click();
    // Typed, it is the same service.
    await driver.id('share-target').fill('localhost:6379');
    await driver.id('share-next').click();
    await expect(driver.id('caution')).toContainText('Redis asks for no password');
  });

  test('name and protocol are guessed from a typed address', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('share').click();
    await driver.id('share-target').fill('my-nas');
    await expect(driver.id('share-next')).toBeDisabled();
    await driver.id('share-target').fill('my-nas:5432');
    await driver.id('share-next').click();
    await expect(driver.id('share-name')).toHaveValue('PostgreSQL');
    await expect(driver.id('kind-tcp')).toBeChecked();
    await driver.id('share-submit').click();
    expect(await driver.requests('share')).toMatchObject([{ target: 'my-nas:5432', kind: 'tcp', path: null }]);
  });

  test('a port without a host is on this computer', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('share').click();
    await driver.id('share-target').fill('8888');
    await driver.id('share-next').click();
    await driver.id('share-submit').click();
    expect(await driver.requests('share')).toMatchObject([{ target: 'localhost:8888', name: 'Notebook', kind: 'http' }]);
  });

  test('a known contact needs no link', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'SSH');
    await row.getByTestId('service-invite').click();
    await driver.page.getByRole('radio', { name: 'Margaret Hamilton' }).check();
    await expect(driver.id('invite-submit')).toHaveText('Invite Margaret Hamilton');
    await driver.id('invite-submit').click();
    await expect(driver.page.getByText('was sent to Margaret Hamilton')).toBeVisible();
    await expect(driver.id('link')).toHaveCount(0);
  });

  test('contacts that have access already or cannot be mailed are not offered', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'Notebook');
    await row.getByTestId('service-invite').click();
    await expect(driver.id('invite-contact')).toHaveCount(1);
  });

  test('a name that is taken is reported beside the field', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator('[data-testid="share-port"][data-port="8888"]').click();
    await driver.id('share-submit').click();
    await expect(driver.id('fault')).toHaveAttribute('data-code', 'name-taken');
    await expect(driver.id('share-name')).toHaveAttribute('aria-invalid', 'true');
  });

  test('works with the keyboard alone', async ({ driver, page }) => {
    await driver.open('empty');
    await page.keyboard.press('Control+n');
    await driver.tabTo('share-target');
    await page.keyboard.type('3000');
    await page.keyboard.press('Enter');
    await driver.tabTo('share-submit');
    await page.keyboard.press('Enter');
    await driver.tabTo('invite-submit');
    await page.keyboard.press('Enter');
    await driver.tabTo('copy-link');
    await page.keyboard.press('Enter');
    await expect(driver.id('copy-link')).toHaveText('Copied');
    await page.keyboard.press('Escape');
    await expect(driver.row('service', 'Dev server')).toBeVisible();
  });
});
