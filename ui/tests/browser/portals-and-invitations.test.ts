// Portals to services of others, invitations, and access requests.

import { expect, test } from './driver';

test.describe('shared with me', () => {
  test('is grouped by person, with address, connection and round-trip time', async ({ driver, page }) => {
    await driver.open('home');
    await expect(page.getByRole('list', { name: 'Shared by Grace Hopper' }).getByTestId('inlet')).toHaveCount(2);
    const row = await driver.expand('inlet', 'Staging site');
    await expect(row).toContainText('Direct to 192.168.1.23:41311');
    await expect(row).toContainText('2 ms');
    await row.getByTestId('inlet-copy').click();
    const url = 'http://staging-site.grace-hopper.localhost:3000/';
    await row.getByTestId('inlet-copy-address').click();
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: url }, { action: 'copy', text: '127.0.0.1:3000' }]);
    await row.getByTestId('inlet-browse').click();
    expect(await driver.actions('open-url')).toEqual([{ action: 'open-url', url }]);
  });

  test('the browser check of a web portal is switched off and on', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('inlet', 'Staging site');
    await expect(row).toContainText('Other websites cannot send requests to it');
    await row.getByTestId('inlet-check').click();
    await expect(row).toContainText('any website you visit can send requests to it');
    await expect(row.getByTestId('inlet-copy')).toContainText('localhost:3000');
    await row.getByTestId('inlet-copy').click();
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: 'http://localhost:3000/' }]);
    await row.getByTestId('inlet-browse').click();
    expect(await driver.actions('open-url')).toEqual([{ action: 'open-url', url: 'http://localhost:3000/' }]);
    await row.getByTestId('inlet-check').click();
    await expect(row.getByTestId('inlet-copy')).toContainText('staging-site.grace-hopper.localhost:3000');
    expect(await driver.requests('set-inlet-check')).toHaveLength(2);
  });

  test('switch on and off', async ({ driver }) => {
    await driver.open('home');
    const row = driver.row('inlet', 'Bombe');
    await row.getByTestId('inlet-toggle').click();
    await expect(row).toHaveAttribute('data-state', 'up');
    await row.getByTestId('inlet-toggle').click();
    await expect(row).toHaveAttribute('data-state', 'off');
  });

  test('shows the fault of a portal that is down, for every code', async ({ driver }) => {
    await driver.open('owner-down');
    const down = driver.page.locator('[data-testid="inlet"][data-state="down"]');
    await expect(down).toHaveCount(17);
    for (const row of await down.all()) await expect(row.getByTestId('fault')).toBeVisible();
    await driver.page.locator('[data-testid="inlet"] [data-code="owner-offline"]').getByRole('button', { name: 'Try again' }).click();
    expect(await driver.requests('retry')).toHaveLength(1);
    for (const end of ['revoked', 'expired', 'service-closed', 'blocked', 'denied']) {
      await expect(driver.page.locator(`[data-testid="inlet"][data-id="down-${end}"]`).getByTestId('inlet-toggle')).toHaveCount(0);
    }
  });

  test('a taken port is replaced by a free one with one button', async ({ driver }) => {
    await driver.open('owner-down');
    const row = driver.page.locator('[data-testid="inlet"][data-id="down-port-taken"]');
    // The next one is used by another portal.
    await driver.mock((mock) => mock.change((s) => s.inlets.forEach((i) => i.id === 'down-port-taken' && (i.port = 5432))), null);
    await row.getByRole('button', { name: 'Use 5433' }).click();
    await expect(row).toHaveAttribute('data-state', 'up');
    expect(await driver.requests('change-inlet')).toEqual([{ request: 'change-inlet', inlet: 'down-port-taken', name: null, port: 5433 }]);
  });

  test('paused, revoked, expired, blocked and down are five states', async ({ driver }) => {
    await driver.open('owner-down');
    const texts = { 'paused-by-owner': 'Paused by owner', revoked: 'Access ended', expired: 'Access expired', blocked: 'Blocked', 'service-down': 'Not responding' };
    for (const [code, text] of Object.entries(texts)) {
      await expect(driver.page.locator(`[data-testid="inlet"][data-id="down-${code}"] .state`)).toHaveText(text);
    }
  });

  test('a portal whose access has ended can only be removed, and is not counted', async ({ driver }) => {
    await driver.open('home');
    await driver.id('nav-contacts').click();
    await expect(driver.row('contact', 'Grace Hopper')).toContainText('shares 2 with you');
    await driver.mock(
      (mock) => mock.change((s) => (s.inlets[0]!.link = { state: 'down', fault: { code: 'revoked', message: 'Grace ended your access.' }, since: 1 })),
      null,
    );
    await expect(driver.row('contact', 'Grace Hopper')).toContainText('shares 1 with you');
    await driver.id('nav-home').click();
    const row = driver.row('inlet', 'Staging site');
    await expect(row.getByTestId('inlet-toggle')).toHaveCount(0);
    await row.getByTestId('inlet-dismiss').click();
    await expect(row).toBeHidden();
    await expect(driver.id('undo')).toBeVisible();
  });

  test('a port in use is reported in the dialog', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('inlet', 'Metrics');
    await row.getByTestId('inlet-menu').click();
    await driver.id('inlet-edit').click();
    await driver.id('inlet-port').fill('3000');
    await driver.id('inlet-save').click();
    await expect(driver.id('inlet-dialog').getByTestId('fault')).toHaveAttribute('data-code', 'port-taken');
    await driver.id('inlet-port').fill('9191');
    await driver.id('inlet-save').click();
    await expect(driver.row('inlet', 'Metrics')).toContainText('metrics.grace-hopper.localhost:9191');
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
    const joined = driver.id('joined');
    await expect(joined).toContainText('You’re in');
    await expect(joined).toContainText('test-cluster.barbara-liskov.localhost:9443');
    await driver.id('nav-home').click();
    await expect(driver.row('inlet', 'Test cluster')).toContainText('test-cluster.barbara-liskov.localhost:9443');
  });

  test('accepting leads to the address, to open and to copy', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('join-link').fill('postern://join/AQECxyz123');
    await driver.id('join-open').click();
    await driver.id('accept').click();
    const joined = driver.id('joined');
    await expect(joined).toHaveAttribute('data-state', 'up');
    await expect(joined.getByRole('heading')).toHaveText('You’re in');
    await expect(joined.getByTestId('joined-address')).toHaveText('torpedo-plans.hedy-lamarr.localhost:8042');
    await expect(driver.id('invitation')).toHaveCount(0);
    await expect(driver.page.getByText('No open invitations')).toHaveCount(0);
    const url = 'http://torpedo-plans.hedy-lamarr.localhost:8042/';
    await joined.getByTestId('joined-open').click();
    expect(await driver.actions('open-url')).toEqual([{ action: 'open-url', url }]);
    await joined.getByTestId('joined-copy').click();
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: url }]);
    await joined.getByTestId('joined-done').click();
    await expect(driver.row('inlet', 'Torpedo plans')).toBeVisible();
    // Seen once.
    await driver.id('nav-invitations').click();
    await expect(joined).toHaveCount(0);
  });

  test('the port that is proposed is free', async ({ driver }) => {
    await driver.open('attention');
    await driver.mock((mock) => mock.change((s) => (s.invitations[0]!.port = 5432)), null);
    await driver.id('nav-invitations').click();
    const card = driver.id('invitation').filter({ hasText: 'Test cluster' });
    await expect(card.getByTestId('invitation-port')).toHaveValue('5434');
    await expect(card).toContainText('Port 5432 is in use on this computer.');
    await card.getByTestId('accept').click();
    await expect(driver.id('joined')).toContainText('localhost:5434');
    expect(await driver.requests('accept')).toMatchObject([{ port: 5434 }]);
  });

  test('a click before the free port is known does not take one in use', async ({ driver }) => {
    await driver.open('attention');
    await driver.mock((mock) => mock.change((s) => (s.invitations[0]!.port = 5432)), null);
    await driver.page.evaluate(async () => {
      const find = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
      find('nav-invitations')!.click();
      while (!find('accept')) await new Promise(requestAnimationFrame);
      find('accept')!.click();
    });
    await expect.poll(() => driver.requests('accept')).toMatchObject([{ port: 5434 }]);
  });

  test('a port that was taken since is replaced with one button, and the portal is up', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-invitations').click();
    const card = driver.id('invitation').filter({ hasText: 'Test cluster' });
    await card.getByTestId('invitation-port').fill('3000');
    await card.getByTestId('accept').click();
    await card.getByRole('button', { name: 'Use 3001' }).click();
    await expect(driver.id('joined')).toContainText('localhost:3001');
    expect((await driver.requests('accept')).map((r) => r.port)).toEqual([3000, 3001]);
  });

  test('a portal whose port another program took is moved from its card', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-invitations').click();
    const card = driver.id('invitation').filter({ hasText: 'Test cluster' });
    // Of another program, which the engine finds out when it listens.
    await card.getByTestId('invitation-port').fill('6379');
    await card.getByTestId('accept').click();
    await expect(driver.id('joined')).toHaveAttribute('data-state', 'down');
    await expect(driver.id('joined').getByTestId('joined-open')).toBeDisabled();
    await driver.id('joined').getByRole('button', { name: 'Use 6380' }).click();
    await expect(driver.id('joined')).toHaveAttribute('data-state', 'up');
    await expect(driver.id('joined')).toContainText('localhost:6380');
  });

  test('a second invitation to the same service keeps its port', async ({ driver }) => {
    await driver.open('attention');
    await driver.mock(
      (mock) => mock.change((s) => Object.assign(s.invitations[0]!, { owner: s.inlets[0]!.owner, service_name: 'Staging site', port: 3001 })),
      null,
    );
    await driver.id('nav-invitations').click();
    const card = driver.page.locator('[data-testid="invitation"][data-id="received-1"]');
    await expect(card.getByTestId('invitation-known')).toContainText('staging-site.grace-hopper.localhost:3000');
    await expect(card.getByTestId('invitation-port')).toHaveCount(0);
    await card.getByTestId('accept').click();
    await expect.poll(() => driver.requests('accept')).toMatchObject([{ port: null }]);
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

  test('a waiting and a closed invitation show their fault', async ({ driver }) => {
    await driver.open('attention');
    await driver.id('nav-invitations').click();
    await expect(driver.id('invitation').filter({ hasText: 'Compiler logs' }).getByTestId('fault')).toHaveAttribute('data-code', 'owner-offline');
    await expect(driver.id('invitation').filter({ hasText: 'Old notes' }).getByTestId('fault')).toHaveAttribute('data-code', 'ticket-used');
  });

  for (const [answer, label] of [['once', 'Allow once'], ['deny', 'Deny']] as const) {
    test(`a knock is answered: ${answer}`, async ({ driver, page }) => {
      await driver.open('attention');
      await page.getByRole('button', { name: label, exact: true }).click();
      await expect(driver.id('knock')).toHaveCount(0);
      expect(await driver.requests('answer-knock')).toMatchObject([{ invitation: 'sent-1', answer }]);
    });
  }

  test('somebody unverified is allowed for good only after the words were compared', async ({ driver }) => {
    await driver.open('attention');
    const card = driver.id('knock');
    await expect(card.getByTestId('knock-always')).toHaveCount(0);
    await card.getByTestId('knock-compare').click();
    await expect(card).toContainText('Compare the words in a call first');
    await card.getByTestId('knock-back').click();
    expect(await driver.requests('answer-knock')).toEqual([]);
    await card.getByTestId('knock-compare').click();
    await card.getByTestId('knock-words-match').click();
    await expect(card).toHaveCount(0);
    expect(await driver.requests('answer-knock')).toMatchObject([{ invitation: 'sent-1', answer: 'always' }]);
    const words = 'violet harbor comet fern garden lunch motion quiet';
    expect(await driver.requests('verify')).toMatchObject([{ verified: true, words }]);
  });

  test('both sides see the words while a request waits', async ({ driver }) => {
    await driver.open('attention');
    const fault = { code: 'asked', message: 'Waiting for Grace to let you in.' } as const;
    await driver.mock((mock, why) => mock.change((s) => (s.invitations[1]!.state = { state: 'accepting', fault: why })), fault);
    // At home too, where the user looks first.
    const waiting = driver.id('invitation').filter({ hasText: 'Compiler logs' });
    await expect(waiting.getByTestId('own-words')).toContainText('orbit maple signal dawn');
    await expect(driver.id('knock')).toContainText('Their Postern shows them the same words');
    await expect(driver.id('knock')).toContainText('“Allow once” ends when you quit Postern.');
  });

  test('a pasted link is shown but not accepted', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('join-link').fill('postern://join/AQECxyz123');
    await driver.id('join-open').click();
    await expect(driver.id('invitation')).toContainText('Hedy Lamarr');
    expect(await driver.requests('accept')).toEqual([]);
  });

  test('an invalid link is reported beside the field', async ({ driver }) => {
    await driver.open('empty');
    await driver.id('join-link').fill('https://example.org');
    await driver.id('join-open').click();
    await expect(driver.id('fault')).toHaveAttribute('data-code', 'bad-ticket');
  });

  test('the shell navigates to an invitation', async ({ driver, page }) => {
    await driver.open('attention');
    await page.evaluate(() => (window as never as { mock: { navigate(to: object): void } }).mock.navigate({ view: 'invitations', invitation: 'received-1' }));
    await expect(page.locator('[data-testid="invitation"][data-id="received-1"]')).toBeInViewport();
    await expect(page.getByRole('heading', { name: 'Invitations' })).toBeFocused();
  });

  test('the fault of a link is shown once', async ({ driver, page }) => {
    await driver.open('home');
    const fault = { code: 'bad-ticket', message: 'This is not an invitation. Ask for the link again.' } as const;
    // As the controller does: the view first, then the result of the link.
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
