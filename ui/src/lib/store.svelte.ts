// What the window knows and does. One owner: every component reads from here and sends through here.
//
//   backend ─ snapshot, traffic, notice, navigate ─► store ─► components
//   backend ◄──────── request, shell ─────────────── store ◄─ components

import { tick } from 'svelte';
import type { Backend } from './backend/backend';
import type { Navigate, ShellAction, ShellState } from './backend/shell';
import { describeNotice } from './notices';
import { shareStructure } from './structural_sharing';
import { TrafficHistory } from './traffic.svelte';
import type { Answer, Fault, Notice, Request, Snapshot } from './types';

/** How long an undo is offered. */
export const UNDO_MS = 8000;

const TOAST_MS = 4000;
const CLOCK_MS = 10_000;

export type Toast = {
  id: number;
  text: string;
  fault: Fault | null;
  undo: (() => void) | null;
};

type Timed = { left: number; started: number; timer: number; end: () => void };

/** Something that is taken back at once and can be had again for a while. */
export type UndoableRemoval = {
  /** What leaves: hidden meanwhile. */
  id: string;
  text: string;
  /** Done at once. */
  apply?: Request;
  /** Done when the person takes it back. */
  undo?: Request;
  /** Done when they did not. */
  commit: Request;
};

export function toFault(thrown: unknown): Fault {
  if (thrown && typeof thrown === 'object' && 'code' in thrown && 'message' in thrown) return thrown as Fault;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'failed', message };
}

/** When what had the focus has left, the view's heading has it, not nothing. */
function restoreFocus(): void {
  if (document.activeElement && document.activeElement !== document.body) return;
  document.querySelector<HTMLElement>('main [data-view-title]')?.focus({ preventScroll: true });
}

class Store {
  snapshot = $state.raw<Snapshot | null>(null);
  shellState = $state.raw<ShellState | null>(null);
  /** Why there is no engine. */
  startFault = $state.raw<Fault | null>(null);
  route = $state.raw<Navigate>({ view: 'home' });
  toasts = $state.raw<readonly Toast[]>([]);
  /** Ids of what has been taken back and may still be had again. */
  pendingRemovals = $state.raw<ReadonlySet<string>>(new Set());
  /** What a screen reader says now. */
  announcement = $state('');
  now = $state(Date.now());
  pinned = $state(false);
  readonly traffic = new TrafficHistory();

  #backend: Backend | null = null;
  #history: Navigate[] = [];
  #timed = new Map<number, Timed>();
  #nextToast = 1;

