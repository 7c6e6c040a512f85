// The mock of the real backend, for a browser: plays a fixture. `mock_engine.ts` answers the requests.

import type { Answer, Fault, Notice, Request, Snapshot, Traffic } from '../types';
import type { Backend, Listeners } from './backend';
import { FIXTURES, type Fixture } from './fixtures';
import { base } from './fixtures/builders';
import { traffic } from './fixtures/normal';
import { MockEngine, status } from './mock_engine';
import type { Navigate, ShellAction, ShellState } from './shell';

/** How long every call takes: enough to see that a control is busy, and short enough for tests. */
const DELAY_MS = 40;
/** The interval of traffic updates, as in the engine while data moves. */
const TRAFFIC_MS = 500;

/** What tests control through `window.mock`. */
export type MockControls = {
  requests: Request[];
  actions: ShellAction[];
  /** The next request of this name fails. */
  fail(request: Request['request'], fault: Fault): void;
  notice(notice: Notice): void;
  navigate(to: Navigate): void;
  /** The engine stops with a fault, or runs again. */
  engine(fault: Fault | null): void;
  /** The result of the next file dialog: a directory, null if cancelled, or a fault. */
  chooses(answer: string | null | Fault): void;
  change(change: (snapshot: Snapshot) => void): void;
};

declare global {
  interface Window {
    mock?: MockControls;
  }
}

export function mock(name: string): Backend {
  const fixture = (FIXTURES[name] ?? FIXTURES['home']!)(Date.now());
  const backend = new Mock(fixture);
  window.mock = backend.controls;
  return backend;
}

class Mock implements Backend {
  readonly controls: MockControls;
  #fixture: Fixture;
  #engine: MockEngine;
  #shell: ShellState;
  #listeners: Listeners | null = null;
  #failures = new Map<string, Fault>();
  #chosen: string | null | Fault = null;

  constructor(fixture: Fixture) {
    this.#fixture = fixture;
    this.#engine = new MockEngine(fixture, () => this.#emit());
    this.#shell = fixture.shell;
    this.controls = {
      requests: [],
      actions: [],
      fail: (request, why) => void this.#failures.set(request, why),
      notice: (notice) => this.#listeners?.notice(notice),
      navigate: (to) => this.#listeners?.navigate(to),
      engine: (why) => {
        this.#shell = { ...this.#shell, fault: why };
        this.#listeners?.shell();
      },
      chooses: (answer) => void (this.#chosen = answer),
      change: (change) => {
        change(this.#engine.snapshot!);
        this.#emit();
      },
    };
  }

  async listen(listeners: Listeners): Promise<void> {
    this.#listeners = listeners;
    for (const past of this.#fixture.past) listeners.traffic(past);
    if (this.#fixture.moves) {
      setInterval(() => this.#engine.snapshot && listeners.traffic(this.#traffic()), TRAFFIC_MS);
    }
  }

  #traffic(): Traffic {
    return traffic(this.#engine.snapshot ?? base(), Date.now());
  }

  async snapshot(): Promise<{ snapshot: Snapshot; traffic: Traffic }> {
    if (this.#fixture.waits) return new Promise(() => {});
    if (this.#shell.fault || !this.#engine.snapshot) throw this.#shell.fault;
    return { snapshot: structuredClone(this.#engine.snapshot), traffic: this.#traffic() };
  }

  async shellState(): Promise<ShellState> {
    return this.#shell;
  }

  async shell(action: ShellAction): Promise<ShellState> {
    this.controls.actions.push(action);
    await delay();
    this.#fail(action.action);
    switch (action.action) {
      case 'set-autostart':
        this.#shell = { ...this.#shell, autostart: action.on };
        break;
      case 'set-notifications':
        this.#shell = { ...this.#shell, notifications: action.on };
        break;
      case 'set-theme':
        this.#shell = { ...this.#shell, theme: action.theme };
        break;
      case 'copy':
        await navigator.clipboard?.writeText(action.text).catch(() => {});
        break;
      case 'restore':
        this.#engine.snapshot = FIXTURES['home']!(Date.now()).snapshot;
        this.#emit();
        break;
      case 'use-key-file':
      case 'retry-start':
        this.#shell = { ...this.#shell, fault: null, key_file: action.action === 'use-key-file' || this.#shell.key_file };
        this.#engine.snapshot ??= FIXTURES['home']!(Date.now()).snapshot;
        this.#emit();
        break;
      default:
        break;
    }
    return this.#shell;
  }

  async saveAs(name: string): Promise<string | null> {
    await delay();
    const chosen = this.#chosen;
    if (chosen && typeof chosen === 'object') throw chosen;
    return chosen && `${chosen}/${name}`;
  }

  async openFile(): Promise<string | null> {
    return this.saveAs('ada.postern');
  }

  async request(request: Request): Promise<Answer> {
    this.controls.requests.push(structuredClone(request));
    await delay();
    this.#fail(request.request);
    const answer = this.#engine.request(request);
    this.#emit();
    return answer;
  }

  #fail(name: string): void {
    const why = this.#failures.get(name);
    this.#failures.delete(name);
    if (why) throw why;
  }

  #emit(): void {
    const s = this.#engine.snapshot;
    if (!s) return;
    if (s.me) s.status = status(s);
    this.#listeners?.snapshot(structuredClone(s));
  }
}

function delay(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, DELAY_MS));
}
