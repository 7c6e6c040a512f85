// The interface between the page and the app. In: snapshots, traffic, notices, navigation. Out: requests to the engine,
// actions of the shell. No other module knows which implementation is used.

import type { Answer, Notice, Request, Snapshot, Traffic } from '../types';
import type { Navigate, ShellAction, ShellState } from './shell';

export type Listeners = {
  snapshot(snapshot: Snapshot): void;
  traffic(traffic: Traffic): void;
  notice(notice: Notice): void;
  navigate(to: Navigate): void;
  /** The shell's own state changed. */
  shell(): void;
};

export interface Backend {
  /** Resolves once the listeners are registered: no later event is missed. */
  listen(listeners: Listeners): Promise<void>;
  /** Rejects with a `Fault`. */
  request(request: Request): Promise<Answer>;
  /** The current state; rejects with a `Fault` while there is no engine. */
  snapshot(): Promise<{ snapshot: Snapshot; traffic: Traffic }>;
  shellState(): Promise<ShellState>;
  /** Rejects with a `Fault`. */
  shell(action: ShellAction): Promise<ShellState>;
  /** Opens the system's dialog for saving a file, which proposes `name`; null if cancelled. Rejects with a `Fault`. */
  saveAs(name: string): Promise<string | null>;
  /** Opens the system's dialog for a file that exists; null if cancelled. Rejects with a `Fault`. */
  openFile(): Promise<string | null>;
}

/** Tauri inside the app, the mock in a browser. */
export async function connect(): Promise<Backend> {
  if ('__TAURI_INTERNALS__' in window) return (await import('./tauri')).tauri;
  return (await import('./mock')).mock(new URLSearchParams(location.search).get('mock') ?? 'home');
}
