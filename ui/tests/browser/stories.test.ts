// Every flow of the window, against the mock.

import { expect, test } from './driver';

test.describe('first run', () => {
  test('takes a name and where to be reached, in two steps', async ({ driver }) => {
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

  test('shows a fault where it was caused', async ({ driver }) => {
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

  test('an address is typed, its name and kind guessed', async ({ driver }) => {
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

  test('a bare port is one of this computer', async ({ driver }) => {
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
    await expect(driver.page.getByText('in their Postern')).toBeVisible();
    await expect(driver.id('link')).toHaveCount(0);
  });

  test('who has access already, or cannot be mailed, is not offered', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'Notebook');
    await row.getByTestId('service-invite').click();
    await expect(driver.id('invite-contact')).toHaveCount(1);
  });

  test('a name that is taken is said beside it', async ({ driver }) => {
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

  test('a failed switch says why and stays', async ({ driver }) => {
    await driver.open('home');
    await driver.fail('set-service', 'storage', 'The disk is full. Make room, then try again.');
    const row = driver.row('service', 'Notebook');
    await row.getByTestId('service-toggle').click();
    await expect(row.getByRole('alert')).toHaveText('The disk is full. Make room, then try again.');
    await expect(row.getByTestId('service-toggle')).toHaveAttribute('aria-checked', 'true');
  });

  test('people show their state; pause and resume one', async ({ driver }) => {
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

  test('access can be given an end', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.row('person', 'Grace Hopper').getByTestId('person-menu').click();
    await driver.id('grant-terms').click();
    await driver.id('terms-span').selectOption('quit');
    await driver.id('terms-save').click();
    await expect(driver.id('terms-dialog')).toHaveCount(0);
    await expect(driver.row('person', 'Grace Hopper')).toContainText('until you quit');
  });

  test('a link is renewed, copied, taken back', async ({ driver }) => {
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

  test('editing sends what was changed', async ({ driver }) => {
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

  test('revoking pauses at once, and revokes after the window', async ({ driver, page }) => {
    await revoke(driver);
    expect(await driver.requests('pause-grant')).toMatchObject([{ on: true }]);
    expect(await driver.requests('revoke-grant')).toEqual([]);
    await expect(driver.row('person', 'Grace Hopper')).toHaveCount(0);
    await expect(page.getByRole('heading', { name: 'Home' })).toBeFocused();
    await page.clock.runFor(8500);
    await expect(driver.id('undo')).toHaveCount(0);
    expect(await driver.requests('revoke-grant')).toHaveLength(1);
  });

  test('undo lets them in again', async ({ driver, page }) => {
    await revoke(driver);
    await driver.id('undo').click();
    await expect(driver.row('person', 'Grace Hopper')).toHaveAttribute('data-state', 'active');
    await page.clock.runFor(20_000);
    expect(await driver.requests('revoke-grant')).toEqual([]);
  });

  test('Ctrl+Z undoes the last', async ({ driver, page }) => {
    await revoke(driver);
    await page.keyboard.press('Control+z');
    await expect(driver.row('person', 'Grace Hopper')).toBeVisible();
  });

  test('pointing at it holds the time', async ({ driver, page }) => {
    await revoke(driver);
    await driver.id('toast').hover();
    await page.clock.runFor(30_000);
    await expect(driver.id('undo')).toBeVisible();
    await page.mouse.move(10, 10);
    await page.clock.runFor(9000);
    await expect(driver.id('undo')).toHaveCount(0);
  });

  test('closing a service switches it off at once, and closes it after the window', async ({ driver, page }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'Orders database');
    await row.getByTestId('service-menu').click();
    await driver.id('service-close').click();
    await expect(driver.row('service', 'Orders database')).toBeHidden();
    expect(await driver.requests('set-service')).toMatchObject([{ on: false }]);
    await page.clock.runFor(8500);
    expect(await driver.requests('close-service')).toHaveLength(1);
  });

  test('when the first step fails nothing leaves', async ({ driver }) => {
    await driver.open('home');
    await driver.expand('service', 'Notebook');
    await driver.fail('pause-grant', 'storage', 'The disk is full.');
    const grace = driver.row('person', 'Grace Hopper');
    await grace.getByTestId('person-menu').click();
    await driver.id('grant-revoke').click();
    await expect(grace.getByRole('alert')).toHaveText('The disk is full.');
    await expect(driver.id('undo')).toHaveCount(0);
  });

  test('when the last step fails it is said, and the row is back', async ({ driver, page }) => {
    await revoke(driver);
    await driver.fail('revoke-grant', 'storage', 'The disk is full.');
    await page.clock.runFor(8500);
    await expect(driver.id('toast')).toContainText('The disk is full.');
    await expect(driver.row('person', 'Grace Hopper')).toHaveAttribute('data-state', 'paused');
  });

  test('hiding the window carries it out', async ({ driver, page }) => {
    await revoke(driver);
    await page.evaluate(() => window.dispatchEvent(new Event('pagehide')));
    await expect.poll(() => driver.requests('revoke-grant')).toHaveLength(1);
  });
});

test.describe('shared with me', () => {
  test('is grouped by person, with address, path and round trip', async ({ driver, page }) => {
    await driver.open('home');
    await expect(page.getByRole('list', { name: 'Shared by Grace Hopper' }).getByTestId('inlet')).toHaveCount(2);
    const row = await driver.expand('inlet', 'Staging site');
    await expect(row).toContainText('Direct to 192.168.1.23:41311');
    await expect(row).toContainText('2 ms');
    await row.getByTestId('inlet-copy').click();
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: '127.0.0.1:3000' }]);
    await row.getByTestId('inlet-browse').click();
    expect(await driver.actions('open-url')).toEqual([{ action: 'open-url', url: 'http://127.0.0.1:3000/' }]);
  });

  test('switch on and off', async ({ driver }) => {
    await driver.open('home');
    const row = driver.row('inlet', 'Bombe');
    await row.getByTestId('inlet-toggle').click();
    await expect(row).toHaveAttribute('data-state', 'up');
    await row.getByTestId('inlet-toggle').click();
    await expect(row).toHaveAttribute('data-state', 'off');
  });

  test('says why it is not up, for every reason', async ({ driver }) => {
    await driver.open('owner-down');
    const down = driver.page.locator('[data-testid="inlet"][data-state="down"]');
    await expect(down).toHaveCount(17);
    for (const row of await down.all()) await expect(row.getByTestId('fault')).toBeVisible();
    await driver.page.locator('[data-testid="inlet"] [data-code="owner-offline"]').getByRole('button', { name: 'Try again' }).click();
    expect(await driver.requests('retry')).toHaveLength(1);
    await driver.page.getByRole('button', { name: 'Choose another port' }).click();
    await expect(driver.id('inlet-port')).toHaveValue('7007');
  });

  test('a port that is taken is said in the dialog', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('inlet', 'Metrics');
    await row.getByTestId('inlet-menu').click();
    await driver.id('inlet-edit').click();
    await driver.id('inlet-port').fill('3000');
    await driver.id('inlet-save').click();
    await expect(driver.id('inlet-dialog').getByTestId('fault')).toHaveAttribute('data-code', 'port-taken');
    await driver.id('inlet-port').fill('9191');
    await driver.id('inlet-save').click();
    await expect(driver.row('inlet', 'Metrics')).toContainText('127.0.0.1:9191');
  });

  test('removing can be undone', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('inlet', 'Metrics');
    await row.getByTestId('inlet-menu').click();
    await driver.id('inlet-remove').click();
    await expect(driver.row('inlet', 'Metrics')).toBeHidden();
    await driver.id('undo').click();
    await expect(driver.row('inlet', 'Metrics')).toHaveAttribute('data-state', 'up');
  });
});

test.describe('invitations', () => {
  test('accept on another port', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-invitations').click();
    const card = driver.id('invitation').filter({ hasText: 'Test cluster' });
    await expect(card).toContainText('tundra pepper silver gate');
    await card.getByTestId('invitation-port').fill('3000');
    await card.getByTestId('accept').click();
    await expect(card.getByTestId('fault')).toHaveAttribute('data-code', 'port-taken');
    await card.getByTestId('invitation-port').fill('9443');
    await card.getByTestId('accept').click();
    await expect(card).toHaveCount(0);
    await driver.id('nav-home').click();
    await expect(driver.row('inlet', 'Test cluster')).toContainText('127.0.0.1:9443');
  });

  test('decline can be undone', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-invitations').click();
    const card = driver.id('invitation').filter({ hasText: 'Test cluster' });
    await card.getByTestId('decline').click();
    await expect(card).toHaveCount(0);
    await driver.id('undo').click();
    await expect(card).toBeVisible();
  });

  test('one that waits says for what, one that is over says why', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-invitations').click();
    await expect(driver.id('invitation').filter({ hasText: 'Compiler logs' }).getByTestId('fault')).toHaveAttribute('data-code', 'owner-offline');
    await expect(driver.id('invitation').filter({ hasText: 'Old notes' }).getByTestId('fault')).toHaveAttribute('data-code', 'ticket-used');
  });

  for (const [answer, label] of [['once', 'Allow once'], ['always', 'Always'], ['deny', 'Deny']] as const) {
    test(`a knock is answered: ${answer}`, async ({ driver, page }) => {
      await driver.open('attention');
      await page.getByRole('button', { name: label, exact: true }).click();
      await expect(driver.id('knock')).toHaveCount(0);
      expect(await driver.requests('answer-knock')).toMatchObject([{ invitation: 'sent-1', answer }]);
    });
  }

  test('a pasted link is shown, never accepted by itself', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('join-link').fill('postern://join/AQECxyz123');
    await driver.id('join-open').click();
    await expect(driver.id('invitation')).toContainText('Hedy Lamarr');
    expect(await driver.requests('accept')).toEqual([]);
  });

  test('a bad link is said beside the field', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('join-link').fill('https://example.org');
    await driver.id('join-open').click();
    await expect(driver.id('fault')).toHaveAttribute('data-code', 'bad-ticket');
  });

  test('the shell leads to one', async ({ driver, page }) => {
    await driver.open('attention');
    await page.evaluate(() => (window as never as { mock: { navigate(to: object): void } }).mock.navigate({ view: 'invitations', invitation: 'received-1' }));
    await expect(page.locator('[data-testid="invitation"][data-id="received-1"]')).toBeInViewport();
    await expect(page.getByRole('heading', { name: 'Invitations' })).toBeFocused();
  });

  test('the shell says why a link cannot be shown, once', async ({ driver, page }) => {
    await driver.open('home');
    const fault = { code: 'bad-ticket', message: 'This is not an invitation. Ask for the link again.' } as const;
    // As the controller does: the view first, then what became of the link.
    await driver.mock((mock) => mock.navigate({ view: 'invitations' }), null);
    await driver.mock((mock, why) => mock.navigate({ view: 'invitations', fault: why }), fault);
    await expect(page.getByRole('alert')).toHaveText(fault.message);
    await driver.mock((mock) => mock.navigate({ view: 'invitations', invitation: 'received-1' }), null);
    await expect(driver.id('fault')).toHaveCount(0);
    await driver.mock((mock, why) => mock.navigate({ view: 'invitations', fault: why }), fault);
    await driver.id('nav-settings').click();
    await expect(page.getByText(fault.message)).toHaveCount(0);
    await page.keyboard.press('Escape');
    await expect(driver.id('join-link')).toBeVisible();
    await expect(page.getByText(fault.message)).toHaveCount(0);
  });
});

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

  test('a changed key is never silent', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-contacts').click();
    await expect(driver.row('contact', 'Alan Turing')).toContainText('Their key is not the one you verified');
  });

  test('only who has nothing can be forgotten', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-contacts').click();
    await driver.expand('contact', 'Grace Hopper');
    await driver.id('contact-menu').click();
    await expect(driver.id('contact-rename')).toBeVisible();
    await expect(driver.id('contact-forget')).toHaveCount(0);
  });
});

