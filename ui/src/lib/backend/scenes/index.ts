// Recorded states of the engine, by the name in `?mock=`.

import { base, type Scene, scene, SHELL } from './build';
import { busy, home, paused } from './everyday';
import { attention, fiveHundred, keychainLocked, offline, ownerDown, strange } from './trouble';

export type { Scene } from './build';

export const SCENES: Record<string, (now: number) => Scene> = {
  'first-run': () =>
    scene({ ...base(), me: null, hubs: [], this_computer: { on: false, addresses: [], fault: null } }),
  empty: () => scene(base()),
  home,
  busy,
  attention,
  offline,
  paused,
  'owner-down': ownerDown,
  strange,
  'five-hundred': fiveHundred,
  'keychain-locked': keychainLocked,
  loading: () => scene(null, { waits: true }),
  macos: (now) => ({ ...home(now), shell: { ...SHELL, platform: 'macos' } }),
};
