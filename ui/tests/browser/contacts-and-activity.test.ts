// Contacts, verification, and the audit log.

import { expect, test } from './driver';

test.describe('contacts', () => {
  test('words are compared and verified', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-contacts').click();
    const row = await driver.expand('contact', 'Alan Turing');
    await expect(row).toContainText('copper meadow lantern oak');
    await row.getByTestId('contact-verify').click();
    await expect(row).toHaveAttribute('data-verified', 'true');
  });

  test('rename, block, unblock', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-contacts').click();
    await driver.expand('contact', 'Alan Turing');
    await driver.id('contact-menu').click();
    await driver.id('contact-rename').click();
    await driver.id('contact-name').fill('Alan T.');
    await driver.id('contact-save').click();
    const row = driver.row('contact', 'Alan T.');
    await row.getByTestId('contact-menu').click();
    await driver.id('contact-block').click();
    await expect(row).toHaveAttribute('data-blocked', 'true');
    await row.getByTestId('contact-menu').click();
    await driver.id('contact-unblock').click();
    await expect(row).toHaveAttribute('data-blocked', 'false');
  });

  test('blocking can be undone', async ({ driver, page }) => {
    await driver.open('home');
    await driver.id('nav-contacts').click();
    const row = await driver.expand('contact', 'Alan Turing');
    await row.getByTestId('contact-menu').click();
    await driver.id('contact-block').click();
    await expect(row).toHaveAttribute('data-blocked', 'true');
    await expect(driver.id('toast')).toContainText('Alan Turing is blocked');
    await driver.id('undo').click();
    await expect(row).toHaveAttribute('data-blocked', 'false');
    await expect(driver.id('toast')).toHaveCount(0);
    expect(await driver.requests('block')).toMatchObject([{ on: true }, { on: false }]);
    await row.getByTestId('contact-menu').click();
    await driver.id('contact-block').click();
    await expect(row).toHaveAttribute('data-blocked', 'true');
    await page.keyboard.press('Control+z');
    await expect(row).toHaveAttribute('data-blocked', 'false');
  });

  test('a changed key is shown', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-contacts').click();
    await expect(driver.row('contact', 'Alan Turing')).toContainText('Verify again: their key changed');
  });

  test('a contact with services or portals cannot be forgotten', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-contacts').click();
    await driver.expand('contact', 'Grace Hopper');
    await driver.id('contact-menu').click();
    await expect(driver.id('contact-rename')).toBeVisible();
    await expect(driver.id('contact-forget')).toHaveCount(0);
  });
});

test.describe('activity', () => {
  test('the audit log is paged', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-activity').click();
    await expect(driver.id('receipt')).toHaveCount(50);
    await driver.id('log-more').click();
    await expect(driver.id('receipt')).toHaveCount(100);
    await driver.id('log-more').click();
    await expect(driver.id('receipt')).toHaveCount(120);
    await expect(driver.id('log-more')).toHaveCount(0);
  });

  test('one chart per service or portal with open connections', async ({ driver }) => {
    await driver.open('busy');
    await driver.id('nav-activity').click();
    await expect(driver.id('live-chart')).toHaveCount(3);
    await expect(driver.id('live-chart').first().getByRole('img')).toHaveAttribute('aria-label', /Traffic of Notebook: .* down, .* up/u);
  });

  test('entries are searched by person, service and event', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-activity').click();
    await expect(driver.id('receipt')).toHaveCount(50);
    const first = (await driver.id('receipt').first().locator('bdi').first().textContent())!;
    await driver.id('activity-search').fill(first.toUpperCase());
    await expect(driver.id('receipt').first()).toContainText(first);
    const found = await driver.id('receipt').count();
    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(50);
    for (const line of await driver.id('receipt').allTextContents()) expect(line).toContain(first);
    await driver.id('activity-search').fill('no such event');
    await expect(driver.id('receipt')).toHaveCount(0);
    await expect(driver.id('activity-none')).toBeVisible();
    // Older entries may have it.
    await expect(driver.id('log-more')).toBeVisible();
  });

  test('new entries appear at the top', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-activity').click();
    await driver.id('receipt').first().waitFor();
    await driver.page.evaluate(() => {
      (window as never as { mock: { change(c: (s: { paused: boolean }) => void): void } }).mock.change(() => {});
    });
    await expect.poll(async () => (await driver.requests('log')).length).toBeGreaterThan(1);
    await expect(driver.id('receipt')).toHaveCount(50);
  });
});
