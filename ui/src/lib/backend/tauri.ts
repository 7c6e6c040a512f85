// The backend inside the app; the only file that uses Tauri.

import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { Backend, Listeners } from './backend';

const EVENTS = ['snapshot', 'traffic', 'notice', 'navigate', 'shell'] as const satisfies readonly (keyof Listeners)[];

export const tauri: Backend = {
  async listen(listeners) {
    await Promise.all(
      EVENTS.map((name) => listen<never>(name, (event) => listeners[name](event.payload))),
    );
  },
  request: (request) => invoke('request', { request }),
  snapshot: () => invoke('snapshot'),
  shellState: () => invoke('shell_state'),
  shell: (action) => invoke('shell', { action }),
  openFile: () => invoke('open_file'),
  saveAs: (name) => invoke('save_as', { name }),
};
