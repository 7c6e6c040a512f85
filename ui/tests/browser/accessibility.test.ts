// Every view: accessibility, no horizontal overflow, untrusted text, performance with very many objects.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { type Driver, expect, test } from './driver';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

type View = { name: string; fixture: string; open?: (driver: Driver) => Promise<unknown> };

const nav = (view: string) => (driver: Driver) => driver.id(`nav-${view}`).click();

const VIEWS: View[] = [
  { name: 'first run', fixture: 'first-run' },
  {
    name: 'first run, options',
    fixture: 'first-run',
    open: async (driver) => {
      await driver.id('first-options').click();
      await driver.id('hub').waitFor();
    },
  },
  { name: 'empty', fixture: 'empty' },
  { name: 'home', fixture: 'home', open: (driver) => driver.expand('service', 'Notebook') },
  { name: 'busy', fixture: 'busy', open: (driver) => driver.expand('inlet', 'Staging site') },
  { name: 'attention', fixture: 'attention' },
  { name: 'offline', fixture: 'offline' },
  { name: 'paused', fixture: 'paused' },
  { name: 'owner down', fixture: 'owner-down' },
  { name: 'strange names', fixture: 'strange' },
  { name: 'five hundred, searched', fixture: 'five-hundred', open: (driver) => driver.id('search').fill('49') },
  { name: 'keychain locked', fixture: 'keychain-locked' },
  { name: 'restore', fixture: 'first-run', open: (driver) => driver.id('restore').click() },
  { name: 'key file', fixture: 'key-file' },
  { name: 'shortcuts', fixture: 'home', open: (driver) => driver.page.keyboard.press('?') },
  {
    name: 'first run without a keychain',
    fixture: 'first-run',
    open: async (driver) => {
      await driver.fail('set-up', 'keychain-missing', 'No keychain is running in this session. Start one (gnome-keyring, KWallet or KeePassXC) and try again.');
      await driver.id('finish').click();
      await driver.id('key-passphrase').waitFor();
    },
  },
  { name: 'loading', fixture: 'loading' },
  {
    name: 'menu',
    fixture: 'home',
    open: async (driver) => {
      await driver.expand('service', 'Notebook');
      await driver.id('person-menu').first().click();
    },
  },
  {
    name: 'terms',
    fixture: 'home',
    open: async (driver) => {
      await driver.expand('service', 'Notebook');
      await driver.id('person-menu').first().click();
      await driver.id('grant-terms').click();
    },
  },
  {
    name: 'undo',
    fixture: 'home',
    open: async (driver) => {
      await driver.expand('service', 'Notebook');
      await driver.id('person-menu').first().click();
      await driver.id('grant-revoke').click();
      await driver.id('undo').waitFor();
    },
  },
  { name: 'invitations', fixture: 'attention', open: nav('invitations') },
  { name: 'invitations, empty', fixture: 'empty', open: nav('invitations') },
  { name: 'invitations, strange', fixture: 'strange', open: nav('invitations') },
  {
    name: 'share, pick',
    fixture: 'home',
    open: async (driver) => {
      await driver.id('share').click();
      await driver.id('share-port').first().waitFor();
    },
  },
  {
    name: 'share, name',
    fixture: 'home',
    open: async (driver) => {
      await driver.id('share').click();
      await driver.id('share-target').fill('localhost:3000');
      await driver.id('share-next').click();
    },
  },
  {
    name: 'share, invite',
    fixture: 'strange',
    open: async (driver) => {
      await driver.id('service-open').first().click();
      await driver.id('service-invite').click();
    },
  },
  {
    name: 'share, link',
    fixture: 'home',
    open: async (driver) => {
      await driver.expand('service', 'SSH');
      await driver.id('service-invite').click();
      await driver.id('invite-submit').click();
      await driver.id('show-qr').click();
      await driver.id('qr').waitFor();
      await driver.id('share-options').click();
      await driver.id('option-save').waitFor();
    },
  },
  {
    name: 'joined',
    fixture: 'attention',
    open: async (driver) => {
      await driver.id('nav-invitations').click();
      await driver.id('accept').click();
      await driver.id('joined').waitFor();
    },
  },
  {
    name: 'contacts',
    fixture: 'attention',
    open: async (driver) => {
      await driver.id('nav-contacts').click();
      await driver.expand('contact', 'Katherine Johnson');
    },
  },
  { name: 'contacts, strange', fixture: 'strange', open: nav('contacts') },
  { name: 'activity', fixture: 'busy', open: async (driver) => { await driver.id('nav-activity').click(); await driver.id('receipt').first().waitFor(); } },
  { name: 'activity, strange', fixture: 'strange', open: async (driver) => { await driver.id('nav-activity').click(); await driver.id('receipt').first().waitFor(); } },
  { name: 'settings', fixture: 'offline', open: async (driver) => { await driver.id('nav-settings').click(); await driver.id('doctor').click(); await driver.id('finding').first().waitFor(); } },
  { name: 'backup', fixture: 'home', open: async (driver) => { await driver.id('nav-settings').click(); await driver.id('backup').click(); } },
];

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(`accessible, ${colorScheme}`, () => {
    test.use({ colorScheme });
    for (const { name, fixture, open } of VIEWS) {
      test(name, async ({ driver, page }) => {
        await driver.open(fixture);
        await open?.(driver);
        await page.evaluate(AXE);
        const results = await page.evaluate(
          () => (window as never as { axe: { run(): Promise<AxeResults> } }).axe.run(),
        );
        expect(results.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html} ${n.failureSummary}`).join('\n')}`)).toEqual([]);
        expect(await runTogether(page), 'parts of a name have a space between them').toEqual([]);
      });
    }
  });
}

