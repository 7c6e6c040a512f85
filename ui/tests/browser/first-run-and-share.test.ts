// First run, and sharing a service: from the listening port to the invitation link.

import { expect, test } from './driver';

test.describe('first run', () => {
  test('proposes the name of whoever is logged in and has one button', async ({ driver }) => {
    await driver.open('first-run');
    await expect(driver.id('name')).toHaveValue('Ada Lovelace');
    await driver.id('finish').click();
    await expect(driver.id('share-first')).toBeVisible();
    expect(await driver.requests('set-up')).toEqual([
      { request: 'set-up', name: 'Ada Lovelace', hubs: [], this_computer: true },
    ]);
  });

  test('another name and a hub can be chosen', async ({ driver }) => {
    await driver.open('first-run');
    await driver.id('name').fill('Ada');
    // Nothing that opens or is typed moves the button from under the pointer.
    const before = await driver.id('finish').boundingBox();
    await driver.id('first-options').click();
    await driver.id('hub').fill('hub.example.org:4000');
    expect(await driver.id('finish').boundingBox()).toEqual(before);
    await driver.id('finish').click();
    await expect(driver.id('share-first')).toBeVisible();
    expect(await driver.requests('set-up')).toEqual([
      { request: 'set-up', name: 'Ada', hubs: ['hub.example.org:4000'], this_computer: true },
    ]);
  });

  test('a hub is sent as it was typed, and its fault is shown beside it', async ({ driver }) => {
    await driver.open('first-run');
    await driver.id('first-options').click();
    await driver.id('hub').fill('my hub!!');
    await driver.id('finish').click();
    await expect(driver.id('fault')).toHaveAttribute('data-code', 'invalid');
    await expect(driver.id('hub')).toHaveAttribute('aria-invalid', 'true');
    expect((await driver.requests('set-up'))[0]?.hubs).toEqual(['my hub!!']);
  });

  test('started by a link it says so', async ({ driver }) => {
    await driver.open('first-run');
    await expect(driver.id('first-invited')).toHaveCount(0);
    await driver.mock((mock) => mock.navigate({ view: 'invitations' }), null);
    await expect(driver.id('first-invited')).toBeVisible();
    await driver.id('finish').click();
    await expect(driver.id('join-link')).toBeVisible();
  });

  test('a backup is restored instead', async ({ driver }) => {
    await driver.open('first-run');
    await driver.id('restore').click();
    await driver.mock((mock) => mock.chooses('/media/stick'), null);
    await driver.id('restore-choose').click();
    await expect(driver.id('restore-path')).toHaveValue('/media/stick/ada.postern');
    await driver.fail('restore' as never, 'wrong-passphrase', 'The passphrase is wrong. Try again.');
    await driver.id('restore-passphrase').fill('sailfish');
    await driver.id('restore-submit').click();
    await expect(driver.id('fault')).toContainText('The passphrase is wrong');
    await expect(driver.id('restore-passphrase')).toHaveAttribute('aria-invalid', 'true');
    await driver.id('restore-passphrase').fill('swordfish');
    await driver.id('restore-submit').click();
    await expect(driver.row('service', 'Notebook')).toBeVisible();
    expect(await driver.actions('restore')).toMatchObject([
      { file: '/media/stick/ada.postern', passphrase: 'sailfish' },
      { file: '/media/stick/ada.postern', passphrase: 'swordfish' },
    ]);
  });

  test('without a keychain a passphrase protects the key', async ({ driver }) => {
    await driver.open('first-run');
    await expect(driver.id('key-file')).toHaveCount(0);
    await driver.fail('set-up', 'keychain-missing', 'No keychain is running in this session. Start one and try again.');
    await driver.id('finish').click();
    await expect(driver.id('fault')).toContainText('No keychain is running');
    await driver.id('key-passphrase').fill('correct horse');
    await driver.id('key-again').fill('correct house');
    await expect(driver.page.getByText('The passphrases do not match.')).toBeVisible();
    await expect(driver.id('finish')).toBeDisabled();
    await driver.id('key-again').fill('correct horse');
    await driver.id('finish').click();
    await expect(driver.id('share-first')).toBeVisible();
    expect(await driver.actions('use-key-file')).toEqual([{ action: 'use-key-file', passphrase: 'correct horse' }]);
    expect(await driver.requests('set-up')).toHaveLength(2);
  });

  test('a keychain that was started meanwhile is tried again', async ({ driver }) => {
    await driver.open('first-run');
    await driver.fail('set-up', 'keychain-missing', 'No keychain is running in this session. Start one and try again.');
    await driver.id('finish').click();
    await driver.id('key-passphrase').waitFor();
    await driver.id('finish').click();
    await expect(driver.id('share-first')).toBeVisible();
    expect(await driver.actions('use-key-file')).toEqual([]);
  });

  test('works with the keyboard alone', async ({ driver, page }) => {
    await driver.open('first-run');
    await expect(driver.id('name')).toBeFocused();
    await page.keyboard.type('Ada');
    await driver.tabTo('first-options');
    await page.keyboard.press('Enter');
    await driver.tabTo('this-computer');
    await page.keyboard.press('Space');
    await expect(driver.id('this-computer')).toHaveAttribute('aria-checked', 'false');
    await page.keyboard.press('Tab');
    await page.keyboard.type('hub.example.org:4000');
    await page.keyboard.press('Enter');
    await expect(driver.id('share-first')).toBeVisible();
    expect(await driver.requests('set-up')).toMatchObject([{ name: 'Ada', this_computer: false }]);
  });

  test('two clicks from the first start to a link in the clipboard', async ({ driver }) => {
    await driver.open('first-run');
    await driver.id('finish').click();
    await driver.page.locator('[data-testid="share-port"][data-port="3000"]').click();
    await expect(driver.id('copy-link')).toHaveText('Copied');
    const link = await driver.id('link').inputValue();
    expect(link).toMatch(/^postern:\/\/join\//u);
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: link }]);
  });
});