test.describe('activity', () => {
  test('receipts come in pages', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-activity').click();
    await expect(driver.id('receipt')).toHaveCount(50);
    await driver.id('log-more').click();
    await expect(driver.id('receipt')).toHaveCount(100);
    await driver.id('log-more').click();
    await expect(driver.id('receipt')).toHaveCount(120);
    await expect(driver.id('log-more')).toHaveCount(0);
  });

  test('a chart per portal that is used now', async ({ driver }) => {
    await driver.open('busy');
    await driver.id('nav-activity').click();
    await expect(driver.id('live-chart')).toHaveCount(3);
    await expect(driver.id('live-chart').first().getByRole('img')).toHaveAttribute('aria-label', /Traffic of Notebook: .* down, .* up/u);
  });

  test('what happens meanwhile appears on top', async ({ driver }) => {
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

test.describe('settings', () => {
  test('what has the focus is not under the heading', async ({ driver, page }) => {
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

  test('the shell is asked for autostart and notifications', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('autostart').click();
    await expect(driver.id('autostart')).toHaveAttribute('aria-checked', 'false');
    await driver.id('notifications').click();
    await expect(driver.id('notifications')).toHaveAttribute('aria-checked', 'false');
  });

  test('name, retention, this computer', async ({ driver }) => {
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
    await expect(driver.id('toast')).toContainText('Backup written');
  });

  test('the system asks where a backup is written', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await driver.id('backup').click();
    const typed = await driver.id('backup-path').inputValue();
    // They changed their mind: what was there stays.
    await driver.id('backup-choose').click();
    await expect(driver.id('backup-choose')).toBeEnabled();
    await expect(driver.id('backup-path')).toHaveValue(typed);
    await driver.mock((mock) => mock.chooses('/media/stick'), null);
    await driver.id('backup-choose').click();
    await expect(driver.id('backup-path')).toHaveValue(/^\/media\/stick\/backup-.*\.postern$/u);
    await driver.mock((mock) => mock.chooses({ code: 'invalid', message: 'Choose another.' }), null);
    await driver.id('backup-choose').click();
    await expect(driver.id('backup-dialog').getByTestId('fault')).toHaveText('Choose another.');
    // And it can still be typed.
    await driver.id('backup-path').fill('/home/ada/mine.postern');
    await driver.id('backup-passphrase').fill('correct horse');
    await driver.id('backup-again').fill('correct horse');
    await driver.id('backup-save').click();
    await expect(driver.id('toast')).toContainText('Backup written');
    expect(await driver.requests('backup')).toMatchObject([{ path: '/home/ada/mine.postern' }]);
  });

  test('checkup, diagnostics, log, quit', async ({ driver }) => {
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
});

test.describe('states', () => {
  test('pause everything and resume', async ({ driver }) => {
    await driver.open('home');
    await driver.id('pause-all').click();
    await expect(driver.id('paused')).toBeVisible();
    await expect(driver.id('status')).toHaveAttribute('data-status', 'paused');
    await driver.id('resume').click();
    await expect(driver.id('paused')).toHaveCount(0);
  });

  test('offline says which hub and since when', async ({ driver }) => {
    await driver.open('offline');
    await expect(driver.id('status')).toHaveText('Offline');
    await expect(driver.id('fault').first()).toContainText('Since 8 min ago');
  });

  test('a locked keychain says what to do, and trying again goes on', async ({ driver, page }) => {
    await driver.open('keychain-locked');
    await expect(page.getByRole('heading')).toHaveText('Your keychain is locked');
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'fault');
    await driver.id('retry-start').click();
    await expect(driver.row('service', 'Notebook')).toBeVisible();
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
  });

  test('an engine that ends is not shown as if it ran, and comes back', async ({ driver, page }) => {
    await driver.open('home');
    await driver.mock((mock) => mock.engine({ code: 'stopped', message: 'Postern’s engine has ended. Try again.' }), null);
    await expect(driver.id('no-engine')).toContainText('engine has ended');
    await expect(driver.id('service')).toHaveCount(0);
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'fault');
    // Started again from the tray.
    await driver.mock((mock) => mock.engine(null), null);
    await expect(driver.row('service', 'Notebook')).toBeVisible();
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
  });

  test('while there is no snapshot nothing is claimed', async ({ driver, page }) => {
    await driver.open('loading');
    await expect(driver.id('loading')).toBeVisible();
    await expect(page.locator('body')).not.toHaveAttribute('data-ready');
  });

  test('Esc goes back, and at home hides', async ({ driver, page }) => {
    await driver.open('home');
    await driver.id('nav-settings').click();
    await page.keyboard.press('Escape');
    await expect(driver.id('share')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect.poll(() => driver.actions('hide')).toHaveLength(1);
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

  test('a notice is spoken', async ({ driver, page }) => {
    await driver.open('home');
    await page.evaluate(() =>
      (window as never as { mock: { notice(n: object): void } }).mock.notice({ notice: 'joined', service: 'notebook', from: 'Edsger', name: 'Notebook' }),
    );
    await expect(driver.id('spoken')).toHaveText('Edsger joined Notebook');
    await expect(driver.id('toast')).toContainText('Edsger joined Notebook');
  });

  test('the popover can be pinned where it hides by itself', async ({ driver }) => {
    await driver.open('macos');
    await driver.id('pin').click();
    await expect(driver.id('pin')).toHaveAttribute('aria-pressed', 'true');
    expect(await driver.actions('pin')).toEqual([{ action: 'pin', on: true }]);
    await driver.open('home');
    await expect(driver.id('pin')).toHaveCount(0);
  });
});