/** Names of controls in which what is shown apart is read as one word. */
async function runTogether(page: import('@playwright/test').Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  const names = nodes.filter((node) => ['button', 'link', 'radio'].includes(node.role?.value)).map((node) => String(node.name?.value ?? ''));
  const neighbours = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('button, a, label')].flatMap((control) => {
      const parts = control.innerText.split('\n').map((part) => part.trim()).filter((part) => /\w/u.test(part));
      return parts.slice(1).map((part, i) => [parts[i]!, part] as const);
    }),
  );
  const joined = new Set(neighbours.filter(([, next]) => /^\w/u.test(next)).map(([part, next]) => part + next));
  return names.filter((name) => [...joined].some((words) => name.includes(words)));
}

test.describe('no horizontal overflow', () => {
  for (const { name, fixture, open } of VIEWS) {
    test(name, async ({ driver, page }) => {
      await driver.open(fixture);
      await open?.(driver);
      // 360 px: the smallest window; 190 px: 380 px at 200 %; 450 px: 900 px at 200 %.
      for (const width of [360, 190, 450, 900]) {
        await page.setViewportSize({ width, height: 640 });
        expect(await overflowing(page), `at ${width} px`).toEqual([]);
      }
      // A text size of 200 %.
      await page.setViewportSize({ width: 380, height: 640 });
      await page.evaluate(() => (document.documentElement.style.fontSize = '162.5%'));
      expect(await overflowing(page), 'with large text').toEqual([]);
    });
  }
});

/** Visible elements that overflow horizontally. */
function overflowing(page: import('@playwright/test').Page): Promise<string[]> {
  return page.evaluate(() => {
    const wide: string[] = [];
    if (document.documentElement.scrollWidth > innerWidth) wide.push('document');
    for (const element of document.querySelectorAll('main, dialog, .card, form')) {
      if (element.scrollWidth > element.clientWidth + 1) wide.push(`${element.tagName}.${element.className} ${element.scrollWidth} > ${element.clientWidth}`);
    }
    return wide;
  });
}

