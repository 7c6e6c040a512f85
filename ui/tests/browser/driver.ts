// Drives the page in a browser, with the mock playing a fixture.

import { test as base, expect, type Locator, type Page } from '@playwright/test';
import type { MockControls } from '../../src/lib/backend/mock';
import type { Request } from '../../src/lib/types';

export { expect };

export class Driver {
  constructor(readonly page: Page) {}

  async open(fixture: string): Promise<void> {
    await this.page.goto(`${process.env['PAGE_URL']}?mock=${fixture}`);
    if (fixture !== 'loading') await this.page.locator('body[data-ready]').waitFor({ state: 'attached' });
  }

  id(name: string): Locator {
    return this.page.getByTestId(name);
  }

  /** The row of a list that shows this text. */
  row(kind: 'service' | 'inlet' | 'contact' | 'person' | 'sent' | 'hub-row', text: string): Locator {
    return this.id(kind).filter({ hasText: text }).first();
  }

  async expand(kind: 'service' | 'inlet' | 'contact', text: string): Promise<Locator> {
    const row = this.row(kind, text);
    // On its title: the line below has an address to copy.
    await row.getByTestId(`${kind}-open`).click({ position: { x: 60, y: 14 } });
    return row;
  }

  /** Requests of one name, as sent so far. */
  requests<N extends Request['request']>(name: N): Promise<Extract<Request, { request: N }>[]> {
    return this.page.evaluate(
      (wanted) => (window as never as { mock: MockControls }).mock.requests.filter((r) => r.request === wanted),
      name,
    ) as Promise<Extract<Request, { request: N }>[]>;
  }

  actions(name: string): Promise<unknown[]> {
    return this.page.evaluate(
      (wanted) => (window as never as { mock: MockControls }).mock.actions.filter((a) => a.action === wanted),
      name,
    );
  }

  async fail(request: Request['request'], code: string, message: string): Promise<void> {
    await this.page.evaluate(
      ([r, c, m]) => (window as never as { mock: MockControls }).mock.fail(r as never, { code: c as never, message: m as string }),
      [request, code, message],
    );
  }

  /** Runs a function on the mock's controls in the page. */
  mock<A>(play: (mock: MockControls, argument: A) => void, argument: A): Promise<void> {
    return this.page.evaluate(`(${play.toString()})(window.mock, ${JSON.stringify(argument)})`);
  }

  /** Clicks on elements with these test ids one right after the other, before what the first started can have ended. */
  async clickAtOnce(...testids: string[]): Promise<void> {
    await this.page.evaluate((ids) => {
      for (const id of ids) document.querySelector<HTMLElement>(`[data-testid="${id}"]`)?.click();
    }, testids);
  }

  /** The focused element: its test id or its text. */
  async focused(): Promise<string | null> {
    return this.page.evaluate(() => document.activeElement?.getAttribute('data-testid') ?? document.activeElement?.textContent ?? null);
  }

  /** Presses Tab until the element with this test id has the focus. */
  async tabTo(testid: string, most = 60): Promise<void> {
    for (let i = 0; i < most; i += 1) {
      await this.page.keyboard.press('Tab');
      if ((await this.focused()) === testid) return;
    }
    throw new Error(`Tab does not reach ${testid}`);
  }
}

export const test = base.extend<{ driver: Driver }>({
  driver: async ({ page }, use) => {
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    await use(new Driver(page));
    expect(errors, 'nothing is logged as an error, the content policy included').toEqual([]);
  },
});