  async start(backend: Backend): Promise<void> {
    this.#backend = backend;
    await backend.listen({
      snapshot: (snapshot) => this.#setSnapshot(snapshot),
      traffic: (traffic) => this.traffic.update(traffic),
      notice: (notice) => this.#onNotice(notice),
      navigate: (to) => this.go(to),
      shell: () => void this.#fetchShellState(),
    });
    setInterval(() => document.visibilityState === 'visible' && (this.now = Date.now()), CLOCK_MS);
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.now = Date.now();
      else this.flushUndo();
    });
    window.addEventListener('pagehide', () => this.flushUndo());
    await Promise.all([this.#fetchShellState(), this.#fetchSnapshot()]);
  }

  async #fetchShellState(): Promise<void> {
    try {
      this.#setShellState(await this.#backend!.shellState());
    } catch (thrown) {
      this.startFault = toFault(thrown);
    }
  }

  async #fetchSnapshot(): Promise<void> {
    try {
      const { snapshot, traffic } = await this.#backend!.snapshot();
      // One that was heard meanwhile is newer.
      if (!this.snapshot) this.#setSnapshot(snapshot);
      this.traffic.update(traffic);
    } catch (thrown) {
      if (!this.snapshot) this.startFault ??= toFault(thrown);
    }
  }

  #setSnapshot(snapshot: Snapshot): void {
    this.now = Date.now();
    this.startFault = null;
    this.snapshot = shareStructure(this.snapshot, snapshot);
  }

  /** While there is no engine nothing of it is shown, and as soon as there is one again everything. */
  #setShellState(state: ShellState): void {
    const was = this.startFault;
    this.shellState = state;
    this.startFault = state.fault;
    if (state.fault) this.snapshot = null;
    else if (was && !this.snapshot) void this.#fetchSnapshot();
  }

  #onNotice(notice: Notice): void {
    const { text, shown } = describeNotice(notice);
    this.announce(text);
    if (shown) this.toast(text);
  }

  /** Rejects with a `Fault`. */
  send(request: Request): Promise<Answer> {
    return this.#backend!.request(request);
  }

  /** Rejects with a `Fault`. */
  async shell(action: ShellAction): Promise<void> {
    this.#setShellState(await this.#backend!.shell(action));
  }

  saveAs(name: string): Promise<string | null> {
    return this.#backend!.saveAs(name);
  }

  /** Whether it was copied; if not, why is said. */
  async copy(text: string, what: string): Promise<boolean> {
    try {
      await this.shell({ action: 'copy', text });
    } catch (thrown) {
      this.toast(`${what} not copied`, toFault(thrown));
      return false;
    }
    this.announce(`${what} copied`);
    return true;
  }

  // ── where the person is ──

  go(to: Navigate): void {
    const { fault, ...from } = this.route;
    if (!to.fault && !fault && to.view === from.view && to.service === from.service && to.invitation === from.invitation) return;
    // Why something could not be shown is said once, not on the way back too.
    if (to.view === 'home') this.#history = [];
    else if (to.view !== from.view || !to.fault) this.#history = [...this.#history, from].slice(-20);
    this.#navigate(to);
  }

  /** Whether there was somewhere to go back to. */
  back(): boolean {
    const to = this.#history.pop() ?? (this.route.view === 'home' ? null : { view: 'home' as const });
    if (to) this.#navigate(to);
    return to !== null;
  }

  #navigate(to: Navigate): void {
    this.route = to;
    void tick().then(() => {
      const heading = document.querySelector<HTMLElement>('main [data-view-title]');
      heading?.focus({ preventScroll: true });
      document.querySelector('main')?.scrollTo(0, 0);
    });
  }

  // ── notes, and taking things back ──

  announce(text: string): void {
    this.announcement = '';
    void tick().then(() => (this.announcement = text));
  }

  toast(text: string, fault: Fault | null = null): void {
    this.#addToast({ text, fault, undo: null }, fault ? UNDO_MS : TOAST_MS, () => {});
  }

  /** Says what was done, and for a while how it is undone. */
  notifyWithUndo(text: string, undo: Request): void {
    const back = async () => {
      this.dismiss(id);
      try {
        await this.send(undo);
        this.announce('Undone');
      } catch (thrown) {
        this.toast(text, toFault(thrown));
      }
    };
    const id = this.#addToast({ text, fault: null, undo: () => void back() }, UNDO_MS, () => {});
  }

  /** Rejects with the `Fault` of the first step. */
  async removeWithUndo(what: UndoableRemoval): Promise<void> {
    if (this.pendingRemovals.has(what.id)) return;
    if (what.apply) await this.send(what.apply);
    this.pendingRemovals = new Set(this.pendingRemovals).add(what.id);
    void tick().then(restoreFocus);
    const restore = () => {
      const rest = new Set(this.pendingRemovals);
      rest.delete(what.id);
      this.pendingRemovals = rest;
    };
    const commit = async () => {
      try {
        await this.send(what.commit);
      } catch (thrown) {
        this.toast(what.text, toFault(thrown));
      }
      restore();
    };
    const undo = async () => {
      this.dismiss(id, false);
      try {
        if (what.undo) await this.send(what.undo);
      } catch (thrown) {
        this.toast(what.text, toFault(thrown));
      }
      restore();
      this.announce('Undone');
    };
    const id = this.#addToast({ text: what.text, fault: null, undo: () => void undo() }, UNDO_MS, () => void commit());
  }

  /** Takes back what was done last. */
  undoLast(): boolean {
    const last = this.toasts.findLast((toast) => toast.undo);
    last?.undo?.();
    return last !== undefined;
  }

  #addToast(toast: Omit<Toast, 'id'>, ms: number, end: () => void): number {
    const id = this.#nextToast++;
    this.toasts = [...this.toasts, { id, ...toast }];
    const timer = window.setTimeout(() => this.dismiss(id), ms);
    this.#timed.set(id, { left: ms, started: Date.now(), timer, end });
    return id;
  }

  /** Ends a toast; `done` carries out what it announced. */
  dismiss(id: number, done = true): void {
    const timed = this.#timed.get(id);
    if (!timed) return;
    window.clearTimeout(timed.timer);
    this.#timed.delete(id);
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
    if (done) timed.end();
  }

  /** Nobody loses the undo while they point at it. */
  pauseToasts(): void {
    for (const timed of this.#timed.values()) {
      window.clearTimeout(timed.timer);
      timed.left -= Date.now() - timed.started;
    }
  }

  resumeToasts(): void {
    for (const [id, timed] of this.#timed) {
      window.clearTimeout(timed.timer);
      timed.started = Date.now();
      timed.timer = window.setTimeout(() => this.dismiss(id), Math.max(timed.left, 1500));
    }
  }

  /** Carries out everything that waits for an undo: the window is about to go. */
  flushUndo(): void {
    for (const toast of this.toasts) if (toast.undo) this.dismiss(toast.id);
  }
}

export const store = new Store();