test.describe('untrusted text', () => {
  for (const view of ['home', 'invitations', 'contacts', 'activity']) {
    test(`names are text on ${view}`, async ({ driver, page }) => {
      await driver.open('strange');
      if (view !== 'home') await driver.id(`nav-${view}`).click();
      else await driver.id('service-open').nth(5).click();
      await expect(page.getByText('<img src=x', { exact: false }).first()).toBeAttached();
      expect(await page.title()).toBe('Postern');
      expect(await page.locator('main img, main b, main script').count()).toBe(0);
    });
  }

  test('notices and faults are text', async ({ driver, page }) => {
    await driver.open('home');
    await page.evaluate(() =>
      (window as never as { mock: { notice(n: object): void } }).mock.notice({ notice: 'joined', service: 'x', from: '<img src=x onerror="document.title=1">', name: '<b>x</b>' }),
    );
    await expect(driver.id('toast')).toContainText('<img src=x');
    await driver.fail('set-service', 'failed', '<b>no</b>');
    await driver.id('service-toggle').first().click();
    await expect(driver.id('fault')).toContainText('<b>no</b>');
    expect(await page.locator('img, b').count()).toBe(0);
  });

  test('long names do not push controls out', async ({ driver, page }) => {
    await driver.open('strange');
    for (const toggle of await driver.id('service-toggle').all()) {
      const box = await toggle.boundingBox();
      expect(box!.x + box!.width).toBeLessThan(380);
    }
    expect(await page.evaluate(() => document.querySelector('main')!.scrollWidth <= document.querySelector('main')!.clientWidth)).toBe(true);
  });
});

test.describe('five hundred services and portals', () => {
  test('are listed, searched and switched', async ({ driver, page }) => {
    await driver.open('five-hundred');
    await expect(driver.id('service')).toHaveCount(500);
    await expect(driver.id('inlet')).toHaveCount(500);
    await page.keyboard.press('Control+f');
    await page.keyboard.type('localhost:10416');
    await expect(driver.id('service')).toHaveCount(1);
    await driver.id('service-toggle').click();
    await expect(driver.id('service')).toHaveAttribute('data-on', 'false');
  });

  test('only the changed row is rendered again', async ({ driver, page }) => {
    await driver.open('five-hundred');
    const changed = await page.evaluate(async () => {
      const mock = (window as never as { mock: { change(c: (s: { services: { name: string }[] }) => void): void } }).mock;
      const rows = new Set<unknown>();
      const observer = new MutationObserver((records) => {
        for (const { target } of records) {
          const element = target instanceof Element ? target : target.parentElement;
          rows.add(element?.closest('[data-testid="service"], [data-testid="inlet"]'));
        }
      });
      observer.observe(document.querySelector('main')!, { subtree: true, childList: true, characterData: true, attributes: true });
      mock.change((s) => (s.services[3]!.name = 'Renamed'));
      await new Promise((resolve) => setTimeout(resolve, 100));
      return [...rows].flatMap((row) => (row instanceof Element ? [row.getAttribute('data-id')] : []));
    });
    await expect(driver.id('service').nth(3)).toContainText('Renamed');
    expect(changed).toEqual(['many-3']);
  });

  test('a new snapshot is shown quickly, even on a busy machine', async ({ driver, page }) => {
    await driver.open('five-hundred');
    const took = await page.evaluate(async () => {
      const mock = (window as never as { mock: { change(c: (s: { services: { on: boolean }[] }) => void): void } }).mock;
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const times: number[] = [];
      for (let i = 0; i < 5; i += 1) {
        const start = performance.now();
        mock.change((s) => (s.services[3]!.on = i % 2 === 0));
        await frame();
        await frame();
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[2]!;
    });
    expect(took).toBeLessThan(1000);
  });
});

test('the layout does not shift when an answer arrives', async ({ driver, page }) => {
  await driver.open('home');
  const before = await driver.row('inlet', 'Staging site').boundingBox();
  await driver.row('service', 'Notebook').getByTestId('service-toggle').click();
  await expect(driver.row('service', 'Notebook')).toHaveAttribute('data-on', 'false');
  expect(await driver.row('inlet', 'Staging site').boundingBox()).toEqual(before);
  void page;
});

test('the wide window has a sidebar', async ({ driver, page }) => {
  await page.setViewportSize({ width: 900, height: 640 });
  await driver.open('attention');
  const nav = await page.getByRole('navigation').boundingBox();
  expect(nav).toMatchObject({ x: 0, y: 0, height: 640 });
  await expect(driver.id('nav-invitations')).toContainText('2');
});
