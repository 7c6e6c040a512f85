// The seam between the window and everything else. What comes in: snapshots, traffic, notices, where to go.
// What goes out: requests to the engine, actions to the shell. Nothing else in `src` knows who is on the other side.

import type { Answer, Notice, Request, Snapshot, Traffic } from '../types';
import type { Navigate, ShellAction, ShellState } from './shell';

export type Listeners = {
  snapshot(snapshot: Snapshot): void;
  traffic(traffic: Traffic): void;
  notice(notice: Notice): void;
  navigate(to: Navigate): void;
  /** What the shell itself has to say changed. */
  shell(): void;
};

export interface Backend {
  /** Resolves once events are heard: what happens later is not missed. */
  listen(listeners: Listeners): Promise<void>;
  /** Rejects with a `Fault`. */
  request(request: Request): Promise<Answer>;
  /** The state now; rejects with a `Fault` while there is no engine. */
  snapshot(): Promise<{ snapshot: Snapshot; traffic: Traffic }>;
  shellState(): Promise<ShellState>;
  /** Rejects with a `Fault`. */
  shell(action: ShellAction): Promise<ShellState>;
  /** Where the person wants a file that is called so at first, by the system's dialog; nothing if they changed their mind. Rejects with a `Fault`. */
  saveAs(name: string): Promise<string | null>;
}

/** The real one inside the app, the mock twin in a browser. */
export async function connect(): Promise<Backend> {
  if ('__TAURI_INTERNALS__' in window) return (await import('./tauri')).tauri;
  return (await import('./mock')).mock(new URLSearchParams(location.search).get('mock') ?? 'home');
}