test.describe('share', () => {
  const port = (number: number) => `[data-testid="share-port"][data-port="${number}"]`;

  test('a click on a running program copies a link', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator(port(3000)).click();
    await expect(driver.id('link')).toHaveValue(/^postern:\/\/join\//u);
    await expect(driver.id('copy-link')).toHaveText('Copied');
    const link = await driver.id('link').inputValue();
    expect(await driver.actions('copy')).toEqual([{ action: 'copy', text: link }]);
    expect(await driver.requests('share')).toMatchObject([{ name: 'Dev server', kind: 'http', target: 'localhost:3000' }]);
    expect(await driver.requests('invite')).toMatchObject([{ ask_first: false, to: { to: 'link', note: null } }]);
    await expect(driver.id('qr')).toHaveCount(0);
    await driver.id('show-qr').click();
    await expect(driver.id('qr')).toBeVisible();
    await driver.id('share-done').click();
    await expect(driver.row('service', 'Dev server')).toBeVisible();
  });

  test('the options replace the link', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator(port(3000)).click();
    const first = await driver.id('link').inputValue();
    await driver.id('share-options').click();
    await expect(driver.id('option-name')).toHaveValue('Dev server');
    await driver.id('option-name').fill('Prototype');
    await driver.id('option-note').fill('Edsger');
    await driver.id('terms-span').selectOption('day');
    await driver.id('option-ask').click();
    const before = Date.now();
    await driver.id('option-save').click();
    await expect(driver.id('link')).not.toHaveValue(first);
    await expect(driver.page.getByText('after you approve them')).toBeVisible();
    const invites = await driver.requests('invite');
    expect(invites).toHaveLength(2);
    expect(invites[1]).toMatchObject({ ask_first: true, to: { to: 'link', note: 'Edsger' } });
    expect(Math.abs(invites[1]!.terms.until! - before - 86_400_000)).toBeLessThan(10_000);
    expect(await driver.requests('revoke-invitation')).toHaveLength(1);
    expect(await driver.requests('change-service')).toMatchObject([{ patch: { name: 'Prototype', kind: 'http' } }]);
    const copies = (await driver.actions('copy')) as { text: string }[];
    expect(copies.at(-1)?.text).toBe(await driver.id('link').inputValue());
    await driver.id('share-done').click();
    await expect(driver.row('service', 'Prototype')).toBeVisible();
  });

  test('a program that neither port nor name says more of is asked what it speaks', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator(port(9000)).click();
    await expect(driver.id('link')).toHaveValue(/^postern:/u);
    expect(await driver.requests('protocol')).toEqual([{ request: 'protocol', port: 9000 }]);
    expect(await driver.requests('share')).toMatchObject([{ name: 'Port 9000', kind: 'http' }]);
    // A port that says it, and an address that was typed, are not asked.
    await driver.id('share-done').click();
    await driver.id('share').click();
    await driver.page.locator(port(3000)).click();
    await driver.id('share-done').click();
    await driver.id('share').click();
    await driver.id('share-target').fill('9100');
    await driver.id('share-next').click();
    await driver.id('share-submit').click();
    await driver.id('invite-submit').waitFor();
    expect(await driver.requests('protocol')).toHaveLength(1);
  });

  test('a program that cannot be asked is shared as it is', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.fail('protocol', 'failed', 'The system does not list the ports that are in use.');
    await driver.page.locator(port(9000)).click();
    await expect(driver.id('link')).toHaveValue(/^postern:/u);
    expect(await driver.requests('share')).toMatchObject([{ name: 'Port 9000', kind: 'tcp' }]);
  });

  test('a port that is shared already gets another link, and no second service', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator(port(22)).click();
    await expect(driver.id('link')).toHaveValue(/^postern:/u);
    expect(await driver.requests('share')).toEqual([]);
    expect(await driver.requests('set-service')).toMatchObject([{ service: 'ssh', on: true }]);
    expect(await driver.requests('invite')).toMatchObject([{ service: 'ssh' }]);
  });

  test('a name that another service has gets its port added', async ({ driver }) => {
    await driver.open('home');
    await driver.mock((mock) => mock.change((s) => (s.services[0]!.name = 'Dev server')), null);
    await driver.id('share').click();
    await driver.page.locator(port(3000)).click();
    await expect(driver.id('link')).toHaveValue(/^postern:/u);
    expect(await driver.requests('share')).toMatchObject([{ name: 'Dev server 3000' }]);
  });

  test('a link that could not be copied is not called copied', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.fail('copy' as never, 'failed', 'The clipboard does not answer.');
    await driver.page.locator(port(3000)).click();
    await expect(driver.id('copy-link')).toHaveText('Copy link');
    await driver.id('copy-link').click();
    await expect(driver.id('copy-link')).toHaveText('Copied');
  });

  test('a service that trusts this computer is named before it is shared', async ({ driver }) => {
    await driver.open('home');
    await driver.id('share').click();
    await driver.page.locator(port(6379)).click();
    await expect(driver.id('caution')).toContainText('Redis asks for no password');
    expect(await driver.requests('share')).toEqual([]);
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
    await expect(driver.page.getByText('Margaret Hamilton will see the invitation to SSH in Postern.')).toBeVisible();
    await expect(driver.id('link')).toHaveCount(0);
  });

  test('a web link is offered where a page is set, and always asks first', async ({ driver }) => {
    await driver.open('home');
    const row = await driver.expand('service', 'SSH');
    await row.getByTestId('service-invite').click();
    await expect(driver.id('invite-by-web-link')).toHaveCount(0);
    await driver.mock((mock, page) => mock.change((s) => { s.settings.web_links = page; }), 'https://links.example/join');
    await driver.id('invite-by-web-link').check();
    await expect(driver.page.getByText('whoever runs links.example could read it')).toBeVisible();
    await driver.id('invite-options').click();
    await expect(driver.id('invite-ask')).toBeChecked();
    await expect(driver.id('invite-ask')).toBeDisabled();
    await driver.id('invite-submit').click();
    expect(await driver.requests('invite')).toMatchObject([{ ask_first: true, to: { to: 'web-link', note: null, base: null } }]);
    // What replaces it when its options change leads to the same page.
    await driver.id('share-options').click();
    await expect(driver.id('option-ask')).toHaveCount(0);
    await driver.id('option-save').click();
    await expect(driver.id('link')).toHaveValue(/^https:\/\/links\.example\/join#join\//);
    expect((await driver.requests('invite')).at(-1)).toMatchObject({ ask_first: true, to: { to: 'web-link', base: 'https://links.example/join' } });
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
    await driver.id('share-target').fill('my-nas:8888');
    await driver.id('share-next').click();
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
