// The page's state and actions. Every component reads from the store and sends through it.
//
//   backend ─ snapshot, traffic, notice, navigate ─► store ─► components
//   backend ◄──────── request, shell ─────────────── store ◄─ components

import { tick } from 'svelte';
import type { Backend } from './backend/backend';
import type { Navigate, ShellAction, ShellState } from './backend/shell';
import { describeNotice } from './notices';
import { shareStructure } from './structural_sharing';
import { TrafficHistory } from './traffic.svelte';
import type { Answer, Fault, InvitationId, ListeningPort, Notice, Request, Snapshot } from './types';

/** How long an undo is offered: time to notice a mistake. */
export const UNDO_MS = 8000;

/** How long a message without an undo is shown: time to read one sentence. */
const TOAST_MS = 4000;
/** How often relative times are updated; the shortest that is shown is a minute. */
const CLOCK_MS = 10_000;

export type Toast = {
  id: number;
  text: string;
  fault: Fault | null;
  undo: (() => void) | null;
};

type Timed = { left: number; started: number; timer: number; end: () => void };

/** A removal that takes effect at once and can be undone for `UNDO_MS`. */
export type UndoableRemoval = {
  /** The removed object; hidden until the removal is committed or undone. */
  id: string;
  text: string;
  /** Sent at once. */
  apply?: Request;
  /** Sent when the user undoes it. */
  undo?: Request;
  /** Sent when the undo period is over. */
  commit: Request;
};

export function toFault(thrown: unknown): Fault {
  if (thrown && typeof thrown === 'object' && 'code' in thrown && 'message' in thrown) return thrown as Fault;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: 'failed', message };
}

/** When the focused element was removed, the view's heading gets the focus. */
function restoreFocus(): void {
  if (document.activeElement && document.activeElement !== document.body) return;
  document.querySelector<HTMLElement>('main [data-view-title]')?.focus({ preventScroll: true });
}

class Store {
  snapshot = $state.raw<Snapshot | null>(null);
  shellState = $state.raw<ShellState | null>(null);
  /** Why the engine is not running. */
  startFault = $state.raw<Fault | null>(null);
  route = $state.raw<Navigate>({ view: 'home' });
  toasts = $state.raw<readonly Toast[]>([]);
  /** Ids of removed objects whose removal can still be undone. */
  pendingRemovals = $state.raw<ReadonlySet<string>>(new Set());
  /** Invitations that were accepted in this window and whose portal has not been shown yet. */
  accepted = $state.raw<ReadonlySet<InvitationId>>(new Set());
  /** The text of the live region, for screen readers. */
  announcement = $state('');
  now = $state(Date.now());
  pinned = $state(false);
  /** Whether the list of shortcuts is open. */
  showsShortcuts = $state(false);
  /** The row of a service or portal that is expanded at home; kept while the user looks at other views. */
  openedRow = $state<string | null>(null);
  readonly traffic = new TrafficHistory();

  #backend: Backend | null = null;
  #history: Navigate[] = [];
  #timed = new Map<number, Timed>();
  #nextToast = 1;
  #sharedPort: ListeningPort | null = null;

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
      // A snapshot that arrived as an event in the meantime is newer.
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

  /** Clears the snapshot when the engine stopped, and fetches it when it runs again. */
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

  /** Accepts an invitation, and shows the portal that it becomes. Rejects with a `Fault`. */
  async accept(invitation: InvitationId, port: number | null): Promise<void> {
    this.accepted = new Set(this.accepted).add(invitation);
    try {
      await this.send({ request: 'accept', invitation, port });
    } catch (thrown) {
      this.forgetAccepted([invitation]);
      throw thrown;
    }
    this.go({ view: 'invitations', invitation });
  }

  /** Their portals have been seen. */
  forgetAccepted(invitations: readonly InvitationId[]): void {
    this.accepted = new Set([...this.accepted].filter((id) => !invitations.includes(id)));
  }

  openFile(): Promise<string | null> {
    return this.#backend!.openFile();
  }

  saveAs(name: string): Promise<string | null> {
    return this.#backend!.saveAs(name);
  }

  /** Resolves to whether it was copied; shows the fault if not. */
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

  // ── navigation ──

  /** Opens the view that shares this port at once. */
  shareNow(port: ListeningPort): void {
    this.#sharedPort = port;
    this.go({ view: 'share' });
  }

  /** The port that the view was opened for, once. */
  takeSharedPort(): ListeningPort | null {
    const port = this.#sharedPort;
    this.#sharedPort = null;
    return port;
  }

  go(to: Navigate): void {
    const { fault, ...from } = this.route;
    if (!to.fault && !fault && to.view === from.view && to.service === from.service && to.invitation === from.invitation) return;
    // A fault is shown once, not again when the user goes back.
    if (to.view === 'home') this.#history = [];
    else if (to.view !== from.view || !to.fault) this.#history = [...this.#history, from].slice(-20);
    this.#navigate(to);
  }

  /** Returns whether there was a previous view. */
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

  // ── toasts and undo ──

  announce(text: string): void {
    this.announcement = '';
    void tick().then(() => (this.announcement = text));
  }

  toast(text: string, fault: Fault | null = null): void {
    this.#addToast({ text, fault, undo: null }, fault ? UNDO_MS : TOAST_MS, () => {});
  }

  /** Shows what was done, with an undo button. */
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

  /** Undoes the latest action that can be undone. */
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

  /** Closes a toast; `done` commits the removal it stands for. */
  dismiss(id: number, done = true): void {
    const timed = this.#timed.get(id);
    if (!timed) return;
    window.clearTimeout(timed.timer);
    this.#timed.delete(id);
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
    if (done) timed.end();
  }

  /** Toasts do not time out while the pointer or the focus is on them. */
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

  /** Commits all pending removals: the window is being hidden. */
  flushUndo(): void {
    for (const toast of this.toasts) if (toast.undo) this.dismiss(toast.id);
  }
}

export const store = new Store();
