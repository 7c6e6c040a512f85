// Screenshots of every view and state, light and dark, narrow and wide, into screenshots-out.
// Arguments select those whose file name contains one of them.

import { mkdir, rm } from 'node:fs/promises';
import { chromium } from '@playwright/test';
import { CHROMIUM, serve } from './serve.mjs';

const OUT = 'screenshots-out';
const id = (name) => `[data-testid="${name}"]`;
const nav = (view) => async (page) => page.click(id(`nav-${view}`));
const row = (name, open) => (page) => page.locator(id(name)).nth(open).locator(id(`${name}-open`)).click();

/** Name, fixture, actions before the screenshot. */
const SCREENSHOTS = [
  ['first-run', 'first-run'],
  ['first-run-options', 'first-run', async (page) => { await page.click(id('first-options')); }],
  ['empty', 'empty'],
  ['home', 'home'],
  ['home-macos', 'macos'],
  ['home-busy', 'busy'],
  ['home-service', 'home', row('service', 0)],
  ['home-service-busy', 'busy', row('service', 0)],
  ['home-menu', 'home', async (page) => { await row('service', 0)(page); await page.locator(id('person-menu')).first().click(); }],
  ['home-terms', 'home', async (page) => { await row('service', 0)(page); await page.locator(id('person-menu')).first().click(); await page.click(id('grant-terms')); }],
  ['home-inlet', 'busy', row('inlet', 0)],
  ['home-undo', 'home', async (page) => { await row('service', 0)(page); await page.locator(id('person-menu')).first().click(); await page.click(id('grant-revoke')); await page.waitForSelector(id('undo')); }],
  ['home-focus', 'home', async (page) => { for (let i = 0; i < 6; i += 1) await page.keyboard.press('Tab'); }],
  ['home-attention', 'attention'],
  ['home-offline', 'offline'],
  ['home-paused', 'paused'],
  ['home-owner-down', 'owner-down'],
  ['home-strange', 'strange'],
  ['home-five-hundred', 'five-hundred'],
  ['invitations-compare', 'attention', async (page) => { await nav('invitations')(page); await page.click(id('knock-compare')); }],
  ['invitations', 'attention', nav('invitations')],
  ['invitations-empty', 'empty', nav('invitations')],
  ['share-pick', 'home', async (page) => { await page.click(id('share')); await page.waitForSelector(id('share-port')); }],
  ['share-name', 'home', async (page) => { await page.click(id('share')); await page.fill(id('share-target'), 'localhost:3000'); await page.click(id('share-next')); }],
  ['share-invite', 'home', async (page) => { await row('service', 1)(page); await page.click(id('service-invite')); }],
  ['share-link', 'home', async (page) => { await row('service', 1)(page); await page.click(id('service-invite')); await page.click(id('invite-submit')); await page.waitForSelector(id('link')); }],
  ['share-qr', 'home', async (page) => { await row('service', 1)(page); await page.click(id('service-invite')); await page.click(id('invite-submit')); await page.click(id('show-qr')); await page.waitForSelector(id('qr')); }],
  ['share-options', 'home', async (page) => { await row('service', 1)(page); await page.click(id('service-invite')); await page.click(id('invite-submit')); await page.click(id('share-options')); await page.waitForSelector(id('option-save')); }],
  ['joined', 'attention', async (page) => { await nav('invitations')(page); await page.click(id('accept')); await page.waitForSelector(`${id('joined')}[data-state=up]`); }],
  ['share-fault', 'home', async (page) => { await page.click(id('share')); await page.fill(id('share-target'), '8888'); await page.click(id('share-next')); await page.click(id('share-submit')); await page.waitForSelector(id('fault')); }],
  ['contacts', 'attention', nav('contacts')],
  ['contacts-open', 'home', async (page) => { await nav('contacts')(page); await row('contact', 1)(page); }],
  ['contacts-empty', 'empty', nav('contacts')],
  ['activity', 'busy', async (page) => { await nav('activity')(page); await page.waitForSelector(id('receipt')); }],
  ['activity-empty', 'empty', nav('activity')],
  ['settings', 'home', nav('settings')],
  ['settings-end', 'home', async (page) => { await nav('settings')(page); await page.click(id('doctor')); await page.locator(id('finding')).first().waitFor(); await page.locator(id('quit')).scrollIntoViewIfNeeded(); }],
  ['settings-backup', 'home', async (page) => { await nav('settings')(page); await page.click(id('backup')); }],
  ['keychain-locked', 'keychain-locked'],
  ['loading', 'loading'],
];

const SIZES = [
  { name: '380', width: 380, height: 640 },
  { name: '900', width: 900, height: 680 },
];

const wanted = process.argv.slice(2);
const server = await serve();
const browser = await chromium.launch(CHROMIUM);
if (wanted.length === 0) await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
let count = 0;
for (const colorScheme of ['light', 'dark']) {
  for (const size of SIZES) {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: size.width, height: size.height },
      deviceScaleFactor: 2,
      reducedMotion: 'reduce',
    });
    for (const [name, fixture, before] of SCREENSHOTS) {
      const file = `${name}-${size.name}-${colorScheme}.png`;
      if (wanted.length > 0 && !wanted.some((part) => file.includes(part))) continue;
      const page = await context.newPage();
      page.on('pageerror', (error) => console.error(`${file}: ${error.message}`));
      page.on('console', (message) => message.type() === 'error' && console.error(`${file}: ${message.text()}`));
      await page.goto(`${server.url}?mock=${fixture}`);
      if (fixture !== 'loading') await page.waitForSelector('body[data-ready]');
      await before?.(page);
      await page.waitForTimeout(120);
      await page.screenshot({ path: `${OUT}/${file}` });
      await page.close();
      count += 1;
    }
    await context.close();
  }
}
await browser.close();
await server.close();
console.log(`${count} screenshots in ${OUT}`);
